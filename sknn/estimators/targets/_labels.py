"""Targets that are labels."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_y, check_consistent_length
from torch import Tensor, nn

from sknn.data import refusing_dates
from sknn.estimators._validation import (
    is_plain,
    one_or_several_columns,
    require_labels,
    require_y,
    unknown_labels,
)
from sknn.nn import Loss, make_classification_loss
from sknn.training import accuracy, decide_labels, decide_multiclass

from ._base import Targets

# of types that are labels, whatever their values
LABEL_KINDS = "biuU"


@dataclass
class ClassTargets(Targets):
    """Labels as class indices, or as 0 and 1.

    =============  ==================================  ======================
    `task`         encoded labels                      network outputs
    =============  ==================================  ======================
    "binary"       float 0 or 1, of shape (n, 1)       one logit
    "multiclass"   class index, of shape (n,)          a logit a class
    "multilabel"   float 0 or 1, of shape (n, labels)  a logit a label
    =============  ==================================  ======================
    """

    classes: np.ndarray  # in sorted order; the numbers of the labels where `task` is "multilabel"
    task: str

    score = staticmethod(accuracy)

    @staticmethod
    def check(y: Any, X: Any, name: str) -> np.ndarray:
        """Return labels of shape (n,), or indicators of shape (n, n_labels)."""
        return check_columns(y, X, name, numeric=False)

    @classmethod
    def learn(cls, y: Any, classes: Any = None) -> ClassTargets:
        """Find classes and task of labels, or take the classes that were given."""
        if classes is None or type_of_target(y).startswith("multilabel"):
            return cls.from_labels(y)
        return cls.from_classes(classes)

    @classmethod
    def from_labels(cls, y: Any) -> ClassTargets:
        """Find classes and task of labels; refuse values, a single class, columns of classes."""
        if is_plain(y, 1, LABEL_KINDS):
            classes = np.unique(y)
            # so many classes that scikit-learn warns, or a single one
            if 2 <= len(classes) <= len(y) // 2:
                return cls(classes, _task(classes))
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind.startswith("multilabel"):
            return cls(np.arange(y.shape[1]), "multilabel")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns with more than two values each, which is not supported; "
                "fit one classifier a column (sklearn.multioutput.MultiOutputClassifier)."
            )
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"y contains only one class ({classes[0]}); a classifier needs samples of two "
                "or more classes. Pass rows of another class, or classes= to partial_fit where the "
                "estimator has it."
            )
        return cls.from_classes(classes)

    @classmethod
    def from_classes(cls, classes: Any) -> ClassTargets:
        """Take the classes that `partial_fit` was given."""
        require_labels(classes, "classes")
        classes = np.unique(classes)
        if len(classes) < 2:
            raise ValueError(
                f"classes holds {len(classes)} label(s); a classifier needs two or more."
            )
        return cls(classes, _task(classes))

    @property
    def n_outputs(self) -> int:
        """Number of network outputs."""
        return 1 if self.task == "binary" else len(self.classes)

    @property
    def fitted_attributes(self) -> dict[str, Any]:
        """The labels."""
        return {"classes_": self.classes}

    def continued(self, y: Any) -> ClassTargets:
        """Refuse other classes than those before."""
        classes = ClassTargets.from_labels(y).classes
        if set(classes) != set(self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes}, `y` has {classes}"
            )
        return self

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Turn labels into the table's form; refuse labels that are not among the classes."""
        if self.task == "multilabel":
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise ValueError(
                    f"y has shape {y.shape}, but the classifier was fitted with "
                    f"{len(self.classes)} labels a row."
                )
            return (y != 0).astype(np.float32)
        if y.ndim != 1:
            raise ValueError(
                f"y has shape {y.shape}, but the classifier was fitted with one label a row."
            )
        unknown = self._unknown(y)
        if len(unknown):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. "
                f"'y' has {unknown} as well."
            )
        index = np.searchsorted(self.classes, y)
        if self.task == "binary":
            return index.astype(np.float32)[:, np.newaxis]
        return index.astype(np.int64)

    def _unknown(self, y: np.ndarray) -> np.ndarray:
        """Return the labels that are not among the classes."""
        if "O" not in (y.dtype.kind, self.classes.dtype.kind):  # which may have no order
            nearest = self.classes.take(np.searchsorted(self.classes, y), mode="clip")
            if np.array_equal(nearest, y):
                return y[:0]
        return unknown_labels(y, self.classes)

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the classification loss that the parameters name."""
        return make_classification_loss(
            parameters.loss,
            self.task,
            label_smoothing=parameters.label_smoothing,
            weighted=weighted,
        )

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return class indices (n,), or booleans (n, n_outputs)."""
        return decide_multiclass(outputs) if self.task == "multiclass" else decide_labels(outputs)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return labels (n,), or indicators (n, n_labels)."""
        if self.task == "multilabel":
            return decisions.astype(int)
        if self.task == "binary":
            decisions = decisions[:, 0].astype(np.intp)
        return self.classes[decisions]

    def class_weighted(
        self, y: Any, sample_weight: np.ndarray | None, parameters: Any
    ) -> np.ndarray | None:
        """Multiply the weights of the classes in."""
        if parameters.class_weight is None:
            return sample_weight
        factors = class_factors(parameters.class_weight, y, self.classes, sample_weight)
        if sample_weight is None:
            return factors
        with np.errstate(over="ignore"):  # `check_weight_sum` refuses what is infinite
            return factors * sample_weight

    def stratification(self, y: Any) -> np.ndarray | None:
        """Return the labels, if each row has one."""
        return None if self.task == "multilabel" else y

    def check_outputs(
        self, outputs: Any, n_answers: int, module: nn.Module, loss: Loss, parameters: Any
    ) -> None:
        """Refuse two outputs for two classes; warn of probabilities in place of logits."""
        if self.n_outputs == 1 and getattr(outputs, "shape", None) == (n_answers, 2):
            raise ValueError(
                "module returned two outputs, but for two classes it returns one, the logit of "
                f"classes_[1], of shape ({n_answers}, 1). A class or factory that has a parameter "
                "n_outputs is told so."
            )
        super().check_outputs(outputs, n_answers, module, loss, parameters)
        last = [*module.modules()][-1]
        if isinstance(parameters.loss, str) and returns_probabilities(outputs, last):
            warnings.warn(
                f"module returns probabilities, as after {loss.out_activation}, but "
                f"loss={parameters.loss!r} takes logits and applies that function itself, so that "
                "the network learns slowly. Leave the last activation out.",
                stacklevel=2,
            )


def _task(classes: np.ndarray) -> str:
    """Return the kind of classification with one label a row."""
    return "binary" if len(classes) == 2 else "multiclass"


def check_columns(y: Any, X: Any, name: str, *, numeric: bool) -> np.ndarray:
    """Return targets of shape (n,) or (n, n_columns), one for each row of X."""
    if is_plain(y, 1, "f" if numeric else LABEL_KINDS) and len(y) == X.shape[0]:
        return y
    require_y(y, name)
    if not numeric:
        require_labels(y)
    with refusing_dates(y, "y") if numeric else nullcontext():
        y = _check_y(y, multi_output=True, y_numeric=numeric, estimator=name)
    check_consistent_length(X, y)
    return one_or_several_columns(y)


def returns_probabilities(outputs: Tensor, last: nn.Module) -> bool:
    """Say whether outputs have been through a softmax or a sigmoid, `last` being the last layer."""
    if not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return False
    if isinstance(last, nn.Sigmoid | nn.Softmax):
        return True
    sums = outputs.sum(1)
    return outputs.shape[1] > 1 and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def class_factors(
    class_weight: Any, y: np.ndarray, classes: np.ndarray, sample_weight: np.ndarray | None
) -> np.ndarray:
    """Return by what class_weight multiplies the weight of each row, of shape (n_samples,).

    In "balanced" a weight of n counts as n rows. For multilabel `y` of two dimensions the factors
    of the labels are multiplied.
    """
    if y.ndim == 1:
        if isinstance(class_weight, list):
            raise ValueError(
                "class_weight is a list, which is for multilabel problems; pass a dict from label "
                "to weight, or 'balanced'."
            )
        return _factors_of_labels(class_weight, y, classes, sample_weight, "class_weight")
    if isinstance(class_weight, dict):
        raise ValueError(
            "class_weight is a dict, but the problem is multilabel; pass a list with a dict for "
            "each label, or 'balanced'."
        )
    n_labels = y.shape[1]
    given = [class_weight] * n_labels if isinstance(class_weight, str) else class_weight
    if len(given) != n_labels:
        raise ValueError(
            f"class_weight is a list of {len(given)} dicts, but y has {n_labels} labels; one for "
            "each is needed."
        )
    factors = [
        _factors_of_labels(each, y[:, k], np.unique(y[:, k]), sample_weight, f"class_weight[{k}]")
        for k, each in enumerate(given)
    ]
    return np.prod(factors, axis=0)


def _factors_of_labels(
    class_weight: Any,
    y: np.ndarray,
    classes: np.ndarray,
    sample_weight: np.ndarray | None,
    name: str,
) -> np.ndarray:
    """Return the factors of one column of labels."""
    if isinstance(class_weight, dict):
        for label, weight in class_weight.items():
            if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
                raise ValueError(
                    f"{name}[{label!r}] is {weight!r}; a weight is a finite number, not negative."
                )
        # over all classes, since a batch of partial_fit may lack some
        by_class = compute_class_weight(class_weight, classes=classes, y=y)
        return by_class[np.searchsorted(classes, y)]
    if class_weight != "balanced":
        raise ValueError(f"{name} is {class_weight!r}; a dict or 'balanced' is needed.")
    # a weight of 0 is no row, and a class without rows does not count
    counted = slice(None) if sample_weight is None else sample_weight > 0
    present, index = np.unique(y[counted], return_inverse=True)
    weights = None if sample_weight is None else sample_weight[counted]
    by_class = compute_class_weight(
        "balanced", classes=present, y=y[counted], sample_weight=weights
    )
    factors = np.zeros(len(y))
    factors[counted] = by_class[index]
    return factors
