"""What the columns of a table become before the first layer: statistics of the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from sknn.nn import FeatureEncoder, NumberEncoding, PeriodicEncoding
from sknn.preprocessing import bin_edges, robust_scale

NUMERICAL_EMBEDDINGS = ("piecewise_linear", "periodic")


def embedding_names(value: Any) -> tuple[str, ...]:
    """Return the names that the parameter `numerical_embedding` has, or refuse it."""
    names = () if value is None else (value,) if isinstance(value, str) else tuple(value)
    for name in names:
        if name not in NUMERICAL_EMBEDDINGS:
            raise ValueError(
                f"numerical_embedding has {name!r}; it takes None, one of {NUMERICAL_EMBEDDINGS} "
                "or a sequence of them."
            )
    return names


def automatic_bins(n_rows: int, *, is_classifier: bool) -> int:
    """Return the largest number of bins a column that so many rows are good for."""
    return min(48, max(16, n_rows // 200)) if is_classifier else 32


def make_encoder(
    X: np.ndarray,  # (n, n_numbers + n_categories)
    sample_weight: np.ndarray | None,
    n_levels: Sequence[int],
    *,
    embeddings: Sequence[str],
    n_bins: int,
    scaling: str | None,
    frequency_scale: float,
    max_onehot: int,
    embedding_size: int,
    dtype: torch.dtype,
) -> FeatureEncoder:
    """Return an encoder with the statistics of training rows."""
    numbers = X[:, : X.shape[1] - len(n_levels)]
    bins = n_bins if "piecewise_linear" in embeddings else 0
    return FeatureEncoder(
        encode_numbers(numbers, sample_weight, scaling=scaling, n_bins=bins),
        n_levels,
        periodic=PeriodicEncoding(scale=frequency_scale) if "periodic" in embeddings else None,
        max_onehot=max_onehot,
        embedding_size=embedding_size,
        dtype=dtype,
    )


def encode_numbers(
    numbers: np.ndarray, sample_weight: np.ndarray | None, *, scaling: str | None, n_bins: int
) -> NumberEncoding:
    """Return the statistics of the columns (n, p), NaN where missing."""
    counted = slice(None) if sample_weight is None else sample_weight > 0
    p = numbers.shape[1]
    centers, factors = np.zeros(p), np.ones(p)
    edges, is_gappy = [], np.zeros(p, bool)
    for j in range(p):  # a column at a time: no copy of all
        column = numbers[:, j]
        is_gappy[j] = np.isnan(column[counted]).any()
        centers[j], robust = robust_scale(column, sample_weight)
        if scaling == "robust":
            factors[j] = robust
        elif scaling == "standard":
            centers[j], factors[j] = _standard_scale(column, sample_weight)
        if n_bins:
            edges.append(bin_edges(column, n_bins, sample_weight))
    return NumberEncoding(centers, factors, scaling == "robust", np.flatnonzero(is_gappy), edges)


def _standard_scale(column: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    """Return mean and inverse standard deviation of what is not missing, (n,)."""
    known = ~np.isnan(column)
    if not known.any():
        return 0.0, 1.0
    values = column[known].astype(np.float64)
    weights = None if weight is None else weight[known]
    if weights is not None and not weights.any():
        return 0.0, 1.0
    mean = np.average(values, weights=weights)
    deviation = np.sqrt(np.average((values - mean) ** 2, weights=weights))
    return float(mean), float(1 / deviation) if deviation > 0 else 1.0
