"""Quantiles of weighted values, and the two things that are made of them: edges and scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

# Sums of weights that differ by less, relative to their total, differ by rounding.
ROUNDING = 1e-10


def bin_edges(values: Floats, n_bins: int, sample_weight: Floats | None = None) -> Floats:
    """Return the edges (n_edges,), increasing, of at most `n_bins` bins of values (n,).

    All distinct values, if they are few. Else the smallest and the largest; each value that is
    heavier than an average bin, with its two neighbours, so that a function that is linear in each
    bin is free there; and the others at equal steps of the mean of their share of the mass and of
    their share of the distinct values, so that tails get bins, too. All edges are values. NaN and
    rows of weight 0 are ignored, and a weight of 2 is the row twice; of no values there are no
    edges.
    """
    values, weights = _counted(values, sample_weight)
    distinct, mass = _distinct(values, weights)
    last = len(distinct) - 1
    if last <= n_bins:
        return distinct
    masses = np.diff(mass, prepend=0.0)
    heavy = _heavy(masses, n_bins)
    chosen = np.unique(np.concatenate([heavy - 1, heavy, heavy + 1, [0, last]]).clip(0, last))
    n_more = n_bins + 1 - len(chosen)
    light = np.delete(np.arange(last + 1), heavy)
    share = masses[light] / masses[light].sum() + 1 / len(light)
    between = light[_first_with(share.cumsum(), _steps(n_more))]
    return distinct[np.union1d(chosen, between)]


def _heavy(masses: Floats, n_bins: int) -> NDArray[np.intp]:
    """Return which values outweigh an average bin, heaviest first, at most a quarter of `n_bins`.

    A value takes two bins, so the next one is compared with what remains of mass and bins.
    """
    heaviest = np.argsort(-masses, kind="stable")[: n_bins // 4]
    candidates = masses[heaviest]
    remaining = masses.sum() - (candidates.cumsum() - candidates)
    n_remaining = n_bins - 2 * np.arange(len(heaviest))
    outweighs = candidates * n_remaining > remaining * (1 + ROUNDING)
    return heaviest[: int(np.logical_and.accumulate(outweighs).sum())]


def robust_scale(values: Floats, sample_weight: Floats | None = None) -> tuple[float, float]:
    """Return the median of values (n,), and 1 / the interquartile range.

    Where that range is 0, half the whole range stands for it; of a constant the second is 0. NaN
    and weights count as in `bin_edges`.
    """
    values, weights = _counted(values, sample_weight)
    if not len(values):
        return 0.0, 0.0
    low, median, high = (float(each) for each in quantiles(values, (0.25, 0.5, 0.75), weights))
    scale = _inverse(high - low)
    if not scale:
        scale = _inverse(float(values.max()) / 2 - float(values.min()) / 2)
    return median, scale


def quantiles(
    values: Floats, probabilities: tuple[float, ...], weights: Floats | None = None
) -> Floats:
    """Return the smallest values (n,) that have at least a share of the weight up to them."""
    if weights is None:
        ranks = np.ceil(np.array(probabilities) * len(values)).astype(np.int64) - 1
        ranks = np.maximum(ranks, 0)
        return np.partition(values, ranks)[ranks]
    distinct, mass = _distinct(values, weights)
    return distinct[_first_with(mass, np.array(probabilities))]


def _first_with(mass: Floats, shares: Floats) -> NDArray[np.intp]:
    """Return the first places at which masses (n,), which increase, are such shares of the last."""
    return np.searchsorted(mass, shares * (mass[-1] * (1 - ROUNDING)))


def _counted(values: Floats, weights: Floats | None) -> tuple[Floats, Floats | None]:
    """Return the values that are there and have a weight, and their weights."""
    values = np.asarray(values)
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    counted = ~np.isnan(values)
    if weights is not None:
        weights = np.asarray(weights, np.float64)
        counted &= weights > 0
        weights = weights if counted.all() else weights[counted]
    return (values if counted.all() else values[counted]), weights


def _distinct(values: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Return the distinct values, sorted, and the weight up to each, itself included."""
    if weights is None:
        distinct, counts = np.unique(values, return_counts=True)
        return distinct, counts.cumsum().astype(np.float64)
    distinct, places = np.unique(values, return_inverse=True)
    return distinct, np.bincount(places, weights, minlength=len(distinct)).cumsum()


def _steps(n_inner: int) -> Floats:
    """Return so many probabilities that part 0 to 1 equally."""
    return np.arange(1, n_inner + 1) / (n_inner + 1)


def _inverse(length: float) -> float:
    """Return 1 / length; 0 where that is no number."""
    inverse = 1 / length if length else 0.0
    return inverse if np.isfinite(inverse) else 0.0
