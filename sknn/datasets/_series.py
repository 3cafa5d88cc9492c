"""Data sets of the archives of time series."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._fetching import Fetched, Subset, describe, fetcher
from ._store import RemoteFile, corrupt_file, replacing, resolve_data_home, unpack
from ._ts import Series, read_ts

_FOLDER = "series"
_FOLDER_URL = "https://www.timeseriesclassification.com/aeon-toolkit/"
_SPLITS = ("train", "test")
# The arrays of each split in the npz file: the fields of `Series`.
_PARTS = ("values", "lengths", "y")
# No dots and slashes: the name becomes part of a path and of an address.
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@fetcher(name=[str])
def fetch_series(
    name: str,
    *,
    subset: Subset = "train",
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Fetched:
    """Load a data set of the time series archives (classification or regression).

    The UCR [1]_ and UEA [2]_ archives have more than 150 data sets of series to classify, with
    one channel and with several, the TSER archive [3]_ has series with a number to predict.

    Parameters
    ----------
    name : str
        Name of the data set as the archives spell it, for example ``"GunPoint"``,
        ``"JapaneseVowels"`` or ``"Covid3Month"``. Letters, digits, ``_`` and ``-``.
    {subset}
    {data_home}
    {download_if_missing}
    {return_X_y}

    Returns
    -------
    {dataset}

        data : ndarray of dtype float32, or of dtype object with such arrays in it
            The series, in the units of the data set; missing values are NaN. The shape is
            (n_samples, n_timesteps) if all series of the data set have one channel and the same
            length, (n_samples, n_timesteps, n_channels) if they have several channels and the
            same length. If lengths differ, be it between training and test series, it is
            (n_samples,), and the elements are arrays of shape (n_timesteps, n_channels).
        target : ndarray of shape (n_samples,)
            Class labels, mostly strings, as they stand in the file; for regression, the numbers
            to predict, as float64.
        lengths : ndarray of shape (n_samples,)
            Number of time steps of each series.
        n_channels : int
            Number of channels.
        target_names : list of str
            Names of the classes, sorted as labels are; ``["target"]`` for regression.
        DESCR : str
            Description, source and citation.

    {data_and_target}

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; say because the publisher
        has no data set of this name.
    ValueError
        If a file is damaged, has time stamps or channels of different lengths, `name` has
        other characters, or `subset` is not one of those above.

    Notes
    -----
    The publisher gives no hashes, so a download is verified only by what is in it: a zip archive
    with two files in the ``.ts`` format, whose lines agree with one another and with their
    header.

    The two files are converted to one, ``series/<name>.npz``, and the archive is deleted, unless
    it was there before. This is how to use data sets for which the address
    ``https://www.timeseriesclassification.com/aeon-toolkit/<name>.zip`` does not exist, for
    example some for regression that are at https://zenodo.org/communities/tsml only: put
    ``<name>_TRAIN.ts`` and ``<name>_TEST.ts`` into ``series/<name>.zip`` in the data home.

    ``series/<name>.npz`` has, for ``train`` and ``test``, the arrays ``train_values`` of shape
    (sum of the lengths, n_channels), the series one after the other, ``train_lengths`` and
    ``train_y``.

    References
    ----------
    .. [1] H. A. Dau et al., `The UCR time series archive
       <https://doi.org/10.1109/JAS.2019.1911747>`_, IEEE/CAA Journal of Automatica Sinica 6(6),
       1293-1305, 2019.
    .. [2] A. Bagnall et al., `The UEA multivariate time series classification archive
       <https://arxiv.org/abs/1811.00075>`_, 2018.
    .. [3] C. W. Tan, C. Bergmeir, F. Petitjean and G. I. Webb, `Time series extrinsic regression
       <https://doi.org/10.1007/s10618-021-00745-9>`_, Data Mining and Knowledge Discovery 35,
       1032-1060, 2021.

    Examples
    --------
    >>> from sknn.datasets import fetch_series
    >>> X, y = fetch_series("GunPoint", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (50, 150)
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"`name` is {name!r}, expected letters, digits, '_' and '-' only, as in 'GunPoint'."
        )
    splits = _read(_locate(name, data_home, download_if_missing))
    series = _join(list(splits.values())) if subset == "all" else splits[subset]
    all_lengths = np.concatenate([split.lengths for split in splits.values()])
    data = _shape(series, equal_length=bool(np.all(all_lengths == all_lengths[0])))
    if return_X_y:
        return data, series.target
    return Bunch(
        data=data,
        target=series.target,
        lengths=series.lengths,
        n_channels=series.values.shape[1],
        target_names=_name_targets(splits),
        DESCR=_describe(name, splits),
    )


