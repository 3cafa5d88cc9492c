"""How often words occur near each other, sparse and in bounded memory."""

from __future__ import annotations

import numpy as np

from ._corpus import Corpus

# Pairs of words that are sorted at once.
PAIRS_AT_ONCE = 2**22


def count_pairs(
    corpus: Corpus, n_tokens: int, window: int, pairs_at_once: int = PAIRS_AT_ONCE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return GloVe's counts: rows and columns int32 (n,), rows <= columns, and values float32 (n,).

    Two words that are d places apart in a text, d up to the window, add 1 / d to the count of the
    one beside the other, and to that of the other beside the one: the counts are symmetric, and the
    upper triangle of them is kept. The pairs of a part of the corpus are sorted and added up, and
    parts are merged when they are of similar size, as in a merge sort: memory holds the distinct
    pairs twice, and the pairs of one part.
    """
    ends = corpus.pieces()
    texts = np.repeat(np.arange(len(ends) - 1, dtype=np.int32), np.diff(ends))
    runs: list[tuple[np.ndarray, np.ndarray]] = []
    at_once = max(1, pairs_at_once // window)
    for start in range(0, len(corpus), at_once):
        # the pairs whose second word is in this part; the first may be before it
        first = max(0, start - window)
        part = slice(first, start + at_once)
        run = _pairs(corpus.tokens[part], texts[part], start - first, n_tokens, window)
        runs.append(_add_up(*run))
        while len(runs) > 1 and len(runs[-2][0]) < 2 * len(runs[-1][0]):
            runs.append(_merge(runs.pop(), runs.pop()))
    while len(runs) > 1:
        runs.append(_merge(runs.pop(), runs.pop()))
    keys, values = runs[0] if runs else (np.empty(0, np.int64), np.empty(0))
    rows, columns = np.divmod(keys, n_tokens)
    return rows.astype(np.int32), columns.astype(np.int32), values.astype(np.float32)


def _pairs(
    tokens: np.ndarray, texts: np.ndarray, n_before: int, n_tokens: int, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the key of each pair whose second word has n_before others in front, and its value."""
    keys, values = [], []
    for distance in range(1, min(window, len(tokens) - 1) + 1):
        begin = max(n_before, distance)
        second = slice(begin, None)
        first = slice(begin - distance, len(tokens) - distance)
        near = texts[first] == texts[second]
        a, b = tokens[first][near].astype(np.int64), tokens[second][near].astype(np.int64)
        keys.append(np.minimum(a, b) * n_tokens + np.maximum(a, b))
        # a word beside itself is counted from both sides
        values.append(np.where(a == b, 2 / distance, 1 / distance))
    if not keys:
        return np.empty(0, np.int64), np.empty(0)
    return np.concatenate(keys), np.concatenate(values)


def _merge(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    return _add_up(np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]]))


def _add_up(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct keys in order, and the sum of the values of each."""
    order = np.argsort(keys, kind="stable")  # which merges what is sorted already
    keys, values = keys[order], values[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[firsts], np.add.reduceat(values, firsts) if len(firsts) else values
