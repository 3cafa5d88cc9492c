"""Losses: what an output costs, and what it means.

A loss maps a network's raw outputs of shape (batch, n_outputs) and the targets to one number a
row, and names the output activation that turns raw outputs into probabilities or predictions.
To add one, write a subclass and enter it in `CLASSIFICATION_LOSSES` or `REGRESSION_LOSSES`.

Targets are class indices of shape (batch,) for multiclass problems, else floats of the outputs'
shape: 0 or 1 for the one logit of a binary problem and for each label of a multilabel one, and
the values for regression.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OUTPUT_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "softmax": lambda z: torch.softmax(z, dim=1),
    "logistic": torch.sigmoid,
    "exp": torch.exp,
    "expm1": torch.expm1,
}
PROBABILITY_ACTIVATIONS = ("softmax", "logistic")


# Numbers that torch's vectorised loops take at once, two vectors of 64 bytes of float32.
VECTOR_NUMBERS = 32


class Loss:
    """Base class of the losses.

    Subclasses define `__call__`, and may define `with_gradient` where the gradient has a closed
    form that costs less than autograd.

    Attributes
    ----------
    out_activation : str
        Key of `OUTPUT_ACTIVATIONS`: from raw outputs to probabilities or predictions.
    defines_probabilities : bool
        Whether a classifier with this loss has `predict_proba`.
    """

    out_activation: str = "identity"
    defines_probabilities: bool = False

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        raise NotImplementedError

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's loss, and its gradient with respect to the outputs.

        Parameters
        ----------
        outputs : Tensor of shape (batch, n_outputs)
            Raw outputs of the network.
        targets : Tensor
            See the module's docstring.

        Returns
        -------
        losses : Tensor of shape (batch,)
        gradient : Tensor of shape (batch, n_outputs)
            A new tensor, which the caller may overwrite.
        """
        with torch.enable_grad():
            variables = outputs.detach().requires_grad_()
            losses = self(variables, targets)
            (gradient,) = torch.autograd.grad(losses.sum(), variables)
        return losses.detach(), gradient

    def with_gradients(
        self, outputs: Tensor, targets: Tensor, n_networks: int
    ) -> tuple[Tensor, Tensor]:
        """Return what :meth:`with_gradient` returns for batches of several networks.

        To the last digit, which takes care: vectorised functions such as the exponential treat
        the last few numbers of a tensor in another way than those before them.

        Parameters
        ----------
        outputs : Tensor of shape (n_networks * batch, n_outputs)
            Raw outputs, those of the first network first.
        targets : Tensor
            Of the same rows.
        n_networks : int
            Number of networks.

        Returns
        -------
        losses : Tensor of shape (n_networks * batch,)
        gradient : Tensor of shape (n_networks * batch, n_outputs)
        """
        batch = len(outputs) // n_networks
        pairs = zip(outputs.split(batch), targets.split(batch), strict=True)
        results = [self.with_gradient(*pair) for pair in pairs]
        if n_networks == 1:
            return results[0]
        losses, gradients = zip(*results, strict=True)
        return torch.cat(losses), torch.cat(gradients)

    def activate(self, outputs: Tensor) -> Tensor:
        """Turn raw outputs into probabilities (classifiers) or predictions (regressors)."""
        return OUTPUT_ACTIVATIONS[self.out_activation](outputs)


# --------------------------------------------------------------------------- classification


