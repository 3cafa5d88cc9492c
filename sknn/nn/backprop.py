"""Backpropagation written out, for plain dense networks.

Autograd records every operation, allocates every gradient anew and hands the optimiser one tensor
a layer; on networks of course size that costs more than the arithmetic. Here the gradients are
matrix products into one flat buffer, so that the optimiser, the L2 penalty and a copy of the
weights are one operation each.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .dense import DenseNetwork
from .layers import dropout_factors
from .losses import Loss
from .sparse import transposed_csr


class DenseBackprop:
    """Loss and gradients of a plain :class:`DenseNetwork` without autograd.

    The network's parameters become views of one flat tensor, weights first, then biases:

    =============  ======================================================
    `parameters`   ``[theta]``, theta of shape (n_parameters,)
    `gradients`    ``[gradient]``, of the same shape
    `weights`      ``[theta[:n_weights]]``, what the L2 penalty acts upon
    =============  ======================================================

    Shapes
    ------
    X : (n, n_features), targets : of the loss -> outputs : (n, n_outputs), loss_sum : ()
        X is dense or sparse CSR.
    """

    def __init__(
        self, network: DenseNetwork, loss: Loss, compute_dtype: torch.dtype | None = None
    ) -> None:
        self.loss = loss
        self.activations = network.activations
        self.dropout_rates = network.dropout_rates
        linear_layers = network.linear_layers
        self._tensors = flat_order(network)
        self.n_layers = len(linear_layers)
        self.n_weights = sum(layer.weight.numel() for layer in linear_layers)
        theta = torch.cat([tensor.detach().reshape(-1) for tensor in self._tensors])
        # A Parameter, because a torch optimiser takes nothing else.
        self.theta = nn.Parameter(theta)
        self.parameters: list[Tensor] = [self.theta]
        # optimisers keep these lists, so `bind` changes what is in them
        self.gradients: list[Tensor] = []
        self.weights: list[Tensor] = []
        self.weight_gradients: list[Tensor] = []
        self.bind(theta, torch.zeros_like(theta))
        # with torch.bfloat16, weights and gradients stay float32 (mixed precision)
        self.compute_dtype = compute_dtype or theta.dtype
        self._is_mixed = self.compute_dtype != theta.dtype

    def bind(self, theta: Tensor, gradient: Tensor) -> None:
        """Keep parameters and gradients in two tensors (n_parameters,); `theta` sets values."""
        values, gradients = self._views(theta), self._views(gradient)
        for parameter, value, parameter_gradient in zip(
            self._tensors, values, gradients, strict=True
        ):
            parameter.data = value
            parameter.grad = parameter_gradient
        n_layers = self.n_layers
        self._layer_weights, self._layer_biases = values[:n_layers], values[n_layers:]
        self._weight_gradients, self._bias_gradients = gradients[:n_layers], gradients[n_layers:]
        self.theta.data = theta
        self.theta.grad = gradient
        self.gradients[:] = [gradient]
        self.weights[:] = [theta[: self.n_weights]]
        self.weight_gradients[:] = [gradient[: self.n_weights]]

    def _views(self, flat: Tensor) -> list[Tensor]:
        """Cut a flat tensor into views with the shapes of the network's parameters."""
        return cut(flat, [tuple(tensor.shape) for tensor in self._tensors])

    @property
    def layer_shapes(self) -> list[tuple[int, int]]:
        """Return the shapes of the weights, (fan_out, fan_in), first layer first."""
        return [(weight.shape[0], weight.shape[1]) for weight in self._layer_weights]

    def views_like(self, flat: Tensor, tensors: list[Tensor]) -> list[Tensor]:
        """Cut a flat tensor into views, in the order of some of the network's parameters."""
        views = {id(own): view for own, view in zip(self._tensors, self._views(flat), strict=True)}
        return [views[id(tensor)] for tensor in tensors]

    @staticmethod
    def binds(module: nn.Module) -> bool:
        """Say whether a module's parameters can be one tensor: those of a plain DenseNetwork."""
        if type(module) is not DenseNetwork or not module.is_plain:
            return False
        parameters = list(module.parameters())
        # a layer that is pruned or normalized has others, of which it makes its weights
        return {id(each) for each in parameters} == {id(each) for each in flat_order(module)} and (
            all(parameter.requires_grad for parameter in parameters)
        )

    @classmethod
    def supports(cls, module: nn.Module) -> bool:
        """Say whether this works for a module: one that it binds, of known derivatives."""
        return cls.binds(module) and all(
            activation.backward is not None
            for activation in module.activations  # type: ignore[union-attr]
        )

    def __call__(
        self, X: Tensor, targets: Tensor, sample_weight: Tensor | None, weight_sum: float
    ) -> tuple[Tensor, Tensor]:
        """Write the gradients of a batch's mean loss; return its outputs and the sum of its losses.

        Call it under :func:`torch.no_grad`. The gradients are divided by `weight_sum`, which is
        the batch's length where there are no weights.
        """
        weights, biases = self._cast_layers()
        last = len(weights) - 1
        is_sparse = X.layout == torch.sparse_csr

        layer_inputs = [X.to(self.compute_dtype) if self._is_mixed and not is_sparse else X]
        # of each hidden layer, what its activation returned and what dropout multiplied that by
        activated: list[Tensor] = []
        dropout: list[Tensor | None] = []
        for i in range(last + 1):
            if i == 0 and is_sparse:
                # torch has sparse products in float32 and float64 only
                z = nn.functional.linear(X, self._layer_weights[0], self._layer_biases[0])
                z = z.to(self.compute_dtype)
            else:
                z = nn.functional.linear(layer_inputs[i], weights[i], biases[i])
            if i < last:
                z = self.activations[i].apply_(z)  # type: ignore[misc]
                rate = self.dropout_rates[i]
                factors = dropout_factors(z, rate) if rate else None
                activated.append(z)
                dropout.append(factors)
                layer_inputs.append(z if factors is None else z * factors)
        outputs = z.to(self.theta.dtype)

        losses, delta = self.loss.with_gradient(outputs, targets)
        if sample_weight is not None:
            losses = losses * sample_weight
            delta.mul_(sample_weight.unsqueeze(1))
        delta.div_(weight_sum)
        if self._is_mixed:
            delta = delta.to(self.compute_dtype)

        # delta_i = d loss / d z_i, of shape (batch, fan_out of layer i)
        for i in range(last, -1, -1):
            self._write_gradients(i, layer_inputs[i], delta)
            if i > 0:
                delta = delta @ weights[i]
                factors = dropout[i - 1]
                if factors is not None:
                    delta.mul_(factors)
                delta = self.activations[i - 1].backward(  # type: ignore[misc]
                    delta, activated[i - 1]
                )
        return outputs, losses.sum()

    def _cast_layers(self) -> tuple[list[Tensor], list[Tensor]]:
        if not self._is_mixed:
            return self._layer_weights, self._layer_biases
        dtype = self.compute_dtype
        return (
            [weight.to(dtype) for weight in self._layer_weights],
            [bias.to(dtype) for bias in self._layer_biases],
        )

    def _write_gradients(self, i: int, layer_input: Tensor, delta: Tensor) -> None:
        weight_gradient, bias_gradient = self._weight_gradients[i], self._bias_gradients[i]
        if layer_input.layout == torch.sparse_csr:
            transposed = transposed_csr(layer_input) if layer_input.is_cuda else layer_input.t()
            weight_gradient.copy_((transposed @ delta.to(weight_gradient.dtype)).t())
        elif self._is_mixed:
            weight_gradient.copy_(delta.t() @ layer_input)
        else:
            torch.mm(delta.t(), layer_input, out=weight_gradient)
        torch.sum(delta, 0, dtype=bias_gradient.dtype, out=bias_gradient)


def flat_order(network: DenseNetwork) -> list[Tensor]:
    """Return a network's parameters in the order of the flat tensor: weights, then biases."""
    layers = network.linear_layers
    return [layer.weight for layer in layers] + [layer.bias for layer in layers]


def cut(flat: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """Cut a tensor (..., n) into views (..., *shape) that follow each other."""
    views, start = [], 0
    for shape in shapes:
        size = math.prod(shape)
        views.append(flat[..., start : start + size].unflatten(-1, shape))
        start += size
    return views
