"""A regressor of the steps after a window, its scale, and forecasts from its own forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from ._series import Series
from ._windows import sliding_windows

# Windows that vary less than this part of the typical window are divided by that part instead.
SMALLEST_DEVIATION = 0.1


@dataclass(frozen=True)
class Scaling:
    """Centre and divisor of windows and their targets."""

    by_window: bool  # by mean and standard deviation of each window
    centre: np.ndarray  # (n_series, n_channels), of all windows of a series if not
    divisor: np.ndarray  # (n_series, n_channels), likewise if not; else the least of any

    @classmethod
    def fit(cls, mode: str | None, series: Sequence[np.ndarray], past: int) -> Scaling:
        """Measure training series, each (n_steps, n_channels)."""
        both = [_centre_and_divisor(mode, each, past) for each in series]
        centre, divisor = (
            np.stack(each).astype(series[0].dtype) for each in zip(*both, strict=True)
        )
        return cls(mode == "window", centre, divisor)

    def of(
        self, windows: np.ndarray, which: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return centre and divisor, (n or 1, 1, n_channels), of windows (n, past, n_channels)."""
        # of which series each window is, (n,); None: of the only one. Files of 0.1.0 have one row.
        rows = slice(None) if which is None else which
        centre, divisor = (np.atleast_2d(each)[rows, None] for each in (self.centre, self.divisor))
        if not self.by_window:
            return centre, divisor
        centre, deviation = _mean_and_deviation(windows)
        return centre, np.maximum(deviation, divisor)


