"""Missing targets, types that torch can take, and the validation part of the training data."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import column_or_1d

# of Python objects that stand for a missing value, beside NaN
MISSING_TYPES = ("NoneType", "NAType", "NaTType")


def is_missing(value: Any) -> bool:
    """Say whether a Python object stands for a missing value."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return type(value).__name__ in MISSING_TYPES


def require_labels(y: Any, name: str = "y") -> None:
    """Refuse objects and dates that are missing or have no order; numbers are scikit-learn's."""
    values = np.array(y, object) if isinstance(y, list | tuple) else np.asarray(y)
    if values.dtype.kind == "M":
        missing = np.isnat(values)
    elif values.dtype.kind == "O" and values.ndim:
        missing = np.array([is_missing(each) for each in values.flat]).reshape(values.shape)
    else:
        return
    if missing.any():
        row = int(np.argwhere(missing)[0, 0])
        raise ValueError(
            f"Input {name} contains NaN, None or another missing label, first in row {row}. Leave "
            "such rows out, or give them a label of their own."
        )
    if values.dtype.kind == "O" and len({isinstance(each, str) for each in values.flat}) > 1:
        kinds = sorted({type(each).__name__ for each in values.flat})
        raise ValueError(
            f"Input {name} mixes labels of types {', '.join(kinds)}, which have no order. Make all "
            "of them str, or all of them numbers."
        )


