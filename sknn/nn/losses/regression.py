"""Losses of regressors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from .base import Loss
from .callables import CallableLoss, check_regression


class RegressionLoss(Loss):
    """Base class of the regressors' losses: a loss of each output, summed over outputs.

    The sum, not the mean, so that a learning rate acts on each output as it does alone; it is
    what the gradients of :class:`sklearn.neural_network.MLPRegressor` follow too.

    Shapes
    ------
    outputs : (n, n_outputs), targets : (n, n_outputs) -> (n,)
    """

    # the targets that the loss is defined for: what users are told, and a test; None is all
    domain: ClassVar[tuple[str, Callable[[Any], Any]] | None] = None
    target_unit: ClassVar[str | None] = "deviation"
    predicts_targets = True

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output, (n, n_outputs) -> (n, n_outputs)."""
        raise NotImplementedError

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.elementwise(outputs, targets).sum(1)

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError where the loss is not defined for targets (n, n_outputs)."""
        if self.domain is not None and not self.domain[1](targets):
            (name,) = (name for name, cls in REGRESSION_LOSSES.items() if isinstance(self, cls))
            raise ValueError(
                f"loss={name!r} needs {self.domain[0]}, which the y that was given violates."
            )


class SquaredError(RegressionLoss):
    """Half the squared error."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (outputs - targets).square()

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (n,) and gradients (n, n_outputs), the residuals."""
        residuals = outputs - targets
        return 0.5 * residuals.square().sum(1), residuals


class AbsoluteError(RegressionLoss):
    """Absolute error; predictions are medians."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).abs()


class HuberLoss(RegressionLoss):
    """Half the squared error r up to ``|r| = 1``, ``|r| - 1/2`` beyond (Huber, 1964)."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.huber_loss(outputs, targets, reduction="none", delta=1.0)


class LogCosh(RegressionLoss):
    """``log(cosh(r))`` of the error r: half its square near 0, its absolute value far away."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        # log cosh r = |r| + log(1 + exp(-2|r|)) - log 2, which cannot overflow; for positive
        # numbers above 20, torch's softplus would leave out the exponential
        r = (outputs - targets).abs()
        return r + F.softplus(-2 * r) - math.log(2)


class PoissonLoss(RegressionLoss):
    """Half the Poisson deviance, with an exponential output; y >= 0."""

    domain = "y >= 0", lambda y: (y >= 0).all()
    target_unit = "mean"  # of c y and c p, the deviance is c times that of y and p
    out_activation = "exp"

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        # y log(y / p) - y + p with p = exp(z)
        return torch.xlogy(targets, targets) - targets * outputs - targets + outputs.exp()

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (n,) and gradients (n, n_outputs), prediction minus target."""
        return self(outputs, targets), outputs.exp().sub_(targets)


class GammaLoss(RegressionLoss):
    """Half the gamma deviance, with an exponential output; y > 0."""

    domain = "y > 0", lambda y: (y > 0).all()
    target_unit = "mean"  # of c y and c p, the deviance is that of y and p
    out_activation = "exp"

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        # log(p / y) + y / p - 1 with p = exp(z)
        return outputs - targets.log() + targets * torch.exp(-outputs) - 1


class QuantileLoss(RegressionLoss):
    """Pinball loss; predictions are quantiles of level `quantile` (Koenker and Bassett, 1978)."""

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        r = targets - outputs
        return torch.maximum(self.quantile * r, (self.quantile - 1) * r)


class MeanAbsolutePercentageError(RegressionLoss):
    """Absolute error as a share of y, which is not 0."""

    domain = "y different from 0", lambda y: (y != 0).all()
    target_unit = "mean"  # shares are relative to 0, which has to stay where it is

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).abs() / targets.abs()


class MeanSquaredLogarithmicError(RegressionLoss):
    """Half the squared error of ``log(1 + y)``, with an output ``exp(z) - 1``; y > -1."""

    domain = "y > -1", lambda y: (y > -1).all()
    target_unit = None  # the 1 of log(1 + y) is in the units of y
    out_activation = "expm1"  # so that predictions are above -1 and the gradient never vanishes

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (outputs - torch.log1p(targets)).square()


class CosineLoss(RegressionLoss):
    """One minus the cosine of the angle between prediction and y; two or more outputs."""

    # a single target has no direction but a sign
    domain = "two or more targets a row", lambda y: y.shape[1] > 1
    is_in_units_of_targets = predicts_targets = False  # it compares directions alone
    target_unit = None  # a factor for each column would turn them

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 1 - F.cosine_similarity(outputs, targets, dim=1)


REGRESSION_LOSSES: dict[str, type[RegressionLoss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "log_cosh": LogCosh,
    "poisson": PoissonLoss,
    "gamma": GammaLoss,
    "quantile": QuantileLoss,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "cosine": CosineLoss,
}


def make_regression_loss(
    loss: str | Callable[..., Tensor], *, quantile: float = 0.5, weighted: bool = False
) -> Loss:
    """Return the loss of a name or of a user's function; `weighted` if rows have weights."""
    if not isinstance(loss, str):
        check_regression(loss)
        return CallableLoss(loss, weighted)
    if loss == "quantile":
        return QuantileLoss(quantile)
    return REGRESSION_LOSSES[loss]()
