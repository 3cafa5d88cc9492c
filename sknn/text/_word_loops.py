"""Word vectors learn by compiled functions, in threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sknn.compiled import places as at
from sknn.compiled import words

from ._corpus import Corpus
from ._noise import SCALE, alias_table, kept_shares, noise_probabilities

# Words, or counts, that a thread learns from in one go, with one learning rate.
PART = 10_000

CACHE_LINE = 64  # bytes


@dataclass
class Pairs:
    """GloVe's counts in random order."""

    rows: np.ndarray  # int32 (n,)
    columns: np.ndarray  # int32 (n,)
    counts: np.ndarray  # float32 (n,)


def seeds(random: np.random.RandomState, n: int) -> np.ndarray:
    """Return the states of n generators, uint64 (n, 1), none of them 0."""
    return random.randint(1, 2**63 - 1, size=(n, 1), dtype=np.int64).astype(np.uint64)


def take_over(there: dict[str, np.ndarray], here: dict[str, np.ndarray]) -> None:
    """Copy arrays of a file into those of the same names."""
    for name, array in here.items():
        if there[name].shape != array.shape or there[name].dtype != array.dtype:
            raise ValueError(f"{name} of shape {there[name].shape}, not {array.shape}")
        array[:] = there[name]


def sigmoid_table() -> np.ndarray:
    """Return the logistic function as compiled functions look it up, float32."""
    n = at.SIGMOID_END * at.SIGMOID_STEPS
    logits = np.arange(-n, n + 1) / at.SIGMOID_STEPS
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def padded(n: int, columns: int) -> np.ndarray:
    """Return rows of zeros in whole blocks, float32 (n, width), that begin at lines of the cache.

    No line of it is shared with other arrays, which another thread may write to.
    """
    width = -(-columns // at.N_LANES) * at.N_LANES
    memory = np.zeros(n * width * 4 + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + n * width * 4].view(np.float32).reshape(n, width)


class RowLoop:
    """Vectors that learn as rows of whole blocks."""

    def __init__(
        self,
        vectors: dict[str, np.ndarray],  # float32 (n_tokens, columns)
        n_columns: int,  # of a row
        places: Sequence[slice | list[int]],  # of each array, where its columns are in a row
    ) -> None:
        self._functions = words()
        self._vectors, self._places = vectors, places
        self._rows = [padded(len(each), n_columns) for each in vectors.values()]
        self._write_rows()

    def _write_rows(self) -> None:
        for array, rows, places in zip(
            self._vectors.values(), self._rows, self._places, strict=True
        ):
            rows[:, places] = array

    def arrays(self) -> dict[str, np.ndarray]:
        """Return vectors, and what learning goes on from."""
        for array, rows, places in zip(
            self._vectors.values(), self._rows, self._places, strict=True
        ):
            array[:] = rows[:, places]
        return self._vectors

    def put_back(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them over."""
        take_over(arrays, self.arrays())
        self._write_rows()


class SamplingLoop(RowLoop):
    """Skip-gram or CBOW with negative sampling."""

    def __init__(
        self,
        corpus: Corpus,
        counts: np.ndarray,  # (n_tokens,)
        vectors: tuple[np.ndarray, np.ndarray],  # inputs and outputs, float32 (n_tokens, size)
        random: np.random.RandomState,
        *,
        is_cbow: bool,
        window: int,
        negative: int,
        subsample: float,
        n_workers: int,
    ) -> None:
        size = vectors[0].shape[1]
        arrays = dict(zip(("inputs", "outputs"), vectors, strict=True))
        super().__init__(arrays, size, [slice(size)] * 2)
        self._tokens, self._ends = corpus.tokens, corpus.pieces()
        # a part ends with the first piece that fills it
        n_full = self._ends // PART
        self._parts = np.append(np.flatnonzero(np.diff(n_full)) + 1, len(self._ends) - 1)
        self._parts = np.unique(np.append(self._parts, 0))
        self.n_parts = len(self._parts) - 1
        self.n_workers = n_workers
        self.sums = np.zeros((n_workers, 2))
        self._states = seeds(random, n_workers)
        keep = np.minimum(kept_shares(counts, subsample) * SCALE, SCALE - 1).astype(np.uint32)
        noise = np.column_stack(alias_table(noise_probabilities(counts))).astype(np.uint32)
        self._tables = keep, noise, sigmoid_table()
        self._settings = is_cbow, np.int64(window), np.int64(negative)
        longest = int(np.diff(self._ends).max(initial=1))
        self._memory = [
            (
                padded(1, longest)[0].view(np.int32),
                padded(1, size),  # a mean
                padded(1, size),  # a step
                padded(2, 2 * (negative + 1)).view(np.int64),
                padded(1, negative + 1)[0],
            )
            for _ in range(n_workers)
        ]

    def learn(self, part: int, worker: int, rate: float) -> None:
        """Learn from the words of a part."""
        is_cbow, window, negative = self._settings
        first, last = self._parts[part], self._parts[part + 1]
        self._functions.learn_words(
            is_cbow, self._tokens, self._ends, first, last, *self._tables, *self._rows,
            np.float32(rate), window, negative, self._states[worker],
            *self._memory[worker], self.sums[worker],
        )  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """Return vectors and states."""
        return super().arrays() | {"states": self._states}


class CountLoop(RowLoop):
    """GloVe."""

    n_workers: int

    def __init__(
        self,
        pairs: Pairs,
        vectors: tuple[np.ndarray, np.ndarray],  # with biases, float32 (n_tokens, size + 1)
        *,
        x_max: float,
        power: float,
        n_workers: int,
    ) -> None:
        names = ("inputs", "outputs", "input_squares", "output_squares")
        arrays = [*vectors, *(np.ones_like(each) for each in vectors)]
        size = vectors[0].shape[1] - 1
        # each has its bias where the other has ones, so that products of rows have both biases
        inputs, outputs = ([*range(size), size + is_output] for is_output in (0, 1))
        super().__init__(dict(zip(names, arrays, strict=True)), size + 2, [inputs, outputs] * 2)
        self._rows[0][:, size + 1] = self._rows[1][:, size] = 1
        for squares, places in zip(self._rows[2:], (inputs, outputs), strict=True):
            squares[:, np.setdiff1d(np.arange(squares.shape[1]), places)] = 1
        self._size = np.int64(size)
        self._pairs = pairs
        self._weights = np.float32(x_max), np.float32(power)
        self.n_parts = -(-len(pairs.rows) // PART)
        self.n_workers = n_workers
        self.sums = np.zeros((n_workers, 2))

    def learn(self, part: int, worker: int, rate: float) -> None:
        """Learn from a part of the counts."""
        pairs = self._pairs
        first, last = part * PART, min((part + 1) * PART, len(pairs.rows))
        self._functions.fit_counts(
            pairs.rows, pairs.columns, pairs.counts, first, last, *self._weights, np.float32(rate),
            *self._rows, self._size, self.sums[worker],
        )  # fmt: skip
