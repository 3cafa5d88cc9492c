"""Forecasts of an autoregression, a regressor of what it leaves, and the last season repeated."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from ._autoregression import Autoregression, lags_of, ridge
from ._models import Origins, Pairs, checked_clone, joined, pairs_of
from ._series import Series
from ._units import Units

# A regressor may add so many times the largest residual of the training data.
LARGEST_RESIDUAL = 1.5


@dataclass(frozen=True)
class Shares:
    """How much each part of a forecast counts."""

    regressor: float  # of what the regressor adds to the autoregression
    seasons: np.ndarray  # (n_naive,), of the repeated seasons; the rest is the model's


@dataclass(frozen=True)
class SeasonalModel:
    """A fitted regressor of what an autoregression leaves, with lags of seasons."""

    estimator: Any
    units: Units
    linear: Autoregression
    shares: Shares
    naive: list[int]  # periods of the repeated seasons; 1 repeats the last step
    past: int  # steps of a window
    horizon: int  # steps that the regressor forecasts at once
    n_series: int  # channels
    residual: np.ndarray  # (horizon, n_channels), standard deviation of what the regressor sees
    largest: np.ndarray  # (horizon, n_channels), and the most that it may add
    known_centre: np.ndarray  # (n_covariates,)
    known_divisor: np.ndarray  # (n_covariates,)
    # (n_covariates, n_channels), of covariates in standard deviations; it is taken off the series
    # first, so that an event of the past leaves no trace in the lags
    effect: np.ndarray

    @classmethod
    def fit(
        cls,
        estimator: Any | Callable[[int], Any],
        series: Sequence[Series],
        *,
        past: int | None,
        seasons: list[int],
        horizon: int,
        shares: Shares | None = None,
    ) -> SeasonalModel:
        """Fit a regressor, or what a function of the number of pairs returns, to all windows."""
        shortest = min(len(each.values) for each in series)
        naive = [period for period in seasons if period <= shortest // 2] or [1]
        most = shortest - horizon
        longest = min(most, max(shortest // 3, min(naive[0] + 1, shortest // 2), past or 0))
        lags = lags_of([p for p in naive if p > 1], past, longest)
        length = max(int(lags[-1]), naive[-1])
        has_known = series[0].covariates is not None
        if has_known:
            length = max(length, horizon)
        units = Units.learn([each.values for each in series], naive[0])
        n_channels = series[0].values.shape[1]
        centre, divisor, effect = np.zeros(0), np.ones(0), np.zeros((0, n_channels))
        seen = [
            each._replace(values=units.to(each.values[None], np.array([k]))[0])
            for k, each in enumerate(series)
        ]
        if has_known:
            known = np.concatenate([np.asarray(each.covariates, np.float64) for each in series])
            centre, divisor = known.mean(axis=0), known.std(axis=0)
            divisor = np.where(divisor > 1e-12 * np.abs(centre), divisor, 1)
            seen = [each._replace(covariates=(each.covariates - centre) / divisor) for each in seen]
            effect = _effect_of_covariates(seen)
            seen = [
                each._replace(values=each.values - np.asarray(each.covariates) @ effect)
                for each in seen
            ]
        parts = [pairs_of(each, length, horizon) for each in seen]
        pairs = Pairs(*(joined(each) for each in zip(*parts, strict=True)))
        filled = filled_forward(pairs.windows)
        ahead = None
        if has_known:
            assert pairs.known is not None
            ahead = pairs.known[:, -horizon:]
        linear = Autoregression.fit(
            filled[:, -lags],
            pairs.targets[:, 0],
            None if ahead is None else ahead[:, 0],
            pairs.weights,
            lags=lags,
            seasons=[p for p in naive if p > 1],
        )
        ones = np.ones((horizon, n_channels))
        model = cls(
            None, units, linear, shares or Shares(1.0, np.zeros(len(naive))), naive,
            length + (horizon if has_known else 0), horizon, n_channels, ones, ones, centre,
            divisor, effect,
        )  # fmt: skip
        left = pairs.targets - model._linear_path(filled, ahead, horizon)
        size = np.sqrt(np.mean(left**2, axis=0))
        size = np.where(size > 1e-9, size, 1)
        largest = LARGEST_RESIDUAL * np.abs(left).max(axis=0)
        samples = model._samples(pairs.windows, ahead)
        y = (left / size).reshape(len(left), -1)
        made = estimator if hasattr(estimator, "fit") else estimator(len(y))
        regressor = checked_clone(made)
        if y.shape[1] == 1:
            y = y[:, 0]
        elif not get_tags(regressor).target_tags.multi_output:
            regressor = MultiOutputRegressor(regressor)
        weights = {} if pairs.weights is None else {"sample_weight": pairs.weights}
        regressor.fit(samples, y, **weights)
        return replace(model, estimator=regressor, residual=size, largest=largest)

    # --------------------------------------------------------------------------------- forecasts

    def forecast(self, origins: Origins, n_steps: int) -> np.ndarray:
        """Forecast from each origin: (n_origins, n_steps, n_channels)."""
        which = self._which(origins)
        parts = self.parts(origins, n_steps, self.shares.regressor)
        share = 1 - self.shares.seasons.sum()
        forecast = share * parts[0] + np.tensordot(self.shares.seasons, parts[1:], axes=1)
        return self.units.back(forecast, which).astype(origins.recent.dtype, copy=False)

    def parts(self, origins: Origins, n_steps: int, share: float) -> np.ndarray:
        """Return the model's forecast and the repeated seasons, in its units."""
        # (1 + n_naive, n_origins, n_steps, n_channels)
        which = self._which(origins)
        recent = self.units.to(origins.recent, which)
        limits = self.units.limits(origins.recent, which, n_steps)
        ahead, effect = None, np.zeros(1)
        if origins.covariates is not None:
            # those of the first `horizon` steps of a window are not known
            known = (origins.covariates - self.known_centre) / self.known_divisor
            recent = recent[:, self.horizon :]
            recent = recent - known[:, : recent.shape[1]] @ self.effect
            ahead = known[:, recent.shape[1] :]
            effect = ahead[:, :n_steps] @ self.effect
            limits = (limits[0] - effect, limits[1] - effect)
        filled = filled_forward(recent)
        steps = np.arange(n_steps)
        repeated = [filled[:, -period:][:, steps % period] for period in self.naive]
        path = self._path(recent, filled, ahead, n_steps, share, limits)
        return np.stack([path, *repeated]) + effect

    def scaled(self, values: np.ndarray, origins: Origins) -> np.ndarray:
        """Return values, (n_origins, n_steps, n_channels), in the units of their errors."""
        return self.units.to(values, self._which(origins))

    def unscaled(self, values: np.ndarray, origins: Origins) -> np.ndarray:
        """Return values in those units in their own."""
        return self.units.back(values, self._which(origins))

    def _which(self, origins: Origins) -> np.ndarray:
        if origins.which is None:
            return np.zeros(len(origins.recent), int)
        return origins.which

    def _path(
        self,
        recent: np.ndarray,
        filled: np.ndarray,
        ahead: np.ndarray | None,
        n_steps: int,
        share: float,
        limits: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """Forecast block by block from the model's own forecasts, within limits."""
        clipped = None
        for start in range(0, n_steps, self.horizon):
            known = None if ahead is None else ahead[:, start : start + self.horizon]
            block = self._linear_path(filled[:, start:], known, self.horizon)
            if share:
                y = np.asarray(self.estimator.predict(self._samples(recent[:, start:], known)))
                added = y.reshape(block.shape) * self.residual
                block = block + share * np.clip(added, -self.largest, self.largest)
            stop = min(start + self.horizon, n_steps)
            block = block[:, : stop - start]
            inside = np.clip(block, *(each[:, start:stop] for each in limits))
            if clipped is None and (np.abs(inside - block) > 1e-9).any():
                clipped = start + 1
            filled = np.concatenate([filled, inside], axis=1)
            recent = np.concatenate([recent, inside], axis=1)
        if clipped is not None:
            warnings.warn(
                f"the forecast leaves the sane range of the series from step {clipped} on and is "
                "kept at its end: the range reaches beyond what was seen by as much as that spans, "
                "and farther with the number of steps.",
                UserWarning,
                stacklevel=2,
            )
        return filled[:, filled.shape[1] - n_steps :]

    def _linear_path(
        self, filled: np.ndarray, known: np.ndarray | None, n_steps: int
    ) -> np.ndarray:
        """Forecast by the autoregression from windows, (n, past, n_channels), so many steps."""
        for step in range(n_steps):
            lagged = filled[:, filled.shape[1] - self.linear.lags]
            now = None if known is None else known[:, step]
            following = self.linear.next_step(lagged, now)
            filled = np.concatenate([filled, following[:, None]], axis=1)
        return filled[:, -n_steps:]

    def _samples(self, windows: np.ndarray, ahead: np.ndarray | None) -> np.ndarray:
        """Return the regressor's features of windows, (n, past, n_channels): (n, n_features)."""
        # Deviations of lags from the last step, and of that from the mean: about of size one.
        last = windows[:, -1:]
        lagged = (windows[:, -self.linear.lags[1:]] - last) / 3 if len(self.linear.lags) > 1 else []
        mean = np.nan_to_num(windows).mean(axis=1, keepdims=True)
        parts = [*([lagged] if len(lagged) else []), (last - mean) / 10]
        samples = np.concatenate(parts, axis=1).reshape(len(windows), -1)
        if ahead is None:
            return samples
        return np.concatenate([samples, ahead.reshape(len(ahead), -1)], axis=1)


def _effect_of_covariates(series: Sequence[Series]) -> np.ndarray:
    """Return coefficients of scaled covariates, (n_covariates, n_channels)."""
    # Of differences, which have no trend that would look like an effect.
    changes = np.concatenate([np.diff(each.values, axis=0) for each in series])
    known = np.concatenate([np.diff(np.asarray(each.covariates), axis=0) for each in series])
    effects = []
    for column in changes.T:
        rows = np.isfinite(column)
        effects.append(ridge(known[rows], column[rows], np.ones(rows.sum()))[1])
    return np.stack(effects, axis=1)


def filled_forward(windows: np.ndarray) -> np.ndarray:
    """Return windows, (n, past, n_channels), with the step before in place of each NaN."""
    if not np.isnan(windows).any():
        return windows
    n_steps = windows.shape[1]
    known = np.where(np.isnan(windows), -1, np.arange(n_steps)[None, :, None])
    source = np.maximum.accumulate(known, axis=1)
    filled = np.take_along_axis(windows, np.maximum(source, 0), axis=1)
    # steps before the first known one are at the mean, which is 0
    return np.nan_to_num(filled)
