"""Backpropagation written out, for plain dense networks.

Autograd records every operation, allocates every gradient anew and hands the optimiser one tensor
a layer; on networks of course size that costs more than the arithmetic. Here the gradients are
matrix products into one flat buffer, so that the optimiser, the L2 penalty and a copy of the
weights are one operation each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .dense import DenseNetwork
from .features import FeatureEncoder
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
        self.encoder = network.input_encoder
        self.activations = network.activations
        self.dropout_rates = network.dropout_rates
        linear_layers = network.linear_layers
        self._tensors = flat_order(network)
        self.n_layers = len(linear_layers)
        self.n_weights = sum(tensor.numel() for tensor in self._tensors if tensor.ndim >= 2)
        self._encoder_parameters = [] if self.encoder is None else [*self.encoder.parameters()]
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
        weights, biases = self.places_of_layers
        self._layer_weights, self._layer_biases = values[weights], values[biases]
        self._weight_gradients, self._bias_gradients = gradients[weights], gradients[biases]
        self.theta.data = theta
        self.theta.grad = gradient
        self.gradients[:] = [gradient]
        self.weights[:] = [theta[: self.n_weights]]
        self.weight_gradients[:] = [gradient[: self.n_weights]]

    def _views(self, flat: Tensor) -> list[Tensor]:
        """Cut a flat tensor into views with the shapes of the network's parameters."""
        return cut(flat, self.shapes)

    @property
    def places_of_layers(self) -> tuple[slice, slice]:
        """Return where weights and biases of the layers are among the parameters."""
        first_bias = sum(tensor.ndim >= 2 for tensor in self._tensors)
        return slice(self.n_layers), slice(first_bias, first_bias + self.n_layers)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of all parameters, in the order of the flat tensor."""
        return [tuple(tensor.shape) for tensor in self._tensors]

    @property
    def places_of_encoder(self) -> list[int]:
        """Return where the encoder's parameters are among all, in its own order."""
        places = {id(tensor): i for i, tensor in enumerate(self._tensors)}
        return [places[id(tensor)] for tensor in self._encoder_parameters]

    @property
    def layer_shapes(self) -> list[tuple[int, int]]:
        """Return the shapes of the weights, (fan_out, fan_in), first layer first."""
        return [(weight.shape[0], weight.shape[1]) for weight in self._layer_weights]

    def views_like(self, flat: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
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
        encoded = None
        if self.encoder is not None:
            encoded = Encoded(self.encoder, X.unsqueeze(0), self._stacked_encoder_parameters())
            X = encoded.values.squeeze(0)
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
        if encoded is not None and encoded.n_learned:
            delta = delta.float() if self._is_mixed else delta
            learned = self._layer_weights[0][:, : encoded.n_learned]
            encoded.write_gradients((delta @ learned).unsqueeze(0), self._encoder_gradients)
        return outputs, losses.sum()

    def _stacked_encoder_parameters(self) -> list[Tensor]:
        return [parameter.detach().unsqueeze(0) for parameter in self._encoder_parameters]

    @property
    def _encoder_gradients(self) -> list[Tensor]:
        return [parameter.grad.unsqueeze(0) for parameter in self._encoder_parameters]  # type: ignore[union-attr]

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


class Encoded:
    """What an encoder makes of a batch for k networks, and the gradients of its parameters.

    Shapes
    ------
    X : (k, n, n_columns), parameters : (k, ...) each -> values : (k, n, width)
    """

    def __init__(self, encoder: FeatureEncoder, X: Tensor, parameters: Sequence[Tensor]) -> None:
        k, n = X.shape[:2]
        scaled, fixed = encoder.encode_fixed(X.flatten(0, 1))
        self.values = fixed.view(k, n, -1)
        self.n_learned = encoder.n_learned
        if self.n_learned:
            # autograd does these few operations; the layers behind need none
            with torch.enable_grad():
                self._parameters = [parameter.requires_grad_() for parameter in parameters]
                self._learned = encoder.encode_learned(X, scaled.view(k, n, -1), self._parameters)
            self.values = torch.cat([self._learned.detach(), self.values], 2)

    def write_gradients(self, delta: Tensor, gradients: Sequence[Tensor]) -> None:
        """Write the parameters' gradients (k, ...), given those of the learned values (k, n, l)."""
        own = torch.autograd.grad(self._learned, self._parameters, delta)
        for gradient, each in zip(gradients, own, strict=True):
            gradient.copy_(each)


def flat_order(network: DenseNetwork) -> list[Tensor]:
    """Return a network's parameters in the order of the flat tensor: matrices, then vectors."""
    layers = network.linear_layers
    others = [] if network.input_encoder is None else [*network.input_encoder.parameters()]
    return [
        *(layer.weight for layer in layers),
        *(parameter for parameter in others if parameter.ndim >= 2),
        *(layer.bias for layer in layers),
        *(parameter for parameter in others if parameter.ndim < 2),
    ]


def cut(flat: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """Cut a tensor (..., n) into views (..., *shape) that follow each other."""
    views, start = [], 0
    for shape in shapes:
        size = math.prod(shape)
        views.append(flat[..., start : start + size].unflatten(-1, shape))
        start += size
    return views
