"""A column of anybody's table as plain arrays."""

from __future__ import annotations

import datetime
import decimal
import numbers
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from sknn.estimators._validation import MISSING_TYPES, is_missing

# Kinds of columns, and what messages call their values.
KINDS = {
    "number": "numbers",
    "boolean": "booleans",
    "text": "strings",
    "datetime": "dates",
    "zoned datetime": "dates with a time zone",
    "duration": "durations",
    "empty": "nothing but missing values",
}
# Python objects are made of so many rows at once.
ROWS_AT_ONCE = 2**16
FAR_INTEGERS = (nw.Int128, nw.UInt128)


class Plain(NamedTuple):
    """What a column holds, one value a row."""

    kind: str  # of KINDS
    # Real numbers, NaN where missing; of durations seconds, of dates seconds since 1970; of text
    # the places in `levels`, -1 where missing.
    values: np.ndarray
    missing: np.ndarray | None = None  # (n,) where integers are missing
    levels: tuple[str, ...] = ()  # the texts, and declared categories that no row has
    is_ordered: bool = False  # whether their order was declared
    is_category: bool = False  # whether its type says so
    wall: np.ndarray | None = None  # datetime64: what clocks showed where the dates are from


def place_of(name: Any, word: str = "Column") -> str:
    """Return what messages call a column: by its name, or by its number in an array."""
    return f"{word} {name!r}"


def read_array(values: np.ndarray, name: Any) -> Plain:
    """Read a column (n,) of an array of any type."""
    kind = values.dtype.kind
    if kind in "fiu":
        return Plain("number", _finite(values, name))
    if kind == "b":
        return Plain("boolean", values)
    if kind == "M":
        return _dates(values.astype("datetime64[us]"))
    if kind == "m":
        return Plain("duration", values / np.timedelta64(1, "s"))
    if kind in "OUT":
        return _read_objects(values, name)
    raise _refusal(name, str(values.dtype))


def read_series(series: nw.Series[Any], name: Any) -> Plain:
    """Read a column of a table."""
    dtype = series.dtype
    if isinstance(dtype, nw.Categorical | nw.Enum):
        return _read_categories(series, name)
    if dtype == nw.String and not _is_object(series):
        native = series.to_native()
        if hasattr(native, "factorize"):  # pandas, which need not make Python objects of all rows
            codes, texts = native.factorize()
            return Plain("text", codes.astype(np.int32), levels=tuple(texts), is_category=True)
        return _read_texts(_in_chunks(series), name)
    if dtype == nw.Boolean:
        return Plain("boolean", series.cast(nw.Float64).to_numpy())
    if dtype.is_integer() and dtype not in FAR_INTEGERS:
        missing = series.is_null().to_numpy()
        if not missing.any():
            return Plain("number", series.to_numpy())
        return Plain("number", series.fill_null(0).to_numpy(), missing)
    if dtype.is_float():
        return Plain("number", _finite(series.to_numpy(), name))
    if dtype.is_numeric():
        return Plain("number", _finite(series.cast(nw.Float64).to_numpy(), name))
    if dtype == nw.Date:
        return _dates(series.cast(nw.Datetime("us")).to_numpy())
    if isinstance(dtype, nw.Datetime):
        if dtype.time_zone is None:
            return _dates(series.to_numpy())
        seconds = series.dt.timestamp("us").to_numpy() / 1e6
        wall = series.dt.replace_time_zone(None).to_numpy()
        return Plain("zoned datetime", seconds, wall=wall.astype("datetime64[us]"))
    if isinstance(dtype, nw.Duration):
        return Plain("duration", series.dt.total_microseconds().to_numpy() / 1e6)
    if dtype.is_nested() or dtype in (nw.Binary, nw.Time):
        raise _refusal(name, str(dtype))
    return read_array(series.to_numpy(), name)


def _dates(values: np.ndarray) -> Plain:
    """Return dates without a time zone."""
    values = values.astype("datetime64[us]", copy=False)
    seconds = (values - np.datetime64(0, "us")) / np.timedelta64(1, "s")
    return Plain("datetime", seconds, wall=values)


