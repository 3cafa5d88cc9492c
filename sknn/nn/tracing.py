"""What each layer of a network returns, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerTrace:
    """One layer in one pass through a network.

    Attributes
    ----------
    name : str
        Name in the network, as in ``named_modules``.
    layer : torch.nn.Module
        The layer.
    output : Tensor
        What it returned; the first of several tensors (a recurrent layer's states at all steps).
    """

    name: str
    layer: nn.Module
    output: Tensor

    @property
    def n_parameters(self) -> int:
        """Number of trainable parameters of the layer itself."""
        return sum(p.numel() for p in self.layer.parameters(recurse=False) if p.requires_grad)

    @property
    def multiplications(self) -> int:
        """Multiplications that the layer's weights take part in, for all samples together."""
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
    """Run a network in evaluation mode and list its layers in the order of their calls.

    Parameters
    ----------
    module : torch.nn.Module
        The network; its mode is put back afterwards.
    batch : Tensor of shape (n_samples, ...)
        What it gets.

    Returns
    -------
    list of LayerTrace
        The layers without children that were called and returned a tensor, or a tuple that begins
        with one; one that is called twice is there twice.

    Examples
    --------
    >>> import torch
    >>> from sknn.nn import DenseNetwork, trace_layers
    >>> layers = trace_layers(DenseNetwork(4, (8,), 3), torch.zeros(1, 4))
    >>> [(each.name, tuple(each.output.shape)) for each in layers]
    [('layers.0', (1, 8)), ('layers.1', (1, 8)), ('layers.2', (1, 3))]
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
