"""The form in which numbers came, and the way back to it."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np


class Form(NamedTuple):
    """Type of the numbers of X, and the columns of a pandas DataFrame."""

    dtype: str = "<f4"
    column_types: tuple[str, ...] | None = None  # None for what was no DataFrame

    @classmethod
    def of(cls, given: Any, checked: np.ndarray) -> Form:
        """Find the form of X as it was given, and as it was validated."""
        dtype = checked.dtype.newbyteorder("=").str
        if type(given).__module__.partition(".")[0] != "pandas" or getattr(given, "ndim", 0) != 2:
            return cls(dtype)
        types = [each if isinstance(each, np.dtype) else checked.dtype for each in given.dtypes]
        types = [each if each.kind in "biuf" else checked.dtype for each in types]
        return cls(dtype, tuple(each.newbyteorder("=").str for each in types))

    def restored(self, values: np.ndarray, names: np.ndarray | None, index: Any = None) -> Any:
        """Return floats (n, ...) in the type of X, as a DataFrame where X was one."""
        if self.column_types is None:
            return as_type(values, np.dtype(self.dtype))
        pandas = importlib.import_module("pandas")
        columns = [
            as_type(column, np.dtype(each))
            for column, each in zip(values.T, self.column_types, strict=True)
        ]
        frame = pandas.DataFrame(dict(enumerate(columns)), index=index)
        frame.columns = range(len(columns)) if names is None else names
        return frame


def as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Cast floats (...); integers are the nearest, within their range."""
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    if dtype.kind == "b":
        return values >= 0.5
    limits = np.iinfo(dtype)
    rounded = np.rint(values, dtype=np.float64)
    # the largest number of 64 bits is no float: the next smaller one is
    high = np.nextafter(limits.max, 0) if dtype.itemsize == 8 else limits.max
    cast = np.clip(rounded, limits.min, high).astype(dtype)
    cast[rounded >= limits.max] = limits.max
    return cast
