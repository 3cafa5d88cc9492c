"""Layers over series that can be traced for any number of steps.

torch traces its own recurrent layers step by step, and so for one number of steps only. Here they
stand in the graph as one operation each, of a library of their own, which becomes torch's own
operation or ONNX's when the graph is complete.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F

from sknn.nn import SeriesConvolution

LIBRARY = "sknn_export"

# The modes of torch's layers, which are also the names of its operations.
MODES = ("rnn_tanh", "rnn_relu", "gru", "lstm")


class TraceableConvolution(nn.Module):
    """A convolution of images of height 1, without padding, as one of series."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        # with images torch would decide from the number of steps how they lie in memory
        self.weight, self.bias = convolution.weight, convolution.bias
        self.stride = convolution.stride[1]

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, 1, steps) to (batch, filters, 1, steps')."""
        weight = self.weight.squeeze(2)
        return F.conv1d(images.squeeze(2), weight, self.bias, self.stride).unsqueeze(2)


class TraceableRecurrence(nn.Module):
    """Recurrent layers of torch's, without dropout, whose states are as wide as they are hidden."""

    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.layers = layers
        self.operation = operations()[layers.mode.lower()]

    def __getattr__(self, name: str) -> Any:
        """Let modules of the user's ask for the layers' sizes."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layers"), name)

    def forward(self, series: Tensor, start: Any = None) -> tuple[Tensor, Any]:
        """Return the states at all steps, and the last ones, as torch's layers do."""
        layers = self.layers
        if start is None:
            n_states = layers.num_layers * (2 if layers.bidirectional else 1)
            batch = series.shape[0 if layers.batch_first else 1]
            zeros = series.new_zeros(n_states, batch, layers.hidden_size)
            start = (zeros, zeros) if layers.mode == "LSTM" else zeros
        weights = [weight for layer in layers.all_weights for weight in layer]
        states, *ends = self.operation(
            series,
            list(start) if isinstance(start, tuple) else start,
            weights,
            layers.bias,
            layers.num_layers,
            0.0,  # dropout
            False,  # training
            layers.bidirectional,
            layers.batch_first,
        )
        return states, tuple(ends) if layers.mode == "LSTM" else ends[0]


@cache
def operations() -> dict[str, Any]:
    """Return the operations, by torch's names for them."""
    library = torch.library.Library(LIBRARY, "DEF")
    for name in MODES:
        signature = str(_original(name)._schema).partition("(")[2]
        library.define(f"{name}({signature}")
        library.impl(name, _original(name), "CompositeExplicitAutograd")
        torch.library.register_fake(f"{LIBRARY}::{name}", _shapes, lib=library)
    _LIBRARIES.append(library)
    return {name: getattr(getattr(torch.ops, LIBRARY), name).default for name in MODES}


# a library that is deleted takes its operations with it
_LIBRARIES: list[Any] = []


def _original(name: str) -> Any:
    return getattr(torch.ops.aten, name).input


def _shapes(
    series: Tensor,
    start: Any,
    weights: Any,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """Return empty results of the right shapes."""
    starts = start if isinstance(start, list | tuple) else [start]
    width = starts[0].shape[2] * (2 if bidirectional else 1)
    states = series.new_empty(*series.shape[:2], width)
    return states, *(torch.empty_like(each) for each in starts)


def fewest_steps(network: nn.Module) -> int:
    """Return how many steps leave at least two of them, for one is a special case to torch."""
    layers = (layer for layer in network.modules() if isinstance(layer, SeriesConvolution))
    return math.prod(layer.stride for layer in layers) + 1


def traceable(network: nn.Module) -> nn.Module:
    """Replace recurrent layers and a stem's convolutions by traceable ones, in place."""
    for module in list(network.modules()):
        if isinstance(module, SeriesConvolution):
            module.conv = TraceableConvolution(module.conv)
        for name, child in list(module.named_children()):
            if isinstance(child, nn.RNNBase) and not child.proj_size:
                setattr(module, name, TraceableRecurrence(child))
    return network


def with_own_operations(program: ExportedProgram) -> ExportedProgram:
    """Put torch's recurrent operations back into a traced program, which then runs without sknn."""
    originals = {operation: _original(name) for name, operation in operations().items()}
    for node in program.graph.nodes:
        node.target = originals.get(node.target, node.target)
    program.graph_module.recompile()
    return program
