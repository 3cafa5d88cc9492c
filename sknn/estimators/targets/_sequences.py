"""Targets that are sequences: to the loss, each of their steps is a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor

from sknn.data import Ragged
from sknn.estimators._base import NeuralEstimator
from sknn.estimators._validation import require_y
from sknn.estimators.series._format import as_list_of_series, join_series
from sknn.nn import Loss, make_classification_loss
from sknn.training import accuracy, decide_multiclass

# A mixin that were an estimator itself would bring the default values of its base along.
if TYPE_CHECKING:
    _Estimator = NeuralEstimator
else:
    _Estimator = object


class SequenceTargets(_Estimator):
    """What changes where targets are sequences, as :class:`Ragged`.

    Stands before the task among a class's bases, which then gets the steps of all sequences, one
    after the other, as if each were a row.
    """

    def __sklearn_tags__(self) -> Any:
        """Leave out the checks that pair a row with one target."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    def _encode_targets(self, y: Any, *, continued: bool) -> Any:
        steps = super()._encode_targets(y.values, continued=continued)  # type: ignore[safe-super]
        return Ragged(steps, y.lengths)

    def _count_outputs(self, targets: Any) -> int:
        return super()._count_outputs(targets.values)  # type: ignore[safe-super]

    def _check_warm_start(self, y: Any) -> None:
        super()._check_warm_start(y.values)

    def _stratification(self, y: Any) -> None:
        return None

    def _class_weighted(self, sample_weight: np.ndarray | None, y: Any) -> np.ndarray | None:
        """Return the weights of steps."""
        weights = None if sample_weight is None else np.repeat(sample_weight, y.lengths)
        return super()._class_weighted(weights, y.values)

    def _check_validation(self, *validation: Any) -> Any:
        X, y, targets, weights = super()._check_validation(*validation)
        return X, y, targets, None if weights is None else np.repeat(weights, targets.lengths)


class LabelSequences(SequenceTargets):
    """The task of writing a sequence, at each step one of several labels.

    Stands before the family among a class's bases.
    """

    # the loss compares probabilities of labels, always
    loss: ClassVar[str] = "log_loss"
    label_smoothing: float = 0.0  # where a class has no such parameter

    def _make_loss(self, weighted: bool) -> Loss:
        return make_classification_loss(
            self.loss, "multiclass", label_smoothing=self.label_smoothing
        )

    def _decide(self, outputs: Tensor) -> Tensor:
        return decide_multiclass(outputs)

    def _score_decisions(
        self, decisions: Tensor, targets: Tensor, sample_weight: Tensor | None
    ) -> float:
        return accuracy(decisions, targets, sample_weight)


def join_targets(y: Any, n_series: int, *, numeric: bool) -> Ragged:
    """Validate targets of which each series has a sequence.

    Parameters
    ----------
    y : array-like of shape (n_series, n_steps[, n_outputs]), or list of arrays
        Labels or values.
    n_series : int
        Number of series.
    numeric : bool
        Whether they have to be finite numbers.

    Returns
    -------
    Ragged

    Raises
    ------
    ValueError
        If there are more or fewer sequences than series, a sequence is not one-dimensional (of
        labels), or values are not finite.
    """
    require_y(y)
    sequences = as_list_of_series(y)
    if sequences is None:
        sequences = _rows_of(y)
    if len(sequences) != n_series:
        raise ValueError(f"y has targets for {len(sequences)} series, but X has {n_series}.")
    if numeric:
        joined = join_series(sequences, "y")
        return joined if isinstance(joined, Ragged) else Ragged.from_list(list(joined))
    labels = [_as_labels(each, i) for i, each in enumerate(sequences)]
    lengths = np.array([len(each) for each in labels], np.int64)
    # empty ones have no type of their own
    filled = [each for each in labels if len(each)] or labels[:1]
    if len({each.dtype.kind in "US" for each in filled}) > 1:
        raise ValueError(
            "y has sequences of strings and others of numbers; labels are of one kind."
        )
    return Ragged(np.concatenate(filled), lengths)


def _rows_of(y: Any) -> list[np.ndarray]:
    """Return the sequences of an array."""
    needed = "each series needs a sequence of targets: an array of shape (n_series, n_steps), or a "
    needed += "list of arrays."
    try:
        array = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"y holds sequences and numbers; {needed}") from error
    if array.ndim < 2:
        raise ValueError(f"y has shape {array.shape}; {needed}")
    return list(array)


def _as_labels(labels: Any, number: int) -> np.ndarray:
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(
            f"y[{number}] has shape {array.shape}; a series has a sequence of labels, of shape "
            "(n_steps,)."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"y[{number}] contains {'NaN' if np.isnan(array).any() else 'infinity'}.")
    return array


def check_step_targets(y: Any, lengths: np.ndarray, *, numeric: bool) -> Ragged:
    """Validate targets of which each step of each series has one.

    Parameters
    ----------
    y : array-like of shape (n_series, n_steps[, n_outputs]), or list of arrays
        Labels or values.
    lengths : ndarray of int and shape (n_series,)
        Steps of the series.
    numeric : bool
        Whether they have to be finite numbers.

    Returns
    -------
    Ragged

    Raises
    ------
    ValueError
        As :func:`join_targets`, and if a series has more or fewer steps than targets.
    """
    targets = join_targets(y, len(lengths), numeric=numeric)
    wrong = np.flatnonzero(targets.lengths != lengths)
    if len(wrong):
        i = wrong[0]
        raise ValueError(
            f"y[{i}] has {targets.lengths[i]} targets, but X[{i}] has {lengths[i]} steps."
        )
    return targets
