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
    if checked.dtype.kind in "mM":
        refuse_dates(X)
    return checked


def refuse_dates(X: Any) -> None:
    """Raise ValueError if X, a table or an array, holds dates or durations, else do nothing."""
    for name, values in _columns(X):
        found = _find_dates(values)
        if found is None:
            continue
        where, hint = "X", ""
        if name is not None:
            where = f"column {name!r} of X"
            hint = "leave the column out, "
        raise ValueError(
            f"{where} holds dates or durations ({found}), but only numbers can be learned from: {hint}"
            "make numbers of them, such as the day of the year or the days since the first, or use "
            "TabularClassifier or TabularRegressor, which read columns of dates."
        )


def _columns(X: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield the columns of a table with their names, or all of an array."""
    if nw.dependencies.is_into_dataframe(X):
        for series in nw.from_native(X).iter_columns():
            yield series.name, series.to_numpy()
    elif not hasattr(X, "tocsr"):
        yield None, np.asarray(X, None if hasattr(X, "dtype") else object)


def _find_dates(values: np.ndarray) -> str | None:
    """Return the type of dates among values (...), or None."""
    if values.dtype.kind in "mM":
        return str(values.dtype)
    if values.dtype != object:
        return None
    kinds = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
    for each in values.flat:
        if isinstance(each, kinds) or type(each).__name__ == "Period":  # of pandas
            return type(each).__name__
    return None
