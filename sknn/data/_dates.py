"""scikit-learn's checks of numbers, which say of dates where they are and what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils.validation import check_array, validate_data


def check_numbers(X: Any, estimator: Any = None, **checks: Any) -> Any:
    """Return a validated X; an estimator is told, or asked, about its columns."""
    try:
        if estimator is None:
            checked = check_array(X, input_name="X", **checks)
        else:
            checked = validate_data(estimator, X, **checks)
    except (TypeError, ValueError):
        refuse_dates(X)  # NumPy's errors say neither where they are nor what to do
        raise
    if checked.dtype.kind in "mMO" or _counts_days(X):
        refuse_dates(X)
    return checked


def _counts_days(X: Any) -> bool:
    """Say whether X may be a table that makes numbers of dates among other columns: no pandas."""
    return nw.dependencies.is_into_dataframe(X) and not nw.dependencies.is_pandas_dataframe(X)


def refuse_dates(X: Any) -> None:
    """Raise ValueError if X, a table or an array, holds dates or durations, else do nothing."""
    for name, found in _find_dates(X):
        where, hint = ("X", "") if name is None else (f"column {name!r} of X", "leave it out, ")
        raise ValueError(
            f"{where} holds dates or durations ({found}), but only numbers can be learned from: "
            f"{hint}make numbers of them, such as the day of the year or the days since the first, "
            "or use TabularClassifier or TabularRegressor, which read columns of dates."
        )


def _find_dates(X: Any) -> Iterator[tuple[Any, str]]:
    """Yield names of columns of a table, or None for an array, and the types of their dates."""
    if nw.dependencies.is_into_dataframe(X):
        for series in _columns(X):
            if series.dtype.is_temporal():
                yield series.name, str(getattr(series.to_native(), "dtype", series.dtype))
            elif not series.dtype.is_numeric():
                yield from ((series.name, kind) for kind in _kinds_of_dates(series.to_numpy()))
    elif not hasattr(X, "tocsr"):
        values = np.asarray(X, None if hasattr(X, "dtype") else object)
        yield from ((None, kind) for kind in _kinds_of_dates(values))


def _columns(X: Any) -> Iterator[nw.Series[Any]]:
    """Yield the columns of a table; those of pandas may have equal names."""
    if nw.dependencies.is_pandas_dataframe(X):
        natives = (X.iloc[:, j] for j in range(X.shape[1]))
        return (nw.from_native(each, series_only=True) for each in natives)
    return nw.from_native(X).iter_columns()


def _kinds_of_dates(values: np.ndarray) -> Iterator[str]:
    """Yield the types of dates among values (...)."""
    if values.dtype.kind in "mM":
        yield str(values.dtype)
    kinds = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
    for each in values.flat if values.dtype == object else ():
        if isinstance(each, kinds) or type(each).__name__ == "Period":  # of pandas
            yield type(each).__name__
