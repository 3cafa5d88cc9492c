"""Networks put together layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from .activations import find_activation
from .layers import Dropout, Linear, normalization_1d


class NetworkBuilder:
    """Collects named `layers`, without those that do nothing."""

    def __init__(self) -> None:
        self.layers = nn.Sequential()

    def add(self, name: str, layer: nn.Module) -> None:
        """Append a layer, unless it is an identity."""
        if not isinstance(layer, nn.Identity):
            self.layers.add_module(name, layer)

    def add_dropout(self, name: str, rate: float) -> None:
        """Append dropout, unless its rate is 0."""
        self.add(name, Dropout(rate) if rate else nn.Identity())

    def add_dense_part(
        self,
        width: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        activations: Sequence[Any],
        dropout: Sequence[float],
        normalization: str | None,
    ) -> None:
        """Append hidden dense layers and the linear output, (n, width) -> (n, n_outputs)."""
        widths = [width, *hidden_layer_sizes]
        for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
            self.add(f"dense{i + 1}", Linear(fan_in, fan_out))
            self.add(f"dense_norm{i + 1}", normalization_1d(normalization, fan_out))
            self.add(f"dense_activation{i + 1}", find_activation(activations[i]).module())
            self.add_dropout(f"dense_dropout{i + 1}", dropout[i])
        self.add("output", Linear(widths[-1], n_outputs))

    def add_head(
        self,
        width: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        activation: Any,
        dropout: float,
        normalization: str | None,
    ) -> None:
        """Append dropout and a dense part of equal layers, (n, width) -> (n, n_outputs)."""
        n_hidden = len(hidden_layer_sizes)
        self.add_dropout("dropout", dropout)
        self.add_dense_part(
            width,
            hidden_layer_sizes,
            n_outputs,
            activations=[activation] * n_hidden,
            dropout=[dropout] * n_hidden,
            normalization=normalization,
        )
