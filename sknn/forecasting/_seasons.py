"""Seasons: the periods that the dates suggest, and those that the series has."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

# Steps a season of frequencies, by the beginning of pandas' name; the first that fits.
PERIODS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("YE", ()), ("YS", ()), ("Y-", ()), ("A", ()), ("Y", ()), ("BY", ()),
    ("QE", (4,)), ("QS", (4,)), ("Q", (4,)), ("BQ", (4,)),
    ("MS", (12,)), ("ME", (12,)), ("BM", (12,)),
    ("W", (52,)), ("B", (5,)), ("C", (5,)), ("D", (7,)),
)  # fmt: skip
DAY = 86400  # seconds
WEEK = 7 * DAY

# A season is looked for among so many lags where no date suggests one.
LONGEST = 400
# How many standard errors an autocorrelation has to be above zero: one in twenty by chance.
SIGNIFICANT = 1.645
# The least autocorrelation of a season that no date suggests.
CLEAR = 0.5


def checked_seasons(season: Any) -> list[int] | None:
    """Return the periods of a value of `season`; None if they are to be found."""
    if isinstance(season, str) and season == "auto":
        return None
    if season is None:
        return []
    periods = [season] if isinstance(season, Integral) else list(season)
    if not all(isinstance(p, Integral) and int(p) > 1 for p in periods):
        raise ValueError(
            f"season={season!r} has to be 'auto', None, a number of steps of 2 or more, or a list "
            "of such numbers."
        )
    return sorted({int(p) for p in periods})


def found_seasons(series: Sequence[np.ndarray], index: Any) -> list[int]:
    """Return the periods of series, (n_steps, n_channels) each, whose dates are like `index`."""
    columns = [column for each in series for column in each.T]
    suggested = suggested_periods(index)
    if suggested is not None:
        # The shortest one is taken where there are two of it: a season that the series lacks costs
        # little, since coefficients are shrunk and the repeated season gets the share it earns.
        n_steps = min(len(each) for each in series)
        return [
            period
            for k, period in enumerate(suggested)
            if (k == 0 and 2 * period <= n_steps)
            or np.median([_strength(column, period) for column in columns]) > SIGNIFICANT
        ]
    found = [_clear_period(column) for column in columns[:LONGEST]]
    periods, counts = np.unique(found, return_counts=True)
    best = int(periods[counts.argmax()])
    return [best] if best > 1 and 2 * counts.max() > len(found) else []


def suggested_periods(index: Any) -> tuple[int, ...] | None:
    """Return the periods of an index of dates, shortest first; None if it holds none."""
    name = getattr(index, "freqstr", None)
    if name is None:
        return None
    step = _seconds(index)
    if step is not None and step < DAY:
        return tuple(int(whole // step) for whole in (DAY, WEEK) if whole % step == 0)
    count = len(name) - len(name.lstrip("0123456789"))
    multiple = int(name[:count] or 1)
    if name[count:] in ("M", "m"):  # months of periods
        periods: tuple[int, ...] = (12,)
    else:
        periods = next((p for start, p in PERIODS if name[count:].startswith(start)), ())
    return tuple(p // multiple for p in periods if p % multiple == 0 and p > multiple)


def _seconds(index: Any) -> float | None:
    """Return the length of a step of fixed length."""
    try:
        return float(index.freq.delta.total_seconds())
    except (AttributeError, TypeError, ValueError):
        pass
    try:
        return float(index.freq.nanos) / 1e9
    except (AttributeError, ValueError):  # months have no fixed length
        return None


def _strength(values: np.ndarray, period: int) -> float:
    """Return an autocorrelation of the steps' differences in standard errors."""
    rho = autocorrelations(values, period)
    if rho is None:
        return 0.0
    # Bartlett's formula: the shorter lags make the estimate less certain
    error = np.sqrt((1 + 2 * np.sum(rho[1:period] ** 2)) / len(values))
    return float(rho[period] / error)


def _clear_period(values: np.ndarray) -> int:
    """Return the period with the highest peak of the autocorrelation; 1 if none is clear."""
    longest = min(len(values) // 3, LONGEST)
    rho = autocorrelations(values, longest)
    if rho is None or longest < 4:
        return 1
    middle = rho[2:-1]
    peaks = np.flatnonzero((middle >= rho[1:-2]) & (middle >= rho[3:])) + 2
    clear = [int(p) for p in peaks if rho[p] > CLEAR and _strength(values, int(p)) > SIGNIFICANT]
    if not clear:
        return 1
    # multiples of a period are peaks of nearly the same height
    highest = max(rho[p] for p in clear)
    return next(p for p in clear if rho[p] > 0.9 * highest)


def autocorrelations(values: np.ndarray, longest: int) -> np.ndarray | None:
    """Return those of the differences, (longest + 1,); None without enough steps or variation."""
    # two whole periods, and half of one for them to repeat in; differences have no trend
    if len(values) < max(2.5 * longest, 8):
        return None
    steps = np.arange(len(values))
    known = np.isfinite(values)
    if known.sum() < 8:
        return None
    changes = np.diff(np.interp(steps, steps[known], values[known]))
    changes = changes - changes.mean()
    size = 2 ** int(np.ceil(np.log2(2 * len(changes))))
    power = np.abs(np.fft.rfft(changes, size)) ** 2
    sums = np.fft.irfft(power, size)[: longest + 1]
    rounding = 1e-12 * np.abs(values[known]).max()  # equal changes differ by it
    return sums / sums[0] if sums[0] > len(changes) * rounding**2 else None