def _centre_and_divisor(
    mode: str | None, series: np.ndarray, past: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return both, (n_channels,), of a training series, (n_steps, n_channels)."""
    centre, divisor = np.zeros_like(series[0]), np.ones_like(series[0])
    # a deviation of this size comes from the rounding of equal values
    info = np.finfo(series.dtype)
    largest = np.abs(series).max(axis=0, initial=0, where=np.isfinite(series))
    rounding = np.maximum(10 * info.eps * largest, info.tiny)
    if mode == "window":
        deviations = _mean_and_deviation(sliding_windows(series, past))[1][:, 0]
        divisor = np.maximum(_smallest_divisor(deviations, rounding), rounding)
    elif mode == "standard":
        # in double precision, since sums over a long series lose digits
        known = series.astype(np.float64)[None]
        (centre,), (deviation,) = (each[0] for each in _mean_and_deviation(known))
        divisor = np.where(deviation > rounding, deviation, 1)
    return centre, divisor


def _mean_and_deviation(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both over what is known, (n, 1, n_channels), of windows (n, past, n_channels)."""
    known = np.isfinite(windows)
    if known.all():
        return windows.mean(axis=1, keepdims=True), windows.std(axis=1, keepdims=True)
    # a window without any value has mean 0 and deviation 0
    count = np.maximum(known.sum(axis=1, keepdims=True), 1).astype(windows.dtype)
    mean = np.where(known, windows, 0).sum(axis=1, keepdims=True) / count
    squares = np.where(known, windows - mean, 0) ** 2
    return mean, np.sqrt(squares.sum(axis=1, keepdims=True) / count)


def _smallest_divisor(deviations: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return the least that a window of each series is divided by, (n_series,)."""
    # A window that is constant, or nearly so, tells nothing of the size of what follows: divided
    # by its own deviation, a jump after it would outweigh all other targets.
    columns = [column[column > least] for column, least in zip(deviations.T, rounding, strict=True)]
    typical = [np.median(column) if len(column) else 0 for column in columns]
    return SMALLEST_DEVIATION * np.asarray(typical)


class Origins(NamedTuple):
    """Moments at which forecasts start: the last steps before each, and covariates."""

    recent: np.ndarray  # (n_origins, past, n_channels), the windows before each moment
    # (n_origins, past - horizon + n, n_covariates), from step `horizon` of each window on; n is
    # the number of steps to forecast, rounded up to a multiple of `horizon`
    covariates: np.ndarray | None
    which: np.ndarray | None = None  # (n_origins,), the place of each one's series in the fit

    @classmethod
    def at_the_ends(
        cls, recent: Sequence[Series], ahead: Sequence[Series], which: Sequence[int], horizon: int
    ) -> Origins:
        """Return the ends of series, each with its last `past` steps and those to forecast."""
        values = np.stack([each.values for each in recent])
        known = None
        if recent[0].covariates is not None:
            joined = [
                np.concatenate([before.covariates[horizon:], after.covariates])  # type: ignore[index]
                for before, after in zip(recent, ahead, strict=True)
            ]
            n_steps = len(ahead[0].values)
            known = np.stack([rounded_up(each, n_steps, horizon) for each in joined])
        return cls(values, known, np.asarray(which))


class Model(Protocol):
    """A fitted model, as forecasters and intervals use it."""

    @property
    def estimator(self) -> Any:
        """The fitted regressor."""

    @property
    def past(self) -> int:
        """Steps of a window."""

    @property
    def horizon(self) -> int:
        """Steps that the regressor forecasts at once."""

    def forecast(self, origins: Origins, n_steps: int) -> np.ndarray:
        """Forecast from each origin, (n_origins, n_steps, n_channels)."""

    def scaled(self, values: np.ndarray, origins: Origins) -> np.ndarray:
        """Return values in the units of their errors."""

    def unscaled(self, values: np.ndarray, origins: Origins) -> np.ndarray:
        """Return values in those units in their own."""


@dataclass(frozen=True)
class WindowModel:
    """A fitted regressor of the `horizon` steps after a window of `past` steps."""

    # Covariates join a window as further channels, `horizon` steps ahead of it, so that its last
    # `horizon` rows hold those of the steps to forecast.
    estimator: Any
    scaling: Scaling
    past: int
    horizon: int
    n_series: int  # channels that are forecast together
    takes_channels: bool  # windows of several channels are flattened else

    @classmethod
    def fit(
        cls,
        estimator: Any,
        series: Sequence[Series],
        *,
        past: int,
        horizon: int,
        scale: str | None,
    ) -> WindowModel:
        """Fit a clone of `estimator` to all windows of all series."""
        scaling = Scaling.fit(scale, [each.values for each in series], past)
        parts = [pairs_of(each, past, horizon) for each in series]
        which = np.repeat(np.arange(len(parts)), [len(part.windows) for part in parts])
        pairs = Pairs(*(joined(each) for each in zip(*parts, strict=True)))
        centre, divisor = scaling.of(pairs.windows, which)
        y = ((pairs.targets - centre) / divisor).reshape(len(which), -1)
        tags = get_tags(estimator)
        estimator = checked_clone(estimator)
        if y.shape[1] == 1:
            y = y[:, 0]
        elif not tags.target_tags.multi_output:
            estimator = MultiOutputRegressor(estimator)
        takes_channels = tags.input_tags.three_d_array
        n_channels = series[0].values.shape[1]
        model = cls(estimator, scaling, past, horizon, n_channels, takes_channels)
        X = model._as_samples((pairs.windows - centre) / divisor, pairs.known)
        weights = {} if pairs.weights is None else {"sample_weight": pairs.weights}
        estimator.fit(X, y, **weights)
        return model

    def forecast(self, origins: Origins, n_steps: int) -> np.ndarray:
        """Forecast from each origin, block by block: (n_origins, n_steps, n_channels)."""
        values, covariates, which = origins
        for start in range(0, n_steps, self.horizon):
            known = None if covariates is None else covariates[:, start : start + self.past]
            block = self._forecast_block(values[:, start:], known, which)
            if not np.isfinite(block).all():
                raise ValueError(
                    f"the forecast is not finite from step {start + 1} on: fed with its own "
                    "forecasts, the estimator diverges. Regularise it, or use a DirectForecaster "
                    "with a longer horizon."
                )
            values = np.concatenate([values, block], axis=1)
        return values[:, self.past : self.past + n_steps]

    def scaled(self, values: np.ndarray, origins: Origins) -> np.ndarray:
        """Return values, (n_origins, n_steps, n_channels), in units of their windows' scale."""
        return values / self.scaling.of(origins.recent, origins.which)[1]

    def unscaled(self, values: np.ndarray, origins: Origins) -> np.ndarray:
        """Return values in those units in their own."""
        return values * self.scaling.of(origins.recent, origins.which)[1]

    def _forecast_block(
        self, windows: np.ndarray, known: np.ndarray | None, which: np.ndarray | None
    ) -> np.ndarray:
        centre, divisor = self.scaling.of(windows, which)
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


class Pairs(NamedTuple):
    """Windows, the steps that follow them, and what belongs to these."""

    windows: np.ndarray  # (n, past, n_channels)
    targets: np.ndarray  # (n, horizon, n_channels)
    known: np.ndarray | None  # (n, past, n_covariates), `horizon` steps ahead of the windows
    weights: np.ndarray | None  # (n,)


def pairs_of(series: Series, past: int, horizon: int) -> Pairs:
    """Return all windows of a series whose future is known."""
    values, covariates, weight, _ = series
    windows = sliding_windows(values[:-horizon], past)
    targets = sliding_windows(values[past:], horizon)
    known = None if covariates is None else sliding_windows(covariates[horizon:], past)
    # a pair counts as much as the steps to forecast do on average
    weights = None if weight is None else sliding_windows(weight[past:], horizon).mean(axis=1)
    pairs = Pairs(windows, targets, known, weights)
    answered = np.isfinite(targets).all(axis=(1, 2))
    if answered.all():
        return pairs
    return Pairs(*(None if each is None else each[answered] for each in pairs))  # type: ignore[arg-type]


def checked_clone(estimator: Any) -> Any:
    """Return a clone of a regressor of one number a step; raise ValueError for another."""
    estimator = clone(estimator)
    if any(
        name.rpartition("__")[2] == "quantiles" and value is not None
        for name, value in estimator.get_params().items()
    ):
        raise ValueError(
            "estimator predicts several quantiles, but a forecast is one number a step; set "
            "quantiles=None, and ask the forecaster for an interval."
        )
    return estimator


def joined(parts: Sequence[np.ndarray | None]) -> Any:
    """Return arrays of all series as one; None if there are none."""
    if parts[0] is None:
        return None
    return parts[0] if len(parts) == 1 else np.concatenate(parts)  # type: ignore[arg-type]


def rounded_up(covariates: np.ndarray, n_steps: int, horizon: int) -> np.ndarray:
    """Repeat the last row of covariates, (n, n_covariates), to whole blocks of `horizon` steps."""
    n_missing = -n_steps % horizon
    return np.concatenate([covariates, np.repeat(covariates[-1:], n_missing, axis=0)])
