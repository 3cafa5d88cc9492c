"""A rehearsal: a model of the first part of a series forecasts the last, which it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sklearn.isotonic import isotonic_regression

from ._intervals import rolling_origins
from ._models import Origins
from ._seasonal import SeasonalModel, Shares
from ._series import Series

# A choice whose error is a tenth larger than the best one's counts a seventh of it: 1.1 ** -20.
SHARPNESS = 20
REGRESSOR_SHARES = (0.0, 0.5, 1.0)
MODEL_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_ORIGINS = 60  # of a rehearsal; more of them overlap
# Without a rehearsal half of each part.
UNTESTED = 0.5


def rehearsed(
    fit: Callable[[list[Series]], SeasonalModel],
    series: Sequence[Series],
    *,
    fraction: float,
    horizon: int,
    period: int,
    n_steps: int,
) -> tuple[Shares, np.ndarray | None]:
    """Return the shares of a model and its errors, (n_origins, n_steps, n_channels)."""
    starts, ahead = rehearsal_starts(
        [len(each.values) for each in series], fraction, period, n_steps
    )
    used = [k for k, start in enumerate(starts) if start is not None and start >= horizon + 3]
    if not used:
        model = fit(list(series))
        n_naive = len(model.naive)
        return Shares(UNTESTED, np.full(n_naive, UNTESTED / n_naive)), None
    model = fit([series[k].part(None, starts[k]) for k in used])
    origins, future = rolling_origins(
        [series[k] for k in used],
        first=[starts[k] for k in used],  # type: ignore[misc]
        past=model.past,
        horizon=horizon,
        n_steps=ahead,
    )
    if len(future) > MOST_ORIGINS:
        chosen = np.linspace(0, len(future) - 1, MOST_ORIGINS).astype(int)
        origins = Origins(*(None if each is None else each[chosen] for each in origins))  # type: ignore[arg-type]
        future = future[chosen]
    target = model.scaled(future, origins)
    paths = [model.parts(origins, ahead, share) for share in REGRESSOR_SHARES]
    shares = _best_shares(paths, target)
    final = replace(model, shares=shares)
    return shares, np.abs(model.scaled(final.forecast(origins, ahead), origins) - target)


def rehearsal_starts(
    lengths: Sequence[int], fraction: float, period: int, n_steps: int
) -> tuple[list[int | None], int]:
    """Return the step from which on each series is forecast, and how many steps ahead."""
    # two seasons, or as many steps as intervals reach, as far as a third of the series allows
    held_out = [
        max(round(fraction * n), min(2 * max(period, min(n_steps, 12)), n // 3)) for n in lengths
    ]
    ahead = max(1, min(max(n_steps, period), max(held_out) // 2))
    return [
        n - n_out if n_out >= ahead else None for n, n_out in zip(lengths, held_out, strict=True)
    ], ahead


def _best_shares(paths: Sequence[np.ndarray], target: np.ndarray) -> Shares:
    """Return shares of parts, (n_parts, n_origins, n_steps, n_channels) for each candidate."""
    # A mean over a grid of shares, the more exact ones counting most: it varies less than the best.
    n_naive = len(paths[0]) - 1
    choices = []
    for share, parts in zip(REGRESSOR_SHARES, paths, strict=True):
        for of_model in MODEL_SHARES:
            for season in range(n_naive if of_model < 1 else 1):
                forecast = of_model * parts[0] + (1 - of_model) * parts[1 + season]
                error = np.nanmean(np.abs(forecast - target))
                of_seasons = np.zeros(n_naive)
                of_seasons[season] = 1 - of_model
                choices.append((error, share * of_model, of_seasons))
    errors = np.array([each[0] for each in choices]) + 1e-12
    weight = (errors.min() / errors) ** SHARPNESS
    weight /= weight.sum()
    of_seasons = weight @ np.stack([each[2] for each in choices])
    of_model = 1 - of_seasons.sum()
    regressor = weight @ np.array([each[1] for each in choices])
    return Shares(float(regressor / of_model) if of_model > 1e-9 else 0.0, of_seasons)


def margins_of(errors: np.ndarray, coverage: float, n_steps: int) -> np.ndarray:
    """Return half widths of intervals, (n_steps, n_channels), from errors with gaps as NaN."""
    # Errors of all distances, each divided by what is usual at its distance, have one quantile:
    # so a few moments suffice, also those of a short series.
    channels = [_margins(errors[..., k], coverage) for k in range(errors.shape[2])]
    margins = np.stack(channels, axis=1)
    further = np.arange(len(margins) + 1, n_steps + 1)[:, None]
    # errors of a random walk grow with the square root of the distance
    return np.concatenate([margins, margins[-1:] * np.sqrt(further / len(margins))])[:n_steps]


def _margins(errors: np.ndarray, coverage: float) -> np.ndarray:
    """Return half widths, (n_steps,), from the errors of one channel, (n_origins, n_steps)."""
    known = np.isfinite(errors)
    count = known.sum(axis=0)
    usual = np.where(known, errors, 0).sum(axis=0) / np.maximum(count, 1)
    usual = isotonic_regression(usual, sample_weight=np.maximum(count, 1e-3))
    usual = np.maximum(usual, 1e-12)
    ratios = np.sort((errors / usual)[known])
    # Windows overlap: there are as many errors of their own as seasons of forecasts fit in.
    n_own = (len(errors) + errors.shape[1] - 1) / errors.shape[1]
    level = min(coverage * (1 + 1 / (n_own + errors.shape[1] / 2)), 1)
    rank = min(math.ceil(level * (len(ratios) + 1)), len(ratios))
    return np.asarray(usual * ratios[rank - 1])
