"""The average of several networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


def mixture_of_normals(outputs: Tensor) -> Tensor:
    """Average normal distributions: the mean, and the logarithm of the variance, of their mixture.

    Its variance is the mean of the variances plus the variance of the means.
    """
    means, log_variances = outputs.chunk(2, 2)
    spread = means.var(0, correction=0)
    return torch.cat([means.mean(0), torch.log(log_variances.exp().mean(0) + spread)], 1)


# For each output activation of the losses: from the raw outputs of all networks, of shape
# (networks, batch, n_outputs), to raw outputs of the average, of shape (batch, n_outputs). They
# work with logarithms, so that probabilities too small for a float still count.
AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda outputs: outputs.mean(0),
    "softmax": log_mean_of_softmax,
    "logistic": logit_of_mean_probability,
    "exp": log_mean_of_exponentials,
    "expm1": log_mean_of_exponentials,
    "gaussian": mixture_of_normals,
}


def average_outputs(outputs: Tensor, out_activation: str) -> Tensor:
    """Return raw outputs of the average of networks, (n_networks, n, n_outputs) -> (n, n_outputs).

    The output activation makes of them the mean of what it makes of the networks' outputs.
    """
    if outputs.dtype == torch.bfloat16:  # too coarse for sums
        outputs = outputs.float()
    return AVERAGES[out_activation](outputs)


def encode_alike(networks: Iterable[nn.Module]) -> bool:
    """Return whether networks have encoders of equal statistics."""
    encoders = [getattr(network, "input_encoder", None) for network in networks]
    return None not in encoders and len({encoder.fixed_key() for encoder in encoders}) == 1  # type: ignore[union-attr]


def outputs_of_each(
    networks: Iterable[nn.Module], inputs: Sequence[Any], encode_alike: bool
) -> list[Tensor]:
    """Return the outputs (n, n_outputs) of networks; what their encoders share is done once."""
    if not encode_alike:
        return [network(*inputs) for network in networks]
    (X,) = inputs
    fixed = next(iter(networks)).input_encoder.encode_fixed(X)  # type: ignore[union-attr, operator]
    return [network(X, fixed) for network in networks]


class EnsembleNetwork(nn.Module):
    """Several networks whose probabilities or predictions are averaged (they are held, not copied).

    The average is an equally weighted mixture (Lakshminarayanan et al., 2017, arXiv:1612.01474).
    It is returned as raw outputs like those of one network: the output activation makes of them
    the mean of what it makes of the networks' outputs.

    Shapes
    ------
    inputs : of each network -> (n, n_outputs)
    """

    def __init__(self, networks: Iterable[nn.Module], out_activation: str) -> None:
        super().__init__()
        if out_activation not in AVERAGES:
            raise ValueError(
                f"out_activation={out_activation!r} is unknown; use one of {sorted(AVERAGES)}."
            )
        self.networks = nn.ModuleList(networks)
        self.out_activation = out_activation
        self._encode_alike = encode_alike(self.networks)

    def forward(self, *inputs: Any) -> Tensor:
        outputs = outputs_of_each(self.networks, inputs, self._encode_alike)
        return average_outputs(torch.stack(outputs), self.out_activation)

    def extra_repr(self) -> str:
        return f"out_activation={self.out_activation!r}"


class SideBySide(nn.Module):
    """The outputs of several networks (they are held, not copied) in columns beside each other.

    Shapes
    ------
    inputs : of each network -> (n, n_networks * n_outputs)
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._encode_alike = encode_alike(self.networks)

    def forward(self, *inputs: Any) -> Tensor:
        return torch.cat(outputs_of_each(self.networks, inputs, self._encode_alike), 1)
