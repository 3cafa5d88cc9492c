"""Backpropagation written out, for plain dense networks.

Autograd records every operation, allocates every gradient anew and hands the optimiser one tensor
a layer; on networks of course size that costs more than the arithmetic. Here the gradients are
matrix products into one flat buffer, so that the optimiser, the L2 penalty and a copy of the
weights are one operation each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .dense import DenseNetwork
from .losses import Loss


class DenseBackprop:
    """Loss and gradients of a plain :class:`DenseNetwork` without autograd.

    The network's parameters become views of one flat tensor, weights first, then biases:

    =============  ======================================================
    `parameters`   ``[theta]``, theta of shape (n_parameters,)
    `gradients`    ``[gradient]``, of the same shape
    `weights`      ``[theta[:n_weights]]``, what the L2 penalty acts upon
    =============  ======================================================

    Parameters
    ----------
    network : DenseNetwork
        Must satisfy :meth:`supports`.
    loss : Loss
        The loss to differentiate.
    compute_dtype : torch.dtype or None, default=None
        The type of the matrix products; None is the weights' own. With ``torch.bfloat16`` the
        weights and their gradients stay float32 (mixed precision).
    """

    def __init__(
        self, network: DenseNetwork, loss: Loss, compute_dtype: torch.dtype | None = None
    ) -> None:
        self.loss = loss
        self.activations = network.activations
        linear_layers = network.linear_layers
        tensors: list[Tensor] = [layer.weight for layer in linear_layers] + [
            layer.bias for layer in linear_layers
        ]
        theta = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        gradient = torch.zeros_like(theta)
        n_weights = sum(layer.weight.numel() for layer in linear_layers)

        values, gradients = _bind_views(tensors, theta), _bind_views(tensors, gradient)
        for parameter, value, parameter_gradient in zip(tensors, values, gradients, strict=True):
            parameter.data = value
            parameter.grad = parameter_gradient
        n_layers = len(linear_layers)
        self._layer_weights, self._layer_biases = values[:n_layers], values[n_layers:]
        self._weight_gradients, self._bias_gradients = gradients[:n_layers], gradients[n_layers:]

        # A Parameter, because a torch optimiser takes nothing else.
        self.theta = nn.Parameter(theta)
        self.theta.grad = gradient
        self.parameters: list[Tensor] = [self.theta]
        self.gradients: list[Tensor] = [gradient]
        self.weights: list[Tensor] = [theta[:n_weights]]
        self.weight_gradients: list[Tensor] = [gradient[:n_weights]]
        self.compute_dtype = compute_dtype or theta.dtype
        self._is_mixed = self.compute_dtype != theta.dtype

    @staticmethod
    def supports(module: nn.Module) -> bool:
        """Say whether a module's gradients can be computed here.

        Parameters
        ----------
        module : torch.nn.Module
            The network to train.

        Returns
        -------
        bool
            True for a :class:`DenseNetwork` without normalization and dropout whose activations'
            derivatives follow from their outputs.
        """
        return (
            type(module) is DenseNetwork
            and module.is_plain
            and all(activation.backward is not None for activation in module.activations)
        )

    def __call__(
        self, X: Tensor, targets: Tensor, sample_weight: Tensor | None, weight_sum: float
    ) -> tuple[Tensor, Tensor]:
        """Write the gradients of one batch's mean loss. Call it under :func:`torch.no_grad`.

        Parameters
        ----------
        X : Tensor of shape (batch, n_features)
            Dense, or sparse CSR.
        targets : Tensor
            What the loss takes.
        sample_weight : Tensor of shape (batch,) or None
            Weight of each row.
        weight_sum : float
            The batch's weight sum (its length without weights), by which the gradients are
            divided.

        Returns
        -------
        outputs : Tensor of shape (batch, n_outputs)
        loss_sum : Tensor of shape ()
            The rows' weighted losses, summed.
        """
        weights, biases = self._cast_layers()
        last = len(weights) - 1
        is_sparse = X.layout == torch.sparse_csr

        layer_inputs = [X.to(self.compute_dtype) if self._is_mixed and not is_sparse else X]
        for i in range(last + 1):
            if i == 0 and is_sparse:
                # torch has sparse products in float32 and float64 only
                z = nn.functional.linear(X, self._layer_weights[0], self._layer_biases[0])
                z = z.to(self.compute_dtype)
            else:
                z = nn.functional.linear(layer_inputs[i], weights[i], biases[i])
            if i < last:
                z = self.activations[i].apply_(z)  # type: ignore[misc]
                layer_inputs.append(z)
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
                delta = self.activations[i - 1].backward(  # type: ignore[misc]
                    delta @ weights[i], layer_inputs[i]
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
            weight_gradient.copy_((layer_input.t() @ delta.to(weight_gradient.dtype)).t())
        elif self._is_mixed:
            weight_gradient.copy_(delta.t() @ layer_input)
        else:
            torch.mm(delta.t(), layer_input, out=weight_gradient)
        torch.sum(delta, 0, dtype=bias_gradient.dtype, out=bias_gradient)


def _bind_views(tensors: list[Tensor], flat: Tensor) -> list[Tensor]:
    """Cut one flat tensor into views with the shapes of `tensors`."""
    views, start = [], 0
    for tensor in tensors:
        views.append(flat[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()
    return views
