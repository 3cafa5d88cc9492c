"""The parameter `embedding`: word vectors that a network begins with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sknn.data import check_numbers
from sknn.nn import Embedding, TokenEmbedding

FROZEN_ADVICE = (
    "clone(), which searches and cross-validation call, makes unfitted copies of parameters that "
    "are estimators. Pass the array embedding=words.vectors_, or "
    "embedding=sklearn.frozen.FrozenEstimator(words)."
)


def word_vectors(estimator: Any) -> np.ndarray | None:
    """Return the validated vectors of the parameter `embedding`, (n_tokens, size)."""
    given = estimator.embedding
    if given is None:
        if estimator.freeze_embedding:
            raise ValueError(
                "freeze_embedding=True keeps the vectors of embedding, which is None. Pass vectors."
            )
        return None
    if hasattr(given, "fit"):
        name = type(given).__name__
        vectors = getattr(given, "vectors_", None)
        if vectors is None:
            raise ValueError(
                f"embedding is a {name} without vectors_: fit it first. {FROZEN_ADVICE}"
            )
        given = vectors
    if np.ndim(given) != 2:
        raise ValueError(
            f"embedding has shape {np.shape(given)}; it needs a row for each token: "
            "(n_tokens, vector_size)."
        )
    with np.errstate(over="ignore", invalid="ignore"):  # is refused as infinity
        vectors = check_numbers(given, dtype=np.float32, name="embedding")
    size, n_tokens = estimator.embedding_size, estimator.n_tokens
    if size is None:
        raise ValueError(
            "embedding has the vectors of tokens, and embedding_size=None is for series of "
            'numbers. Set embedding_size="auto".'
        )
    if size not in ("auto", vectors.shape[1]):
        raise ValueError(
            f"embedding has vectors of {vectors.shape[1]} numbers, but embedding_size={size}. Set "
            'embedding_size="auto", which takes the size of the vectors.'
        )
    if n_tokens not in (None, len(vectors)):
        raise ValueError(
            f"embedding has {len(vectors)} rows, but n_tokens={n_tokens}: it needs a row for each "
            "token, the first one for unknown words. Set n_tokens=None."
        )
    return vectors


def check_rows(vectors: np.ndarray, made: int | None) -> int:
    """Return the number of tokens, which is that of the rows and of the tokenizer."""
    if made not in (None, len(vectors)):
        raise ValueError(
            f"embedding has {len(vectors)} rows, but the tokenizer of X has {made} tokens; row i "
            "is the vector of token i, the first row that of unknown words. Take the tokenizer "
            "of the vectors: words.tokenizer_, or Tokenizer(vocabulary=...) of their words."
        )
    return len(vectors)


def embedding_of(vectors: np.ndarray, rates: torch.Tensor | None, *, unknown: bool) -> Embedding:
    """Return an embedding that begins with vectors, of the scale of those that are drawn."""
    # Optimizers with steps of one size for all weights would soon have walked away from smaller
    # ones. One factor for all leaves angles and ratios as they are.
    scale = np.sqrt(np.mean(np.square(vectors, dtype=np.float64)))
    weight = torch.from_numpy((vectors / (scale or 1.0)).astype(np.float32))
    n_tokens, size = vectors.shape
    layer = TokenEmbedding(n_tokens, size, rates) if unknown else Embedding(n_tokens, size)
    layer.begin_with(weight)
    return layer