def _locate(name: str, data_home: str | PathLike[str] | None, download_if_missing: bool) -> Path:
    """Return the path of the npz file; if it is not there, make it of the publisher's archive."""
    path = resolve_data_home(data_home) / _FOLDER / f"{name}.npz"
    archive = RemoteFile(
        path=f"{_FOLDER}/{name}.zip",
        url=f"{_FOLDER_URL}{name}.zip",
        known_hash=None,  # the publisher gives none
        to_check="that the archives have a data set of this `name`, and the network,",
    )
    unpack(
        archive,
        data_home,
        download_if_missing,
        into=path,
        files=[path],
        extract=lambda archive_path: _convert(archive_path, name, path),
    )
    return path


def _convert(archive: Path, name: str, path: Path) -> None:
    """Write the two files of the data set as one npz file."""
    splits = _read_archive(archive, name)
    arrays: dict[str, Any] = {
        f"{split}_{part}": array
        for split, series in splits.items()
        for part, array in zip(_PARTS, series, strict=True)
    }
    with replacing(path) as part_of_path:
        np.savez_compressed(part_of_path, **arrays)


def _read_archive(path: Path, name: str) -> dict[str, Series]:
    """Read the two files of the data set, whatever else the archive has and in which folders."""
    splits = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {PurePosixPath(member).name: member for member in archive.namelist()}
            for split in _SPLITS:
                file = f"{name}_{split.upper()}.ts"
                if file not in members:
                    raise corrupt_file(path, f"it does not contain {file}")
                with archive.open(members[file]) as stream:
                    splits[split] = _read_member(stream, path, file)
    # RuntimeError is that of encryption, and of compression that Python does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise corrupt_file(path, f"it cannot be decoded ({error})") from error
    _check_agreement(path, splits)
    return splits


def _read_member(stream: IO[bytes], path: Path, file: str) -> Series:
    # The comments of some files are in other encodings. In a value, what replaces a character
    # that is not UTF-8 is an error, and in a label it is not what the header announces.
    with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace") as lines:
        try:
            return read_ts(lines)
        except ValueError as error:
            raise corrupt_file(path, f"{file}: {error}") from error


def _read(path: Path) -> dict[str, Series]:
    """Read an npz file that `_convert` has written."""
    try:
        # np.load leaves a file that it opened itself open if that is damaged.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {split: [file[f"{split}_{part}"] for part in _PARTS] for split in _SPLITS}
    except KeyError as error:
        raise corrupt_file(path, f"an array is missing ({error.args[0]})") from error
    # ValueError is that of arrays of Python objects, TypeError that of a plain .npy file.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError) as error:
        raise corrupt_file(path, f"it cannot be decoded ({error})") from error
    splits = {split: _check_arrays(path, split, *arrays[split]) for split in _SPLITS}
    _check_agreement(path, splits)
    return splits


