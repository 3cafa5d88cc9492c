"""Targets that are sequences: to the loss, each of their steps is a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor, nn

from sknn.data import PairedRows, Ragged, Rows, as_list_of_series, count_steps, join_series
from sknn.estimators._validation import require_y
from sknn.nn import Loss, make_classification_loss
from sknn.training import accuracy, decide_multiclass

from ._base import Targets
from ._labels import ClassTargets
from ._values import ValueTargets


@dataclass
class StepTargets(Targets):
    """An answer for each step of a series; encoded as :class:`Ragged`."""

    of_steps: Any  # the targets of all steps, one series after the other
    shape: tuple[int, ...]  # of one step's answer

    kind: ClassVar[type[Any]]
    pairs_rows = False

    @classmethod
    def check(cls, y: Any, X: Any, name: str) -> Ragged:
        """Return as many targets for each series as it has steps."""
        require_y(y, name)
        return check_step_targets(y, count_steps(X), numeric=cls.kind is ValueTargets)

    @classmethod
    def learn(cls, y: Ragged, classes: Any = None) -> StepTargets:
        """Find what the targets of the steps are."""
        return cls(cls.kind.learn(y.values, classes), y.values.shape[1:])

    @classmethod
    def of_earlier_version(cls, state: dict[str, Any]) -> StepTargets:
        """Take the shape that was an attribute."""
        return cls(cls.kind.of_earlier_version(state), state.pop("_answer_shape"))

    @property
    def n_outputs(self) -> int:
        """Number of network outputs for each step."""
        return self.of_steps.n_outputs

    @property
    def fitted_attributes(self) -> dict[str, Any]:
        """Those of the steps' targets."""
        return self.of_steps.fitted_attributes

    def continued(self, y: Ragged) -> StepTargets:
        """Refuse what the steps' targets refuse."""
        self.of_steps.continued(y.values)
        return self

    def encode(self, y: Ragged) -> Ragged:
        """Encode the targets of all steps."""
        return Ragged(self.of_steps.encode(y.values), y.lengths)

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the loss of a step."""
        return self.of_steps.make_loss(parameters, weighted=weighted)

    def adapted(
        self,
        encoded: Ragged,
        sample_weight: np.ndarray | None,
        loss: Loss,
        *,
        scales: bool,
        clips: bool,
    ) -> StepTargets:
        """Adapt the targets of the steps."""
        of_steps = self.of_steps.adapted(
            encoded.values, sample_weight, loss, scales=scales, clips=clips
        )
        return self if of_steps is self.of_steps else replace(self, of_steps=of_steps)

    def check_loss(self, loss: Loss, encoded: Ragged) -> None:
        """Refuse targets that the loss is not defined for."""
        self.of_steps.check_loss(loss, encoded.values)

    def spread(self, sample_weight: np.ndarray | None, encoded: Ragged) -> np.ndarray | None:
        """Give each step the weight of its series."""
        return _spread(sample_weight, encoded)

    def class_weighted(
        self, y: Ragged, sample_weight: np.ndarray | None, parameters: Any
    ) -> np.ndarray | None:
        """Multiply the weights of the classes in."""
        return self.of_steps.class_weighted(y.values, sample_weight, parameters)

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Decide on the outputs of all steps."""
        return self.of_steps.decide(outputs, loss)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return the answers of all steps, one series after the other."""
        answers = self.of_steps.decode(decisions)
        return answers.reshape(len(answers), *self.shape, *decisions.shape[2:])

    def output_module(self, loss: Loss, shift: np.ndarray | None) -> nn.Module:
        """Return that of the steps' targets."""
        return self.of_steps.output_module(loss, shift)

    def check_outputs(
        self, outputs: Any, n_answers: int, module: nn.Module, loss: Loss, parameters: Any
    ) -> None:
        """Refuse or warn of what the steps' targets refuse or warn of."""
        self.of_steps.check_outputs(outputs, n_answers, module, loss, parameters)

    def by_sample(self, answers: np.ndarray, X: Any) -> np.ndarray:
        """Part the answers of all steps by series: an array, or an object array of arrays."""
        series = as_list_of_series(X)
        if series is None:
            n_series = len(X)
            return answers.reshape(n_series, len(answers) // n_series, *answers.shape[1:])
        lengths = np.array([len(each) for each in series])
        if (lengths == lengths[0]).all() and not isinstance(X, np.ndarray | Ragged):
            return answers.reshape(len(lengths), lengths[0], *answers.shape[1:])
        return Ragged(answers, lengths).to_objects()


class StepLabels(StepTargets):
    """A label for each step."""

    kind = ClassTargets
    score = staticmethod(ClassTargets.score)

    @property
    def task(self) -> str:  # type: ignore[override]
        """The kind of problem, as of :class:`ClassTargets`."""
        return self.of_steps.task


class StepValues(StepTargets):
    """A value, or several, for each step."""

    kind = ValueTargets
    task = "regression"
    score = staticmethod(ValueTargets.score)

    def answer(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return what is predicted of all steps."""
        return self.of_steps.answer(outputs, loss)

    def decode_deviations(self, deviations: np.ndarray) -> np.ndarray:
        """Return the standard deviations of all steps, in the units of y."""
        decoded = self.of_steps.decode_deviations(deviations)
        return decoded.reshape(len(decoded), *self.shape)


@dataclass
class CurveTargets(ValueTargets):
    """Sequences of equal length of values, each flattened to one row of columns."""

    shape: tuple[int, ...]  # of one sample: (horizon,) or (horizon, n_values)

    @staticmethod
    def check(y: Any, X: Any, name: str) -> np.ndarray:
        """Return values of shape (n,), (n, horizon) or (n, horizon, n_values)."""
        require_y(y, name)
        y, shape = _flat_targets(y)
        y = ValueTargets.check(y, X, name)
        return y if shape is None else y.reshape(shape)

    @classmethod
    def learn(cls, y: np.ndarray, classes: Any = None) -> CurveTargets:
        """Take the shape of a sample."""
        return cls(y.size // len(y), y.shape[1:])

    @classmethod
    def of_earlier_version(cls, state: dict[str, Any]) -> CurveTargets:
        """Take the shape that was an attribute."""
        return cls(state["n_outputs_"], state.pop("_target_shape"))

    def adapted(
        self,
        encoded: np.ndarray,
        sample_weight: np.ndarray | None,
        loss: Loss,
        *,
        scales: bool,
        clips: bool,
    ) -> ValueTargets:
        """Refuse several outputs a value, since a decoder reads the values that it writes."""
        if loss.outputs_per_target > 1:
            raise ValueError(
                "loss needs several outputs for each value, of which a decoder has one; "
                "sknn.RecurrentRegressor takes this loss."
            )
        return super().adapted(encoded, sample_weight, loss, scales=scales, clips=clips)

    @property
    def n_values(self) -> int:
        """Values of one step."""
        return self.shape[1] if len(self.shape) > 1 else 1

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return floats (n, horizon * n_values)."""
        if y.shape[1:] != self.shape:
            fitted = ", ".join(map(str, ("n_samples", *self.shape)))
            raise ValueError(
                f"y has shape {y.shape}, but the estimator was fitted with targets of shape "
                f"({fitted})."
            )
        return super().encode(y.reshape(len(y), -1))

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return values in the shape of y."""
        return self.restored(decisions).reshape(len(decisions), *self.shape)


class TokenTargets(Targets):
    """Sequences of which each step is one of several labels, whatever their lengths."""

    pairs_rows = False
    task = "multiclass"
    score = staticmethod(accuracy)

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return cross-entropy, since probabilities of labels are compared, always."""
        smoothing = getattr(parameters, "label_smoothing", 0.0)
        return make_classification_loss("log_loss", "multiclass", label_smoothing=smoothing)

    def spread(self, sample_weight: np.ndarray | None, encoded: Ragged) -> np.ndarray | None:
        """Give each step the weight of its sequence."""
        return _spread(sample_weight, encoded)

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return label indices (n,)."""
        return decide_multiclass(outputs)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return the indices as they are."""
        return decisions


@dataclass
class WrittenLabels(TokenTargets):
    """Sequences of labels that a decoder writes; an index behind the labels ends each."""

    classes: np.ndarray
    longest: int  # labels of the longest training sequence

    @staticmethod
    def check(y: Any, X: Any, name: str) -> Ragged:
        """Return a sequence of labels for each series."""
        return join_targets(y, len(X), numeric=False)

    @classmethod
    def learn(cls, y: Ragged, classes: Any = None) -> WrittenLabels:
        """Find the labels."""
        return cls(_find_classes(y.values), int(y.lengths.max()))

    @classmethod
    def of_earlier_version(cls, state: dict[str, Any]) -> WrittenLabels:
        """Take the length that was an attribute."""
        return cls(state["classes_"], state.pop("_longest_target"))

    @property
    def n_outputs(self) -> int:
        """A logit a label, and one for the end."""
        return len(self.classes) + 1

    @property
    def fitted_attributes(self) -> dict[str, Any]:
        """The labels."""
        return {"classes_": self.classes}

    def continued(self, y: Ragged) -> WrittenLabels:
        """Remember the longest sequence; :meth:`encode` refuses new labels."""
        return replace(self, longest=max(self.longest, int(y.lengths.max())))

    def encode(self, y: Ragged) -> Ragged:
        """Return class indices, and behind each sequence the one that ends it."""
        codes = ClassTargets(self.classes, "multiclass").encode(y.values)
        ends = np.cumsum(y.lengths)
        return Ragged(np.insert(codes, ends, len(self.classes)), y.lengths + 1)

    def training_rows(self, rows: Any, encoded: Ragged) -> Rows:
        """Pair the series with the labels written so far."""
        written = np.roll(encoded.values, 1)
        written[encoded.starts] = len(self.classes) + 1  # nothing yet
        return PairedRows(rows, Ragged(written, encoded.lengths))


@dataclass
class NextTokens(TokenTargets):
    """The token that comes next, of windows whose ends are marked."""

    n_tokens: int  # the mark not counted

    @staticmethod
    def check(y: Any, X: Ragged, name: str) -> Ragged:
        """Return what follows each token, which the windows hold."""
        return y

    @classmethod
    def learn(cls, y: Ragged, classes: Any = None) -> NextTokens:
        """Take the number of tokens, which is the mark at the ends."""
        return cls(int(y.values.max()))

    @classmethod
    def of_earlier_version(cls, state: dict[str, Any]) -> NextTokens:
        """Take the number of tokens."""
        return cls(state["n_tokens_"])

    @property
    def n_outputs(self) -> int:
        """A logit a token, and one for the mark."""
        return self.n_tokens + 1

    @property
    def fitted_attributes(self) -> dict[str, Any]:
        """The number of tokens."""
        return {"n_tokens_": self.n_tokens}

    def encode(self, y: Ragged) -> Ragged:
        """Take tokens as they are."""
        return y


def _spread(sample_weight: np.ndarray | None, encoded: Ragged) -> np.ndarray | None:
    """Repeat weights of sequences (n,) for their steps (sum of lengths,)."""
    return None if sample_weight is None else np.repeat(sample_weight, encoded.lengths)


def _find_classes(labels: np.ndarray) -> np.ndarray:
    """Return the sorted labels of all sequences."""
    if not len(labels):
        raise ValueError("y has no labels: all of its sequences are empty.")
    if labels.dtype.kind == "f":
        check_classification_targets(labels)
    try:
        return np.unique(labels)
    except TypeError as error:
        raise ValueError(f"y has labels that cannot be sorted: {error}") from error


def join_targets(y: Any, n_series: int, *, numeric: bool) -> Ragged:
    """Validate targets of which each series has a sequence."""
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
    """Validate targets of which each step of each series has one."""
    targets = join_targets(y, len(lengths), numeric=numeric)
    wrong = np.flatnonzero(targets.lengths != lengths)
    if len(wrong):
        i = wrong[0]
        raise ValueError(
            f"y[{i}] has {targets.lengths[i]} targets, but X[{i}] has {lengths[i]} steps."
        )
    return targets


def _flat_targets(y: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return targets of three dimensions as rows, and their shape; others as they are, and None."""
    sequences = as_list_of_series(y)
    if sequences is not None:
        y = join_series(sequences, "y")
    if isinstance(y, Ragged):
        raise ValueError(
            "y has sequences of different lengths, but the decoder writes as many steps for each "
            "series; sknn.sequences.StepRegressor has a value for each step of X."
        )
    array = np.asarray(y)
    if array.ndim != 3:
        return y, None
    flat = array.reshape(len(array), -1)
    return flat[:, 0] if flat.shape[1] == 1 else flat, array.shape
