"""scikit-learn's checks of numbers, which say of dates where they are and what to do."""

from __future__ import annotations

import datetime
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
    for name, values in _columns(X):
        found = _kind_of_dates(values)
        if found is None:
            continue
        where, hint = ("X", "") if name is None else (f"column {name!r} of X", "leave it out, ")
        raise ValueError(
            f"{where} holds dates or durations ({found}), but only numbers can be learned from: "
            f"{hint}make numbers of them, such as the day of the year or the days since the first, "
            "or use TabularClassifier or TabularRegressor, which read columns of dates."
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
