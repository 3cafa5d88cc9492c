"""Dates: the grid on which the steps of all series lie, and where on it each row does."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

# What `Timeline.positions` says of dates before the first one of the fit, and between two steps.
BEFORE, BETWEEN = -1, -2

# Parts of an index with gaps that are asked for their frequency.
N_PARTS = 50


@dataclass(frozen=True)
class Timeline:
    """A regular grid of dates, periods or integers; a position is a number of steps."""

    kind: str  # "dates", "periods" or "integers"
    dtype: str  # of the index, without its time zone
    freq: Any  # name or offset of pandas; an int for integers
    anchor: int  # the date at position 0, as pandas' integer
    tz: Any = None  # name or object

    @classmethod
    def learn(cls, index: Any, freq: Any, name: str) -> Timeline:
        """Find the grid of a checked index, which may be in any order and have gaps."""
        import pandas as pd

        dates = index.unique().sort_values()
        kind = kind_of(dates)
        if kind == "integers":
            values = dates.to_numpy().astype(np.int64)
            return cls(kind, str(dates.dtype), _integer_step(values, freq), int(values[0]))
        if kind == "periods":
            if freq is not None and _period_offset(freq) != dates.freq:
                raise ValueError(
                    f"freq={freq!r}, but the periods of {name} have the frequency "
                    f"{dates.freqstr!r}: leave freq out, or use {name}.index.asfreq."
                )
            return cls(kind, str(dates.dtype), dates.freqstr, int(dates.asi8[0]))
        if freq is None:
            found = index.freq if index.freq is not None and index.freq.n > 0 else None
            freq = found or _inferred(dates, name)
        offset = pd.tseries.frequencies.to_offset(freq)
        n_steps = (dates[-1] - dates[0]).total_seconds() / _seconds(offset)
        if n_steps > largest_grid(len(dates)):
            raise ValueError(
                f"freq={freq!r} makes {n_steps:.0f} steps from {date_text(dates[0])} to "
                f"{date_text(dates[-1])}, of which {name} has only {len(dates)}: set the freq that "
                "its dates have."
            )
        named = pd.tseries.frequencies.to_offset(offset.freqstr) == offset
        zone = dates.tz
        if zone is not None and _is_same_zone(str(zone), dates):
            zone = str(zone)
        unit = f"datetime64[{dates.unit}]"
        return cls(kind, unit, offset.freqstr if named else offset, int(dates.asi8[0]), zone)

    def dates(self, start: int, stop: int) -> Any:
        """Return the index of the positions from `start` to `stop`, without a name."""
        import pandas as pd

        if self.kind == "integers":
            first, last = self.anchor + start * self.freq, self.anchor + stop * self.freq
            steps = pd.RangeIndex(first, last, self.freq)
            return steps if self.dtype == "int64" else pd.Index(steps).astype(self.dtype)
        if self.kind == "periods":
            step = _period_offset(self.freq).n
            ordinals = self.anchor + step * np.arange(start, stop)
            return pd.PeriodIndex.from_ordinals(ordinals, freq=self.freq)
        return self._grid(periods=stop)[start:]

    def positions(self, index: Any) -> np.ndarray:
        """Return the position of each date; BEFORE or BETWEEN if it has none."""
        if self.kind == "dates":
            if self.tz is not None:
                index = index.tz_convert(self.tz)
            if not len(index) or index.max() < self._first():
                return np.full(len(index), BEFORE)
            places = self._grid(end=index.max()).get_indexer(index)
            places[places < 0] = BETWEEN
            places[index < self._first()] = BEFORE
            return places
        if self.kind == "periods":
            values, step = index.asi8, _period_offset(self.freq).n
        else:
            values, step = index.to_numpy().astype(np.int64), self.freq
        places, rest = np.divmod(values - self.anchor, step)
        places[rest != 0] = BETWEEN
        places[values < self.anchor] = BEFORE
        return places

    def check_same_kind(self, index: Any, name: str) -> None:
        """Raise ValueError if dates cannot be compared with those of the grid."""
        kind = kind_of(index)
        if kind != self.kind:
            raise ValueError(
                f"{name} has {_KINDS[kind]} as its index, but y has {_KINDS[self.kind]}: X is "
                f"matched with y by date. Give {name} the dates of y ({_hint(self.kind)}), or "
                "pass an array, whose rows follow y's."
            )
        if kind == "dates" and (index.tz is None) != (self.tz is None):
            mine, other = ("a", "no") if self.tz is None else ("no", "a")
            raise ValueError(
                f"the dates of {name} have {mine} time zone, those of y have {other}: use "
                f"{name}.index.tz_localize."
            )
        if kind == "periods" and str(index.dtype) != self.dtype:
            raise ValueError(
                f"{name} has the periods {index.dtype}, but those of y are {self.dtype}: use "
                f"{name}.index.asfreq."
            )

    def text(self, position: int) -> str:
        """Return a date as it stands in messages."""
        return date_text(self.dates(position, position + 1)[0])

    def _first(self) -> Any:
        """Return the date at position 0."""
        import pandas as pd

        first = pd.DatetimeIndex(np.array([self.anchor], np.int64).view(self.dtype))
        return first[0] if self.tz is None else first.tz_localize("UTC").tz_convert(self.tz)[0]

    def _grid(self, **extent: Any) -> Any:
        """Return the dates from the first one on."""
        import pandas as pd

        unit = self.dtype.removeprefix("datetime64[").removesuffix("]")
        return pd.date_range(self._first(), freq=self.freq, **extent).as_unit(unit)


def largest_grid(n_dates: int) -> int:
    """Return how many steps there may be of so many dates: memory for them is worth its while."""
    return max(100 * n_dates, 100_000)


_KINDS = {"dates": "dates", "periods": "periods", "integers": "whole numbers"}


def is_pandas(data: Any, *kinds: str) -> bool:
    """Say whether data are of one of pandas' classes; any of the common ones without names."""
    pd = sys.modules.get("pandas")
    names = kinds or ("Series", "DataFrame", "Index")
    return pd is not None and isinstance(data, tuple(getattr(pd, name) for name in names))


