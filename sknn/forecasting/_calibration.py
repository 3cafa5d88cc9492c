"""Models fitted to windows, and intervals calibrated on steps that they have not seen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sknn._parameters import declares_parameters
from sknn.estimators import NeuralRegressor

from ._checking import SeriesChecks
from ._intervals import calibration_starts, conformal_margins, conformal_scores, rolling_origins
from ._models import WindowModel
from ._series import Series


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

    def _checked_estimator(self, series: Sequence[Series], levels: list[float]) -> Any:
        if self.estimator is not None:
            return self.estimator
        lengths = [len(each.values) for each in series]
        if levels:
            lengths = [
                n if first is None else first
                for n, first in zip(lengths, self._calibration_starts(series, levels), strict=True)
            ]
        n_pairs = sum(n - self.past - self._horizon + 1 for n in lengths)
        return default_regressor(n_pairs, self.random_state)

    def _fit_model(self, estimator: Any, series: Sequence[Series]) -> WindowModel:
        return WindowModel.fit(
            estimator, series, past=self.past, horizon=self._horizon, scale=self.scale
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
            past=self.past,
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
            past=self.past,
            horizon=self._horizon,
            reach=(self._reach, getattr(self, self._reach)),
        )
