"""Losses of classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from .base import Loss
from .callables import CallableLoss, check_classification


class ClassificationLoss(Loss):
    """Base class of the classifiers' losses; `task` is "binary", "multiclass" or "multilabel".

    Shapes
    ------
    logits : (n, n_classes), targets : (n,) -> (n,)
        For multiclass problems.
    logits : (n, n_labels), targets : (n, n_labels) -> (n,)
        Else; a binary problem has one label.
    """

    uses_label_smoothing: ClassVar[bool] = False

    def __init__(self, task: str, label_smoothing: float = 0.0) -> None:
        if label_smoothing and not self.uses_label_smoothing:
            raise ValueError(
                f"label_smoothing={label_smoothing} needs loss='log_loss'; set it to 0 for "
                "another loss."
            )
        self.task = task
        self.label_smoothing = label_smoothing  # share of a target that is spread over the classes
        self.out_activation = "softmax" if task == "multiclass" else "logistic"

    def _indicators(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return targets as 0 and 1 in the outputs' shape."""
        if self.task != "multiclass":
            return targets
        return torch.zeros_like(outputs).scatter_(1, targets.unsqueeze(1), 1.0)


class LogLoss(ClassificationLoss):
    """Cross-entropy, minus the logarithm of the true label's probability."""

    defines_probabilities = True
    uses_label_smoothing = True

    def _smoothed(self, targets: Tensor) -> Tensor:
        if not self.label_smoothing:
            return targets
        return targets * (1 - self.label_smoothing) + self.label_smoothing / 2

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.task == "multiclass":
            return F.cross_entropy(
                outputs, targets, reduction="none", label_smoothing=self.label_smoothing
            )
        return F.binary_cross_entropy_with_logits(
            outputs, self._smoothed(targets), reduction="none"
        ).sum(1)

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (n,) and gradients (n, n_outputs), probability minus target."""
        if self.task == "multiclass":
            return self._multiclass_with_gradient(outputs, targets)
        y = self._smoothed(targets)
        losses = F.binary_cross_entropy_with_logits(outputs, y, reduction="none")
        losses = losses.squeeze(1) if outputs.shape[1] == 1 else losses.sum(1)
        return losses, torch.sigmoid(outputs).sub_(y)

    def _multiclass_with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        smoothing, n_classes = self.label_smoothing, outputs.shape[1]
        # Classes become rows: torch's softmax over few neighbouring numbers takes several times
        # as long.
        by_class = outputs.T.contiguous()
        log_probabilities = torch.log_softmax(by_class, 0)
        losses = log_probabilities.gather(0, targets.unsqueeze(0)).neg_().view(-1)
        if smoothing:
            losses = (1 - smoothing) * losses
            losses -= smoothing * log_probabilities.mean(0)
        gradient = torch.softmax(by_class, 0).T.contiguous()
        column = targets.unsqueeze(1)
        gradient.scatter_add_(
            1, column, gradient.new_full((), smoothing - 1.0).expand(column.shape)
        )
        return losses, gradient.sub_(smoothing / n_classes) if smoothing else gradient


class FocalLoss(ClassificationLoss):
    """Focal loss ``-(1 - p)^2 log p``: samples with a high p weigh little (Lin et al., 2017)."""

    defines_probabilities = True
    gamma: ClassVar[float] = 2.0  # arXiv:1708.02002

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.task == "multiclass":
            log_p = torch.log_softmax(outputs, 1).gather(1, targets.unsqueeze(1))
        else:
            log_p = F.logsigmoid(outputs * (2 * targets - 1))
        return -((1 - log_p.exp()) ** self.gamma * log_p).sum(1)


class BrierLoss(ClassificationLoss):
    """Squared error of the probabilities (Brier score)."""

    defines_probabilities = True

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (self.activate(outputs) - self._indicators(outputs, targets)).square().sum(1)


class HingeLoss(ClassificationLoss):
    """Hinge loss, one class against the rest; the outputs are margins, not probabilities."""

    def __init__(self, task: str, label_smoothing: float = 0.0) -> None:
        super().__init__(task, label_smoothing)
        self.out_activation = "identity"

    def _margins(self, outputs: Tensor, targets: Tensor) -> Tensor:
        # max(0, 1 - s z), s = 1 for the target and -1 for the other classes
        signs = 2 * self._indicators(outputs, targets) - 1
        return F.relu(1 - signs * outputs)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._margins(outputs, targets).sum(1)


class SquaredHingeLoss(HingeLoss):
    """Hinge loss squared, which punishes large violations more."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._margins(outputs, targets).square().sum(1)


CLASSIFICATION_LOSSES: dict[str, type[ClassificationLoss]] = {
    "log_loss": LogLoss,
    "hinge": HingeLoss,
    "squared_hinge": SquaredHingeLoss,
    "squared_error": BrierLoss,
    "focal": FocalLoss,
}


def make_classification_loss(
    loss: str | Callable[..., Tensor],
    task: str,
    *,
    label_smoothing: float = 0.0,
    weighted: bool = False,
) -> Loss:
    """Return the loss of a name or of a user's function; `weighted` if rows have weights."""
    if isinstance(loss, str):
        return CLASSIFICATION_LOSSES[loss](task, label_smoothing)
    if label_smoothing:
        raise ValueError("label_smoothing needs loss='log_loss'; smooth inside a callable loss.")
    check_classification(loss, task)
    return CallableLoss(loss, weighted)
