"""A regressor of the steps after a window, its scale, and forecasts from its own forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from ._windows import sliding_windows

# Windows that vary less than this part of the typical window are divided by that part instead.
SMALLEST_DEVIATION = 0.1


@dataclass(frozen=True)
class Scaling:
    """Centre and divisor of windows and their targets."""

    by_window: bool  # by mean and standard deviation of each window
    centre: np.ndarray  # (n_series,), of all windows if not
    divisor: np.ndarray  # (n_series,), of all windows if not; else the least of any

    @classmethod
    def fit(cls, mode: str | None, series: np.ndarray, past: int) -> Scaling:
        """Measure a training series, (n_steps, n_series)."""
        centre, divisor = np.zeros_like(series[0]), np.ones_like(series[0])
        # a deviation of this size comes from the rounding of equal values
        info = np.finfo(series.dtype)
        rounding = np.maximum(10 * info.eps * np.abs(series).max(axis=0), info.tiny)
        if mode == "window":
            deviations = sliding_windows(series, past).std(axis=1)
            divisor = np.maximum(_smallest_divisor(deviations, rounding), rounding)
        elif mode == "standard":
            # in double precision, since sums over a long series lose digits
            centre, deviation = (f(series, axis=0, dtype=np.float64) for f in (np.mean, np.std))
            divisor = np.where(deviation > rounding, deviation, 1)
        dtype = series.dtype
        return cls(mode == "window", centre.astype(dtype), divisor.astype(dtype))

    def of(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return centre and divisor, (n or 1, 1, n_series), of windows, (n, past, n_series)."""
        if not self.by_window:
            return self.centre[None, None], self.divisor[None, None]
        centre = windows.mean(axis=1, keepdims=True)
        return centre, np.maximum(windows.std(axis=1, keepdims=True), self.divisor)


def _smallest_divisor(deviations: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return the least that a window of each series is divided by, (n_series,)."""
    # A window that is constant, or nearly so, tells nothing of the size of what follows: divided
    # by its own deviation, a jump after it would outweigh all other targets.
    columns = [column[column > least] for column, least in zip(deviations.T, rounding, strict=True)]
    typical = [np.median(column) if len(column) else 0 for column in columns]
    return SMALLEST_DEVIATION * np.asarray(typical)


class Origins(NamedTuple):
    """Moments at which forecasts start: the last steps before each, and covariates."""

    recent: np.ndarray  # (n_origins, past, n_series), the windows before each moment
    # (n_origins, past - horizon + n, n_covariates), from step `horizon` of each window on; n is
    # the number of steps to forecast, rounded up to a multiple of `horizon`
    covariates: np.ndarray | None


@dataclass(frozen=True)
class WindowModel:
    """A fitted regressor of the `horizon` steps after a window of `past` steps."""

    # Covariates join a window as further channels, `horizon` steps ahead of it, so that its last
    # `horizon` rows hold those of the steps to forecast.
    estimator: Any
    scaling: Scaling
    past: int
    horizon: int
    n_series: int
    takes_channels: bool  # windows of several channels are flattened else

    @classmethod
    def fit(
        cls,
        estimator: Any,
        series: np.ndarray,
        covariates: np.ndarray | None,
        *,
        past: int,
        horizon: int,
        scale: str | None,
    ) -> WindowModel:
        """Fit a clone of `estimator` to all windows of a series, (n_steps, n_series)."""
        n_series = series.shape[1]
        windows = sliding_windows(series[:-horizon], past)
        targets = sliding_windows(series[past:], horizon)
        known = None if covariates is None else sliding_windows(covariates[horizon:], past)
        scaling = Scaling.fit(scale, series, past)
        centre, divisor = scaling.of(windows)
        y = ((targets - centre) / divisor).reshape(len(targets), -1)
        tags = get_tags(estimator)
        estimator = clone(estimator)
        if any(
            name.rpartition("__")[2] == "quantiles" and value is not None
            for name, value in estimator.get_params().items()
        ):
            raise ValueError(
                "estimator predicts several quantiles, but a forecast is one number a step; set "
                "quantiles=None, and ask the forecaster for an interval."
            )
        if y.shape[1] == 1:
            y = y[:, 0]
        elif not tags.target_tags.multi_output:
            estimator = MultiOutputRegressor(estimator)
        takes_channels = tags.input_tags.three_d_array
        model = cls(estimator, scaling, past, horizon, n_series, takes_channels)
        estimator.fit(model._as_samples((windows - centre) / divisor, known), y)
        return model

    def forecast(self, origins: Origins, n_steps: int) -> np.ndarray:
        """Forecast from each origin, block by block: (n_origins, n_steps, n_series)."""
        values, covariates = origins
        for start in range(0, n_steps, self.horizon):
            known = None if covariates is None else covariates[:, start : start + self.past]
            block = self._forecast_block(values[:, start:], known)
            if not np.isfinite(block).all():
                raise ValueError(
                    f"the forecast is not finite from step {start + 1} on: fed with its own "
                    "forecasts, the estimator diverges. Regularise it, or use a DirectForecaster "
                    "with a longer horizon."
                )
            values = np.concatenate([values, block], axis=1)
        return values[:, self.past : self.past + n_steps]

    def _forecast_block(self, windows: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        centre, divisor = self.scaling.of(windows)
        y = np.asarray(
            self.estimator.predict(self._as_samples((windows - centre) / divisor, known))
        )
        y = y.reshape(len(windows), self.horizon, self.n_series)
        return (y * divisor + centre).astype(windows.dtype, copy=False)

    def _as_samples(self, windows: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        """Return windows as the estimator takes them, of shape (n, past[, channels])."""
        channels = windows if known is None else np.concatenate([windows, known], axis=2)
        if channels.shape[2] > 1 and self.takes_channels:
            return channels
        return channels.reshape(len(channels), -1)
