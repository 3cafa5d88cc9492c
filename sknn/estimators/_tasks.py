"""Classification and regression: targets, losses, scores and predictions of every family."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import type_of_target
from torch import Tensor, nn
from torch.nn import functional as F

from sknn._documentation import quoted
from sknn._hints import available_if
from sknn._parameters import declares_parameters, parameter
from sknn.data import narrowed
from sknn.estimators.targets._labels import ClassTargets, class_factors
from sknn.nn import (
    CLASSIFICATION_LOSSES,
    PROBABILITY_ACTIVATIONS,
    REGRESSION_LOSSES,
    Loss,
    RegressionLoss,
    declared_activation,
    describe_losses,
    make_classification_loss,
    make_regression_loss,
)
from sknn.training import accuracy, decide_labels, decide_multiclass, r2

from ._base import NeuralEstimator


def _has_batches(estimator: NeuralEstimator) -> bool:
    """Raise AttributeError, which hides `partial_fit`, for the solver without batches."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic solvers. lbfgs is not stochastic."
        )
    return True


def _has_probabilities(estimator: Any) -> bool:
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
        constraints=[Interval(Real, 0, 1, closed="left")],
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

    def __sklearn_tags__(self) -> Any:
        """Add multilabel problems."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # ------------------------------------------------------------------------------- targets

    def _encode_targets(self, y: Any, *, continued: bool) -> Any:
        if not continued and self._given_classes is None:
            self._targets = ClassTargets.from_labels(y)
        elif not continued:
            multilabel = type_of_target(y).startswith("multilabel")
            self._targets = (
                ClassTargets.from_labels(y)
                if multilabel
                else ClassTargets.from_classes(self._given_classes)
            )
        self.classes_ = self._targets.classes
        return self._targets.encode(y)

    # what partial_fit was given as `classes`, while its first call runs
    _given_classes: ClassVar[Any] = None

    def _check_warm_start(self, y: Any) -> None:
        classes = ClassTargets.from_labels(y).classes
        if set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}"
            )

    def _count_outputs(self, targets: Any) -> int:
        return self._targets.n_outputs

    def _stratification(self, y: Any) -> np.ndarray | None:
        return None if self._targets.task == "multilabel" else y

    def _class_weighted(self, sample_weight: np.ndarray | None, y: Any) -> np.ndarray | None:
        if self.class_weight is None:
            return sample_weight
        factors = class_factors(self.class_weight, y, self.classes_, sample_weight)
        if sample_weight is None:
            return factors
        with np.errstate(over="ignore"):  # `check_weight_sum` refuses what is infinite
            return factors * sample_weight

    def _check_module_outputs(self, outputs: Any, n_rows: int) -> None:
        if self.n_outputs_ == 1 and getattr(outputs, "shape", None) == (n_rows, 2):
            raise ValueError(
                "module returned two outputs, but for two classes it returns one, the logit of "
                f"classes_[1], of shape ({n_rows}, 1). A class or factory that has a parameter "
                "n_outputs is told so."
            )
        super()._check_module_outputs(outputs, n_rows)
        last = [*self.module_.modules()][-1]
        if isinstance(self.loss, str) and returns_probabilities(outputs, last):
            warnings.warn(
                f"module returns probabilities, as after {self._loss.out_activation}, but "
                f"loss={self.loss!r} takes logits and applies that function itself, so that the "
                "network learns slowly. Leave the last activation out.",
                UserWarning,
                stacklevel=2,
            )

    def _make_loss(self, weighted: bool) -> Loss:
        return make_classification_loss(
            self.loss,
            self._targets.task,
            label_smoothing=self.label_smoothing,
            weighted=weighted,
        )

    def _decide(self, outputs: Tensor) -> Tensor:
        if self._targets.task == "multiclass":
            return decide_multiclass(outputs)
        return decide_labels(outputs)

    _score_decisions = staticmethod(accuracy)

    # ------------------------------------------------------------------------------- methods

    @available_if(_has_batches)
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
        if not first_call:
            return self._partial_fit(X, y, sample_weight)
        self._given_classes = classes  # type: ignore[misc]
        try:
            return self._partial_fit(X, y, sample_weight)
        finally:
            del self._given_classes

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
        outputs, _ = self._predict_outputs(X)
        return self._targets.decode(self._decide(outputs).cpu().numpy())

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's outputs (logits).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            For two classes, positive for ``classes_[1]``; else one column a class or label.
        """
        outputs, dtype = self._predict_outputs(X)
        logits = outputs.cpu().numpy().astype(dtype, copy=False)
        return logits[:, 0] if self._targets.task == "binary" else logits

    @available_if(_has_probabilities)
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
        outputs, dtype = self._predict_outputs(X)
        probabilities = self._loss.activate(_in_type(outputs, dtype)).numpy()
        if self._targets.task == "binary":
            return np.hstack([1 - probabilities, probabilities])
        return probabilities

    @available_if(_has_probabilities)
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
        outputs, dtype = self._predict_outputs(X)
        outputs = _in_type(outputs, dtype)
        if self._targets.task == "binary":
            outputs = torch.cat([-outputs, outputs], 1)  # log(1 - p), log p
        if self._targets.task == "multiclass":
            exact = torch.log_softmax(outputs, 1)
        else:
            exact = F.logsigmoid(outputs)
        # log(predict_proba) as it stands where it is defined, so that both have the same order
        probabilities = self._loss.activate(outputs)
        return torch.where(probabilities > 0, probabilities.log(), exact).numpy()


