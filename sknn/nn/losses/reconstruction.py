"""Losses of autoencoders."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .base import Loss

# what users read of each
LIKELIHOODS = {
    "squared_error": "Half the squared error.",
    "log_loss": "Binary cross-entropy, for X from 0 to 1, which reconstructions stay within.",
}


class ReconstructionLoss(Loss):
    """What a reconstruction costs, summed over columns, and what is asked of the code.

    A "sparse" code costs `strength` times the sum of its absolute values, a "variational" one
    `strength` times the Kullback-Leibler divergence of its normal distribution from the standard
    one, ``(mean^2 + variance - 1 - log(variance)) / 2`` summed over components (Kingma and
    Welling, 2014).

    Shapes
    ------
    outputs : (n, n_columns + n_told), targets : (n, n_columns) -> (n,)
        See :class:`sknn.nn.AutoencoderNetwork`.
    """

    def __init__(
        self, likelihood: str, n_columns: int, kind: str = "plain", strength: float = 1.0
    ) -> None:
        self.likelihood = likelihood
        self.n_columns = n_columns
        self.kind = kind
        self.strength = strength
        self.out_activation = "logistic" if likelihood == "log_loss" else "identity"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        losses = self.reconstruction(outputs, targets)
        if self.kind == "plain":
            return losses
        return losses + self.strength * self.penalty(outputs)

    def reconstruction(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return what reconstructions cost (n,)."""
        decoded = outputs[:, : self.n_columns]
        if self.likelihood == "squared_error":
            return 0.5 * (decoded - targets).square().sum(1)
        return F.binary_cross_entropy_with_logits(decoded, targets, reduction="none").sum(1)

    def penalty(self, outputs: Tensor) -> Tensor:
        """Return what codes cost (n,), for a strength of 1."""
        told = outputs[:, self.n_columns :]
        if self.kind == "sparse":
            return told.abs().sum(1)
        mean, log_variance = told.chunk(2, 1)
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)

    def activate(self, outputs: Tensor) -> Tensor:
        """Return reconstructions (n, n_columns)."""
        return super().activate(outputs[:, : self.n_columns])
