"""What is learned of a column of a table, and the numbers or codes that it becomes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sknn.nn import FIRST_LEVEL, MISSING, UNKNOWN
from sknn.preprocessing import robust_scale

from ._reading import KINDS, Plain, place_of

# What stands in the docstring of each estimator for tables.
COLUMNS = """\
X is a table of pandas, polars or pyarrow, or an array. Each column becomes numbers or a
category, by its type:

- Integers, floats and decimals are a number.
- Booleans are a number, 0 or 1.
- Strings and categories (of pandas, Categorical and Enum of polars, dictionaries of Arrow) are
  a category. Its levels are those that the training data have, in alphabetical order unless
  theirs is declared.
- Dates are numbers: the time, and of the day of the year (1 to 366), the weekday (Monday is 0)
  and the hour (with minutes and seconds) those that vary in the training data. With a time
  zone, the clock there tells day and hour.
- Durations are a number, their seconds.
- Python objects are what all of those in a column are.

`categorical_features` makes categories of any other columns: their levels are their values, and
1, 1.0 and True are one level. Columns that it leaves out are numbers; strings among them are
refused.

Values may be missing (NaN, None, NA, NaT, null) in every column, also where none was in the
training data. A missing value of a category, and a level that the training data have not, are
levels of their own. A column without any value in the training data stays missing.

Refused, by the name of the column, are infinity, strings mixed with numbers, lists, bytes,
complex numbers, periods and times without a date, and of later tables other types, dates with
and without a time zone among them. Names and order of columns are compared as by scikit-learn."""

# Codes are floats of 24 bits, see `TableFormat`.
MOST_LEVELS = 2**24 - FIRST_LEVEL
# Ranges of the training values beyond which numbers are cut off, lest their squares overflow.
FARTHEST = 1e15
NUMBERS_AT_ONCE = 2**15
INTEGERS = (np.dtype(np.int64), np.dtype(np.uint64))


class TableColumn(NamedTuple):
    """A column of the training table."""

    name: str | int  # an array's columns have numbers
    kind: str  # of KINDS
    is_category: bool
    # The distinct values of a category: texts, or an increasing array of int64, uint64 or float64.
    levels: tuple[str, ...] | np.ndarray = ()
    # The numbers that it becomes, by name: "" where it is one itself. Each becomes
    # (number - center) * scale.
    parts: tuple[str, ...] = ()
    centers: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it is one number, of training values that were not all missing."""
        return self.kind in ("number", "boolean") and not self.is_category

    def accepts(self, plain: Plain) -> bool:
        """Say whether values of a later column mean what the training values meant."""
        if "empty" in (self.kind, plain.kind) or plain.kind == self.kind:
            return True
        return {plain.kind, self.kind} == {"number", "boolean"} or _is_void(plain)

    def refuse_others(self, plain: Plain) -> None:
        """Raise ValueError for values of a later column that mean something else."""
        if not self.accepts(plain):
            raise ValueError(
                f"{place_of(self.name)} holds {KINDS[plain.kind]}, but in the training data it "
                f"held {KINDS[self.kind]}."
            )

    def fill(self, plain: Plain, matrix: np.ndarray) -> None:
        """Write numbers (n, parts), or codes (n, 1), into columns of a matrix."""
        self.refuse_others(plain)
        if self.is_category:
            matrix[:, 0] = self._codes(plain)
        elif self.kind == "empty" or _is_void(plain):
            matrix[:] = np.nan
        else:
            for j, (part, center, scale) in enumerate(
                zip(self.parts, self.centers, self.scales, strict=True)
            ):
                missing = plain.missing
                write_numbers(_part(plain, part), missing, center, scale, matrix[:, j])

    def _codes(self, plain: Plain) -> np.ndarray:
        """Return the codes (n,) of a category."""
        if plain.kind == "text":
            places = {}
            if not isinstance(self.levels, np.ndarray):
                places = {level: FIRST_LEVEL + i for i, level in enumerate(self.levels)}
            table = [places.get(level, UNKNOWN) for level in plain.levels]
            return np.array([*table, MISSING], np.int32)[plain.values]
        missing = _missing(plain)
        if not isinstance(self.levels, np.ndarray) or not len(self.levels):
            return np.where(missing, MISSING, UNKNOWN)
        values, fits = _cast(plain.values, self.levels.dtype)
        places_ = np.minimum(np.searchsorted(self.levels, values), len(self.levels) - 1)
        is_level = fits & (self.levels[places_] == values) & ~missing
        return np.where(is_level, places_ + FIRST_LEVEL, np.where(missing, MISSING, UNKNOWN))


