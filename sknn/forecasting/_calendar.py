"""Where in the day, the week, the month and the year a date lies, as covariates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._timeline import Timeline, kind_of

# Lengths of what the names count in days: shorter steps are told apart by them.
LENGTHS = {"hour": 1.0, "weekday": 7.0, "day": 28.0, "month": 365.0, "weekend": 7.0}

# What True stands for, where steps are shorter.
USUAL = ("hour", "weekday", "month")


def calendar_names(calendar: Any, timeline: Timeline | None) -> list[str]:
    """Return the columns that the parameter asks for; raise ValueError if there are none."""
    if calendar is None or calendar is False:
        return []
    if timeline is None or timeline.kind == "integers":
        has = "none" if timeline is None else "whole numbers as its index"
        raise ValueError(
            f"calendar={calendar!r} needs dates, but y has {has}: pass a Series or DataFrame with "
            "a DatetimeIndex or PeriodIndex, or set calendar=None."
        )
    if calendar is True:
        dates = timeline.dates(0, 2)
        if timeline.kind == "periods":
            dates = dates.to_timestamp()
        step = (dates[1] - dates[0]).total_seconds() / 86_400
        return [name for name in USUAL if step < LENGTHS[name]]
    names = [calendar] if isinstance(calendar, str) else list(calendar)
    unknown = [name for name in names if name not in LENGTHS]
    if unknown or len(set(names)) < len(names):
        raise ValueError(
            f"calendar={calendar!r} has to be True, None or a list of different names among "
            f"{', '.join(LENGTHS)}."
        )
    return names


def calendar_columns(index: Any, names: list[str]) -> np.ndarray:
    """Return columns of an index, (n_steps, n_columns): sine and cosine of each cycle."""
    if kind_of(index) == "periods":
        index = index.to_timestamp()  # the start of each
    columns = []
    for name in names:
        if name == "weekend":
            columns.append((index.day_of_week >= 5).astype(float))
            continue
        angle = 2 * np.pi * np.asarray(_phase(index, name), dtype=float)
        columns += [np.sin(angle), np.cos(angle)]
    return np.stack([np.asarray(column) for column in columns], axis=1)


def _phase(index: Any, name: str) -> Any:
    """Return which part of a cycle has passed, from 0 to 1."""
    if name == "hour":
        return (index.hour + index.minute / 60) / 24
    if name == "weekday":
        return index.day_of_week / 7
    if name == "day":
        return (index.day - 1) / index.days_in_month
    return (index.month - 1 + (index.day - 1) / index.days_in_month) / 12
