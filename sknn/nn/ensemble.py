"""The average of several networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mean_of_values(outputs: Tensor) -> Tensor:
    """Average outputs that are predictions themselves, or decisions."""
    return outputs.mean(0)


def log_mean_of_exponentials(outputs: Tensor) -> Tensor:
    """Average predictions ``exp(z)``; those of ``exp(z) - 1`` have the same average z."""
    return torch.logsumexp(outputs, 0) - math.log(len(outputs))


def log_mean_of_softmax(outputs: Tensor) -> Tensor:
    """Average the classes' probabilities; returns their logarithms."""
    return log_mean_of_exponentials(torch.log_softmax(outputs, 2))


def logit_of_mean_probability(outputs: Tensor) -> Tensor:
    """Average probabilities of yes, each output by itself; returns ``log p - log(1 - p)``."""
    log_yes = torch.logsumexp(F.logsigmoid(outputs), 0)
    return log_yes - torch.logsumexp(F.logsigmoid(-outputs), 0)


# For each output activation of the losses: from the raw outputs of all networks, of shape
# (networks, batch, n_outputs), to raw outputs of the average, of shape (batch, n_outputs). They
# work with logarithms, so that probabilities too small for a float still count.
AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": mean_of_values,
    "softmax": log_mean_of_softmax,
    "logistic": logit_of_mean_probability,
    "exp": log_mean_of_exponentials,
    "expm1": log_mean_of_exponentials,
}


class EnsembleNetwork(nn.Module):
    """Several networks whose probabilities or predictions are averaged.

    The average is an equally weighted mixture (Lakshminarayanan et al., 2017,
    arXiv:1612.01474). It is returned as raw outputs like those of one network: the output
    activation makes of them the mean of what it makes of the networks' outputs.

    Parameters
    ----------
    networks : iterable of torch.nn.Module
        Networks that take the same inputs and return raw outputs of the same shape. They are
        held, not copied.
    out_activation : {"identity", "softmax", "logistic", "exp", "expm1"}
        The output activation that stands behind the networks, and behind this one.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sknn.nn import EnsembleNetwork
    >>> always, never = (nn.Linear(1, 1) for _ in range(2))
    >>> _ = nn.init.constant_(always.bias, 100), nn.init.constant_(never.bias, -100)
    >>> ensemble = EnsembleNetwork([always, never], "logistic")
    >>> torch.sigmoid(ensemble(torch.zeros(1, 1))).item()
    0.5
    """

    def __init__(self, networks: Iterable[nn.Module], out_activation: str) -> None:
        super().__init__()
        if out_activation not in AVERAGES:
            raise ValueError(
                f"out_activation={out_activation!r} is unknown; use one of {sorted(AVERAGES)}."
            )
        self.networks = nn.ModuleList(networks)
        self.out_activation = out_activation

    def forward(self, *inputs: Any) -> Tensor:
        """Return raw outputs of the average, of shape (batch, n_outputs)."""
        outputs = torch.stack([network(*inputs) for network in self.networks])
        if outputs.dtype == torch.bfloat16:  # too coarse for sums
            outputs = outputs.float()
        return AVERAGES[self.out_activation](outputs)

    def extra_repr(self) -> str:
        """Name the output activation where the network is printed."""
        return f"out_activation={self.out_activation!r}"
