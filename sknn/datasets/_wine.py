"""Quality of Portuguese wines."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from ._fetching import Fetched, bundle, describe, fetcher
from ._store import RemoteFile, corrupt_file, decoding, locate

_FOLDER_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/"
# The publisher gives no hashes. These are pinned for the same addresses by
# https://github.com/JackDunnNZ/UCIData.jl (src/data/regression) and, independently of it, by
# https://github.com/mmschlk/shapiq.
_FILES = {
    "white": RemoteFile(
        path="wine/winequality-white.csv",
        url=_FOLDER_URL + "winequality-white.csv",
        known_hash="sha256:76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
    ),
    "red": RemoteFile(
        path="wine/winequality-red.csv",
        url=_FOLDER_URL + "winequality-red.csv",
        known_hash="sha256:4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
    ),
}
_N_WINES = {"white": 4898, "red": 1599}
_FEATURE_NAMES = [
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
]
_TARGET_NAME = "quality"


@fetcher(color=[StrOptions({"white", "red", "all"})])
def fetch_wine_quality(
    *,
    color: Literal["white", "red", "all"] = "white",
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Fetched:
    """Load the wine quality data set (regression or ordinal classification).

    =================   ==================================
    Samples total       4898 white, 1599 red
    Dimensionality      11
    Features            real, positive
    Target              int, 3 - 9
    =================   ==================================

    Parameters
    ----------
    color : {"white", "red", "all"}, default="white"
        Which wines to load. ``"all"`` are the white ones followed by the red ones, with the same
        11 features; the attribute `color` tells them apart.
    {data_home}
    {download_if_missing}
    {return_X_y}
    {as_frame}

    Returns
    -------
    {dataset}

        data : ndarray of shape (n_samples, 11), or DataFrame
            Physicochemical measurements.
        target : ndarray of shape (n_samples,), or Series
            Quality, an integer from 0 (very bad) to 10 (excellent).
        color : ndarray of shape (n_samples,)
            ``"white"`` or ``"red"`` for each sample.
        feature_names : list of str
            Names of the measurements.
        target_names : list of str
            ``["quality"]``.
        {frame}
        DESCR : str
            Description, units, source and citation.

    {data_and_target}

    Raises
    ------
    {missing_file}
    ValueError
        If a file is damaged, or `color` is not one of those above.

    References
    ----------
    .. [1] P. Cortez, A. Cerdeira, F. Almeida, T. Matos and J. Reis, `Modeling wine preferences by
       data mining from physicochemical properties <https://doi.org/10.1016/j.dss.2009.05.016>`_,
       Decision Support Systems 47(4), 547-553, 2009.

    Examples
    --------
    >>> from sknn.datasets import fetch_wine_quality
    >>> X, y = fetch_wine_quality(color="red", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (1599, 11)
    """
    colors = ["white", "red"] if color == "all" else [color]
    tables = [
        _read(locate(_FILES[each], data_home, download_if_missing), _N_WINES[each])
        for each in colors
    ]
    data, quality = np.split(np.concatenate(tables), [len(_FEATURE_NAMES)], axis=1)
    return bundle(
        np.ascontiguousarray(data),
        quality.ravel().astype(np.int64),
        feature_names=list(_FEATURE_NAMES),
        target_names=[_TARGET_NAME],
        target_column=_TARGET_NAME,
        description=describe("wine"),
        return_X_y=return_X_y,
        as_frame=as_frame,
        color=np.repeat(colors, [len(table) for table in tables]),
    )


def _read(path: Path, n_wines: int) -> NDArray[np.float64]:
    """Return the features and, as the last column, the quality."""
    with decoding(path):
        text = path.read_text(encoding="utf-8")
    header, *lines = [line for line in text.splitlines() if line.strip()] or [""]
    columns = [name.strip('"') for name in header.split(";")]
    if columns != [*_FEATURE_NAMES, _TARGET_NAME]:
        raise corrupt_file(path, f"its first line is {header[:80]!r}, expected the column names")
    if len(lines) != n_wines:
        raise corrupt_file(path, f"it has {len(lines)} wines, expected {n_wines}")
    try:
        table = np.loadtxt(lines, delimiter=";", ndmin=2)
    except ValueError as error:
        raise corrupt_file(path, f"it is not a table of numbers ({error})") from error
    if table.shape != (n_wines, len(columns)):
        raise corrupt_file(
            path, f"its table has the shape {table.shape}, expected {(n_wines, len(columns))}"
        )
    quality = table[:, -1]
    if not (np.isfinite(table).all() and np.isin(quality, np.arange(11)).all()):
        raise corrupt_file(path, "a feature is not a number, or a quality not an integer in 0-10")
    return table
