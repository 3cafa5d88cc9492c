"""What texts, vocabularies and sequences of tokens may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The token of id 0, which stands for all that the vocabulary lacks.
UNKNOWN = "<unknown>"


def check_documents(raw_documents: Iterable[Any]) -> list[str | list[str]]:
    """Return the texts, or lists of their tokens, as a list."""
    is_wrong = isinstance(raw_documents, str | bytes | Mapping)
    if is_wrong or not isinstance(raw_documents, Iterable):
        kind = "string" if isinstance(raw_documents, str) else type(raw_documents).__name__
        raise ValueError(f"Iterable over raw text documents expected, {kind} object received.")
    # A DataFrame would give the names of its columns.
    shape = getattr(raw_documents, "shape", (0,))
    if len(shape) != 1:
        raise ValueError(
            f"raw_documents has shape {shape}; texts are expected in one dimension. Pass one "
            "column of a table."
        )
    documents = list(raw_documents)
    if not documents:
        raise ValueError("raw_documents is empty; at least one text is required.")
    for i, document in enumerate(documents):
        if isinstance(document, str):
            continue
        # a list or tuple, or a Series of pandas or polars, like those that columns of lists have
        is_list = isinstance(document, list) or (
            isinstance(document, Sequence) and not isinstance(document, bytes)
        )
        if is_list or len(getattr(document, "shape", ())) == 1:
            documents[i] = check_tokens(document, f"raw_documents[{i}]")
        else:
            raise TypeError(
                f"raw_documents[{i}] is of type {type(document).__name__}, but a text must be a "
                "str, or a list of its tokens. Decode bytes, and fill or drop missing values."
            )
    return documents


def check_tokens(tokens: Any, source: Any) -> list[str]:
    """Return the tokens of a text as a list."""
    name = source if isinstance(source, str) else f"analyzer={source!r}"
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise TypeError(f"{name} returned {tokens!r}; tokens come as a list of str.")
    tokens = tokens if type(tokens) is list else list(tokens)
    if set(map(type, tokens)) <= {str}:
        return tokens
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(
                f"{name} has the token {token!r} of type {type(token).__name__}; it must be a str."
            )
    return [str(token) for token in tokens]


def check_vocabulary(vocabulary: Collection[str] | Mapping[str, int]) -> list[str]:
    """Return the given tokens, without the one for unknown, in the order of their ids."""
    for token in vocabulary:
        if not isinstance(token, str):
            raise TypeError(
                f"vocabulary has {token!r} of type {type(token).__name__}; tokens must be str."
            )
    if isinstance(vocabulary, Mapping):
        first = 0 if UNKNOWN in vocabulary else 1
        if set(vocabulary.values()) != set(range(first, first + len(vocabulary))):
            raise ValueError(
                "vocabulary must give its tokens the ids from 1 on, each once and without gaps; "
                f"0 is the id of {UNKNOWN!r}."
            )
        tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    elif isinstance(vocabulary, Set):
        tokens = sorted(vocabulary, key=lambda token: (token != UNKNOWN, token))
    else:
        tokens = list(vocabulary)
    if UNKNOWN in tokens[1:]:
        raise ValueError(f"vocabulary has {UNKNOWN!r} behind other tokens; it is always id 0.")
    tokens = tokens[1:] if tokens[:1] == [UNKNOWN] else tokens
    if not tokens:
        raise ValueError(f"Empty vocabulary: vocabulary has no token beside {UNKNOWN!r}.")
    if len(set(tokens)) < len(tokens):
        twice = next(token for token, count in Counter(tokens).items() if count > 1)
        raise ValueError(f"vocabulary has the token {twice!r} more than once.")
    return tokens


def check_sequence(sequence: ArrayLike, i: int, n_tokens: int) -> NDArray[np.int64]:
    """Return the ids of a text."""
    ids = np.asarray(sequence)
    if ids.ndim != 1:
        raise ValueError(
            f"X[{i}] has shape {ids.shape}, but each sequence of tokens has one dimension. Put a "
            "single sequence into a list: [X]."
        )
    if ids.size == 0:
        return np.empty(0, dtype=np.int64)
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"X[{i}] is of dtype {ids.dtype}; the ids of tokens are integers.")
    if ids.min() < 0 or ids.max() >= n_tokens:
        wrong = ids[(ids < 0) | (ids >= n_tokens)][0]
        raise ValueError(f"X[{i}] has the id {wrong}; there are {n_tokens}, from 0 on.")
    return ids.astype(np.int64)
