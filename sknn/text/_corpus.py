"""Texts as one array of the ids of their words."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from ._tokenizer import Tokenizer

# Longer texts are cut; words on both sides of a cut are not seen together.
LONGEST_PIECE = 10_000


@dataclass
class Corpus:
    """The known words of texts, one text after the other."""

    tokens: np.ndarray  # int32 (n,), ids from 1 on
    ends: np.ndarray  # int64 (n_texts + 1,), where each text begins and ends

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.tokens)

    def pieces(self) -> np.ndarray:
        """Return where each piece of at most LONGEST_PIECE words begins and ends, int64."""
        lengths = np.diff(self.ends)
        if len(lengths) == 0 or lengths.max() <= LONGEST_PIECE:
            return self.ends
        n_pieces = -(-lengths // LONGEST_PIECE)
        before = np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)
        starts = np.repeat(self.ends[:-1], n_pieces)
        starts += LONGEST_PIECE * (np.arange(len(starts)) - before)
        return np.append(starts, self.ends[-1])


def learn_corpus(
    documents: Sequence[str | list[str]], tokenizer: Tokenizer
) -> tuple[Corpus, np.ndarray]:
    """Fit the tokenizer to texts; return their words, and how often each token occurs (n_tokens,).

    The texts are split once, with ids in the order in which words come, which then become those of
    the vocabulary.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    tokens, ends = _encode(documents, tokenizer, numbers.__getitem__)
    counts = np.bincount(tokens, minlength=len(numbers))
    tokenizer._learn(dict(zip(numbers, counts.tolist(), strict=True)))
    tokenizer._keep()
    vocabulary = tokenizer.vocabulary_
    ids = np.fromiter(map(vocabulary.get, numbers, repeat(0)), np.int32, len(numbers))
    corpus = _known(ids[tokens] if len(tokens) else tokens, ends)
    return corpus, np.bincount(corpus.tokens, minlength=tokenizer.n_tokens_)


def encode_corpus(
    documents: Sequence[str | list[str]], tokenizer: Tokenizer, max_length: int | None = None
) -> Corpus:
    """Return the words of texts, of each the first `max_length`, that a fitted tokenizer knows."""
    get = tokenizer.vocabulary_.get
    return _known(*_encode(documents, tokenizer, lambda token: get(token, 0), max_length))


def _encode(
    documents: Sequence[str | list[str]],
    tokenizer: Tokenizer,
    number: Callable[[str], int],
    max_length: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each token, int32 (n,), and where texts end."""
    pattern = tokenizer._compile()
    numbers, given = array("i"), _Given(number, tokenizer)
    ends = np.zeros(len(documents) + 1, np.int64)
    for i, document in enumerate(documents):
        if isinstance(document, list):
            tokens = document if all(document) else list(filter(None, document))
            numbers.extend(map(given.__getitem__, tokens[:max_length]))
        else:
            numbers.extend(map(number, tokenizer._split(document, pattern)[:max_length]))
        ends[i + 1] = len(numbers)
    return np.frombuffer(numbers, np.int32) if numbers else np.empty(0, np.int32), ends


class _Given(dict[str, int]):
    """The numbers of words as texts give them, each brought to the tokenizer's form once."""

    def __init__(self, number: Callable[[str], int], tokenizer: Tokenizer) -> None:
        super().__init__()
        self.number, self.prepare = number, tokenizer._prepare

    def __missing__(self, token: str) -> int:
        self[token] = number = self.number(self.prepare(token))
        return number


def _known(tokens: np.ndarray, ends: np.ndarray) -> Corpus:
    """Leave out unknown tokens, so that the words around them are neighbours."""
    is_known = tokens > 0
    if is_known.all():
        return Corpus(tokens, ends)
    before = np.concatenate([[0], np.cumsum(is_known)])
    return Corpus(tokens[is_known], before[ends])
