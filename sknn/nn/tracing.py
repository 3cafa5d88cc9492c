"""What each layer of a network returns, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerTrace:
    """One layer in one pass through a network."""

    name: str  # as in `named_modules`
    layer: nn.Module
    output: Tensor  # the first of several (a recurrent layer's states at all steps)

    @property
    def n_parameters(self) -> int:
        """Return the number of trainable parameters of the layer itself."""
        return sum(p.numel() for p in self.layer.parameters(recurse=False) if p.requires_grad)

    @property
    def multiplications(self) -> int:
        """Return how many multiplications its weights take part in, for all samples together."""
        if isinstance(self.layer, nn.RNNBase):  # all of its weights are used once a step
            n_steps = self.output.numel() // self.output.shape[-1]
            return n_steps * sum(p.numel() for p in self.layer.parameters() if p.ndim == 2)
        weight = getattr(self.layer, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim < 2:
            return 0
        # a weight (filters, channels, ...) is used once for each number of a filter's output
        return self.output.numel() * weight[0].numel()


@torch.no_grad()
def trace_layers(module: nn.Module, batch: Tensor) -> list[LayerTrace]:
    """Run a network in evaluation mode on (n, ...); return its layers in the order of calls.

    Listed are layers without children that return a tensor, or a tuple that begins with one.
    """
    traces: list[LayerTrace] = []

    def remember(name: str) -> object:
        def hook(layer: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, tuple) and output:
                output = output[0]
            if isinstance(output, Tensor):
                traces.append(LayerTrace(name, layer, output))

        return hook

    handles = [
        layer.register_forward_hook(remember(name))
        for name, layer in module.named_modules()
        if not any(layer.children())
    ]
    was_training = module.training
    try:
        module.eval()(batch)
    finally:
        module.train(was_training)
        for handle in handles:
            handle.remove()
    return traces