def _finite(values: np.ndarray, name: Any) -> np.ndarray:
    """Refuse infinite numbers."""
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for {values.dtype}: {place_of(name)}. "
            "Replace it, by NaN if it stands for a missing value."
        )
    return values


def _refusal(name: Any, found: str) -> Exception:
    """Return the error of a column that holds what cannot be read."""
    if found.startswith("complex"):
        return ValueError(f"Complex data not supported\n{place_of(name)} holds {found}.")
    return TypeError(
        "The argument must be a table of strings, numbers, booleans, categories, dates or "
        f"durations, but {place_of(name, 'column')} holds {found}."
    )


# -------------------------------------------------------------------------------------- categories


def _read_categories(series: nw.Series[Any], name: Any) -> Plain:
    """Read categories, whose values are texts or numbers."""
    native = series.to_native()
    if hasattr(native, "cat") and hasattr(native.cat, "codes"):  # pandas
        codes = native.cat.codes.to_numpy()
        declared = native.cat.categories
        if len(codes) < len(declared):  # few rows need not look at all of them
            used = np.unique(codes[codes >= 0])
            codes = np.where(codes < 0, -1, np.searchsorted(used, codes))
            declared = declared.take(used)
        categories = list(declared)
        is_ordered = bool(native.cat.ordered)
    else:
        codes, categories = _factorize(_in_chunks(series), name)
        is_ordered = isinstance(series.dtype, nw.Enum)
        if is_ordered:
            declared = list(series.dtype.categories)  # type: ignore[attr-defined]
            codes = _recoded(codes, categories, {each: i for i, each in enumerate(declared)})
            categories = declared
    missing = np.array([is_missing(each) for each in categories], bool)
    if missing.any():
        codes = np.where(np.append(missing, True)[codes], -1, codes)
    kept = [each for each, left_out in zip(categories, missing, strict=True) if not left_out]
    if kept and all(isinstance(each, numbers.Real) for each in kept):
        filled = [
            0 if left_out else each for each, left_out in zip(categories, missing, strict=True)
        ]
        plain = _numbers(np.array(filled, object), name)
        return Plain("number", plain.values[codes], codes < 0, is_category=True)
    if any(isinstance(each, numbers.Real) for each in kept):
        raise _mixture(name, kept)
    levels = tuple("" if is_missing(each) else str(each) for each in categories)
    return Plain("text", codes, levels=levels, is_ordered=is_ordered, is_category=True)


def _read_texts(chunks: Iterable[list[Any]], name: Any) -> Plain:
    """Read texts, None or NaN where missing."""
    codes, found = _factorize(chunks, name)
    texts = [each for each in found if isinstance(each, str)]
    others = [each for each in found if not (isinstance(each, str) or is_missing(each))]
    if others:
        raise _mixture(name, [*texts, *others])
    places: dict[Any, int] = {each: i for i, each in enumerate(texts)}
    codes = _recoded(codes, found, places)
    return Plain("text", codes, levels=tuple(map(str, texts)), is_category=True)


def _mixture(name: Any, values: list[Any]) -> ValueError:
    kinds = sorted({"str" if isinstance(each, str) else type(each).__name__ for each in values})
    return ValueError(
        f"{place_of(name)} holds values of different types, {', '.join(kinds)}: make them numbers "
        "or strings, for instance with X[name].astype(str)."
    )


def _factorize(chunks: Iterable[list[Any]], name: Any) -> tuple[np.ndarray, list[Any]]:
    """Return for each of n values its place among the distinct ones, (n,), and these."""
    places: defaultdict[Any, int] = defaultdict()
    places.default_factory = places.__len__
    codes = []
    for chunk in chunks:
        try:
            codes.append(np.fromiter(map(places.__getitem__, chunk), np.int32, len(chunk)))
        except TypeError:  # what has no hash
            types = {type(each) for each in chunk} - {str, type(None)}
            raise _refusal(name, ", ".join(sorted(each.__name__ for each in types))) from None
    return np.concatenate(codes), list(places)