def learn_column(name: str | int, plain: Plain, *, is_category: bool) -> TableColumn:
    """Find levels, or centers and scales."""
    if is_category:
        levels = _text_levels(plain) if plain.kind == "text" else _number_levels(plain)
        if len(levels) > MOST_LEVELS:
            raise ValueError(
                f"{place_of(name)} has {len(levels)} levels; a category has at most {MOST_LEVELS}."
            )
        return TableColumn(name, plain.kind if len(levels) else "empty", True, levels)
    if plain.kind == "text" and not _is_void(plain):
        raise ValueError(
            f"{place_of(name)} holds strings, such as {plain.levels[0][:40]!r}: could not convert "
            "string to float. Let categorical_features name it, or be 'from_dtype'."
        )
    if _is_void(plain):
        return TableColumn(name, "empty", False, (), ("",), (0.0,), (1.0,))
    parts, centers, scales = [], [], []
    for part in DATE_PARTS if plain.wall is not None else ("",):
        values = _part(plain, part)
        if plain.missing is not None:
            values = values[~plain.missing]
        center, scale = robust_scale(values)
        if part in ("", "time") or scale:
            parts.append(part)
            centers.append(center)
            scales.append(scale or 1.0)
    return TableColumn(name, plain.kind, False, (), tuple(parts), tuple(centers), tuple(scales))


def write_numbers(
    values: np.ndarray, missing: np.ndarray | None, center: Any, scale: Any, out: np.ndarray
) -> None:
    """Write (values - center) * scale, computed in float64 part by part, into an array like it."""
    n_rows = max(NUMBERS_AT_ONCE // max(values[0].size, 1), 1) if len(values) else 1
    for start in range(0, len(values), n_rows):
        rows = slice(start, start + n_rows)
        with np.errstate(over="ignore"):
            part = values[rows] - np.float64(center)
            part *= scale
        np.clip(part, -FARTHEST, FARTHEST, out=part)
        if missing is not None:
            part[missing[rows]] = np.nan
        out[rows] = part


# ------------------------------------------------------------------------------------------- dates

DATE_PARTS = ("time", "day of year", "weekday", "hour")
# a Monday
FIRST_MONDAY = np.datetime64("1969-12-29", "D")
DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")


def _part(plain: Plain, part: str) -> np.ndarray:
    """Return one of the numbers (n,) that a column becomes."""
    if plain.wall is None or part in ("", "time"):
        return plain.values
    days = plain.wall.astype("datetime64[D]")
    if part == "day of year":  # 1 to 366
        return (days - days.astype("datetime64[Y]").astype("datetime64[D]")) / DAY + 1
    if part == "weekday":  # 0 is Monday
        return (days - FIRST_MONDAY) / DAY % 7
    return (plain.wall - days) / HOUR  # with minutes and seconds


# ------------------------------------------------------------------------------------------ levels


def _missing(plain: Plain) -> np.ndarray:
    """Say which values (n,) are missing."""
    if plain.kind == "text":
        return plain.values < 0
    if plain.missing is not None:
        return plain.missing
    return np.isnan(plain.values) if plain.values.dtype.kind == "f" else np.zeros(1, bool)


def _is_void(plain: Plain) -> bool:
    """Say whether all values are missing."""
    return bool(_missing(plain).all())


def _text_levels(plain: Plain) -> tuple[str, ...]:
    """Return the texts that have rows, sorted unless their order was declared."""
    has_rows = np.zeros(len(plain.levels) + 1, bool)
    has_rows[plain.values] = True  # the last: missing
    levels = [level for level, has in zip(plain.levels, has_rows[:-1], strict=True) if has]
    return tuple(dict.fromkeys(levels) if plain.is_ordered else sorted(set(levels)))


def _number_levels(plain: Plain) -> np.ndarray:
    """Return the distinct numbers, as integers where they are."""
    missing = _missing(plain)
    values = np.unique(plain.values[~missing] if missing.any() else plain.values)
    for dtype in INTEGERS:
        cast, fits = _cast(values, dtype)
        if fits.all():
            return cast
    return values.astype(np.float64)


def _cast(values: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers (n,) as a type of levels, and which of them it holds exactly."""
    if dtype.kind == "f":
        return values.astype(np.float64), np.ones(len(values), bool)
    if values.dtype.kind == "f":
        lowest, end = (-(2.0**63), 2.0**63) if dtype.kind == "i" else (0.0, 2.0**64)
        fits = (values == np.floor(values)) & (values >= lowest) & (values < end)
    elif values.dtype.kind == "u" and dtype.kind == "i":
        fits = values <= np.iinfo(np.int64).max
    elif values.dtype.kind == "i" and dtype.kind == "u":
        fits = values >= 0
    else:
        fits = np.ones(len(values), bool)
    return np.where(fits, values, 0).astype(dtype), fits
