"""Means and standard deviations of series and of targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sknn.data import VALUES_AT_ONCE, Ragged, count_channels

# Means beyond so many standard deviations cost a float32 more than six of its 24 bits.
FAR = 64.0


def channel_statistics(
    X: np.ndarray | Ragged,
    step_weight: np.ndarray | None,
    centre: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean, less a centre, and standard deviation of each channel over all steps."""
    steps = (X.values if isinstance(X, Ragged) else X).reshape(-1, count_channels(X))
    return weighted_statistics(steps, step_weight, centre)


def centre_of(X: np.ndarray | Ragged) -> tuple[float, ...] | None:
    """Return what float32 needs subtracted from each channel: its mean if far from 0, else 0.

    None where all are near.
    """
    mean, scale = channel_statistics(X, None)
    is_far = np.abs(mean) > FAR * scale
    return tuple(np.where(is_far, mean, 0.0).tolist()) if is_far.any() else None


def weighted_statistics(
    values: np.ndarray, weights: np.ndarray | None, centre: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean, less a centre, and standard deviation of each column."""
    # differences from a row that counts are exactly 0 where a column is constant
    row = 0 if weights is None else int(np.argmax(weights > 0))
    first = values[row].astype(np.float64)
    rows = max(VALUES_AT_ONCE // values.shape[1], 1)
    parts = [slice(start, start + rows) for start in range(0, len(values), rows)]
    total = float(len(values)) if weights is None else float(weights.sum())

    def mean_of(function: Any) -> np.ndarray:
        sums = np.zeros(values.shape[1])
        for part in parts:
            numbers = function(values[part].astype(np.float64) - first)
            sums += numbers.sum(0) if weights is None else weights[part] @ numbers
        return sums / total

    # values so large are refused by name, where they become float32
    with np.errstate(over="ignore", invalid="ignore"):
        mean = mean_of(lambda x: x)
        scale = np.sqrt(mean_of(lambda x: np.square(x - mean)))
    # numbers that differ by their last bit alone are a constant that was computed
    rounding = np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0.0
    scale = np.where(scale > rounding * np.abs(first + mean), scale, 1.0)
    return mean + (first if centre is None else first - np.asarray(centre)), scale
