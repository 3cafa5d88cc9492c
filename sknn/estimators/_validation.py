"""The validation part of the training data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split


def _no_keys() -> np.ndarray:
    return np.empty(0, np.uint64)


@dataclass
class RowMemory:
    """Which rows warm starts have trained on and which they have held out, by their hashes.

    A warm start may get the same rows in another order, some of them, or new ones as well, and
    none that was trained on may be used for validation.

    Attributes
    ----------
    trained, held_out : ndarray of uint64
        Hashes of rows.
    """

    trained: np.ndarray = field(default_factory=_no_keys)
    held_out: np.ndarray = field(default_factory=_no_keys)

    def add_trained(self, X: Any) -> None:
        """Remember that all rows were trained on.

        Parameters
        ----------
        X : ndarray or CSR matrix
            The rows.
        """
        self.trained = np.union1d(self.trained, row_keys(X))


def row_keys(X: Any) -> np.ndarray:
    """Hash each row to 64 bits.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, ...)
        The rows.

    Returns
    -------
    ndarray of uint64 and shape (n_samples,)
    """
    if sparse.issparse(X):
        contents = (
            X.indices[start:stop].astype(np.int64).tobytes() + X.data[start:stop].tobytes()
            for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True)
        )
    else:
        contents = (row.tobytes() for row in X)
    digests = (hashlib.blake2b(content, digest_size=8).digest() for content in contents)
    return np.frombuffer(b"".join(digests), np.uint64)


def split_rows(
    X: Any,
    fraction: float,
    *,
    stratify: np.ndarray | None,
    random_state: np.random.RandomState,
    memory: RowMemory | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the rows to train on and the rows to hold out.

    Parameters
    ----------
    X : ndarray or CSR matrix
        The rows.
    fraction : float
        Share to hold out.
    stratify : ndarray of shape (n_samples,) or None
        Labels whose shares are kept.
    random_state : numpy.random.RandomState
        Draws the rows.
    memory : RowMemory or None, default=None
        What earlier fits have done with the rows; brought up to date.

    Returns
    -------
    train, held_out : ndarray of int
        Numbers of rows.

    Raises
    ------
    ValueError
        If fewer than two rows can be held out.
    """
    if fraction == 0:
        raise ValueError("validation_fraction=0 leaves no rows for early_stopping; increase it.")
    rows = np.arange(X.shape[0])
    if memory is None or not len(memory.trained):
        train, held_out = train_test_split(
            rows, test_size=fraction, random_state=random_state, stratify=stratify
        )
        if memory is not None:
            keys = row_keys(X)
            # equal rows on both sides count as trained
            memory.trained = np.unique(keys[train])
            held_out = held_out[~np.isin(keys[held_out], memory.trained)]
            memory.held_out = np.unique(keys[held_out])
    else:
        keys = row_keys(X)
        was_held_out = np.isin(keys, memory.held_out)
        is_new = ~was_held_out & ~np.isin(keys, memory.trained)
        held_out = rows[was_held_out]
        wanted = round(fraction * len(rows)) - len(held_out)
        if wanted > 0 and is_new.any():
            new = random_state.permutation(rows[is_new])[:wanted]
            held_out = np.sort(np.concatenate([held_out, new]))
            held_out = rows[np.isin(keys, keys[held_out])]
        train = np.setdiff1d(rows, held_out)
        memory.trained = np.union1d(memory.trained, keys[train])
        memory.held_out = np.union1d(memory.held_out, keys[held_out])
    if len(held_out) < 2 or not len(train):
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset, or pass X_val and y_val."
        )
    return train, held_out
