"""Losses of regressors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .base import Loss
from .callables import CallableLoss, check_regression

# Variances of a "gaussian" loss stay above this share of the targets' own, so that a row that is
# predicted exactly costs something finite.
LOG_FLOOR = math.log(1e-6)


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

    def constants(self, targets: Tensor, weights: Tensor | None) -> list[Tensor]:
        """Return outputs (n_outputs,), float64, that predict the mean, and the median.

        `targets` (n, n_targets) and `weights` (n,) are those of all training rows, on the CPU.
        """
        centres = [weighted_mean(targets, weights), targets.double().median(0).values]
        if self.out_activation == "exp":
            return [centre.clamp(min=1e-12).log() for centre in centres]
        if self.out_activation == "expm1":
            return [centre.log1p() for centre in centres]
        return centres

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


class GaussianLoss(RegressionLoss):
    """Normal log-likelihood; the network learns a variance beside each prediction.

    The variance of y is ``exp(s) + 1e-6``, in units of its variance over the training data, s being
    a second output of each target (Nix and Weigend, 1994).

    Shapes
    ------
    outputs : (n, 2 n_targets), targets : (n, n_targets) -> (n,)
        First the means of all targets, then their s.
    """

    out_activation = "gaussian"
    outputs_per_target = 2
    is_scaled = True

    def _likelihood(
        self, outputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return s, errors, logarithms of variances, and precisions, (n, n_targets) each."""
        means, s = outputs.chunk(2, 1)
        # log(exp(s) + 1e-6), and no exponential that overflows
        log_variances = F.softplus(s - LOG_FLOOR) + LOG_FLOOR
        return s, means - targets, log_variances, torch.exp(-log_variances)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        _, errors, log_variances, precisions = self._likelihood(outputs, targets)
        return 0.5 * (log_variances + errors.square() * precisions).sum(1)

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (n,) and gradients (n, 2 n_targets)."""
        s, errors, log_variances, precisions = self._likelihood(outputs, targets)
        slopes = errors * precisions
        squares = errors * slopes
        losses = 0.5 * (log_variances + squares).sum(1)
        # the share of exp(s) in the variance, which is how the latter's logarithm follows s
        shares = torch.sigmoid(s - LOG_FLOOR)
        return losses, torch.cat([slopes, 0.5 * shares * (1 - squares)], 1)

    def activate(self, outputs: Tensor) -> Tensor:
        """Return the means (n, n_targets)."""
        return outputs.chunk(2, 1)[0]

    def variances(self, outputs: Tensor) -> Tensor:
        """Return the variances (n, n_targets)."""
        return outputs.chunk(2, 1)[1].exp() + math.exp(LOG_FLOOR)

    def constants(self, targets: Tensor, weights: Tensor | None) -> list[Tensor]:
        """Return mean and variance of all targets."""
        means = weighted_mean(targets, weights)
        variances = weighted_mean((targets.double() - means).square(), weights)
        return [torch.cat([means, variances.clamp(min=1e-12).log()])]


class QuantilesLoss(RegressionLoss):
    """Sum of the pinball losses of several levels, which increase.

    The outputs of a target are its quantiles, which predictions put in order: so they do not cross,
    and come no further from the true ones (Chernozhukov, Fernandez-Val and Galichon, 2010).

    Shapes
    ------
    outputs : (n, n_targets * n_levels), targets : (n, n_targets) -> (n,)
        All levels of the first target, then those of the second, and so on.
    """

    def __init__(self, quantiles: tuple[float, ...]) -> None:
        self.quantiles = quantiles

    @property
    def outputs_per_target(self) -> int:  # type: ignore[override]
        """One a level."""
        return len(self.quantiles)

    is_scaled = True

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        # max(q r, (q - 1) r) = |r| / 2 + (q - 1/2) r
        r = self._residuals(outputs, targets)
        losses = 0.5 * r.abs().sum((1, 2))
        for i, level in enumerate(self.quantiles):
            losses = losses + (level - 0.5) * r[:, :, i].sum(1)
        return losses

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (n,) and gradients (n, n_outputs)."""
        gradient = self._residuals(outputs, targets).sign().mul_(-0.5)
        for i, level in enumerate(self.quantiles):
            gradient[:, :, i] -= level - 0.5
        return self(outputs, targets), gradient.flatten(1)

    def _residuals(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the targets less the outputs, (n, n_targets, n_levels)."""
        return targets.unsqueeze(2) - outputs.view(len(outputs), -1, len(self.quantiles))

    def activate(self, outputs: Tensor) -> Tensor:
        """Return the quantiles (n, n_targets, n_levels), in order."""
        return outputs.unflatten(1, (-1, len(self.quantiles))).sort(2).values

    def point(self, outputs: Tensor) -> Tensor:
        """Return the medians (n, n_targets)."""
        return self.median(self.activate(outputs))

    def median(self, quantiles: Any) -> Any:
        """Return the medians of quantiles (n, n_targets, n_levels), a tensor or an array.

        Where 0.5 is no level, they lie on the line between the levels beside it; where all levels
        are on one side of it, they are the quantiles of the nearest one.
        """
        place = float(np.interp(0.5, self.quantiles, np.arange(len(self.quantiles))))
        below, share = int(place), place % 1
        if not share:
            return quantiles[:, :, below]
        return (1 - share) * quantiles[:, :, below] + share * quantiles[:, :, below + 1]

    def constants(self, targets: Tensor, weights: Tensor | None) -> list[Tensor]:
        """Return the quantiles of all targets."""
        found = np.quantile(targets.double().numpy(), self.quantiles, axis=0)
        return [torch.from_numpy(found.T.flatten())]


def weighted_mean(targets: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean of each column in float64, (n, k) and (n,) -> (k,)."""
    targets = targets.double()
    if weights is None:
        return targets.mean(0)
    return (weights.double() @ targets) / weights.double().sum()


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
    "gaussian": GaussianLoss,
}


def make_regression_loss(
    loss: str | Callable[..., Tensor],
    *,
    quantile: float = 0.5,
    quantiles: Sequence[float] | None = None,
    weighted: bool = False,
) -> Loss:
    """Return the loss of a name or of a user's function; `weighted` if rows have weights."""
    if quantiles is not None:
        return QuantilesLoss(check_quantiles(loss, quantiles))
    if not isinstance(loss, str):
        check_regression(loss)
        return CallableLoss(loss, weighted)
    if loss == "quantile":
        return QuantileLoss(quantile)
    return REGRESSION_LOSSES[loss]()


def check_quantiles(loss: Any, quantiles: Any) -> tuple[float, ...]:
    """Return the levels of a "quantile" loss; refuse them for another."""
    if loss != "quantile":
        raise ValueError(f'quantiles needs loss="quantile", but loss={loss!r}; set it to None.')
    levels = np.asarray(quantiles)
    if (
        levels.ndim != 1
        or not len(levels)
        or levels.dtype.kind != "f"
        or not (levels[0] > 0 and levels[-1] < 1 and (np.diff(levels) > 0).all())
    ):
        raise ValueError(
            f"quantiles={quantiles!r} must be levels between 0 and 1, each larger than the one "
            "before it, such as (0.1, 0.5, 0.9)."
        )
    return tuple(levels.tolist())