def kind_of(index: Any) -> str:
    """Return the kind of a checked index."""
    if is_pandas(index, "DatetimeIndex"):
        return "dates"
    return "periods" if is_pandas(index, "PeriodIndex") else "integers"


def has_dates(index: Any) -> bool:
    """Say whether an index holds dates or periods, and not only numbers."""
    return is_pandas(index, "DatetimeIndex", "PeriodIndex")


def checked_dates(index: Any, name: str, column: Any = None) -> Any:
    """Return an index of dates, periods or whole numbers; raise ValueError for others."""
    if index.hasnans:
        place = int(np.flatnonzero(index.isna())[0])
        raise ValueError(f"the dates of {name} contain NaT: the first is that of row {place}.")
    if has_dates(index):
        return index
    if np.dtype(bool) != index.dtype and getattr(index.dtype, "kind", "O") in "iuf":
        numbers = index.to_numpy().astype(float)
        if len(numbers) == 0 or (numbers == np.round(numbers)).all():
            return index
        raise ValueError(
            f"the index of {name} has numbers that are not whole, such as {numbers[0]:g}: dates "
            f"are expected, or whole numbers. {name}.reset_index(drop=True) counts the rows."
        )
    kind = f"of type {index.dtype}" + (f", the first is {index[0]!r}" if len(index) else "")
    if column is not None:
        where = f"{name}[{column!r}]"
        raise ValueError(
            f"{where} holds no dates but is {kind}. Make dates of it, {where} = "
            f"pd.to_datetime({where})."
        )
    raise ValueError(
        f"the index of {name} is no DatetimeIndex but {kind}. Make dates of it, {name}.index = "
        f"pd.to_datetime({name}.index), or drop it, {name}.reset_index(drop=True)."
    )


def date_text(date: Any) -> str:
    """Return a date as it stands in messages: without a time of 0:00."""
    text = str(date)
    return text.removesuffix(" 00:00:00")


def _is_same_zone(name: str, dates: Any) -> bool:
    """Say whether a time zone's name stands for it."""
    try:
        return bool((dates.tz_convert(name) == dates).all()) and str(
            dates.tz_convert(name).tz
        ) == str(dates.tz)
    except (KeyError, ValueError, TypeError):  # which error depends on pandas' version
        return False


def _integer_step(values: np.ndarray, freq: Any) -> int:
    """Return the step of whole numbers in order."""
    if freq is None:
        return int(np.gcd.reduce(np.diff(values))) if len(values) > 1 else 1
    if isinstance(freq, bool) or not isinstance(freq, int | np.integer) or freq < 1:
        raise ValueError(
            f"freq={freq!r}, but the index of y holds whole numbers: freq is then the step from "
            "one to the next, such as freq=1; it may be left out."
        )
    return int(freq)


def _inferred(dates: Any, name: str) -> str:
    """Return the frequency of sorted unique dates, which may have gaps."""
    whole = _frequency(dates)
    if whole is not None:
        return whole
    found = _frequency_beside_gaps(dates)
    if found is not None:
        return found
    raise ValueError(
        f"no frequency can be inferred from the {len(dates)} dates of {name} ({_some(dates)}): "
        "set freq, such as freq='MS' for months by their first day, 'B' for business days or 'h' "
        f"for hours. Dates of no fixed place in the month become periods, "
        f"{name}.index.to_period('M')."
    )


def _some(dates: Any) -> str:
    texts = [date_text(date) for date in dates[:3]]
    return ", ".join(texts) + (", ..." if len(dates) > 3 else "")


def _frequency(dates: Any) -> str | None:
    """Return pandas' name of a frequency without gaps, or None."""
    import pandas as pd

    if len(dates) < 3:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a later pandas returns offsets
        found = pd.infer_freq(dates)
    return None if found is None else getattr(found, "freqstr", found)


def _frequency_beside_gaps(dates: Any) -> str | None:
    """Return the frequency of parts that all dates agree with and that leaves the fewest gaps."""
    import pandas as pd

    candidates: set[str] = set()
    for length in (3, 4, 7, 12):
        starts = np.linspace(0, max(len(dates) - length, 0), N_PARTS).astype(int)
        parts = (dates[start : start + length] for start in np.unique(starts))
        candidates |= {found for part in parts if (found := _frequency(part))}
    sizes = {}
    span = (dates[-1] - dates[0]).total_seconds()
    for freq in sorted(candidates):
        if span / _seconds(pd.tseries.frequencies.to_offset(freq)) > largest_grid(len(dates)):
            continue
        grid = pd.date_range(dates[0], dates[-1], freq=freq)
        places = grid.get_indexer(dates)
        # a grid on which dates rarely follow each other says nothing
        if (places >= 0).all() and (np.diff(places) == 1).mean() >= 0.5:
            sizes[freq] = len(grid)
    return min(sizes, key=lambda freq: sizes[freq]) if sizes else None


def _period_offset(freq: Any) -> Any:
    """Return the offset of periods, whose names are others than those of dates: "M", not "ME"."""
    import pandas as pd

    return pd.Period(ordinal=0, freq=freq).freq


def _seconds(offset: Any) -> float:
    """Return the length of a step; infinity for days and more, of which no grid is large."""
    try:
        return float(offset.nanos / 1e9)
    except ValueError:
        return np.inf


def _hint(kind: str) -> str:
    return "X.index = y.index.to_period(...)" if kind == "periods" else "X.index = y.index"
