"""The base of both forecasters: it checks series, fits to windows, and forecasts."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import MetaEstimatorMixin, RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from sknn._drafts import draft_of
from sknn._parameters import declares_parameters

from ._answers import Answers
from ._arguments import needs_an_argument, takes_series_first
from ._calendar import calendar_names
from ._covariates import Table, static_values
from ._forms import Form, matched
from ._panel import Panel, of_this_version
from ._parameters import levels_of, limits_of
from ._rows import Steps, positions_of
from ._series import Series
from ._timeline import Timeline, is_pandas
from ._windows import check_length


@declares_parameters
class Forecaster(RegressorMixin, MetaEstimatorMixin, Answers, ABC):
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
        calendar = calendar_names(self.calendar, timeline)
        self._learn(Panel.learn(steps, known, numbers, gaps, is_joint=is_joint, calendar=calendar))

    def _learn(self, panel: Panel) -> None:
        series = panel.for_model()
        self._check_lengths(panel.form, series)
        self._limits = limits_of(self.bounds, [each.values[:, 0] for each in panel.series])
        levels = levels_of(self.interval)
        self._model, self._intervals, self.season_ = self._fit_all(series, levels)
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
        else:  # a series of counts may turn out to be none
            self._limits = limits_of(self.bounds, [each.values[:, 0] for each in later.series])
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
            if self._is_seasonal() and self.past == "auto":
                least = 2 if each.covariates is None else self._horizon + 1
                check_length(name, len(each.values), past=least, horizon=self._horizon)
            else:
                check_length(name, len(each.values), past=self._n_past, horizon=self._horizon)
        if self._is_seasonal():
            return
        if series[0].covariates is not None and self._n_past < self._horizon:
            raise ValueError(
                f"past={self._n_past} is shorter than horizon={self._horizon}: with covariates, a "
                "window has to hold those of all steps to forecast. Raise past or lower horizon."
            )

    # --------------------------------------------------------------------------------- forecasts

    @needs_an_argument("horizon")
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

    @needs_an_argument("horizon")
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

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination of a forecast.

        Parameters
        ----------
        X : int, DataFrame, index, array-like of shape (n_steps, n_covariates)
            As in `predict`.
        y : Series, DataFrame, array-like of shape (n_steps,) or (n_steps, n_series)
            What came; of pandas it is compared by date.
        sample_weight : array-like of shape (n_steps,) or None
            Weights of the rows of y.

        Returns
        -------
        float
            R2, of several series their mean.

        Raises
        ------
        ValueError
            If y lacks a step of the forecast, or as in `predict`.
        """
        forecast = self.predict(X)
        if is_pandas(forecast) and is_pandas(y) and not y.index.equals(forecast.index):
            places = y.index.get_indexer(forecast.index) if y.index.is_unique else np.array([-1])
            if (places < 0).any() or len(y) != len(forecast):
                raise ValueError(
                    "y has other dates than the forecast. Long frames are scored by "
                    "sknn.forecasting.cross_validate."
                )
            y = y.iloc[places]
            weight = sample_weight
            sample_weight = None if weight is None else np.asarray(weight)[places]
        return float(r2_score(y, forecast, sample_weight=sample_weight))

    def _checked_steps(self, n_steps: int) -> int:
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        return n_steps
