"""Folds: each member of an ensemble holds out another part of the training rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._validation import RowMemory, row_keys


class Fold(NamedTuple):
    """One of the parts into which the rows are dealt, the same for all who have the seed."""

    number: int
    n_folds: float  # 2.5 deals two of five rows to fold 0
    seed: int

    def split(
        self, X: Any, folds: np.ndarray, memory: RowMemory | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the rows to train on, and of those that are held out.

        `folds` (n_rows,) are what :meth:`of_rows` returns. In a warm start rows stay on the side on
        which they were, and new ones are dealt.
        """
        is_held_out = folds == self.number
        if memory is not None:
            keys = row_keys(X)
            was_held_out = np.isin(keys, memory.held_out)
            is_held_out = was_held_out | (is_held_out & ~np.isin(keys, memory.trained))
            # equal rows stay on one side
            is_held_out &= was_held_out | ~np.isin(keys, keys[~is_held_out])
            memory.trained = np.union1d(memory.trained, keys[~is_held_out])
            memory.held_out = np.union1d(memory.held_out, keys[is_held_out])
        # each network of an ensemble keeps its own: half of the memory, where that is possible
        kind = np.int32 if len(is_held_out) < 2**31 else np.int64
        train = np.flatnonzero(~is_held_out).astype(kind)
        held_out = np.flatnonzero(is_held_out).astype(kind)
        if not len(train) or not len(held_out):
            raise ValueError(
                f"validation='folds' leaves {len(train)} rows to train on and {len(held_out)} to "
                f"hold out in fold {self.number + 1} of {self.n_folds:g}. Pass more (new) rows, or "
                "X_val and y_val."
            )
        return train, held_out

    def of_rows(
        self, n_rows: int, labels: np.ndarray | None, sample_weight: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the number of the fold (n_rows,) that each row is dealt to.

        Each fold has the shares of the labels, up to a row. It does not depend on `number`.
        """
        counted, others = np.arange(n_rows), np.empty(0, np.int64)
        if sample_weight is not None:  # each fold gets of the rows that count, whatever others are
            counted, others = np.flatnonzero(sample_weight), np.flatnonzero(sample_weight == 0)
        order = counted[np.random.RandomState(self.seed).permutation(len(counted))]
        if labels is not None:  # rows of equal labels are dealt one after the other
            order = order[np.argsort(labels[order], kind="stable")]
        order = np.concatenate([order, others])
        folds = np.empty(n_rows, np.min_scalar_type(int(self.n_folds)))
        folds[order] = np.floor(np.arange(n_rows) % self.n_folds)
        return folds
