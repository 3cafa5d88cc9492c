"""The way from what a user asks for to a forecast in the form of y."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._arguments import rows_and_horizon
from ._calibration import FitsModels
from ._covariates import Covariates, Table
from ._intervals import ConformalIntervals
from ._models import Model, Origins
from ._panel import Panel
from ._parameters import levels_of
from ._rows import Rows
from ._series import Series
from ._timeline import BETWEEN, date_text, is_pandas


class Answers(FitsModels):
    """Forecasts with what a fit has learned."""

    _panel: Panel
    _model: Model
    _intervals: list[ConformalIntervals]  # one for each level
    _levels: Any  # `interval` as it was in fit
    _limits: np.ndarray | None  # (n_series, 2)

    def _answer(
        self,
        X: Any,
        horizon: Any,
        forecast: Callable[[Origins, int], np.ndarray],
        columns: list[str] | None,
    ) -> Any:
        """Return a forecast of the steps that X or `horizon` ask for, in the form of y."""
        check_is_fitted(self)
        X, horizon = rows_and_horizon(X, horizon)
        codes, ahead = self._ahead(X, horizon)
        recent = self._panel.latest(self._model.past).for_model()
        answers: dict[int, np.ndarray] = {}
        for n_steps in sorted({len(each.values) for each in ahead}):  # of one length together
            these = [k for k, each in enumerate(ahead) if len(each.values) == n_steps]
            origins = Origins.at_the_ends(
                [recent[codes[k]] for k in these],
                [ahead[k] for k in these],
                [codes[k] for k in these],
                self._model.horizon,
            )
            answers |= dict(zip(these, forecast(origins, n_steps), strict=True))
        answers = {k: self._limited(codes[k], values) for k, values in answers.items()}
        return self._panel.as_passed(codes, [answers[k] for k in range(len(codes))], columns)

    def _ahead(self, X: Any, horizon: int | None) -> tuple[list[int], list[Series]]:
        """Return the series to forecast, and the steps to forecast of each."""
        panel = self._panel
        if X is None and horizon is None and not self.n_features_in_:
            raise ValueError(
                "X is None, which does not tell how many steps to forecast: use forecast(n_steps), "
                "or predict(horizon)."
            )
        table = Table(X, self._columns(), panel.form, dated=panel.timeline is not None)
        values = self._covariate_values(table, horizon or 0, reset=False)
        codes = range(len(panel.ends)) if table.codes is None else np.unique(table.codes).tolist()
        if panel.is_joint:
            codes = [0]
        # steps up to the end of the longest series belong to the forecast of wide ones
        last = max(panel.ends)
        starts = [last if panel.form.is_wide else panel.ends[code] for code in codes]
        if X is None:
            assert horizon is not None
            stops = [start + horizon for start in starts]
        else:
            known = self._later_covariates(values, table, horizon)
            if horizon is None:
                stops = [known.stop(code) for code in codes]
                if panel.form.is_wide and len(set(stops)) > 1:
                    raise ValueError("X ends at other dates for some series of a wide form.")
            else:
                stops = [start + horizon for start in starts]
        dates = None if panel.timeline is None else panel.timeline.dates(0, max(stops))
        ahead = []
        for code, start, stop in zip(codes, starts, stops, strict=True):
            if stop <= start:
                end = panel.form.place(panel.timeline, code, start - 1)
                raise ValueError(
                    f"X has no step after {end}, where y ends: predict forecasts what follows."
                    + self._dates_between(table)
                )
            part = None if X is None else known.part(code, start, stop)
            part = part if self.n_features_in_ else None
            until = None if dates is None else dates[:stop]
            ahead.append(panel.ahead(code, stop, part, until))
        return list(codes), ahead

    def _dates_between(self, table: Table) -> str:
        """Return what there is to say of dates of X that are no steps of y."""
        timeline = self._panel.timeline
        if timeline is None or table.index is None:
            return ""
        between = table.index[timeline.positions(table.index) == BETWEEN]
        if not len(between):
            return ""
        return (
            f" Its date {date_text(between[-1])} is no step of y, which has steps of "
            f"{timeline.freq!r} from {timeline.text(0)} on."
        )

    def _later_covariates(
        self, values: np.ndarray, table: Table, horizon: int | None
    ) -> Covariates:
        """Return the rows of X by date; those of an array follow the end."""
        form, timeline, ends = self._panel.form, self._panel.timeline, self._panel.ends
        if timeline is not None and table.index is not None and not self._only_counts(table):
            timeline.check_same_kind(table.index, "X")
            return Covariates(
                values, Rows.of(table.codes, timeline.positions(table.index)), form, timeline
            )
        if table.index is not None and timeline is None:
            raise ValueError(
                "X has dates, but y of fit had none: pass y as a Series or DataFrame, or X as an "
                "array."
            )
        if form.is_panel and self.n_features_in_:
            raise ValueError(
                "X is an array, whose rows belong to no series and no date: pass it in the form "
                "of fit. Steps of a Pipeline give DataFrames with "
                "set_output(transform='pandas')."
            )
        if horizon is not None and horizon != len(values):
            raise ValueError(f"X has {len(values)} rows, but horizon is {horizon}.")
        if form.is_panel:  # as many steps of each series
            n = len(values)
            codes = np.repeat(np.arange(len(ends)), n)
            places = np.concatenate([np.arange(end, end + n) for end in ends])
            return Covariates(np.tile(values, (len(ends), 1)), Rows.of(codes, places), form, None)
        return Covariates(values, Rows.of(None, max(ends) + np.arange(len(values))), form, None)

    def _only_counts(self, table: Table) -> bool:
        """Say whether X has pandas' default index, whose numbers are no dates of y."""
        timeline, index = self._panel.timeline, table.index
        assert timeline is not None
        if (
            timeline.kind != "integers"
            or not is_pandas(index, "RangeIndex")
            or table.codes is not None
        ):
            return False
        if (index.start, index.step) != (0, 1):
            return False
        end = timeline.positions(index)[-1] + 1
        if end > max(self._panel.ends):
            last = self._panel.form.place(timeline, 0, max(self._panel.ends) - 1)
            raise ValueError(
                f"X counts its rows from 0 to {len(index) - 1}, and y ends at {last}. Does X begin "
                f"with y? Then pass the rows after it, X.loc[{last} + 1:]; if all its rows follow, "
                "X.to_numpy()."
            )
        return True

    def _point_forecast(self, origins: Origins, n_steps: int) -> np.ndarray:
        return self._model.forecast(origins, n_steps)

    def _interval_forecast(self, origins: Origins, n_steps: int) -> np.ndarray:
        """Return lower and upper bounds, (n_origins, n_steps, n_channels, n_levels, 2)."""
        if not self._intervals:
            raise ValueError(
                f"this {type(self).__name__} was fitted with interval=None: set a coverage, such "
                "as interval=0.8, before fit."
            )
        n_calibrated = len(self._intervals[0].margins)
        if n_steps > n_calibrated:
            raise ValueError(
                f"X asks for intervals of {n_steps} steps, but they were calibrated for "
                f"{n_calibrated} steps ahead: raise {self._reach} before fit."
            )
        bounds = np.stack([each.predict(origins, n_steps) for each in self._intervals], axis=-2)
        # quantiles that are fitted one by one may cross: an interval holds those of lower levels
        order = np.argsort(levels_of(self._levels))
        lower, upper = bounds[..., order, 0], bounds[..., order, 1]
        bounds[..., order, 0] = np.minimum.accumulate(lower, axis=-1)
        bounds[..., order, 1] = np.maximum.accumulate(upper, axis=-1)
        return bounds

    def _limited(self, code: int, values: np.ndarray) -> np.ndarray:
        """Return a forecast within `bounds`, (n_steps, n_channels, ...)."""
        if self._limits is None:
            return values
        limits = self._limits if self._panel.is_joint else self._limits[[code]]
        limits = limits.reshape(len(limits), 2, *[1] * (values.ndim - 2))
        return np.clip(values, limits[:, 0], limits[:, 1]).astype(values.dtype)