def _recoded(codes: np.ndarray, found: list[Any], places: dict[Any, int]) -> np.ndarray:
    """Return other places of values whose places in `found` are known, -1 for what has none."""
    table = np.fromiter((places.get(each, -1) for each in found), np.int32, len(found))
    return table[codes]


# ----------------------------------------------------------------------------------------- objects


def _read_objects(values: np.ndarray, name: Any) -> Plain:
    """Read Python objects (n,), all of one kind but for those that are missing."""
    types: set[type] = set()
    for chunk in _in_chunks(values):
        types.update(map(type, chunk))
    types = {each for each in types if each.__name__ not in MISSING_TYPES}
    if not types:
        return Plain("empty", np.full(len(values), np.nan))
    if any(issubclass(each, str) for each in types):
        return _read_texts(_in_chunks(values), name)
    if all(map(_is_number, types)):
        return _numbers(values, name)
    floats = {each for each in types if issubclass(each, float | np.floating)}
    types -= floats  # which are NaN
    kinds = {_kind_of(each) for each in types}
    if len(kinds) > 1 or None in kinds:
        strange = {each for each in types if not (_kind_of(each) or _is_number(each))}
        raise _refusal(name, ", ".join(sorted(each.__name__ for each in strange or types)))
    (kind,) = kinds
    given = values.copy()
    given[_are_missing(values)] = None
    if floats and any(isinstance(each, float | np.floating) for each in given):
        raise _mixture(name, [each for each in given if each is not None])
    if kind == "duration":
        return read_array(given.astype("timedelta64[us]"), name)
    if any(getattr(each, "tzinfo", None) is not None for each in given):
        raise ValueError(
            f"{place_of(name)} holds dates with a time zone as Python objects: make it a column of "
            "dates, for instance with pandas.to_datetime."
        )
    return _dates(given.astype("datetime64[us]"))


def _kind_of(cls: type) -> str | None:
    """Return the kind of column that dates or durations as objects make."""
    if issubclass(cls, datetime.date | np.datetime64):
        return "datetime"
    return "duration" if issubclass(cls, datetime.timedelta | np.timedelta64) else None


def _is_number(cls: type) -> bool:
    if issubclass(cls, np.timedelta64):  # an integer to NumPy
        return False
    return issubclass(cls, numbers.Real | decimal.Decimal | np.bool_)


def _numbers(values: np.ndarray, name: Any) -> Plain:
    """Read numbers (n,) that are Python objects, as integers where all are."""
    missing = _are_missing(values)
    given = values[~missing]
    types = set(map(type, given))
    if types and all(issubclass(each, bool | np.bool_) for each in types):
        floats = np.full(len(values), np.nan)
        floats[~missing] = given.astype(np.float64)
        return Plain("boolean", floats)
    try:
        if all(issubclass(each, numbers.Integral | np.bool_) for each in types):
            try:
                integers = np.where(missing, 0, values).astype(np.int64)
                return Plain("number", integers, missing if missing.any() else None)
            except OverflowError:
                pass  # rounded
        floats = np.full(len(values), np.nan)
        floats[~missing] = given.astype(np.float64)
    except OverflowError:
        floats = np.full(len(values), np.inf)
    return Plain("number", _finite(floats, name))


def _are_missing(values: np.ndarray) -> np.ndarray:
    """Say of Python objects (n,) which are missing."""
    pandas = sys.modules.get("pandas")
    if pandas is not None:  # which alone has NA, whose comparisons are neither true nor false
        return np.asarray(pandas.isna(values))
    return np.asarray((values == np.array(None)) | (values != values))


def _is_object(series: nw.Series[Any]) -> bool:
    """Say whether a series, whatever narwhals takes it for, is an array of Python objects."""
    return getattr(series.to_native(), "dtype", None) == np.dtype(object)


def _in_chunks(values: Any) -> Iterator[list[Any]]:
    """Cut a series or an array of n values into lists of Python objects."""
    for start in range(0, len(values), ROWS_AT_ONCE):
        part = values[start : start + ROWS_AT_ONCE]
        yield part.to_list() if isinstance(part, nw.Series) else part.tolist()
