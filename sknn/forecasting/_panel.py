"""All series that a forecaster knows, and where on the timeline they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._calendar import calendar_columns
from ._covariates import Covariates
from ._forms import Block, Form, as_passed
from ._rows import Gaps, Steps
from ._series import Series
from ._timeline import Timeline


@dataclass(frozen=True)
class Panel:
    """Series with their covariates, each of one channel; where they end; how they are passed."""

    form: Form
    timeline: Timeline | None  # None if steps have no dates
    series: list[Series]  # in the order of form.ids, without index
    ends: list[int]  # positions after the last steps
    static: np.ndarray | None  # (n_series, n_features)
    is_joint: bool  # all are forecast from the past of all
    calendar: Sequence[str] = ()  # columns of the dates

    @classmethod
    def learn(
        cls,
        steps: Steps,
        covariates: Covariates | None,
        static: np.ndarray | None,
        gaps: Gaps,
        *,
        is_joint: bool,
        calendar: Sequence[str] = (),
    ) -> Panel:
        """Read the series of a fit."""
        form, timeline = steps.form, steps.timeline
        found = [steps.of(code, gaps) for code in range(len(form.ids))]
        ends = [start + len(each.values) for start, each in found]
        if is_joint:
            _check_same_dates(form, timeline, [start for start, _ in found], ends)
        if covariates is not None:
            if form.is_wide and len(set(ends)) > 1 and covariates.values.shape[1]:
                code = int(np.argmin(ends))
                raise ValueError(
                    f"series {form.ids[code]!r} of y ends before others, which covariates do not "
                    "allow in a wide form: pass a MultiIndex (id, date) or a long frame."
                )
            parts = [
                covariates.part(code, start, end, gaps.fill)
                for (code, (start, _)), end in zip(enumerate(found), ends, strict=True)
            ]
            if covariates.values.shape[1]:
                found = [
                    (start, each._replace(covariates=part))
                    for (start, each), part in zip(found, parts, strict=True)
                ]
        return cls(form, timeline, [each for _, each in found], ends, static, is_joint, calendar)

    def followed_by(self, steps: Steps, covariates: Covariates | None, gaps: Gaps) -> Panel:
        """Return the panel at a later time; steps that are known may come again."""
        series, ends = list(self.series), list(self.ends)
        for code, (known, end) in enumerate(zip(self.series, self.ends, strict=True)):
            self._check_known(steps, code)
            later = steps.after(code, end, known.values[-1], gaps)
            if covariates is not None:
                part = covariates.part(code, end, end + len(later.values), gaps.fill)
                later = later._replace(covariates=part if part.shape[1] else None)
            if known.sample_weight is not None:
                later = later._replace(sample_weight=np.ones(len(later.values)))
            later = later._replace(values=later.values.astype(known.values.dtype))
            series[code] = known.followed_by(later)
            ends[code] = end + len(later.values)
        if self.is_joint:
            _check_same_dates(self.form, self.timeline, [0] * len(ends), ends)
        return replace(self, series=series, ends=ends)

    def _check_known(self, steps: Steps, code: int) -> None:
        """Raise ValueError if steps that are known come again with other values."""
        places, numbers = steps.rows.of_series(code)
        end, known = self.ends[code], self.series[code].values[:, 0]
        start = end - len(known)
        again = np.searchsorted(places, end)
        places = places[:again]
        values = steps.values[numbers[:again], 0].astype(known.dtype)
        # steps before those that are kept cannot be compared
        before = np.where(places < start, np.nan, known[np.maximum(places - start, 0)])
        differs = ~(np.isnan(values) | (before == values))
        if not differs.any():
            return
        first = int(np.argmax(differs))
        was = f"{before[first]:g}"
        if np.isnan(before[first]):
            was = "not kept" if places[first] < start else "missing"
        raise ValueError(
            f"y has {values[first]:g} for {self.form.place(self.timeline, code, places[first])}, "
            f"which was {was}: the steps of update follow those that are known, up to "
            f"{self.form.place(self.timeline, code, end - 1)}. Fit anew if values have changed."
        )

    def latest(self, n_steps: int) -> Panel:
        """Return the panel with the last steps of each series alone."""
        return replace(self, series=[each.part(-n_steps) for each in self.series])

    # ----------------------------------------------------------------------------- for models

    def for_model(self) -> list[Series]:
        """Return series as models take them: with dates and all covariates, joint ones as one."""
        dates = None if self.timeline is None else self.timeline.dates(0, max(self.ends))
        whole = [
            self._completed(code, each, None if dates is None else dates[:end])
            for code, (each, end) in enumerate(zip(self.series, self.ends, strict=True))
        ]
        return [_as_channels(whole)] if self.is_joint else whole

    def ahead(self, code: int, stop: int, covariates: np.ndarray | None, dates: Any) -> Series:
        """Return the steps up to position `stop` as models take them, with NaN as values."""
        n_steps = stop - self.ends[code]
        n_channels = len(self.series) if self.is_joint else 1
        values = np.full((n_steps, n_channels), np.nan, self.series[code].values.dtype)
        return self._completed(code, Series(values, covariates), dates)

    def _completed(self, code: int, series: Series, dates: Any) -> Series:
        """Return a series with the last of some dates, and static features as covariates."""
        n = len(series.values)
        parts = [] if series.covariates is None else [series.covariates]
        if self.static is not None:
            parts.append(np.repeat(self.static[code : code + 1], n, axis=0))
        if self.calendar:
            parts.append(calendar_columns(dates[len(dates) - n :], list(self.calendar)))
        joined = np.concatenate(parts, axis=1).astype(series.values.dtype) if parts else None
        index = None if dates is None else dates[len(dates) - n :]
        return series._replace(covariates=joined, index=index)

    # ------------------------------------------------------------------------------- for users

    def as_passed(
        self, codes: Sequence[int], forecasts: Sequence[np.ndarray], columns: list[str] | None
    ) -> Any:
        """Return forecasts, (n_steps, n_channels[, n_columns]) each, in the form of y."""
        if self.is_joint:
            codes = range(len(self.series))
            forecasts = [forecasts[0][:, [k]] for k in codes]
        blocks = [
            Block(code, self.ends[code], values.reshape(len(values), -1))
            for code, values in zip(codes, forecasts, strict=True)
        ]
        if self.form.is_wide:  # steps after the last one of all
            last = max(self.ends)
            blocks = [Block(code, last, values[last - start :]) for code, start, values in blocks]
        return as_passed(self.form, self.timeline, blocks, columns)


def _check_same_dates(
    form: Form, timeline: Timeline | None, starts: list[int], ends: list[int]
) -> None:
    for code, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if (start, end) != (starts[0], ends[0]):
            raise ValueError(
                f"model='joint' needs the same dates for all series, but y has "
                f"{form.place(timeline, code, start)} to {form.place(timeline, code, end - 1)}, "
                f"and for series {form.ids[0]!r} others. model='global' takes them."
            )


def _as_channels(series: list[Series]) -> Series:
    """Return series of the same dates as the channels of one."""
    weights = [each.sample_weight for each in series]
    weight = None if weights[0] is None else np.mean(weights, axis=0)  # type: ignore[arg-type]
    values = np.concatenate([each.values for each in series], axis=1)
    return series[0]._replace(values=values, sample_weight=weight)


def of_this_version(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a forecaster that 0.1.0 has stored as this version has them."""
    if "_recent" not in state:
        return state
    (values, covariates, *_), is_single = state.pop("_recent"), state.pop("_is_single")
    series = [Series(column[:, None], covariates) for column in values.T]
    form = Form("array", [None], []) if is_single else Form("arrays", list(range(len(series))), [])
    is_joint = len(series) > 1
    state["_panel"] = Panel(form, None, series, [len(values)] * len(series), None, is_joint)
    state["_intervals"] = [] if state["_intervals"] is None else [state["_intervals"]]
    later = {
        "season": None,
        "season_": [],
        "_levels": state["interval"],
        "_limits": None,
        "bounds": None,
    }
    return state | later | ({"model": "joint"} if is_joint else {})
