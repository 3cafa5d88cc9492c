"""What columns become before the first dense layer, and the parameters that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions

from sknn._parameters import declares_parameters, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.nn import DenseNetwork, FeatureEncoder, NumberEncoding, PeriodicEncoding
from sknn.preprocessing import bin_edges, robust_scale
from sknn.training import Work

from ._base import NeuralEstimator

NUMERICAL_EMBEDDINGS = ("piecewise_linear", "periodic")

EMBEDDING_CONSTRAINTS: list[Any] = [StrOptions(set(NUMERICAL_EMBEDDINGS)), list, tuple, None]
EMBEDDING_DOC = """{"piecewise_linear", "periodic"}, sequence of them or None
What the first layer gets beside each number. "piecewise_linear": the share of each of
`n_bins` bins that lies below it (Gorishniy et al., 2022, arXiv:2203.05556). "periodic":
three learned linear functions of 16 cosines of learned frequencies (PBLD of Holzmueller et
al., 2024, arXiv:2407.04491)."""


@declares_parameters
class EmbeddingParameters(NeuralEstimator):
    """Base class of the estimators whose first layer may get more than the numbers.

    Parameters
    ----------
    {parameters}
    """

    numerical_embedding: Any = parameter(
        default=None, constraints=EMBEDDING_CONSTRAINTS, doc=EMBEDDING_DOC
    )
    n_bins: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, StrOptions({"auto"})],
        doc="""int or "auto"
        Largest number of bins a column. Their edges are quantiles of rows and of distinct values;
        a value with more rows than an average bin is an edge together with its two neighbours.
        "auto" is 32 for regression; for classes a bin for every 200 rows, at least 16 and at
        most 48.""",
    )

    def _resolve_bins(self, n_rows: int) -> int:
        """Return the largest number of bins a column."""
        if self.n_bins != "auto":
            return int(self.n_bins)
        return min(48, max(16, n_rows // 200)) if is_classifier(self) else 32

    def _numbers_per_feature(self, n_rows: int) -> int:
        """Return how many numbers the first layer gets for each feature, at most."""
        names = embedding_names(self.numerical_embedding)
        n_bins = self._resolve_bins(n_rows) if "piecewise_linear" in names else 0
        return 1 + n_bins + PeriodicEncoding.size * ("periodic" in names)

    def _measure_work(self) -> Work:
        network = self.module_
        encoder = network.input_encoder if isinstance(network, DenseNetwork) else None
        if encoder is None:
            return super()._measure_work()
        first, *others = network.linear_layers
        multiplications = (
            encoder.multiplications
            + encoder.n_active * first.out_features
            + sum(layer.weight.numel() for layer in others)
        )
        return Work.of_training(multiplications, encoder.width)


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


def encode_table(
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
    """Return an encoder of numbers and categories, with the statistics of training rows."""
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


def encode_features(
    X: np.ndarray,  # (n, p), without gaps
    sample_weight: np.ndarray | None,
    *,
    embeddings: Sequence[str],
    n_bins: int,
    dtype: torch.dtype,
) -> FeatureEncoder:
    """Return an encoder that leaves the numbers as they are, and adds what embeddings name."""
    p = X.shape[1]
    has_bins = "piecewise_linear" in embeddings
    edges = [bin_edges(X[:, j], n_bins, sample_weight) for j in range(p)] if has_bins else ()
    return FeatureEncoder(
        NumberEncoding(np.zeros(p), np.ones(p), edges=edges),
        periodic=PeriodicEncoding() if "periodic" in embeddings else None,
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