def unknown_labels(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the labels (n,) that are not among the classes, each once."""
    if "O" in (y.dtype.kind, classes.dtype.kind):  # both together may have no order
        known = set(classes.tolist())
        return np.array([each for each in dict.fromkeys(y.tolist()) if each not in known], object)
    return np.setdiff1d(y, classes)


def require_y(y: Any, name: str = "") -> None:
    """Refuse missing targets, in scikit-learn's words; `name` is the estimator's."""
    if y is None:
        kind = f"{name} estimator" if name else "estimator"
        raise ValueError(f"This {kind} requires y to be passed, but the target y is None.")


def is_plain(values: Any, n_dims: int, kinds: str = "f") -> bool:
    """Say whether scikit-learn's checks would return an array as it is: finite, and not empty.

    They take ten times as long as looking. Numbers so large that they overflow in a sum may be
    called not plain.
    """
    if type(values) is not np.ndarray or values.ndim != n_dims or 0 in values.shape:
        return False
    dtype = values.dtype
    if dtype.kind not in kinds or not dtype.isnative:
        return False
    if dtype.kind != "f":
        return True
    with np.errstate(all="ignore"):
        return dtype.itemsize <= 8 and math.isfinite(values.sum())


def check_weight_sum(weights: np.ndarray) -> None:
    """Refuse weights whose sum is zero or not finite, those of the classes multiplied in."""
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not total:
        raise ValueError("class_weight and sample_weight leave every sample with weight zero.")
    if not np.isfinite(total):
        raise ValueError(
            "class_weight and sample_weight are so large that their product or sum is infinite; "
            "weights count relative to each other, so divide them, for instance by their maximum."
        )


def one_or_several_columns(y: Any) -> np.ndarray:
    """Make validated targets dense, and a single column one-dimensional.

    Parameters
    ----------
    y : ndarray or sparse matrix
        The targets; for a single column, scikit-learn's DataConversionWarning is emitted.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_outputs)
    """
    y = y.toarray() if sparse.issparse(y) else y
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


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

    def add_trained(self, X: Any, rows: np.ndarray | None = None) -> None:
        """Remember that rows were trained on.

        Parameters
        ----------
        X : ndarray or CSR matrix
            All rows.
        rows : ndarray of int or None, default=None
            Numbers of those that were; None is all.
        """
        keys = row_keys(X)
        self.trained = np.union1d(self.trained, keys if rows is None else keys[rows])


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
    among: np.ndarray | None = None,
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
    among : ndarray of int or None, default=None
        Numbers of the rows that may be chosen; None is all.

    Returns
    -------
    train, held_out : ndarray of int
        Numbers of rows.

    Raises
    ------
    ValueError
        If fewer than two rows can be held out, or none is left to train on.
    """
    if among is None:
        among = np.arange(X.shape[0])
    elif stratify is not None:
        stratify = stratify[among]
    counted = "rows" if len(among) == X.shape[0] else "rows whose sample_weight is above 0"
    keys = None if memory is None else row_keys(X)[among]
    if memory is not None and keys is not None and len(memory.trained):
        train, held_out = _extend(keys, fraction, random_state, memory)
        reason = (
            f"warm_start never holds out rows that were trained on, and of the {len(keys)} rows "
            f"{len(held_out)} are left to hold out. Pass new rows, or X_val and y_val."
        )
    else:
        train, held_out = _draw(len(among), fraction, stratify, random_state, counted)
        reason = (
            "Increase 'validation_fraction' or the size of your dataset, or pass X_val and y_val."
        )
        if keys is not None:
            train, held_out = _keep_copies_together(keys, train, held_out, random_state)
            reason = (
                f"{reason} warm_start keeps equal rows on one side, and X has "
                f"{len(np.unique(keys))} different rows."
            )
    if len(held_out) < 2 or not len(train):
        raise ValueError(
            f"The validation set is too small: {len(held_out)} {counted}, and {len(train)} to "
            f"train on. {reason}"
        )
    if memory is not None and keys is not None:
        memory.trained = np.union1d(memory.trained, keys[train])
        memory.held_out = np.union1d(memory.held_out, keys[held_out])
    return among[train], among[held_out]


def _draw(
    n_rows: int,
    fraction: float,
    stratify: np.ndarray | None,
    random_state: np.random.RandomState,
    counted: str,  # what rows are called in errors
) -> tuple[np.ndarray, np.ndarray]:
    """Split the rows as scikit-learn's MLP does, stratified where that is possible."""
    if fraction == 0:
        raise ValueError("validation_fraction=0 leaves no rows for early_stopping; increase it.")
    if stratify is not None:
        obstacle = _obstacle_to_stratification(stratify, fraction)
        if obstacle:
            warnings.warn(
                f"early_stopping draws the validation part at random, not stratified: {obstacle}",
                stacklevel=2,
            )
            stratify = None
    try:
        train, held_out = train_test_split(
            np.arange(n_rows), test_size=fraction, random_state=random_state, stratify=stratify
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction={fraction} of {n_rows} "
            f"{counted}: {error}"
        ) from error
    return train, held_out


def _obstacle_to_stratification(labels: np.ndarray, fraction: float) -> str | None:
    """Say why a part cannot have the labels' shares; None if it can."""
    classes, counts = np.unique(labels, return_counts=True)
    n_held_out = math.ceil(fraction * len(labels))
    if n_held_out < 2:  # too few in any case
        return None
    if counts.min() < 2:
        return f"class {classes[counts.argmin()]!s} has a single row."
    if min(n_held_out, len(labels) - n_held_out) < len(classes):
        return (
            f"validation_fraction={fraction} holds out {n_held_out} of {len(labels)} rows, and y "
            f"has {len(classes)} classes."
        )
    return None


def _keep_copies_together(
    keys: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Put equal rows on one side, with sizes as near to those before as copies allow."""
    _, first, inverse, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) == len(keys):
        return train, held_out
    is_held_out = np.zeros(len(keys), bool)
    is_held_out[held_out] = True
    wanted = len(held_out)
    chosen = _near_size(is_held_out[first], counts, wanted, random_state)
    if wanted and not chosen.any() and len(counts) > 1:
        chosen[counts.argmin()] = True
    rows = chosen[inverse]
    if rows.any() and abs(rows.sum() - wanted) > wanted / 2:
        warnings.warn(
            f"early_stopping holds out {rows.sum()} of {len(keys)} rows in place of {wanted}: "
            f"warm_start keeps equal rows on one side, and X has {len(counts)} different rows.",
            stacklevel=2,
        )
    return np.flatnonzero(~rows), np.flatnonzero(rows)


def _near_size(
    chosen: np.ndarray, counts: np.ndarray, wanted: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Change a choice of groups until no single change brings its rows nearer to `wanted`."""
    surplus = int(counts[chosen].sum()) - wanted
    is_near = False
    while surplus and not is_near:
        is_near = True
        for group in random_state.permutation(len(counts)):
            change = -counts[group] if chosen[group] else counts[group]
            if abs(surplus + change) < abs(surplus):
                chosen[group] = not chosen[group]
                surplus += int(change)
                is_near = False
    return chosen


def _extend(
    keys: np.ndarray, fraction: float, random_state: np.random.RandomState, memory: RowMemory
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out what was held out before, and new rows up to the fraction."""
    is_held_out = np.isin(keys, memory.held_out)
    new = np.flatnonzero(~is_held_out & ~np.isin(keys, memory.trained))
    wanted = max(round(fraction * len(keys)) - int(is_held_out.sum()), 0)
    drawn = np.zeros(len(new), bool)
    drawn[random_state.permutation(len(new))[:wanted]] = True
    _, held_out = _keep_copies_together(
        keys[new], np.flatnonzero(~drawn), np.flatnonzero(drawn), random_state
    )
    is_held_out[new[held_out]] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
