"""The base of both forecasters: it checks series, fits to windows, and forecasts."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import MetaEstimatorMixin, RegressorMixin, _fit_context
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from sknn._drafts import draft_of
from sknn._parameters import declares_parameters

from ._arguments import needs_an_argument, rows_and_horizon, takes_series_first
from ._calibration import FitsModels
from ._covariates import Covariates, Table, static_values
from ._forms import Form, matched
from ._intervals import ConformalIntervals
from ._models import Origins
from ._panel import Panel, of_this_version
from ._parameters import levels_of, limits_of
from ._rows import Rows, Steps, positions_of
from ._series import Series
from ._timeline import Timeline, is_pandas
from ._windows import check_length


@declares_parameters
class Forecaster(RegressorMixin, MetaEstimatorMixin, FitsModels, ABC):
    """Base class of the forecasters."""

    def __sklearn_tags__(self) -> Any:
        """Add several series, and that the rows of the training data are not predicted again."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True
        return tags

    # -------------------------------------------------------------------------------------- fit

    @takes_series_first
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any = None, y: Any = None, sample_weight: Any = None, static: Any = None
    ) -> Any:
        """Fit the regressor to the windows of one or many series.

        By position it is called ``fit(y)``, ``fit(y, X)`` or ``fit(X, y)``: the only argument is
        the series; of two, the one that is a Series or has one dimension; of two arrays with
        equally many dimensions the second, as scikit-learn passes them. Two DataFrames are named.

        Parameters
        ----------
        X : DataFrame, index, array-like of shape (n_timesteps, n_covariates) or None
            Covariates that are known in advance, such as prices or planned events. Rows with
            dates are matched with y by date, and may be more than those of y; those of an array
            are in the order of y's. With several series, rows have the ids that y has, or apply to
            all.
        y : Series, DataFrame, array-like of shape (n_timesteps,) or (n_timesteps, n_series)
            The series. Of pandas the index holds the dates (dates, periods or whole numbers), in
            any order. A row of a DataFrame is a step of all series, a column each; with a
            MultiIndex (id, date), or with `id_column`, `time_column` and `target_column`, it is
            a step of one of them. Rows of an array are in the order of time.
        sample_weight : array-like of shape (n_rows,) or None
            Weights of the rows of y. A window counts as much as the steps that follow it do.
        static : DataFrame or None
            Numbers that belong to a series as a whole, a row each, with the ids as the index.

        Returns
        -------
        self : forecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If a series is too short, has dates twice or lacks some, if X and y do not fit
            together or are not finite, a parameter's value is not allowed, or `estimator` is not a
            regressor.
        """
        with draft_of(self) as draft:
            draft._fit(X, y, sample_weight, static)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, static: Any) -> None:
        gaps, columns = self._gaps(), self._columns()
        target = self._read_target(y)
        table = Table(X, columns, target.form, dated=target.index is not None)
        values = self._covariate_values(table, len(target.values), reset=True)
        if target.index is None and table.index is not None:
            self._check_rows(values, target)
            target = target._replace(index=table.index)  # an array has the dates of its X
        timeline = None
        if target.index is not None:
            timeline = Timeline.learn(target.index, self.freq, "y")
        weight = self._checked_weight(sample_weight, y, target)
        places = positions_of(target, timeline, 0)
        steps = Steps(target, places, timeline, weight)
        known = None
        if X is not None:
            known = self._covariates_by_date(values, table, target, places, timeline)
        is_joint = self.model == "joint"
        numbers = None if static is None else static_values(static, target.form, columns)
        if is_joint and (numbers is not None or (known and known.rows.codes is not None)):
            raise ValueError(
                "model='joint' forecasts all series at once: covariates are those of all, by date "
                "alone, and there are no static features. model='global' takes them."
            )
        self._learn(Panel.learn(steps, known, numbers, gaps, is_joint=is_joint))

    def _learn(self, panel: Panel) -> None:
        series = panel.for_model()
        self._check_lengths(panel.form, series)
        self._limits = limits_of(self.bounds, [each.values[:, 0] for each in panel.series])
        levels = levels_of(self.interval)
        regressor = self._checked_estimator(series, levels)
        parts = self._calibrated(regressor, series, levels)
        self._model = self._fit_model(regressor, series)
        self._intervals = [
            ConformalIntervals(self._fit_bounds(regressor, series, level) or (self._model,), part)
            for level, part in zip(levels, parts, strict=True)
        ]
        self._levels = None if self.interval is None else self.interval
        self.estimator_ = self._model.estimator
        self._panel = panel

    def update(self, y: Any, X: Any = None, refit: bool = False) -> Any:
        """Take in steps that have come to pass, so that the next forecast starts after them.

        Parameters
        ----------
        y : Series, DataFrame or array-like
            The steps that follow those that are known, in the form of `fit`. Steps that are known
            may come again, with the same values. Of several series, some may be missing.
        X : DataFrame, index, array-like of shape (n_timesteps, n_covariates) or None
            The covariates of these steps, in the form of `fit`.
        refit : bool, default=False
            Whether the regressor is fitted anew, to all that is known.

        Returns
        -------
        self : forecaster
            The forecaster, at a later time.

        Raises
        ------
        ValueError
            If steps are missing in between or are known with other values, or as in `fit`.
        """
        check_is_fitted(self)
        with draft_of(self) as draft:
            draft._update(y, X, refit)
        return self

    def _update(self, y: Any, X: Any, refit: bool) -> None:
        panel, gaps = self._panel, self._gaps()
        form, timeline = panel.form, panel.timeline
        target = matched(self._read_target(y), form)
        table = Table(X, self._columns(), form, dated=timeline is not None)
        values = self._covariate_values(table, len(target.values), reset=False)
        if timeline is not None and target.index is None and form.is_panel:
            raise ValueError(
                "y has no dates and ids, which y of fit has: pass it in the same form."
            )
        places = positions_of(target, timeline, max(panel.ends))
        known = None
        if X is not None:
            known = self._covariates_by_date(values, table, target, places, timeline)
        later = panel.followed_by(Steps(target, places, timeline, None), known, gaps)
        if refit:
            self._validate_params()
            self._learn(later)
        else:
            self._panel = later

    def observe(self, X: Any, y: Any) -> Any:
        """Take in steps that have come to pass: `update` with X first, without a new fit.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_covariates) or None
            The covariates of these steps, in the form of `fit`.
        y : array-like of shape (n_timesteps,) or (n_timesteps, n_series)
            The steps that follow those of `fit` and of earlier calls.

        Returns
        -------
        self : forecaster
            The forecaster, at a later time.

        Raises
        ------
        ValueError
            As in `update`.
        """
        return self.update(y, X)

    def _check_lengths(self, form: Form, series: Sequence[Series]) -> None:
        for code, each in enumerate(series):
            alone = len(form.ids) == 1 or form.kind == "arrays" or len(series) < len(form.ids)
            name = "y" if alone else f"series {form.ids[code]!r} of y"
            check_length(name, len(each.values), past=self.past, horizon=self._horizon)
        if series[0].covariates is not None and self.past < self._horizon:
            raise ValueError(
                f"past={self.past} is shorter than horizon={self._horizon}: with covariates, a "
                "window has to hold those of all steps to forecast. Raise past or lower horizon."
            )

    # --------------------------------------------------------------------------------- forecasts

    @needs_an_argument("X")
    def predict(self, X: Any = None, horizon: Any = None) -> Any:
        """Forecast the steps that follow the training data and what `update` has added.

        Parameters
        ----------
        X : int, DataFrame, index, array-like of shape (n_steps, n_covariates) or None
            How many steps, or the covariates of these steps. Rows with dates are matched by date:
            the forecast goes up to the last one, and each step after y's end needs its row;
            rows of the past are not looked at. An index, or a DataFrame without columns, holds
            dates alone. Of an array, as many steps are forecast as it has rows.
        horizon : int or None
            How many steps; ``predict(horizon, X)`` is understood too.

        Returns
        -------
        Series, DataFrame or ndarray of shape (n_steps,) or (n_steps, n_series)
            The forecast in the form of y, with the dates that follow.

        Raises
        ------
        ValueError
            If X does not have the columns of `fit`, lacks a step or is not finite, or a forecast
            is not finite.
        """
        return self._answer(X, horizon, self._point_forecast, None)

    def forecast(self, n_steps: int) -> Any:
        """Forecast a number of steps, without covariates.

        Parameters
        ----------
        n_steps : int
            How many steps after the training data and what `update` has added.

        Returns
        -------
        Series, DataFrame or ndarray of shape (n_steps,) or (n_steps, n_series)
            The forecast.

        Raises
        ------
        ValueError
            If the forecaster was fitted with covariates, or as in `predict`.
        """
        return self.predict(horizon=self._checked_steps(n_steps))

    @needs_an_argument("X")
    def predict_interval(self, X: Any = None, horizon: Any = None) -> Any:
        """Forecast between which bounds the next steps lie.

        Parameters
        ----------
        X : int, DataFrame, index, array-like of shape (n_steps, n_covariates) or None
            As in `predict`.
        horizon : int or None
            As in `predict`.

        Returns
        -------
        DataFrame or ndarray of shape (n_steps, 2) or (n_steps, n_series, 2)
            Lower and upper bound. Each step by itself lies between them with the probability
            `interval`; all steps together do so less often. With a list of levels the shape is
            (n_steps, n_levels, 2) or (n_steps, n_series, n_levels, 2). A DataFrame has the columns
            ``lower_80``, ``upper_80`` and so on.

        Raises
        ------
        ValueError
            If the forecaster was fitted with ``interval=None``, more steps are asked for than
            intervals reach, or as in `predict`.
        """
        check_is_fitted(self)
        levels = levels_of(self._levels)
        columns = [f"{side}_{100 * each:g}" for each in levels for side in ("lower", "upper")]
        bounds = self._answer(X, horizon, self._interval_forecast, columns)
        if isinstance(bounds, np.ndarray) and not isinstance(self._levels, Real):
            return bounds.reshape(*bounds.shape[:-1], len(levels), 2)
        return bounds

    def forecast_interval(self, n_steps: int) -> Any:
        """Forecast between which bounds a number of steps lie, without covariates.

        Parameters
        ----------
        n_steps : int
            As in `forecast`.

        Returns
        -------
        DataFrame or ndarray of shape (n_steps, 2) or (n_steps, n_series, 2)
            As `predict_interval`.

        Raises
        ------
        ValueError
            If the forecaster was fitted with covariates, or as in `predict_interval`.
        """
        return self.predict_interval(horizon=self._checked_steps(n_steps))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what this version or an earlier one has stored."""
        super().__setstate__(of_this_version(dict(state)))

    def _checked_steps(self, n_steps: int) -> int:
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        return n_steps

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
        ahead = []
        for code, start, stop in zip(codes, starts, stops, strict=True):
            if stop <= start:
                end = panel.form.place(panel.timeline, code, start - 1)
                raise ValueError(
                    f"X has no step after {end}, where y ends: predict forecasts what follows."
                )
            part = None if X is None else known.part(code, start, stop)
            part = part if self.n_features_in_ else None
            ahead.append(panel.ahead(code, stop - panel.ends[code], part))
        return list(codes), ahead

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
        bounds = [each.predict(origins, n_steps) for each in self._intervals]
        return np.stack(bounds, axis=-2)

    def _limited(self, code: int, values: np.ndarray) -> np.ndarray:
        """Return a forecast within `bounds`, (n_steps, n_channels, ...)."""
        if self._limits is None:
            return values
        limits = self._limits if self._panel.is_joint else self._limits[[code]]
        limits = limits.reshape(len(limits), 2, *[1] * (values.ndim - 2))
        return np.clip(values, limits[:, 0], limits[:, 1]).astype(values.dtype)
