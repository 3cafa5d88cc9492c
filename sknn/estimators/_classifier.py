"""Classification: parameters and methods of the classifiers of all families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from torch import Tensor
from torch.nn import functional as F

from sknn._documentation import quoted
from sknn._hints import available_if
from sknn._parameters import declares_parameters, parameter
from sknn._validation import BELOW_ONE
from sknn.nn import (
    CLASSIFICATION_LOSSES,
    PROBABILITY_ACTIVATIONS,
    declared_activation,
    describe_losses,
)

from ._base import NeuralEstimator
from ._checks import takes_streams
from .targets import ClassTargets, StepLabels, Targets


def has_probabilities(estimator: Any) -> bool:
    loss = estimator.loss
    if isinstance(loss, str) and CLASSIFICATION_LOSSES[loss].defines_probabilities:
        return True
    if callable(loss):
        if declared_activation(loss) in PROBABILITY_ACTIVATIONS:
            return True
        raise AttributeError(
            "predict_proba and predict_log_proba are not available for the callable "
            f"loss={loss!r}: nothing says whether the network's outputs are logits of "
            "probabilities. If they are, declare it: "
            "loss.out_activation = 'softmax' for three or more classes, 'logistic' else."
        )
    raise AttributeError(
        f"predict_proba and predict_log_proba are not available for loss={loss!r}, whose outputs "
        "are not probabilities; use loss='log_loss', or CalibratedClassifierCV."
    )


CLASSIFICATION_LOSS_DOC = f"""{{{quoted(CLASSIFICATION_LOSSES)}}} or callable
What training minimises:

{describe_losses(CLASSIFICATION_LOSSES)}

A callable gets the logits of shape (batch, n_outputs) and the targets (class indices of
shape (batch,) for three or more classes, else 0 and 1 in the logits' shape) and returns the
loss of each row. `predict_proba` exists for losses that define probabilities; a callable
does if it has an attribute `out_activation`, "softmax" for three or more classes, else
"logistic"."""


@declares_parameters
class NeuralClassifierBase(ClassifierMixin, NeuralEstimator):
    """Base class of the classifiers.

    Parameters
    ----------
    {parameters}
    """

    loss: str | Callable[[Tensor, Tensor], Tensor] = parameter(
        default="log_loss",
        constraints=[StrOptions(set(CLASSIFICATION_LOSSES)), callable],
        doc=CLASSIFICATION_LOSS_DOC,
    )
    label_smoothing: float = parameter(
        default=0.0,
        constraints=[BELOW_ONE],
        doc="""float
        Share of each target of "log_loss" that is spread evenly over the classes.""",
    )
    class_weight: dict[Any, float] | str | None = parameter(
        default=None,
        constraints=[StrOptions({"balanced"}), dict, list, None],
        doc="""dict, "balanced", list of dicts or None
        Weight of each class, with which the sample weights are multiplied: a finite number, not
        negative. "balanced" weighs classes inversely to the sum of their sample weights. For
        multilabel problems a list has a dict a label.""",
    )

    _targets_kind: ClassVar[type[Targets]] = ClassTargets
    _targets: ClassVar[ClassTargets | StepLabels]

    def __sklearn_tags__(self) -> Any:
        """Add multilabel problems."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # ------------------------------------------------------------------------------- methods

    @available_if(takes_streams)
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """Train for one epoch on these samples, going on from where the last call ended.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Training samples, in a form that the class takes.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.

        Returns
        -------
        self : estimator
            The estimator after one more epoch.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all labels, which partial_fit does not see. Pass "
                "the dict that sklearn.utils.class_weight.compute_class_weight gives for them."
            )
        first_call = not hasattr(self, "module_")
        if first_call and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if (
            not first_call
            and classes is not None
            and not np.array_equal(self.classes_, np.unique(classes))
        ):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call to partial_fit, "
                f"was: {self.classes_}"
            )
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            The labels.
        """
        fitted, outputs, _ = self._predict_outputs(X)
        targets: ClassTargets | StepLabels = fitted._targets
        decisions = targets.decide(outputs, fitted._loss).cpu().numpy()
        return targets.by_sample(targets.decode(decisions), X)

    def _predict_logits(self, X: Any) -> tuple[Any, Tensor, np.dtype]:
        """Return the fitted estimator, calibrated logits, and the float type of answers."""
        fitted, outputs, dtype = self._predict_outputs(X)
        if fitted._calibration is not None:
            outputs = fitted._calibration.logits(outputs)
        return fitted, outputs, dtype

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's outputs (logits), those of calibrated probabilities if they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            For two classes, positive for ``classes_[1]``; else one column a class or label.
        """
        fitted, outputs, dtype = self._predict_logits(X)
        targets: ClassTargets | StepLabels = fitted._targets
        logits = outputs.cpu().numpy().astype(dtype, copy=False)
        return targets.by_sample(logits[:, 0] if targets.task == "binary" else logits, X)

    @available_if(has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            A column a class, in the order of ``classes_``; for multilabel problems the
            probability of each label.
        """
        fitted, outputs, dtype = self._predict_logits(X)
        return fitted._targets.by_sample(fitted._probabilities(outputs, dtype), X)

    def _probabilities(self, outputs: Tensor, dtype: np.dtype) -> np.ndarray:
        """Return the probabilities (n, n_classes) of logits (n, n_outputs)."""
        probabilities = self._loss.activate(_in_type(outputs, dtype)).numpy()
        if self._targets.task == "binary":
            probabilities = np.hstack([1 - probabilities, probabilities])
        return probabilities

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; for multilabel problems, the share of samples without a mistake.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            The accuracy.
        """
        labels = self.predict(X)
        if sample_weight is None and _are_plain(y, labels):
            return float(np.mean(y == labels))
        return float(accuracy_score(y, labels, sample_weight=sample_weight))

    @available_if(has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of probabilities, which stay finite where probabilities round to 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            As `predict_proba`.
        """
        fitted, outputs, dtype = self._predict_logits(X)
        targets: ClassTargets | StepLabels = fitted._targets
        outputs = _in_type(outputs, dtype)
        if targets.task == "binary":
            outputs = torch.cat([-outputs, outputs], 1)  # log(1 - p), log p
        if targets.task == "multiclass":
            exact = torch.log_softmax(outputs, 1)
        else:
            exact = F.logsigmoid(outputs)
        # log(predict_proba) as it stands where it is defined, so that both have the same order
        probabilities = fitted._loss.activate(outputs)
        logarithms = torch.where(probabilities > 0, probabilities.log(), exact)
        return targets.by_sample(logarithms.numpy(), X)


def _are_plain(y: Any, labels: Any) -> bool:
    """Return whether two arrays are labels beyond doubt, whose checks would take the most time."""
    return (
        type(y) is np.ndarray is type(labels)
        and y.dtype.kind in "iub"
        and labels.dtype.kind in "iub"
        and y.ndim == labels.ndim == 1
        and len(y) == len(labels)
    )


def _in_type(outputs: Tensor, dtype: np.dtype) -> Tensor:
    """Cast on the CPU, since some devices lack float64.

    Probabilities computed in float32 and cast would not sum to one as float64 has to.
    """
    return outputs.cpu().to(torch.float32 if dtype == np.float32 else torch.float64)
