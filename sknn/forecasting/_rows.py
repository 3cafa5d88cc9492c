"""Rows in any order become steps: sorted by date, none twice, gaps filled or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._forms import Form, Target
from ._series import Series
from ._timeline import BEFORE, BETWEEN, Timeline, largest_grid


@dataclass(frozen=True)
class Rows:
    """The rows of each series, in the order of their positions."""

    codes: np.ndarray | None  # (n_rows,), None if rows belong to all series
    positions: np.ndarray  # (n_rows,)
    numbers: np.ndarray  # (n_rows,), of the rows as they were passed

    @classmethod
    def of(cls, codes: np.ndarray | None, positions: np.ndarray) -> Rows:
        """Sort rows; those without a position are left out."""
        numbers = np.flatnonzero(positions >= 0)
        if codes is None:
            numbers = numbers[np.argsort(positions[numbers], kind="stable")]
            return cls(None, positions[numbers], numbers)
        numbers = numbers[np.lexsort((positions[numbers], codes[numbers]))]
        return cls(codes[numbers], positions[numbers], numbers)

    def of_series(self, code: int) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and numbers of the rows of a series."""
        if self.codes is None:
            return self.positions, self.numbers
        part = slice(*np.searchsorted(self.codes, [code, code + 1]))
        return self.positions[part], self.numbers[part]

    def first_duplicate(self) -> tuple[int, int] | None:
        """Return the first series and position that has several rows."""
        same = self.positions[1:] == self.positions[:-1]
        if self.codes is not None:
            same &= self.codes[1:] == self.codes[:-1]
        if not same.any():
            return None
        place = int(np.flatnonzero(same)[0])
        return 0 if self.codes is None else int(self.codes[place]), int(self.positions[place])


class Gaps(NamedTuple):
    """What may be missing."""

    fill: str | None
    takes_nan: bool  # whether the regressor does


def positions_of(target: Target, timeline: Timeline | None, start: int) -> np.ndarray:
    """Return the position of each row of y; without dates rows count from `start` on."""
    if timeline is None or target.index is None:
        return start + np.arange(len(target.values))
    timeline.check_same_kind(target.index, "y")
    places = timeline.positions(target.index)
    if (places == BEFORE).any():
        row = int(np.flatnonzero(places == BEFORE)[0])
        raise ValueError(
            f"y has the date {target.index[row]}, which is before the first one of fit, "
            f"{timeline.text(0)}: fit anew."
        )
    if (places == BETWEEN).any():
        row = int(np.flatnonzero(places == BETWEEN)[0])
        raise ValueError(
            f"y has the date {target.index[row]}, but dates are expected in steps of "
            f"{timeline.freq!r} from {timeline.text(0)} on. Set freq if this is another; dates of "
            "no fixed place in a period become periods, y.index.to_period(...)."
        )
    return places