class ClassificationLoss(Loss):
    """Base class of the classifiers' losses.

    Parameters
    ----------
    task : {"binary", "multiclass", "multilabel"}
        Decides the output activation: softmax for multiclass problems, else logistic.
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over the classes.
    """

    uses_label_smoothing: ClassVar[bool] = False

    def __init__(self, task: str, label_smoothing: float = 0.0) -> None:
        if label_smoothing and not self.uses_label_smoothing:
            raise ValueError(
                f"label_smoothing={label_smoothing} needs loss='log_loss'; set it to 0 for "
                "another loss."
            )
        self.task = task
        self.label_smoothing = label_smoothing
        self.out_activation = "softmax" if task == "multiclass" else "logistic"

    def _indicators(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Targets as 0 and 1 in the outputs' shape (one-hot for multiclass problems)."""
        if self.task != "multiclass":
            return targets
        return torch.zeros_like(outputs).scatter_(1, targets.unsqueeze(1), 1.0)


class LogLoss(ClassificationLoss):
    """Cross-entropy: minus the logarithm of the target's probability, summed over labels."""

    defines_probabilities = True
    uses_label_smoothing = True

    def _smoothed(self, targets: Tensor) -> Tensor:
        if not self.label_smoothing:
            return targets
        return targets * (1 - self.label_smoothing) + self.label_smoothing / 2

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        if self.task == "multiclass":
            return F.cross_entropy(
                outputs, targets, reduction="none", label_smoothing=self.label_smoothing
            )
        return F.binary_cross_entropy_with_logits(
            outputs, self._smoothed(targets), reduction="none"
        ).sum(1)

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's loss and its gradient, probability minus target."""
        return self.with_gradients(outputs, targets, 1)

    def with_gradients(
        self, outputs: Tensor, targets: Tensor, n_networks: int
    ) -> tuple[Tensor, Tensor]:
        """Return the losses and gradients of several networks."""
        if self.task == "multiclass":
            return self._multiclass_with_gradients(outputs, targets, n_networks)
        n_labels = outputs.shape[1]
        batch = len(outputs) // n_networks
        z = _whole_vectors(outputs.view(n_networks, batch, n_labels), 1)
        y = _whole_vectors(self._smoothed(targets).view(n_networks, batch, n_labels), 1)
        losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")[:, :batch]
        # one label: (networks, batch, 1) -> (networks, batch) without a sum
        losses = losses.squeeze(2) if n_labels == 1 else losses.sum(2)
        gradient = torch.sigmoid(z).sub_(y)[:, :batch]
        return losses.reshape(-1), gradient.reshape(-1, n_labels)

    def _multiclass_with_gradients(
        self, outputs: Tensor, targets: Tensor, n_networks: int
    ) -> tuple[Tensor, Tensor]:
        smoothing, n_classes = self.label_smoothing, outputs.shape[1]
        batch = len(outputs) // n_networks
        # Classes become rows: torch's softmax over few neighbouring numbers takes several times
        # as long.
        columns = outputs.view(n_networks, batch, n_classes).permute(2, 0, 1)
        by_class = _whole_vectors(columns, 2).reshape(n_classes, -1)

        def by_row(columns: Tensor) -> Tensor:
            return columns.view(n_classes, n_networks, -1)[:, :, :batch].permute(1, 2, 0)

        log_probabilities = by_row(torch.log_softmax(by_class, 0))
        column = targets.view(n_networks, batch, 1)
        losses = log_probabilities.gather(2, column).neg_().view(-1)
        if smoothing:
            losses = (1 - smoothing) * losses
            losses -= smoothing * log_probabilities.mean(2).view(-1)
        gradient = by_row(torch.softmax(by_class, 0)).contiguous().view(-1, n_classes)
        column = targets.unsqueeze(1)
        gradient.scatter_add_(
            1, column, gradient.new_full((), smoothing - 1.0).expand(column.shape)
        )
        return losses, gradient.sub_(smoothing / n_classes) if smoothing else gradient


def _whole_vectors(batches: Tensor, dim: int) -> Tensor:
    """Fill batches up with zeros, so that each is a whole number of vectors long."""
    batch = batches.shape[dim]
    padded = -(-batch // VECTOR_NUMBERS) * VECTOR_NUMBERS
    if padded == batch:
        return batches
    shape = list(batches.shape)
    shape[dim] = padded
    filled = batches.new_zeros(shape)
    filled.narrow(dim, 0, batch).copy_(batches)
    return filled


class FocalLoss(ClassificationLoss):
    """Focal loss, ``-(1 - p)^gamma log p`` for the target's probability p.

    With gamma 2 well classified rows weigh little (Lin et al., 2017, arXiv:1708.02002).
    """

    defines_probabilities = True
    gamma: ClassVar[float] = 2.0

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        if self.task == "multiclass":
            log_p = torch.log_softmax(outputs, 1).gather(1, targets.unsqueeze(1))
        else:
            log_p = F.logsigmoid(outputs * (2 * targets - 1))
        return -((1 - log_p.exp()) ** self.gamma * log_p).sum(1)


class BrierLoss(ClassificationLoss):
    """Squared error of the probabilities, summed over classes or labels (Brier score)."""

    defines_probabilities = True

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        return (self.activate(outputs) - self._indicators(outputs, targets)).square().sum(1)


class HingeLoss(ClassificationLoss):
    """Hinge loss ``max(0, 1 - s z)``, s = 1 for the target and -1 for the other classes.

    Multiclass problems sum it over the classes (one against the rest). The outputs are margins,
    not probabilities.
    """

    def __init__(self, task: str, label_smoothing: float = 0.0) -> None:
        super().__init__(task, label_smoothing)
        self.out_activation = "identity"

    def _margins(self, outputs: Tensor, targets: Tensor) -> Tensor:
        signs = 2 * self._indicators(outputs, targets) - 1
        return F.relu(1 - signs * outputs)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        return self._margins(outputs, targets).sum(1)


class SquaredHingeLoss(HingeLoss):
    """The square of the hinge loss, which punishes large violations more."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        return self._margins(outputs, targets).square().sum(1)


# ------------------------------------------------------------------------------- regression


class RegressionLoss(Loss):
    """Base class of the regressors' losses: a loss of each output, summed over outputs.

    The sum, not the mean, so that a learning rate acts on each output as it does alone; it is
    what the gradients of :class:`sklearn.neural_network.MLPRegressor` follow too.
    """

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output, of shape (batch, n_outputs)."""
        raise NotImplementedError

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        return self.elementwise(outputs, targets).sum(1)

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError where the loss is not defined for the targets.

        Parameters
        ----------
        targets : ndarray of shape (n_samples, n_outputs)
            The values to predict.
        """


class SquaredError(RegressionLoss):
    """Half the squared error, ``(p - y)^2 / 2``."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return 0.5 * (outputs - targets).square()

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's loss and its gradient, the residual."""
        residuals = outputs - targets
        return 0.5 * residuals.square().sum(1), residuals

    def with_gradients(
        self, outputs: Tensor, targets: Tensor, n_networks: int
    ) -> tuple[Tensor, Tensor]:
        """Return the losses and gradients of several networks."""
        return self.with_gradient(outputs, targets)  # sums and products are the same anywhere


class AbsoluteError(RegressionLoss):
    """The absolute error ``|p - y|``; the fit is a conditional median."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return (outputs - targets).abs()


class HuberLoss(RegressionLoss):
    """Huber's loss: ``r^2 / 2`` for residuals up to 1, ``|r| - 1/2`` beyond."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return F.huber_loss(outputs, targets, reduction="none", delta=1.0)


class LogCosh(RegressionLoss):
    """``log(cosh(p - y))``, smooth everywhere: r^2 / 2 near zero, |r| - log 2 far away."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        # log cosh r = |r| + log(1 + exp(-2|r|)) - log 2, which cannot overflow
        r = outputs - targets
        return r + F.softplus(-2 * r) - math.log(2)


class PoissonLoss(RegressionLoss):
    """Half the Poisson deviance ``y log(y / p) - y + p`` of the prediction ``p = exp(z)``."""

    out_activation = "exp"

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return torch.xlogy(targets, targets) - targets * outputs - targets + outputs.exp()

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's loss and its gradient, prediction minus target."""
        return self(outputs, targets), outputs.exp().sub_(targets)

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError for negative targets."""
        _require_targets("poisson", "y >= 0", bool((targets >= 0).all()))


class GammaLoss(RegressionLoss):
    """Half the gamma deviance ``log(p / y) + y / p - 1`` of the prediction ``p = exp(z)``."""

    out_activation = "exp"

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return outputs - targets.log() + targets * torch.exp(-outputs) - 1

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError for targets that are not positive."""
        _require_targets("gamma", "y > 0", bool((targets > 0).all()))


class QuantileLoss(RegressionLoss):
    """Pinball loss, whose minimum is the conditional quantile (Koenker and Bassett, 1978).

    Parameters
    ----------
    quantile : float, default=0.5
        Level of the quantile, between 0 and 1.
    """

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        r = targets - outputs
        return torch.maximum(self.quantile * r, (self.quantile - 1) * r)


class MeanAbsolutePercentageError(RegressionLoss):
    """The absolute error as a share of the target, ``|p - y| / |y|``."""

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return (outputs - targets).abs() / targets.abs()

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError where a target is zero."""
        _require_targets("mape", "y different from 0", bool((targets != 0).all()))


class MeanSquaredLogarithmicError(RegressionLoss):
    """Half the squared error of ``log(1 + y)``.

    The network's output is ``log(1 + p)``, so every prediction is above -1 and the gradient
    never vanishes.
    """

    out_activation = "expm1"

    def elementwise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each output."""
        return 0.5 * (outputs - torch.log1p(targets)).square()

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError for targets of -1 or less."""
        _require_targets("msle", "y > -1", bool((targets > -1).all()))


class CosineLoss(RegressionLoss):
    """One minus the cosine of the angle between prediction and target vector."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        return 1 - F.cosine_similarity(outputs, targets, dim=1)

    def check_targets(self, targets: Any) -> None:
        """Raise ValueError for single targets, which have no direction but a sign."""
        _require_targets("cosine", "two or more targets a row", targets.shape[1] > 1)


def _require_targets(loss: str, condition: str, holds: bool) -> None:
    if not holds:
        raise ValueError(f"loss={loss!r} needs {condition}, which the y that was given violates.")


class CallableLoss(Loss):
    """A user's function of outputs and targets.

    Parameters
    ----------
    function : callable
        ``function(outputs, targets)`` returns the loss of each row, of shape (batch,), or of
        each output, of shape (batch, n_outputs), whose sum is taken. A single number, such as
        the mean that most torch losses return, works too, but cannot be weighted. Its attribute
        `out_activation`, if it has one, says what the outputs mean.
    weighted : bool, default=False
        Whether rows have weights, so that a single number is an error.
    """

    def __init__(
        self, function: Callable[[Tensor, Tensor], Tensor], weighted: bool = False
    ) -> None:
        self.function = function
        self.weighted = weighted

    @property
    def out_activation(self) -> str:  # type: ignore[override]
        """What the function declares in an attribute of this name, else "identity"."""
        return declared_activation(self.function)

    @property
    def defines_probabilities(self) -> bool:  # type: ignore[override]
        """Whether the declared activation gives probabilities."""
        return self.out_activation in PROBABILITY_ACTIVATIONS

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, of shape (batch,)."""
        losses = self.function(outputs, targets)
        n_rows = outputs.shape[0]
        if losses.ndim == 0:
            if self.weighted:
                raise ValueError(
                    "loss returned one number for the whole batch, which cannot be weighted by "
                    "sample_weight or class_weight; return one number a row (torch losses do "
                    "with reduction='none')."
                )
            # a mean: the same number for each row has the same mean and the same gradient
            return losses.expand(n_rows)
        if losses.shape not in ((n_rows,), outputs.shape):
            raise ValueError(
                f"loss returned a tensor of shape {tuple(losses.shape)} for outputs of shape "
                f"{tuple(outputs.shape)}; it has to return one number, one a row, or one an output."
            )
        return losses if losses.ndim == 1 else losses.sum(1)


def declared_activation(function: Callable[..., Any]) -> str:
    """Return the output activation that a user's loss declares in its attribute `out_activation`.

    Parameters
    ----------
    function : callable
        The loss.

    Returns
    -------
    str
        Key of `OUTPUT_ACTIVATIONS`; "identity" where nothing is declared.

    Raises
    ------
    ValueError
        If it declares something else.
    """
    declared = getattr(function, "out_activation", "identity")
    if not isinstance(declared, str) or declared not in OUTPUT_ACTIVATIONS:
        raise ValueError(
            f"loss.out_activation={declared!r} is unknown; use one of {sorted(OUTPUT_ACTIVATIONS)}."
        )
    return declared


def _check_callable(function: Callable[..., Any], task: str) -> None:
    """Refuse losses whose outputs or targets are not those of the task."""
    is_multiclass = task == "multiclass"
    problem = {"binary": "two classes", "multilabel": "labels"}.get(task, "several classes")
    fitting = "softmax" if is_multiclass else "logistic"
    declared = declared_activation(function)
    if declared not in ("identity", fitting):
        raise ValueError(
            f"loss.out_activation={declared!r}, but for {problem} it is {fitting!r} or 'identity'."
        )
    if isinstance(function, nn.CrossEntropyLoss | nn.NLLLoss) and not is_multiclass:
        raise ValueError(
            f"loss={function!r} takes a logit for each class, but for {problem} the network has "
            "one for each column of 0 and 1; use 'log_loss', or "
            "torch.nn.BCEWithLogitsLoss(reduction='none')."
        )
    if isinstance(function, nn.BCELoss):
        raise ValueError(
            "loss=BCELoss() takes probabilities, but the network returns logits; use 'log_loss', "
            "or torch.nn.BCEWithLogitsLoss(reduction='none')."
        )


CLASSIFICATION_LOSSES: dict[str, type[ClassificationLoss]] = {
    "log_loss": LogLoss,
    "hinge": HingeLoss,
    "squared_hinge": SquaredHingeLoss,
    "squared_error": BrierLoss,
    "focal": FocalLoss,
}

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


def make_classification_loss(
    loss: str | Callable[..., Tensor],
    task: str,
    *,
    label_smoothing: float = 0.0,
    weighted: bool = False,
) -> Loss:
    """Build a classifier's loss from its name or function.

    Parameters
    ----------
    loss : str or callable
        Key of `CLASSIFICATION_LOSSES`, or a function, see :class:`CallableLoss`.
    task : {"binary", "multiclass", "multilabel"}
        The kind of problem.
    label_smoothing : float, default=0.0
        See :class:`ClassificationLoss`.
    weighted : bool, default=False
        Whether rows have weights.

    Returns
    -------
    Loss
    """
    if isinstance(loss, str):
        return CLASSIFICATION_LOSSES[loss](task, label_smoothing)
    if label_smoothing:
        raise ValueError("label_smoothing needs loss='log_loss'; smooth inside a callable loss.")
    _check_callable(loss, task)
    return CallableLoss(loss, weighted)


def make_regression_loss(
    loss: str | Callable[..., Tensor], *, quantile: float = 0.5, weighted: bool = False
) -> Loss:
    """Build a regressor's loss from its name or function.

    Parameters
    ----------
    loss : str or callable
        Key of `REGRESSION_LOSSES`, or a function, see :class:`CallableLoss`.
    quantile : float, default=0.5
        Level of the quantile loss.
    weighted : bool, default=False
        Whether rows have weights.

    Returns
    -------
    Loss
    """
    if not isinstance(loss, str):
        declared = declared_activation(loss)
        if declared in PROBABILITY_ACTIVATIONS:
            raise ValueError(
                f"loss.out_activation={declared!r} is for classifiers; predictions of a regressor "
                "are 'identity', 'exp' or 'expm1' of the outputs."
            )
        return CallableLoss(loss, weighted)
    if loss == "quantile":
        return QuantileLoss(quantile)
    return REGRESSION_LOSSES[loss]()
