"""The base of both forecasters: it checks series, fits to windows, and forecasts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import MetaEstimatorMixin, RegressorMixin, _fit_context, is_regressor
from sklearn.utils import check_scalar
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_array, check_is_fitted, validate_data

from sknn._drafts import draft_of
from sknn._parameters import ExplainedParameters, declares_parameters, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.estimators import NeuralRegressor

from ._intervals import (
    ConformalIntervals,
    conformal_margins,
    conformal_scores,
    least_scores,
    rolling_origins,
    rounded_up,
)
from ._models import Origins, WindowModel
from ._series import Series
from ._windows import FLOATS, check_length, n_dimensions


def default_regressor(n_pairs: int, random_state: Any) -> NeuralRegressor:
    """Return the regressor of a forecaster without `estimator`, for so many pairs of windows."""
    return NeuralRegressor(
        hidden_layer_sizes=(64,),
        alpha=1.0,  # windows overlap, so they are fewer than they seem
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size=min(32, n_pairs),
        max_iter=50,
        random_state=random_state,
    )


@declares_parameters
class Forecaster(RegressorMixin, MetaEstimatorMixin, ExplainedParameters, ABC):
    """Base class of the forecasters."""

    estimator: Any = parameter(
        default=None,
        constraints=[HasMethods(["fit", "predict"]), None],
        doc="""estimator or None
        A regressor, which is cloned. None is a :class:`~sknn.NeuralRegressor` with a hidden layer
        of 64 units and ``alpha=1``, trained for 50 epochs with a falling learning rate.""",
        kw_only=False,
    )
    past: int = parameter(
        default=24,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Time steps that a forecast starts from: the length of a window. A whole period of the
        series, or two, is a good choice.""",
    )
    scale: str | None = parameter(
        default="window",
        constraints=[StrOptions({"window", "standard"}), None],
        doc="""{"window", "standard"} or None
        What the regressor sees. With "window", each window and its target are centred by the
        window's mean and divided by its standard deviation, so that a trend does not lead out of
        the range of the training data; windows that vary by less than a tenth of what is usual
        (the median) are divided by that tenth. "standard" uses mean and standard deviation of the
        training series, None the values as they are. Covariates are never scaled.""",
    )
    covariates: str = parameter(
        default="use",
        constraints=[StrOptions({"use", "ignore"})],
        doc="""{"use", "ignore"}
        Whether the columns of X are covariates known in advance, or X only tells the number of
        steps. Ignored, X may be anything that has a length, say a time index or the series.""",
    )
    interval: float | None = parameter(
        default=None,
        constraints=[Interval(Real, 0, 1, closed="neither"), None],
        doc="""float or None
        Share of the future that `predict_interval` is to cover, between 0 and 1; None fits no
        intervals.""",
    )
    calibration_fraction: float = parameter(
        default=0.2,
        constraints=[Interval(Real, 0, 1, closed="neither")],
        doc="""float
        Share of the time steps, the last ones, on which intervals are calibrated: a regressor
        fitted to those before forecasts them. Used with `interval` only.""",
    )
    random_state: int | np.random.RandomState | None = parameter(
        default=None,
        constraints=["random_state"],
        doc="""int, RandomState instance or None
        Seed of the default regressor. One that is passed as `estimator` has its own.""",
    )

    def __sklearn_tags__(self) -> Any:
        """Add several series, and that the rows of the training data are not predicted again."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True
        return tags

    # ------------------------------------------------------------ differences between forecasters

    @property
    @abstractmethod
    def _horizon(self) -> int:
        """Steps that the regressor forecasts at once."""

    # the parameter that says how many steps ahead intervals reach
    _reach: ClassVar[str]

    @abstractmethod
    def _bound_estimators(self, estimator: Any, coverage: float) -> tuple[Any, ...]:
        """Return regressors of the bounds; none if intervals are put around the forecast."""

    # -------------------------------------------------------------------------------------- fit

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> Any:
        """Fit the regressor to the windows of a series.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_covariates) or None
            Covariates that are known in advance, such as calendar or price. None or an array
            without columns if there are none.
        y : array-like of shape (n_timesteps,) or (n_timesteps, n_series)
            The series, one row a time step, in the order of time. Several series are forecast
            together, each from the past of all.

        Returns
        -------
        self : forecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If the series is too short, X and y do not fit together or are not finite, a
            parameter's value is not allowed, or `estimator` is not a regressor.
        """
        with draft_of(self) as draft:
            draft._fit(X, y)
        return self

    def _fit(self, X: Any, y: Any) -> None:
        series = self._check_series(X, y, reset=True)
        check_length("y", len(series.values), past=self.past, horizon=self._horizon)
        if series.covariates is not None and self.past < self._horizon:
            raise ValueError(
                f"past={self.past} is shorter than horizon={self._horizon}: with covariates, a "
                "window has to hold those of all steps to forecast. Raise past or lower horizon."
            )
        estimator = self._checked_estimator(len(series.values))
        self._intervals = None
        if self.interval is None:
            self._model = self._fit_model(estimator, series)
        else:
            margins = self._calibrate(estimator, series, self.interval)
            self._model = self._fit_model(estimator, series)
            bounds = self._fit_bounds(estimator, series, self.interval) or (self._model,)
            self._intervals = ConformalIntervals(bounds, margins)
        self.estimator_ = self._model.estimator
        self._recent = series.part(-self.past)

    def observe(self, X: Any, y: Any) -> Any:
        """Take in steps that have come to pass, so that the next forecast starts after them.

        The regressor is not fitted anew.

        Parameters
        ----------
        X : array-like of shape (n_timesteps, n_covariates) or None
            The covariates of these steps, in the form of `fit`.
        y : array-like of shape (n_timesteps,) or (n_timesteps, n_series)
            The steps that follow those of `fit` and of earlier calls, in the order of time.

        Returns
        -------
        self : forecaster
            The forecaster, at a later time.

        Raises
        ------
        ValueError
            If X and y do not fit together, to the training data, or are not finite.
        """
        check_is_fitted(self)
        series = self._check_series(X, y, reset=False)
        self._recent = self._recent.followed_by(series).part(-self._model.past)
        return self

    def _checked_estimator(self, n_timesteps: int) -> Any:
        if self.estimator is None:
            if self.interval is not None:
                n_timesteps = self._first_calibration_step(n_timesteps, self.interval)
            return default_regressor(n_timesteps - self.past - self._horizon + 1, self.random_state)
        if isinstance(self.estimator, type) or not is_regressor(self.estimator):
            raise ValueError(
                f"estimator={self.estimator!r} is not a regressor: pass an instance of a "
                "scikit-learn regressor, or None."
            )
        return self.estimator

    def _fit_model(self, estimator: Any, series: Series) -> WindowModel:
        return WindowModel.fit(
            estimator, [series], past=self.past, horizon=self._horizon, scale=self.scale
        )

    def _fit_bounds(
        self, estimator: Any, series: Series, coverage: float
    ) -> tuple[WindowModel, ...]:
        estimators = self._bound_estimators(estimator, coverage)
        return tuple(self._fit_model(each, series) for each in estimators)

    # ------------------------------------------------------------------------------- validation

    def _check_series(self, X: Any, y: Any, *, reset: bool) -> Series:
        """Validate a series and its covariates; with `reset`, later ones have to be like them."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y is "
                "the series, and X holds its covariates."
            )
        values = check_array(y, dtype=FLOATS, ensure_2d=False, allow_nd=True, input_name="y")
        if values.ndim not in (1, 2):
            raise ValueError(
                f"y has the shape {values.shape}, but a series is of shape (n_timesteps,) or "
                "(n_timesteps, n_series)."
            )
        covariates = self._check_covariates(X, len(values), reset=reset)
        if len(covariates) != len(values):
            raise ValueError(
                f"X has {len(covariates)} rows, but y has {len(values)} time steps: each step of "
                "the series needs a row of X."
            )
        if reset:
            self._is_single = values.ndim == 1
        values = values.reshape(len(values), -1)
        if not reset and values.shape[1] != self._model.n_series:
            raise ValueError(
                f"y has {values.shape[1]} series, but {type(self).__name__} was fitted with "
                f"{self._model.n_series}."
            )
        return Series(values, covariates.astype(values.dtype) if covariates.shape[1] else None)

    def _check_covariates(self, X: Any, n_steps: int, *, reset: bool) -> np.ndarray:
        """Return covariates of shape (n_rows, n_covariates), which may have no column."""
        if X is None:
            if not reset and self.n_features_in_:
                raise ValueError(
                    f"X is None, but {type(self).__name__} was fitted with "
                    f"{self.n_features_in_} covariates: pass those of the steps to forecast."
                )
            X = np.empty((n_steps, 0))
        elif self.covariates == "ignore":
            X = np.empty((_num_samples(X), 0))
        elif n_dimensions(X) == 1:
            raise ValueError(
                "X has one dimension. Expected 2D array, got 1D array instead: covariates have "
                "the shape (n_timesteps, n_covariates). Reshape your data with X.reshape(-1, 1) "
                'if X is a covariate; set covariates="ignore" if it is only a time index.'
            )
        return validate_data(self, X, reset=reset, dtype=FLOATS, ensure_min_features=0)

    # --------------------------------------------------------------------------------- forecasts

    def predict(self, X: Any) -> np.ndarray:
        """Forecast the steps that follow the training data and what `observe` has added.

        Parameters
        ----------
        X : array-like of shape (n_steps, n_covariates)
            Covariates of these steps; as many steps are forecast as X has rows. Without
            covariates, an array without columns, or see `forecast`.

        Returns
        -------
        ndarray of shape (n_steps,) or (n_steps, n_series)
            The forecast.

        Raises
        ------
        ValueError
            If X does not have the columns of `fit` or is not finite, or a forecast is not finite.
        """
        origin, n_steps = self._origin(X)
        return self._in_shape(self._model.forecast(origin, n_steps)[0])

    def forecast(self, n_steps: int) -> np.ndarray:
        """Forecast a number of steps, without covariates.

        Parameters
        ----------
        n_steps : int
            How many steps after the training data and what `observe` has added.

        Returns
        -------
        ndarray of shape (n_steps,) or (n_steps, n_series)
            The forecast.

        Raises
        ------
        ValueError
            If the forecaster was fitted with covariates, or as in `predict`.
        """
        return self.predict(self._rows_without_columns(n_steps))

    def predict_interval(self, X: Any) -> np.ndarray:
        """Forecast between which bounds the next steps lie.

        Parameters
        ----------
        X : array-like of shape (n_steps, n_covariates)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_steps, 2) or (n_steps, n_series, 2)
            Lower and upper bound. Each step by itself lies between them with the probability
            `interval`; all steps together do so less often.

        Raises
        ------
        ValueError
            If the forecaster was fitted with ``interval=None``, more steps are asked for than
            intervals reach, or as in `predict`.
        """
        origin, n_steps = self._origin(X)
        if self._intervals is None:
            raise ValueError(
                f"this {type(self).__name__} was fitted with interval=None: set a coverage, such "
                "as interval=0.8, before fit."
            )
        n_calibrated = len(self._intervals.margins)
        if n_steps > n_calibrated:
            raise ValueError(
                f"X asks for intervals of {n_steps} steps, but they were calibrated for "
                f"{n_calibrated} steps ahead: raise {self._reach} before fit."
            )
        return self._in_shape(self._intervals.predict(origin, n_steps)[0])

    def forecast_interval(self, n_steps: int) -> np.ndarray:
        """Forecast between which bounds a number of steps lie, without covariates.

        Parameters
        ----------
        n_steps : int
            As in `forecast`.

        Returns
        -------
        ndarray of shape (n_steps, 2) or (n_steps, n_series, 2)
            As `predict_interval`.

        Raises
        ------
        ValueError
            If the forecaster was fitted with covariates, or as in `predict_interval`.
        """
        return self.predict_interval(self._rows_without_columns(n_steps))

    def _rows_without_columns(self, n_steps: int) -> np.ndarray:
        check_is_fitted(self)
        if self.n_features_in_:
            raise ValueError(
                f"this {type(self).__name__} was fitted with {self.n_features_in_} covariates: "
                "pass those of the steps to forecast as X to predict or predict_interval."
            )
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        return np.empty((n_steps, 0))

    def _origin(self, X: Any) -> tuple[Origins, int]:
        """Return where the forecast starts, and how many steps X asks for."""
        check_is_fitted(self)
        if X is None and not self.n_features_in_:
            raise ValueError(
                "X is None, which does not tell how many steps to forecast: use forecast(n_steps)."
            )
        covariates = self._check_covariates(X, 0, reset=False)
        n_steps = len(covariates)
        recent, horizon = self._recent, self._model.horizon
        known = None
        if recent.covariates is not None:
            known = np.concatenate([recent.covariates[horizon:], covariates])
            known = rounded_up(known.astype(recent.values.dtype, copy=False), n_steps, horizon)
        return Origins(recent.values[None], None if known is None else known[None]), n_steps

    def _in_shape(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self._is_single else values

    # -------------------------------------------------------------------------------- intervals

    def _calibrate(self, estimator: Any, series: Series, coverage: float) -> np.ndarray:
        """Return by how much bounds fitted to the first part have to be widened in the last."""
        n_steps = getattr(self, self._reach)
        first = self._first_calibration_step(len(series.values), coverage)
        # the targets of this part end before the first step of calibration
        training = series.part(None, first)
        models = self._fit_bounds(estimator, training, coverage)
        models = models or (self._fit_model(estimator, training),)
        origins, future = rolling_origins(
            [series], first=[first], past=self.past, horizon=self._horizon, n_steps=n_steps
        )
        return conformal_margins(conformal_scores(models, origins, future), coverage)

    def _first_calibration_step(self, n_timesteps: int, coverage: float) -> int:
        name, n_steps = self._reach, getattr(self, self._reach)
        n_calibration = round(self.calibration_fraction * n_timesteps)
        needed = n_steps + least_scores(coverage) - 1
        if n_calibration < needed:
            raise ValueError(
                f"y has {n_timesteps} time steps, of which calibration_fraction="
                f"{self.calibration_fraction} leaves {n_calibration} for calibration, but "
                f"interval={coverage} and {name}={n_steps} need at least {needed}. Raise "
                f"calibration_fraction, lower {name} or interval, or pass a longer series."
            )
        first = n_timesteps - n_calibration
        if first < self.past + self._horizon:
            raise ValueError(
                f"y has {n_timesteps} time steps, of which calibration_fraction="
                f"{self.calibration_fraction} leaves {first} for training, but past={self.past} "
                f"and horizon={self._horizon} need at least {self.past + self._horizon}."
            )
        return first
