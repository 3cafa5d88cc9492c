"""Warnings: the scale of X or y keeps a network from learning; a constant would predict better."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sknn.data import Batch, number_range
from sknn.nn import ClassificationLoss, Loss, weighted_mean

# Beyond these, Adam's default steps of 0.001 are too large for X, and too small for y.
LARGE_INPUTS = 1000.0
LARGE_TARGETS = 1000.0

# Up to here one sum of squares is cheaper than two searches.
FEW_NUMBERS = 10_000

# A loss that is larger than a constant's by this factor is no accident of the rows.
USELESS = 1.05

SCALE_X = "Scale X, for instance with make_pipeline(StandardScaler(), ...)."
SCALE_Y = (
    "Scale y, for instance with TransformedTargetRegressor(..., transformer=StandardScaler())."
)


def warn_of_inputs(X: Any) -> None:
    """Warn of values that networks learn badly from."""
    if exceeds(X.data if sparse.issparse(X) else X, LARGE_INPUTS):
        warnings.warn(
            f"X has values beyond {LARGE_INPUTS:,.0f}, and networks learn badly from large "
            f"numbers. {SCALE_X}",
            stacklevel=2,
        )


def warn_of_targets(targets: np.ndarray) -> None:
    """Warn of targets that a network with its small initial outputs needs long to reach."""
    if exceeds(targets, LARGE_TARGETS):
        warnings.warn(
            f"y has values beyond {LARGE_TARGETS:,.0f}, and networks take long to reach large "
            f"numbers. {SCALE_Y}",
            stacklevel=2,
        )


def exceeds(values: np.ndarray, limit: float) -> bool:
    """Say whether a number is beyond a limit, in absolute terms."""
    is_small = values.dtype.kind == "f" and values.size <= FEW_NUMBERS
    if is_small and float(np.vdot(values, values)) <= limit**2:  # their length as one vector
        return False
    return largest_magnitude(values) > limit


def largest_magnitude(values: np.ndarray) -> float:
    """Return the largest absolute value; 0 for types that have none beyond 255."""
    kind = values.dtype
    if not values.size or kind.kind == "b" or (kind.kind in "iu" and kind.itemsize == 1):
        return 0.0
    low, high = number_range(values)
    return max(-low, high)


def warn_if_useless(
    loss: Loss,
    batch: Batch,
    outputs: Tensor,
    answers: tuple[Tensor, Tensor | None],
    *,
    scales_data: bool,
) -> None:
    """Warn of a network that a constant prediction beats on a batch of the training rows.

    `answers` are targets and weights of all training rows. `scales_data` says whether the family
    scales X and y.
    """
    if not len(batch.targets) or not batch.weight_sum:
        return

    def mean_loss(outputs: Tensor) -> float:
        losses = loss(outputs, batch.targets)
        weights = batch.sample_weight
        return float(losses.mean() if weights is None else (losses * weights).sum() / weights.sum())

    # not every device has float64
    targets, weights = answers[0].cpu(), None if answers[1] is None else answers[1].cpu()
    if bool((targets == targets[0]).all()):  # a constant is all that there is to learn
        return
    constants = constant_outputs(loss, outputs.shape[1], targets, weights)
    best = min(mean_loss(each.to(outputs).expand_as(outputs)) for each in constants)
    reached = mean_loss(outputs)
    if reached - best > (USELESS - 1) * abs(best):  # likelihoods may be negative
        scaling = "Scale X and y, for instance with StandardScaler, train"
        warnings.warn(
            "The network predicts worse than a constant would: its loss on training rows is "
            f"{reached:.3g}, that of the best constant {best:.3g}. "
            f"{'Train' if scales_data else scaling} longer (max_iter), or change "
            "learning_rate_init.",
            ConvergenceWarning,
            stacklevel=2,
        )


def constant_outputs(
    loss: Loss, n_outputs: int, targets: Tensor, weights: Tensor | None
) -> list[Tensor]:
    """Return outputs that predict the classes' shares, or what a regression loss names."""
    if isinstance(loss, ClassificationLoss):
        if loss.task == "multiclass":
            counts = torch.bincount(targets, weights, minlength=n_outputs).double()
            logits = (counts / counts.sum()).clamp(min=1e-12).log()
        else:
            shares = weighted_mean(targets, weights).clamp(1e-12, 1 - 1e-12)
            logits = torch.logit(shares)
        margins = torch.where(logits == logits.max(), 1.0, -1.0)
        if loss.task != "multiclass":
            margins = logits.sign()
        return [logits, margins]
    return loss.constants(targets, weights)  # type: ignore[attr-defined]