def returns_probabilities(outputs: Tensor, last: nn.Module) -> bool:
    """Say whether outputs have been through a softmax or a sigmoid, `last` being the last layer."""
    if not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return False
    if isinstance(last, nn.Sigmoid | nn.Softmax):
        return True
    sums = outputs.sum(1)
    return outputs.shape[1] > 1 and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def _in_type(outputs: Tensor, dtype: np.dtype) -> Tensor:
    """Cast on the CPU, since some devices lack float64.

    Probabilities computed in float32 and cast would not sum to one as float64 has to.
    """
    return outputs.cpu().to(torch.float32 if dtype == np.float32 else torch.float64)


# `loss` is declared twice, since it is positional in NeuralRegressor alone.
LOSS_CONSTRAINTS: list[Any] = [StrOptions(set(REGRESSION_LOSSES)), callable]
LOSS_DOC = f"""{{{quoted(REGRESSION_LOSSES)}}} or callable
What training minimises, summed over outputs:

{describe_losses(REGRESSION_LOSSES)}

A callable gets outputs and targets, both of shape (batch, n_outputs), and returns the loss
of each row; its attribute `out_activation`, "identity", "exp" or "expm1", makes predictions
of outputs."""


@declares_parameters
class NeuralRegressorBase(RegressorMixin, NeuralEstimator):
    """Base class of the regressors.

    Parameters
    ----------
    {parameters}
    """

    loss: str | Callable[[Tensor, Tensor], Tensor] = parameter(
        default="squared_error", constraints=LOSS_CONSTRAINTS, doc=LOSS_DOC
    )
    quantile: float = parameter(
        default=0.5,
        constraints=[Interval(Real, 0, 1, closed="neither")],
        doc="""float
        Level of the "quantile" loss, between 0 and 1.""",
    )

    def __sklearn_tags__(self) -> Any:
        """Add several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _encode_targets(self, y: Any, *, continued: bool) -> Any:
        targets = y.reshape(-1, 1) if y.ndim == 1 else y
        if targets.dtype.kind != "f":
            targets = targets.astype(np.float64)
        targets = narrowed(targets, "y")
        if continued and targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {targets.shape[1]} target(s), but the regressor was fitted with "
                f"{self.n_outputs_}."
            )
        loss = make_regression_loss(self.loss)
        if isinstance(loss, RegressionLoss):
            loss.check_targets(targets)
        return targets

    def _count_outputs(self, targets: Any) -> int:
        return targets.shape[1]

    def _make_loss(self, weighted: bool) -> Loss:
        return make_regression_loss(self.loss, quantile=self.quantile, weighted=weighted)

    def _has_outputs_in_units_of_y(self) -> bool:
        """Say whether the network's outputs are in the targets' units."""
        return make_regression_loss(self.loss).is_in_units_of_targets

    def _can_scale_outputs(self) -> bool:
        """Say whether outputs can be scaled to the targets; what a callable does is unknown."""
        return not callable(self.loss) and self._has_outputs_in_units_of_y()

    def _decide(self, outputs: Tensor) -> Tensor:
        return self._loss.activate(outputs)

    _score_decisions = staticmethod(r2)  # type: ignore[assignment]

    @available_if(_has_batches)
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train for one epoch on these samples, going on from where the last call ended.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Training samples, in a form that the class takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : estimator
            The estimator after one more epoch.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The values, in the float type of `X`.
        """
        outputs, dtype = self._predict_outputs(X)
        values = self._loss.activate(outputs).cpu().numpy().astype(dtype, copy=False)
        return values[:, 0] if values.shape[1] == 1 else values
