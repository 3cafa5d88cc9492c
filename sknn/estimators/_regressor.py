"""Regression: parameters and methods of the regressors of all families."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sknn._documentation import quoted
from sknn._hints import available_if
from sknn._parameters import declares_parameters, parameter
from sknn.nn import REGRESSION_LOSSES, describe_losses

from ._base import NeuralEstimator, has_batches
from .targets import Targets, ValueTargets

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
        default="squared_error",
        constraints=[StrOptions(set(REGRESSION_LOSSES)), callable],
        doc=LOSS_DOC,
    )
    quantile: float = parameter(
        default=0.5,
        constraints=[Interval(Real, 0, 1, closed="neither")],
        doc="""float
        Level of the "quantile" loss, between 0 and 1.""",
    )

    _targets_kind: ClassVar[type[Targets]] = ValueTargets

    def __sklearn_tags__(self) -> Any:
        """Add several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @available_if(has_batches)
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
        fitted, outputs, dtype = self._predict_outputs(X)
        targets: Targets = fitted._targets
        values = targets.decode(targets.decide(outputs, fitted._loss).cpu().numpy())
        return targets.by_sample(values.astype(dtype, copy=False), X)
