"""A linear forecast of the next step from lags, shrunk towards simple forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PENALTIES = 10.0 ** np.arange(-5, 2.1, 0.5)  # of coefficients, a sample


@dataclass(frozen=True)
class Autoregression:
    """Coefficients of lags and of covariates, one row a channel."""

    lags: np.ndarray  # (n_lags,), 1 is the last step
    of_lags: np.ndarray  # (n_channels, n_lags)
    of_known: np.ndarray  # (n_channels, n_covariates)
    intercept: np.ndarray  # (n_channels,)

    @classmethod
    def fit(
        cls,
        lagged: np.ndarray,
        target: np.ndarray,
        known: np.ndarray | None,
        weights: np.ndarray | None,
        *,
        lags: np.ndarray,
        seasons: list[int],
    ) -> Autoregression:
        """Fit to lags (n, n_lags, n_channels), the next step (n, n_channels) and covariates."""
        weights = np.ones(len(target)) if weights is None or not weights.any() else weights
        known = np.zeros((len(target), 0)) if known is None else known
        channels = [
            _averaged(lagged[..., k], target[:, k], known, weights, lags, seasons)
            for k in range(target.shape[1])
        ]
        of_lags, of_known, intercept = (np.stack(each) for each in zip(*channels, strict=True))
        return cls(lags, of_lags, of_known, intercept)

    def next_step(self, lagged: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        """Forecast from lags (n, n_lags, n_channels) and covariates: (n, n_channels)."""
        forecast = np.einsum("nlk,kl->nk", lagged, self.of_lags) + self.intercept
        return forecast if known is None else forecast + known @ self.of_known.T


def lags_of(seasons: list[int], past: int | None, longest: int) -> np.ndarray:
    """Return the lags of a window: the last steps, and those of up to three seasons before."""
    shortest = min(seasons, default=None)
    if past is None:
        # a season and a step, in which its change shows; long ones are seen by their seasonal lags
        past = 9 if shortest is None else shortest + 1
    lags = set(range(1, past + 1))
    for period in seasons:
        times = (1, 2, 3) if period == shortest else (1,)
        lags |= {each for k in times for each in (k * period, k * period + 1)}
    return np.array(sorted(lag for lag in lags if lag <= max(longest, 1)))


def _averaged(
    lagged: np.ndarray,
    target: np.ndarray,
    known: np.ndarray,
    weights: np.ndarray,
    lags: np.ndarray,
    seasons: list[int],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return coefficients and intercept: the average of ridge regressions with other centres."""
    # A ridge regression of deviations from a simple forecast is shrunk towards it: the mean, the
    # last step, the last season, and the last season with the change since then.
    place = {int(lag): k for k, lag in enumerate(lags)}
    simple: list[dict[int, float]] = [{}, {1: 1.0}]
    for period in seasons:
        if period in place:
            simple.append({period: 1.0})
        if period + 1 in place:
            simple.append({period: 1.0, 1: 1.0, period + 1: -1.0})
    found, errors = [], []
    for weighted in simple:
        base = np.zeros(len(lags))
        for lag, share in weighted.items():
            base[place[lag]] += share
        reference = next(iter(weighted), None)
        deviations = lagged if reference is None else lagged - lagged[:, [place[reference]]]
        samples = np.concatenate([deviations, known], axis=1)
        error, coefficients, intercept = ridge(samples, target - lagged @ base, weights)
        of_lags = coefficients[: len(lags)]
        if reference is not None:
            base[place[reference]] -= of_lags.sum()
        found.append((base + of_lags, coefficients[len(lags) :], intercept))
        errors.append(error)
    precision = 1 / (np.array(errors) + 1e-12) ** 2
    precision /= precision.sum()
    of_lags, of_known, intercept = (
        sum(share * part for share, part in zip(precision, each, strict=True))
        for each in zip(*found, strict=True)
    )
    return of_lags, of_known, intercept


def ridge(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Return error, coefficients and intercept of a ridge regression; the penalty is chosen."""
    # The one with the least squared error of each sample as forecast without it, in closed form
    # (Allen's PRESS): the residual, divided by 1 - leverage.
    total = weights.sum()
    mean_X, mean_y = weights @ X / total, weights @ y / total
    root = np.sqrt(weights)
    U, s, Vt = np.linalg.svd((X - mean_X) * root[:, None], full_matrices=False)
    projected = U.T @ ((y - mean_y) * root)
    best = (np.inf, np.zeros_like(s))  # without coefficients, if all take too many
    for penalty in PENALTIES:
        shrunk = s**2 / (s**2 + penalty * len(y))
        if shrunk.sum() > max(len(y) / 3, 1):  # degrees of freedom: few samples say little
            continue
        residual = (y - mean_y) * root - U @ (shrunk * projected)
        leverage = U**2 @ shrunk + weights / total
        error = float(np.sum((residual / np.maximum(1 - leverage, 1e-3)) ** 2) / total)
        if error < best[0]:
            best = (error, shrunk)
    error, shrunk = best
    is_used = s > 1e-10 * s.max(initial=0)
    scaled = np.where(is_used, shrunk / np.where(is_used, s, 1), 0)
    coefficients = Vt.T @ (scaled * projected)
    return error, coefficients, float(mean_y - mean_X @ coefficients)