class Steps:
    """Rows of y as the steps of each series."""

    def __init__(
        self,
        target: Target,
        positions: np.ndarray,
        timeline: Timeline | None,
        weight: np.ndarray | None,
    ) -> None:
        self.form, self.timeline = target.form, timeline
        codes, self.values, self.weight = target.codes, target.values, weight
        if self.form.is_wide:  # each column is a series, which starts and ends with a value
            check_unique(Rows.of(None, positions), self.form, timeline)
            n_series = self.values.shape[1]
            codes = np.repeat(np.arange(n_series), len(self.values))
            positions = np.where(_inside(self.values, positions), positions[:, None], BETWEEN)
            positions, self.values = positions.T.ravel(), self.values.T.reshape(-1, 1)
            self.weight = None if weight is None else np.tile(weight, n_series)
        self.rows = Rows.of(codes, positions)
        check_unique(self.rows, self.form, timeline)

    def of(self, code: int, gaps: Gaps) -> tuple[int, Series]:
        """Return the first position of a series, and its steps."""
        places, _ = self.rows.of_series(code)
        if not len(places):
            raise ValueError(f"y has no value of series {self.form.ids[code]!r}.")
        start = int(places[0])
        series = self._between(code, start, gaps)
        unknown = np.isnan(series.values[:, 0])
        if unknown.any() and gaps.fill in FILLS:
            series = series._replace(values=FILLS[gaps.fill](series.values))
            n_leading = int(np.isnan(series.values).sum())  # nothing goes before the first value
            if n_leading < len(unknown):
                start, series = start + n_leading, series.part(n_leading)
        self._check_known(code, start, series, gaps)
        return start, series

    def after(self, code: int, end: int, last: np.ndarray, gaps: Gaps) -> Series:
        """Return the steps of a series from position `end` on; `last` is the value before, (1,)."""
        series = self._between(code, end, gaps)
        if gaps.fill in FILLS:
            values = FILLS[gaps.fill](np.concatenate([last[None], series.values]))[1:]
            series = series._replace(values=values)
        self._check_known(code, end, series, gaps)
        return series

    def _between(self, code: int, start: int, gaps: Gaps) -> Series:
        """Return the steps of a series from `start` on, NaN where it has none."""
        places, numbers = self.rows.of_series(code)
        places, numbers = places[places >= start], numbers[places >= start]
        n = int(places[-1]) + 1 - start if len(places) else 0
        n_missing = n - len(places)
        if n_missing and (gaps.fill is None or n > largest_grid(len(places))):
            follows = places == start + np.arange(len(places))
            raise self._missing(code, start + int(np.argmin(follows)), n_missing)
        values = np.full((n, 1), np.nan, self.values.dtype)
        values[places - start] = self.values[numbers]
        weight = None
        if self.weight is not None:
            weight = np.zeros(n, values.dtype)
            weight[places - start] = self.weight[numbers]
            weight[np.isnan(values[:, 0])] = 0  # what is filled in was not observed
        return Series(values, None, weight)

    def _check_known(self, code: int, start: int, series: Series, gaps: Gaps) -> None:
        """Raise ValueError if a series has NaN that may not stay."""
        unknown = np.isnan(series.values[:, 0])
        if not unknown.any() or (gaps.takes_nan and gaps.fill in (None, "nan")):
            return
        place = self.form.place(self.timeline, code, start + int(np.argmax(unknown)))
        raise ValueError(
            f"Input y contains NaN: the first is that of {place}. Set fill='interpolate' or "
            "'previous', or pass an estimator that takes NaN, such as a "
            "HistGradientBoostingRegressor."
        )

    def _missing(self, code: int, first: int, n_missing: int) -> ValueError:
        place = self.form.place(self.timeline, code, first)
        more = f" and {n_missing - 1} more" if n_missing > 1 else ""
        if self.timeline is None:
            return ValueError(f"y misses {place}{more}, which a later part begins after.")
        hint = ""
        if self.timeline.tz is None and ":" in place:
            hint = (
                " Hours that a change to summer time leaves out need a time zone: "
                "y.index.tz_localize(zone)."
            )
        return ValueError(
            f"y misses {place}{more}: dates are expected in steps of {self.timeline.freq!r} from "
            f"{self.timeline.text(0)} on. Pass all of them, or set fill='interpolate', 'previous' "
            "or 'nan'. If the steps are others, set freq; if the rows do follow each other, "
            f"y.reset_index(drop=True) counts them.{hint}"
        )


def _inside(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return which values lie between the first and the last one of their column."""
    order = np.argsort(positions, kind="stable")
    known = ~np.isnan(values[order])
    begun = np.logical_or.accumulate(known, axis=0)
    ahead = np.logical_or.accumulate(known[::-1], axis=0)[::-1]
    inside = np.empty_like(known)
    inside[order] = begun & ahead
    return inside


def check_unique(rows: Rows, form: Form, timeline: Timeline | None) -> None:
    """Raise ValueError if a step of a series comes twice."""
    found = rows.first_duplicate()
    if found is None:
        return
    hint = "Keep one, y[~y.index.duplicated()]."
    if not form.is_panel:
        hint += (
            " If y is several series one below the other, say which row is of which: by a "
            "MultiIndex (id, date), or by id_column, time_column and target_column."
        )
    place = form.place(timeline, *found)
    if timeline is not None and timeline.tz is None and ":" in place:
        hint += (
            " If the clock was put back, dates need their time zone: "
            "y.index.tz_localize(zone, ambiguous='infer')."
        )
    raise ValueError(f"y has several rows for {place}. {hint}")


def _interpolated(values: np.ndarray) -> np.ndarray:
    """Return columns on straight lines over gaps; the last value goes on."""
    filled = values.copy()
    for column in filled.T:
        known = np.flatnonzero(~np.isnan(column))
        if len(known):
            steps = np.arange(known[0], len(column))
            column[known[0] :] = np.interp(steps, known, column[known])
    return filled


def _previous(values: np.ndarray) -> np.ndarray:
    """Return columns whose values go on over gaps."""
    steps = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    last = np.maximum.accumulate(steps, axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last < 0, np.nan, filled).astype(values.dtype)


# What is before the first value stays NaN.
FILLS: dict[Any, Any] = {"interpolate": _interpolated, "previous": _previous}