def _check_arrays(
    path: Path, split: str, values: NDArray[Any], lengths: NDArray[Any], target: NDArray[Any]
) -> Series:
    """Return the arrays as one, if each has the right form and they fit one another."""
    if values.ndim != 2 or values.shape[1] < 1 or values.dtype.kind != "f":
        raise corrupt_file(
            path,
            f"{split}_values is of shape {values.shape} and type {values.dtype}, expected floats "
            "of shape (n, n_channels)",
        )
    if np.isinf(values).any():
        raise corrupt_file(path, f"{split}_values has infinite values")
    if lengths.ndim != 1 or lengths.size < 1 or lengths.dtype.kind not in "iu":
        raise corrupt_file(
            path,
            f"{split}_lengths is of shape {lengths.shape} and type {lengths.dtype}, expected "
            "integers of shape (n,)",
        )
    if lengths.min() < 1 or lengths.sum() != len(values):
        raise corrupt_file(
            path,
            f"{split}_lengths are from {lengths.min()} to {lengths.max()} and sum to "
            f"{lengths.sum()}, expected positive numbers that sum to the {len(values)} rows of "
            f"{split}_values",
        )
    if target.shape != lengths.shape or target.dtype.kind not in "Uiuf":
        raise corrupt_file(
            path,
            f"{split}_y is of shape {target.shape} and type {target.dtype}, expected labels or "
            f"numbers of shape {lengths.shape}",
        )
    if target.dtype.kind == "f":
        target = target.astype(np.float64, copy=False)
        if not np.isfinite(target).all():
            raise corrupt_file(path, f"{split}_y has values that are not finite")
    return Series(
        values.astype(np.float32, copy=False), lengths.astype(np.int64, copy=False), target
    )


def _check_agreement(path: Path, splits: dict[str, Series]) -> None:
    train, test = (splits[split] for split in _SPLITS)
    if train.values.shape[1] != test.values.shape[1]:
        raise corrupt_file(
            path,
            f"the training series have {train.values.shape[1]} channels, and the test series "
            f"{test.values.shape[1]}",
        )
    if train.target.dtype.kind != test.target.dtype.kind:
        raise corrupt_file(
            path,
            f"the targets for training are of type {train.target.dtype}, and those for testing "
            f"of type {test.target.dtype}",
        )


def _join(splits: list[Series]) -> Series:
    values, lengths, target = (np.concatenate(parts) for parts in zip(*splits, strict=True))
    return Series(values, lengths, target)


def _shape(series: Series, *, equal_length: bool) -> NDArray[Any]:
    """Return one array if all series of the data set have one length, else an array of arrays."""
    n_series, n_channels = len(series.lengths), series.values.shape[1]
    if equal_length:
        shape = (n_series, -1) if n_channels == 1 else (n_series, -1, n_channels)
        return series.values.reshape(shape)
    # NumPy would make one array of series whose lengths happen to be equal.
    data = np.empty(n_series, dtype=object)
    for index, each in enumerate(np.split(series.values, np.cumsum(series.lengths)[:-1])):
        data[index] = each
    return data


def _name_targets(splits: dict[str, Series]) -> list[str]:
    """Return the names of the classes of the whole data set, or of the number to predict."""
    target = np.concatenate([series.target for series in splits.values()])
    return ["target"] if target.dtype.kind == "f" else [str(label) for label in np.unique(target)]


def _describe(name: str, splits: dict[str, Series]) -> str:
    train, test = (splits[split] for split in _SPLITS)
    shortest = min(train.lengths.min(), test.lengths.min())
    longest = max(train.lengths.max(), test.lengths.max())
    n_channels = train.values.shape[1]
    is_regression = train.target.dtype.kind == "f"
    return describe("series").format(
        name=name,
        underline="=" * len(name),
        task="regression" if is_regression else "classification",
        n_train=len(train.lengths),
        n_test=len(test.lengths),
        lengths=shortest if shortest == longest else f"{shortest} to {longest}",
        channels="1 channel" if n_channels == 1 else f"{n_channels} channels",
        target="a number" if is_regression else "class, " + ", ".join(_name_targets(splits)),
    )
