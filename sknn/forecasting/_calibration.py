"""Models fitted to windows, and intervals calibrated on steps that they have not seen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import get_tags

from sknn._parameters import declares_parameters
from sknn.estimators import NeuralRegressor

from ._checking import SeriesChecks
from ._intervals import (
    ConformalIntervals,
    calibration_starts,
    conformal_margins,
    conformal_scores,
    least_scores,
    rolling_origins,
)
from ._models import Model, WindowModel
from ._rehearsal import margins_of, rehearsed
from ._seasonal import SeasonalModel
from ._seasons import checked_seasons, found_seasons
from ._series import Series

# Steps of a window that the parameter leaves open, where a season is no guide.
USUAL_PAST = 24


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


def residual_regressor(n_pairs: int, random_state: Any) -> NeuralRegressor:
    """Return the regressor of what an autoregression leaves of so many pairs."""
    return NeuralRegressor(
        hidden_layer_sizes=(16,),
        activation="tanh",
        n_estimators=3,
        alpha=1.0,
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size=min(32 if n_pairs < 400 else 128, n_pairs),
        max_iter=40,
        random_state=random_state,
    )


@declares_parameters
class FitsModels(SeriesChecks):
    """Fits the models of forecasts and of the bounds of intervals."""

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

    def _fit_all(
        self, series: Sequence[Series], levels: list[float]
    ) -> tuple[Model, list[ConformalIntervals], list[int]]:
        """Fit the model of the forecasts and the intervals of each level; return seasons too."""
        seasons = checked_seasons(self.season)
        if self._is_seasonal():
            if seasons is None:
                seasons = found_seasons([each.values for each in series], series[0].index)
            return (*self._fit_seasonal(series, levels, seasons), seasons)
        regressor = self._checked_estimator(series, levels)
        parts = self._calibrated(regressor, series, levels)
        model = self._fit_model(regressor, series)
        intervals = [
            ConformalIntervals(self._fit_bounds(regressor, series, level) or (model,), part)
            for level, part in zip(levels, parts, strict=True)
        ]
        return model, intervals, []

    def _is_seasonal(self) -> bool:
        """Say whether windows have lags of seasons; regressors of series get them as they are."""
        takes_series = (
            self.estimator is not None and get_tags(self.estimator).input_tags.three_d_array
        )
        return self.scale == "auto" and not takes_series

    @property
    def _n_past(self) -> int:
        """Steps of a window without lags of seasons."""
        return USUAL_PAST if self.past == "auto" else self.past

    def _fit_seasonal(
        self, series: Sequence[Series], levels: list[float], seasons: list[int]
    ) -> tuple[SeasonalModel, list[ConformalIntervals]]:
        estimator = self.estimator

        def regressor(n_pairs: int) -> Any:
            return estimator or residual_regressor(n_pairs, self.random_state)

        def fit(parts: Sequence[Series], shares: Any = None) -> SeasonalModel:
            past = None if self.past == "auto" else self.past
            return SeasonalModel.fit(
                regressor, parts, past=past, seasons=seasons, horizon=self._horizon, shares=shares
            )

        reach = getattr(self, self._reach)
        shares, errors = rehearsed(
            fit,
            series,
            fraction=self.calibration_fraction,
            horizon=self._horizon,
            period=min(seasons, default=6),
            n_steps=reach if levels or self._horizon > 1 else 1,
        )
        if levels and (errors is None or np.isfinite(errors).sum() < least_scores(max(levels))):
            longest = max(len(each.values) for each in series)
            raise ValueError(
                f"y is too short for intervals: n_samples={longest} time steps. Pass a longer "
                "series, lower the steps that intervals reach, or set interval=None."
            )
        model = fit(series, shares)
        margins = [margins_of(errors, level, reach) for level in levels]  # type: ignore[arg-type]
        return model, [ConformalIntervals((model,), each) for each in margins]

    def _checked_estimator(self, series: Sequence[Series], levels: list[float]) -> Any:
        if self.estimator is not None:
            return self.estimator
        lengths = [len(each.values) for each in series]
        if levels:
            lengths = [
                n if first is None else first
                for n, first in zip(lengths, self._calibration_starts(series, levels), strict=True)
            ]
        n_pairs = sum(n - self._n_past - self._horizon + 1 for n in lengths)
        return default_regressor(n_pairs, self.random_state)

    def _fit_model(self, estimator: Any, series: Sequence[Series]) -> WindowModel:
        return WindowModel.fit(
            estimator,
            series,
            past=self._n_past,
            horizon=self._horizon,
            scale="window" if self.scale == "auto" else self.scale,
        )

    def _fit_bounds(
        self, estimator: Any, series: Sequence[Series], coverage: float
    ) -> tuple[WindowModel, ...]:
        estimators = self._bound_estimators(estimator, coverage)
        return tuple(self._fit_model(each, series) for each in estimators)

    def _calibrated(
        self, estimator: Any, series: Sequence[Series], levels: list[float]
    ) -> list[np.ndarray]:
        """Return by how much bounds of each level are widened: (n_steps, n_channels) each."""
        # bounds are fitted to the first part of each series, and fail in the last
        if not levels:
            return []
        n_steps = getattr(self, self._reach)
        starts = self._calibration_starts(series, levels)
        # the targets of these parts end before the first step of calibration
        first_parts = [each.part(None, start) for each, start in zip(series, starts, strict=True)]
        used = [k for k, start in enumerate(starts) if start is not None]
        origins, future = rolling_origins(
            [series[k] for k in used],
            first=[starts[k] for k in used],  # type: ignore[misc]
            past=self._n_past,
            horizon=self._horizon,
            n_steps=n_steps,
        )
        assert origins.which is not None
        origins = origins._replace(which=np.array(used)[origins.which])
        margins = []
        around: tuple[WindowModel, ...] = ()
        for level in levels:
            models = self._fit_bounds(estimator, first_parts, level)
            if not models:  # the same for all levels
                models = around = around or (self._fit_model(estimator, first_parts),)
            margins.append(conformal_margins(conformal_scores(models, origins, future), level))
        return margins

    def _calibration_starts(
        self, series: Sequence[Series], levels: list[float]
    ) -> list[int | None]:
        return calibration_starts(
            [len(each.values) for each in series],
            max(levels),
            fraction=self.calibration_fraction,
            past=self._n_past,
            horizon=self._horizon,
            reach=(self._reach, getattr(self, self._reach)),
        )
