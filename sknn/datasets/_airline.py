"""Passengers of airlines in the 1950s."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._fetching import describe, fetcher, import_pandas
from ._store import RemoteFile, corrupt_file, decoding, reading

_AIRLINE = RemoteFile(
    path="series/Airline.csv",
    url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/airline-passengers.csv",
    known_hash=None,  # the book is the publisher; none of the many copies on the web is official
)
# Copies of the table differ in the name of the first column.
_HEADERS = (["Date", "Passengers"], ["Month", "Passengers"])
_MONTHS = np.arange("1949-01", "1961-01", dtype="datetime64[M]")


@fetcher()
def fetch_airline_passengers(
    *,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    as_frame: bool = False,
) -> Bunch:
    """Load the monthly totals of airline passengers, 1949 to 1960 (forecasting).

    =================   ==================================
    Months              144
    Dimensionality      1
    Values              int, 104 - 622, in thousands
    =================   ==================================

    Parameters
    ----------
    {data_home}
    {download_if_missing}
    as_frame : bool, default=False
        If True, `data` is a pandas Series with the months as its index, and `frame` a DataFrame
        of it.

    Returns
    -------
    {dataset}

        data : ndarray of shape (144,) and dtype float64, or Series
            Passengers in thousands, in the order of the months. The index of a Series is a
            PeriodIndex of months.
        month : ndarray of shape (144,) and dtype datetime64[M]
            January 1949 to December 1960.
        feature_names : list of str
            ``["passengers"]``.
        frame : DataFrame or None
            One column, `data`, if `as_frame`.
        DESCR : str
            Description, unit and source.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded.
    ValueError
        If the file is damaged.

    Notes
    -----
    There is no target: what is to be predicted are later values of the same series. No hash is
    published, so a download is verified only by what is in it: 144 consecutive months with
    positive integers.

    References
    ----------
    .. [1] G. E. P. Box and G. M. Jenkins, Time Series Analysis: Forecasting and Control,
       Holden-Day, San Francisco, 1970, series G.

    Examples
    --------
    >>> from sknn.datasets import fetch_airline_passengers
    >>> airline = fetch_airline_passengers()  # doctest: +SKIP
    >>> airline.data[:3]  # doctest: +SKIP
    array([112., 118., 132.])
    """
    with reading(_AIRLINE, data_home, download_if_missing) as path:
        passengers = _read(path)
    month = _MONTHS.copy()
    data, frame = passengers, None
    if as_frame:
        pd = import_pandas()
        index = pd.PeriodIndex(month, freq="M", name="month")
        frame = pd.DataFrame({"passengers": passengers}, index=index)
        data = frame["passengers"]
    return Bunch(
        data=data,
        month=month,
        frame=frame,
        feature_names=["passengers"],
        DESCR=describe("airline"),
    )


def _read(path: Path) -> NDArray[np.float64]:
    """Return the second column, if the first has all months in their order."""
    with decoding(path):
        text = path.read_text(encoding="utf-8-sig")
    header, *rows = [
        [cell.strip(' "') for cell in line.split(",")] for line in text.splitlines() if line.strip()
    ] or [[]]
    if header not in _HEADERS:
        raise corrupt_file(
            path, f"its first line is {','.join(header)[:80]!r}, expected 'Month,Passengers'"
        )
    if len(rows) != len(_MONTHS):
        raise corrupt_file(path, f"it has {len(rows)} months, expected {len(_MONTHS)}")
    for row, month in zip(rows, _MONTHS.astype(str), strict=True):
        if len(row) != 2 or row[0] != month:
            raise corrupt_file(
                path, f"a row is {','.join(row)[:80]!r}, expected {month} and the passengers"
            )
        if not (row[1].isascii() and row[1].isdigit() and int(row[1]) > 0):
            raise corrupt_file(
                path, f"the passengers of {month} are {row[1][:80]!r}, expected a positive integer"
            )
    return np.array([int(row[1]) for row in rows], dtype=np.float64)
