"""What all losses have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

OUTPUT_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "softmax": lambda z: torch.softmax(z, dim=1),
    "logistic": torch.sigmoid,
    "exp": torch.exp,
    "expm1": torch.expm1,
}
PROBABILITY_ACTIVATIONS = ("softmax", "logistic")


class Loss:
    """Base class: from raw outputs and targets to one number a row.

    Shapes
    ------
    outputs : (n, n_outputs), targets : (n,) or (n, n_outputs) -> (n,)
        Targets are class indices of shape (n,) for multiclass problems, else floats of the
        outputs' shape: 0 or 1 for the one logit of a binary problem and for each label of a
        multilabel one, values for regression.
    """

    out_activation: str = "identity"  # key of OUTPUT_ACTIVATIONS
    defines_probabilities: bool = False  # whether a classifier has `predict_proba`
    # In what units an estimator that scales y gives it to the loss: "deviation", as many standard
    # deviations from the mean, "mean", as a multiple of the mean magnitude, None, as it is.
    target_unit: ClassVar[str | None] = None
    predicts_targets: ClassVar[bool] = False  # whether `activate` gives predictions of y itself
    outputs_per_target: int = 1
    is_scaled: ClassVar[bool] = False  # whether every estimator gives it y in its `target_unit`

    @property
    def is_in_units_of_targets(self) -> bool:
        """Whether the outputs are predictions in the targets' units; links change the unit."""
        return self.out_activation == "identity"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        raise NotImplementedError

    def with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses (n,) and new gradients (n, n_outputs), which the caller may overwrite.

        Losses override it where the gradient has a closed form that costs less than autograd.
        """
        with torch.enable_grad():
            variables = outputs.detach().requires_grad_()
            losses = self(variables, targets)
            (gradient,) = torch.autograd.grad(losses.sum(), variables)
        return losses.detach(), gradient

    def activate(self, outputs: Tensor) -> Tensor:
        """Turn raw outputs into probabilities or predictions, both of shape (n, n_outputs).

        Predictions of losses with several outputs a target are (n, n_targets) or (n, n_targets, k).
        """
        return OUTPUT_ACTIVATIONS[self.out_activation](outputs)

    def point(self, outputs: Tensor) -> Tensor:
        """Return one prediction a target, (n, n_targets), which R2 is of."""
        return self.activate(outputs)


def describe_losses(losses: Mapping[str, type[Loss]]) -> str:
    """Return a list for users: each name with the first line of its class's docstring."""
    firsts = {name: (cls.__doc__ or "").partition("\n")[0] for name, cls in losses.items()}
    return "\n".join(
        textwrap.fill(f'- "{name}": {text}', 92, subsequent_indent="  ")
        for name, text in firsts.items()
    )
