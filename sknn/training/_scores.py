"""Accuracy and R2 from tensors, as :mod:`sklearn.metrics` defines them.

They are computed on the device after every epoch, where scikit-learn's own functions would cost
more than an epoch of a small network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# decisions and targets -> score
Score = Callable[[Tensor, Tensor, "Tensor | None"], float]


def decide_multiclass(outputs: Tensor) -> Tensor:
    """Index of the largest output of each row, of shape (batch,)."""
    return outputs.argmax(1)


def decide_labels(outputs: Tensor) -> Tensor:
    """Whether each logit is positive, of shape (batch, n_labels)."""
    return outputs > 0


def accuracy(decisions: Tensor, targets: Tensor, sample_weight: Tensor | None) -> float:
    """Return the share of rows of decisions (n,) or (n, n_labels) that are right in every label."""
    right = decisions == targets
    if right.ndim == 2:
        right = right.all(1)
    if sample_weight is None:
        return float(right.sum()) / len(right)
    return float((right * sample_weight).sum() / sample_weight.sum())


def accuracies(decisions: Tensor, targets: Tensor, n_samples: Sequence[int]) -> list[float]:
    """Return the accuracy of k networks; of the n rows (k, n, ...) each has its `n_samples`."""
    right = decisions == targets
    if right.ndim == 3:
        right = right.all(2)
    n_others = [right.shape[1] - n for n in n_samples]
    counts = zip(right.sum(1).tolist(), n_others, n_samples, strict=True)
    return [(count - others) / n for count, others, n in counts]


def r2(predictions: Tensor, targets: Tensor, sample_weight: Tensor | None) -> float:
    """Return R2 of predictions (n, n_outputs), averaged over outputs."""
    if sample_weight is None:
        mean = targets.mean(0)
        residual = (targets - predictions).square().sum(0)
        total = (targets - mean).square().sum(0)
    else:
        weights = sample_weight.unsqueeze(1)
        mean = (targets * weights).sum(0) / weights.sum()
        residual = ((targets - predictions).square() * weights).sum(0)
        total = ((targets - mean).square() * weights).sum(0)
    scores = 1 - residual / total
    scores = torch.where(total == 0, (residual == 0).to(scores.dtype), scores)
    return float(torch.where(residual.isfinite(), scores, torch.nan).mean())


def explained(errors: Tensor, variance: float, sample_weight: Tensor | None) -> float:
    """Return one minus the mean of squared errors (n,), as a share of the variance."""
    if sample_weight is None:
        return 1 - float(errors.mean()) / variance
    return 1 - float((errors * sample_weight).sum() / sample_weight.sum()) / variance
