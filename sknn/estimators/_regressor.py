"""Regression: parameters and methods of the regressors of all families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.metrics import r2_score
from sklearn.utils import metadata_routing
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknn._documentation import quoted
from sknn._hints import available_if
from sknn._parameters import declares_parameters, parameter
from sknn.data import in_float_type
from sknn.nn import (
    REGRESSION_LOSSES,
    EnsembleNetwork,
    GaussianLoss,
    QuantilesLoss,
    SideBySide,
    average_outputs,
    describe_losses,
)

from ._base import NeuralEstimator
from ._checks import takes_streams
from .targets import StepValues, Targets, ValueTargets

LOSS_DOC = f"""{{{quoted(REGRESSION_LOSSES)}}} or callable
What training minimises, summed over outputs:

{describe_losses(REGRESSION_LOSSES)}

Where "gaussian", or several `quantiles`, have the network learn several outputs a target, y is
standardized first, and losses in the history are those of standardized targets.

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
    quantiles: Sequence[float] | None = parameter(
        default=None,
        constraints=["array-like", None],
        doc="""array-like of shape (n_quantiles,) or None
        Several levels of the "quantile" loss, in ascending order, in place of `quantile`. One
        network learns them all, and predictions have a column a level.""",
    )

    _targets_kind: ClassVar[type[Targets]] = ValueTargets
    _targets: ClassVar[ValueTargets | StepValues]

    __metadata_request__predict: ClassVar[Any] = {"return_std": metadata_routing.UNUSED}

    def __sklearn_tags__(self) -> Any:
        """Add several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @available_if(takes_streams)
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

    def predict(
        self, X: Any, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict values, and how far off they may be.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.
        return_std : bool, default=False
            Whether to return standard deviations too. With ``loss="gaussian"`` they are those of y:
            the square root of the variance that the network predicts; in an ensemble, of the mean
            of the variances plus the variance of the means (Lakshminarayanan et al., 2017). With
            other losses they are the spread of an ensemble's predictions, which says how sure it is
            of the mean, not how noisy y is.

        Returns
        -------
        y_mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The values, in the float type of `X`. With `quantiles`, of shape (n_samples,
            n_quantiles) or (n_samples, n_outputs, n_quantiles), in ascending order.
        y_std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The standard deviations, if `return_std`.

        Raises
        ------
        ValueError
            If `return_std`, and the estimator is a single network that has not learned a variance,
            or predicts several quantiles.
        """
        fitted = self._as_it_is()
        if return_std:
            return fitted._predict_with_deviations(X)
        outputs, dtype = fitted._compute_outputs(X)
        return fitted._decoded(fitted._values(outputs), dtype, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2 of the predictions, averaged over targets; with `quantiles`, of the medians.

        Where 0.5 is none of the `quantiles`, the median lies on the line between the quantiles
        beside it, or is the nearest one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples, in a form that the class takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            R2.
        """
        predictions = self.predict(X)
        loss = self._loss
        if isinstance(loss, QuantilesLoss):
            by_column = np.asarray(predictions).reshape(len(predictions), -1, len(loss.quantiles))
            predictions = loss.median(by_column)
        return float(r2_score(y, predictions, sample_weight=sample_weight))

    def _values(self, outputs: Tensor) -> Tensor:
        """Return predictions (n, n_columns, ...) in the units in which the loss sees y."""
        values = self._targets.answer(outputs, self._loss)
        return values if self._calibration is None else self._calibration.answers(values)

    def _decoded(self, values: Tensor, dtype: np.dtype, X: Any) -> np.ndarray:
        """Return answers in the form of y."""
        decoded = in_float_type(self._targets.decode(values.cpu().numpy()), dtype)
        return self._targets.by_sample(decoded, X)

    def _member_outputs(self, X: Any) -> tuple[Tensor, np.dtype] | None:
        """Return the outputs (k, n, n_outputs) of an ensemble's networks; None if there is one."""
        module = self._prediction_module()
        if not isinstance(module, EnsembleNetwork):
            return None
        outputs, dtype = self._compute_outputs(X, SideBySide(module.networks))
        return outputs.unflatten(1, (len(module.networks), -1)).movedim(1, 0), dtype

    def _predict_with_deviations(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return predictions and their standard deviations."""
        check_is_fitted(self)
        loss = self._loss
        if isinstance(loss, QuantilesLoss):
            raise ValueError(
                "return_std=True is not available for several quantiles, which themselves say how "
                'y spreads; use loss="gaussian" for a standard deviation.'
            )
        if isinstance(loss, GaussianLoss):
            outputs, dtype = self._compute_outputs(X)
            variances = loss.variances(outputs)
            if self._calibration is not None:
                variances = self._calibration.variances(variances)
            deviations = variances.sqrt()
        else:
            found = self._member_outputs(X)
            if found is None:
                several = ", or several networks, n_estimators > 1"
                raise ValueError(
                    f"return_std=True needs a network that learns a variance, "
                    f'loss="gaussian"{several if hasattr(self, "n_estimators") else ""}; this is '
                    f"a single network with loss={self.loss!r}."
                )
            members, dtype = found
            outputs = average_outputs(members, loss.out_activation)
            each = torch.stack([self._values(member) for member in members])
            deviations = each.std(0, correction=0)
        decoded = self._targets.decode_deviations(deviations.cpu().numpy())
        by_sample = self._targets.by_sample(in_float_type(decoded, dtype), X)
        return self._decoded(self._values(outputs), dtype, X), by_sample
