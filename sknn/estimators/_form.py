"""The form in which numbers came, and the way back to it."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

# Kinds of NumPy's types that are numbers.
NUMBERS = "biuf"


class Form(NamedTuple):
    """Type of the numbers of X, and the columns of a table."""

    dtype: str = "<f4"
    column_types: tuple[str, ...] | None = None  # None for what was no table
    library: str = "pandas"  # of a table
    # pandas' names of types that are its own or Arrow's ("Int64", "double[pyarrow]"), "" of NumPy's
    extension_types: tuple[str, ...] | None = None

    @classmethod
    def of(cls, given: Any, checked: np.ndarray) -> Form:
        """Find the form of X as it was given, and as it was validated."""
        dtype = checked.dtype.newbyteorder("=")
        if type(given) is np.ndarray or not nw.dependencies.is_into_dataframe(given):
            return cls(dtype.str)
        library, extensions = "pandas", None
        if nw.dependencies.is_pandas_dataframe(given):
            found = [_of_pandas(each) for each in given.dtypes]
            types = [each or dtype for each, _ in found]
            if any(name for _, name in found):
                extensions = tuple(name for _, name in found)
        else:
            frame = nw.from_native(given)
            library = frame.implementation.value
            types = [_numpy_type(each) or dtype for each in frame.schema.values()]
        types = [each if each.kind in NUMBERS else dtype for each in types]
        names = tuple(each.newbyteorder("=").str for each in types)
        return cls(dtype.str, names, library, extensions)

    def restored(self, values: np.ndarray, names: np.ndarray | None, index: Any = None) -> Any:
        """Return floats (n, ...) in the type of X, as a table where X was one."""
        if self.column_types is None:
            return as_type(values, np.dtype(self.dtype))
        columns = [
            as_type(column, np.dtype(each))
            for column, each in zip(values.T, self.column_types, strict=True)
        ]
        if self.library != "pandas":
            keys = range(len(columns)) if names is None else names
            named = {str(key): column for key, column in zip(keys, columns, strict=True)}
            backend: Any = nw.Implementation(self.library)  # one of narwhals', whatever a file says
            return nw.from_dict(named, backend=backend).to_native()
        pandas = importlib.import_module("pandas")
        frame = pandas.DataFrame(dict(enumerate(columns)), index=index)
        for place, name in enumerate(self.extension_types or ()):
            if name:
                frame[place] = frame[place].astype(name)
        frame.columns = range(len(columns)) if names is None else names
        return frame


def _of_pandas(dtype: Any) -> tuple[np.dtype | None, str]:
    """Return NumPy's type of the numbers of a column, and pandas' name of one that is not NumPy's.

    Columns with masks and those of Arrow have both.
    """
    if isinstance(dtype, np.dtype):
        return dtype, ""
    found = getattr(dtype, "numpy_dtype", None)
    if found is None or found.kind not in NUMBERS:
        return None, ""
    return found, str(dtype)


def _numpy_type(dtype: nw.dtypes.DType) -> np.dtype | None:
    """Return NumPy's type of the numbers of a column, if it has one."""
    try:
        return np.dtype("bool" if dtype == nw.Boolean else str(dtype).lower())
    except TypeError:
        return None


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
