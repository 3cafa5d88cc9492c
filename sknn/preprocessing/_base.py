"""What transformers of columns of numbers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_sample_weight

from sknn.data import check_numbers, refusing_dates

FLOATS = (np.float64, np.float32)


class NumberTransformer(TransformerMixin, BaseEstimator, ABC):
    """A transformer of tables of numbers with gaps, which keeps float32 as it is."""

    n_features_in_: int

    @abstractmethod
    def transform(self, X: Any) -> np.ndarray:
        """Return what becomes of X."""

    def _check(self, X: Any, *, reset: bool) -> np.ndarray:
        """Return floats (n_samples, n_features), NaN included."""
        X = check_numbers(X, self, reset=reset, dtype=list(FLOATS), ensure_all_finite="allow-nan")
        return np.asarray(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = [each.__name__ for each in FLOATS]
        return tags


def check_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return validated weights (n_samples,), some of which are positive."""
    if sample_weight is None:
        return None
    with refusing_dates(sample_weight, "sample_weight"):
        weights = np.asarray(
            _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        )
    if not weights.any():
        raise ValueError("sample_weight leaves every sample with weight zero.")
    return weights
