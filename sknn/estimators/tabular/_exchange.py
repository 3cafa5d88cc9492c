"""Tables as arrays of float64, which exported models take.

Numbers are as they are, dates are seconds since 1970 and durations seconds, and strings are codes:
0 for a level that training had not, 1 for a missing one, 2, 3, ... for the levels of training. NaN
is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sknn.nn import FIRST_LEVEL, MISSING, UNKNOWN, ArrangeTable

from ._columns import FARTHEST, TableColumn
from ._reading import Plain, place_of

# Larger integers are not all float64.
LARGEST_INTEGER = 2**53

# Share of missing values in rows that are made up.
SHARE_OF_GAPS = 0.1


def refuse_what_has_no_number(columns: Sequence[TableColumn]) -> None:
    """Raise TypeError for columns whose values an array of float64 cannot hold."""
    for column in columns:
        if column.kind == "zoned datetime":
            raise TypeError(
                f"{place_of(column.name)} holds dates with a time zone, which cannot be exported: "
                "ONNX and torch know no time zones. Make them dates without one, for instance with "
                "X[name].dt.tz_localize(None)."
            )
        if isinstance(column.levels, np.ndarray) and column.levels.dtype.kind in "iu":
            ends = [abs(int(each)) for each in column.levels[[0, -1]]] if len(column.levels) else []
            if max(ends, default=0) > LARGEST_INTEGER:
                raise TypeError(
                    f"{place_of(column.name)} has levels beyond 2**53, which cannot be exported: "
                    "float64 does not tell them apart. Make them strings."
                )


def text_codes(column: TableColumn) -> dict[str | None, int]:
    """Return the code of each text of a column, and of None for a missing one."""
    return {None: MISSING} | {text: FIRST_LEVEL + i for i, text in enumerate(column.levels)}


def to_numbers(column: TableColumn, plain: Plain) -> tuple[np.ndarray, np.dtype]:
    """Return a later column as numbers (n,), and the type in which a model may take it."""
    if column.kind == "text":
        codes = np.empty((len(plain.values), 1))
        column.fill(plain, codes)
        return codes[:, 0], np.dtype(object)
    column.refuse_others(plain)
    values = plain.values.astype(np.float64)
    if plain.missing is not None:
        values[plain.missing] = np.nan
    gaps = np.isnan(values).any()
    if plain.kind == "boolean" and not gaps:
        return values, np.dtype(bool)
    is_number = plain.kind == "number" and (plain.values.dtype.kind == "f" or not gaps)
    return values, plain.values.dtype if is_number else values.dtype


def to_objects(column: TableColumn, numbers: np.ndarray) -> np.ndarray:
    """Return the values (n,) that numbers stand for, None where missing."""
    values = numbers.astype(object)
    if column.kind == "text":
        texts = np.array([_other_than(column.levels), None, *column.levels], object)
        return texts[np.where(np.isnan(numbers), MISSING, numbers).astype(np.int64)]
    missing = np.isnan(numbers)
    if column.kind in ("datetime", "duration"):
        ticks = np.rint(np.where(missing, 0, numbers) * 1e6).astype(np.int64)
        unit = "datetime64[us]" if column.kind == "datetime" else "timedelta64[us]"
        values[:] = list(ticks.astype(unit))
    values[missing] = None
    return values


def make_up(column: TableColumn, n: int, random: np.random.Generator) -> np.ndarray:
    """Return numbers (n,) such as the column may hold."""
    if column.kind == "text":
        return random.integers(UNKNOWN, FIRST_LEVEL + len(column.levels), n).astype(np.float64)
    if column.is_category:
        levels = np.asarray(column.levels, np.float64)
        unknown = levels.max(initial=0) + 1
        numbers = random.choice([*levels, unknown], n)
    else:
        center, scale = column.centers[0], column.scales[0]
        numbers = center + random.normal(size=n) / scale
        if column.kind == "boolean":
            numbers = random.integers(0, 2, n).astype(np.float64)
        elif column.kind != "number":
            numbers = np.rint(numbers)
    numbers[random.random(n) < SHARE_OF_GAPS] = np.nan
    return numbers


def arrange(columns: Sequence[TableColumn], dtype: torch.dtype) -> ArrangeTable:
    """Return a module from numbers to the matrix of `TableFormat`."""
    numbers = [(j, each) for j, each in enumerate(columns) if not each.is_category]
    categories: list[tuple[int, np.ndarray | None]] = []
    for j, each in enumerate(columns):
        if each.is_category:
            levels = None if each.kind == "text" else np.asarray(each.levels, np.float64)
            categories.append((j, levels))
    return ArrangeTable(
        dtype,
        [(j, part) for j, each in numbers for part in each.parts],
        [center for _, each in numbers for center in each.centers],
        [np.nan if each.kind == "empty" else s for _, each in numbers for s in each.scales],
        categories,
        FARTHEST,
    )


def _other_than(levels: Sequence[str] | np.ndarray) -> str:
    return max(levels, key=len) + "?"
