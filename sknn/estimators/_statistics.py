"""Means and standard deviations of series and of targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknn.data import Ragged

from ._series_arrays import VALUES_AT_ONCE, count_channels


def channel_statistics(
    X: np.ndarray | Ragged, step_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel over all steps of all series."""
    steps = (X.values if isinstance(X, Ragged) else X).reshape(-1, count_channels(X))
    return weighted_statistics(steps, step_weight)


def weighted_statistics(
    values: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column."""
    rows = max(VALUES_AT_ONCE // values.shape[1], 1)
    parts = [slice(start, start + rows) for start in range(0, len(values), rows)]
    total = float(len(values)) if weights is None else float(weights.sum())

    def mean_of(function: Any) -> np.ndarray:
        sums = np.zeros(values.shape[1])
        for part in parts:
            numbers = function(values[part].astype(np.float64))
            sums += numbers.sum(0) if weights is None else weights[part] @ numbers
        return sums / total

    mean = mean_of(lambda x: x)
    scale = np.sqrt(mean_of(lambda x: np.square(x - mean)))
    # rounding leaves a little where a column is constant
    return mean, np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)
