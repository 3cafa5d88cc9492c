"""Networks of the user's as generators and discriminators."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn.estimators._modules import build_user_module, try_module
from sknn.nn import AdversarialNetwork, LayerTrace, trace_layers
from sknn.nn.generation import LabelledLayers

TRIED_ROWS = 2


class Labelled(nn.Module):
    """A network called with batches of rows, one after the other, and the labels of all."""

    def __init__(self, network: nn.Module, encoded: np.ndarray) -> None:
        super().__init__()
        self.network = network
        self.labels = torch.from_numpy(encoded)
        self.n_done = 0

    def forward(self, X: Tensor) -> Tensor:
        labels = self.labels[self.n_done : self.n_done + len(X)].to(X.device)
        self.n_done += len(X)
        return self.network(X, labels)


def is_sizes(given: Any) -> bool:
    """Say whether a network is given as sizes of hidden layers."""
    if isinstance(given, np.ndarray):
        return given.dtype.kind in "iu" and given.ndim == 1
    return isinstance(given, list | tuple) and all(isinstance(each, Integral) for each in given)


def build_given(name: str, given: Any, arguments: dict[str, Any]) -> nn.Module:
    """Return the network that the parameter of a name stands for, if it is no list of sizes."""
    if isinstance(given, list | tuple):
        if not all(isinstance(each, nn.Module) for each in given):
            kinds = sorted({type(each).__name__ for each in given})
            raise TypeError(
                f"{name} is a list of {', '.join(kinds)}; sizes of hidden layers or torch layers "
                "are needed."
            )
        layers = build_user_module(nn.Sequential(*given), arguments, name)
        n_classes = arguments["n_classes"]
        return LabelledLayers(layers, n_classes) if n_classes else layers
    return build_user_module(given, arguments, name)


def try_networks(network: AdversarialNetwork, shape: tuple[int, ...], n_classes: int) -> None:
    """Refuse networks of the user's that return other shapes than they have to."""
    labels = [torch.zeros(TRIED_ROWS, dtype=torch.int64)] if n_classes else []
    noise = torch.zeros(TRIED_ROWS, network.latent_size)
    samples = try_module(network.generator, "generator", noise, *labels)
    samples = _check_shape(samples, shape, "generator")
    logits = try_module(network.discriminator, "discriminator", samples, *labels)
    _check_shape(logits, (1,), "discriminator")


def _check_shape(outputs: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    """Refuse outputs that are not (n, *shape)."""
    if outputs.shape != (TRIED_ROWS, *shape):
        raise ValueError(
            f"{name} returned outputs of shape {tuple(outputs.shape)} for {TRIED_ROWS} inputs; "
            f"shape {(TRIED_ROWS, *shape)} is needed."
        )
    return outputs


def trace_network(
    name: str, network: nn.Module, inputs: Tensor, n_classes: int
) -> list[LayerTrace]:
    """Return the layers of a network of a name in the order of calls, run on one row (1, ...)."""
    labelled = Labelled(network, np.zeros(1, np.int64)) if n_classes else nn.Sequential(network)
    traces = trace_layers(labelled, inputs)
    # behind the name of the network within the one that is run
    return [
        replace(each, name=f"{name}.{each.name.partition('.')[2]}".rstrip(".")) for each in traces
    ]
