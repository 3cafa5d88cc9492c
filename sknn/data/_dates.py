"""scikit-learn's checks of numbers, which say of dates where they are and what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils.validation import check_array, validate_data

FOR_TABLES = ", or use TabularClassifier or TabularRegressor, which read columns of dates"
LEAVE_OUT = "leave it out, "


def check_numbers(X: Any, estimator: Any = None, *, name: str = "X", **checks: Any) -> Any:
    """Return a validated X; an estimator is told, or asked, about its columns."""
    hint = FOR_TABLES if name == "X" else ""
    with refusing_dates(X, name, hint):
        if estimator is None:
            checked = check_array(X, input_name=name, **checks)
        else:
            checked = validate_data(estimator, X, **checks)
    if checked.dtype.kind in "mMO":
        refuse_dates(X, name, hint)
    return checked


@contextmanager
def refusing_dates(values: Any, name: str, hint: str = "") -> Iterator[None]:
    """Refuse dates by name where a check refuses them without, or takes them for numbers."""
    try:
        yield
    except (TypeError, ValueError):
        refuse_dates(values, name, hint)  # NumPy's errors say neither where they are nor what to do
        raise
    if _may_be_taken_for_numbers(values):
        refuse_dates(values, name, hint)


def _may_be_taken_for_numbers(values: Any) -> bool:
    """Say whether values may hold dates, which checks of numbers count in days or nanoseconds."""
    dtype = getattr(values, "dtype", None)
    if values is None or isinstance(dtype, np.dtype):
        return dtype is not None and dtype.kind in "mM"
    if isinstance(values, list | tuple):
        return np.asarray(values).dtype.kind in "mM"
    if nw.dependencies.is_pandas_dataframe(values):
        return any(each.kind in "mM" for each in values.dtypes)
    return True


def refuse_dates(values: Any, name: str, hint: str = "") -> None:
    """Raise ValueError if a table or an array holds dates or durations, else do nothing."""
    for column, part in _columns(values):
        found = _kind_of_dates(part)
        if found is None:
            continue
        where, leave = (name, "") if column is None else (f"column {column!r} of {name}", LEAVE_OUT)
        raise ValueError(
            f"{where} holds dates or durations ({found}), but only numbers can be learned from: "
            f"{leave}make numbers of them, such as the day of the year or the days since the first"
            f"{hint}."
        )


def _columns(X: Any) -> list[tuple[Any, Any]]:
    """Return the columns of a table with their names, or an array without one."""
    if nw.dependencies.is_pandas_dataframe(X):  # whose columns may have equal names
        natives = [X.iloc[:, j] for j in range(X.shape[1])]
        return [(each.name, nw.from_native(each, series_only=True)) for each in natives]
    if nw.dependencies.is_into_dataframe(X):
        return [(each.name, each) for each in nw.from_native(X).iter_columns()]
    if hasattr(X, "tocsr"):
        return []
    try:
        return [(None, np.asarray(X, None if hasattr(X, "dtype") else object))]
    except (TypeError, ValueError):  # what is no array is refused for that
        return []


def _kind_of_dates(values: Any) -> str | None:
    """Return the type of dates in an array (...) or a column of narwhals', None without any."""
    if isinstance(values, nw.Series):
        if values.dtype.is_temporal():
            return str(getattr(values.to_native(), "dtype", values.dtype))
        values = np.empty(0) if values.dtype.is_numeric() else values.to_numpy()
    if values.dtype.kind in "mM":
        return str(values.dtype)
    kinds = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
    for each in values.flat if values.dtype == object else ():
        if isinstance(each, kinds) or type(each).__name__ == "Period":  # of pandas
            return type(each).__name__
    return None
