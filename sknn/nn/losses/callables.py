"""Losses of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .base import OUTPUT_ACTIVATIONS, PROBABILITY_ACTIVATIONS, Loss


class CallableLoss(Loss):
    """A user's function, whose attribute `out_activation`, if it has one, says what outputs mean.

    Shapes
    ------
    outputs : (n, n_outputs), targets : (n,) or (n, n_outputs) -> (n,)
        The function returns the same, or the loss of each output, (n, n_outputs), which is
        summed, or one number, such as a mean, which cannot be `weighted`.
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
    """Return the key of `OUTPUT_ACTIVATIONS` that a user's loss declares, else "identity"."""
    declared = getattr(function, "out_activation", "identity")
    if not isinstance(declared, str) or declared not in OUTPUT_ACTIVATIONS:
        raise ValueError(
            f"loss.out_activation={declared!r} is unknown; use one of {sorted(OUTPUT_ACTIVATIONS)}."
        )
    return declared


def check_classification(function: Callable[..., Any], task: str) -> None:
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


def check_regression(function: Callable[..., Any]) -> None:
    """Refuse losses whose outputs are probabilities."""
    declared = declared_activation(function)
    if declared in PROBABILITY_ACTIVATIONS:
        raise ValueError(
            f"loss.out_activation={declared!r} is for classifiers; predictions of a regressor "
            "are 'identity', 'exp' or 'expm1' of the outputs."
        )
