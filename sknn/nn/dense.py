"""The fully connected network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from .activations import NUMPY_FORMS, Activation, find_activation
from .features import FeatureEncoder
from .layers import Dropout, Linear, normalization_1d, per_layer


class DenseNetwork(nn.Module):
    """Fully connected layers with activation, normalization and dropout.

    A hidden layer computes ``dropout(activation(normalization(x @ W.T + b)))``; the output layer
    is linear: links such as softmax belong to the loss. Without a `random_state`, the initial
    weights are torch's own. An `encoder` comes before the first layer, which takes its width.

    Shapes
    ------
    X : (n, n_features) -> (n, n_outputs)
        X may be sparse CSR, unless there is an encoder.
    """

    def __init__(
        self,
        n_features: int,  # of the first layer
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        encoder: FeatureEncoder | None = None,
        activation: Any = "relu",
        dropout: float | Sequence[float] = 0.0,
        normalization: str | None = None,
        random_state: np.random.RandomState | None = None,
        initialization: str = "glorot",
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if encoder is not None:
            self.encoder = encoder
        n_hidden = len(hidden_layer_sizes)
        names = per_layer("activation", activation, n_hidden)
        self.activation_names = names
        factors = [2.0 if name == "logistic" else 6.0 for name in names]
        # the output layer goes with the last hidden layer, and without any with `activation`
        self._glorot_factors = [*factors, 2.0 if (names or [activation])[-1] == "logistic" else 6.0]
        widths = [n_features, *hidden_layer_sizes, n_outputs]
        rates = per_layer("dropout", dropout, n_hidden)

        activations = self.activations
        layers: list[nn.Module] = []
        self.linear_layers: list[nn.Linear] = []
        for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
            if random_state is None:
                linear = nn.Linear(fan_in, fan_out, dtype=dtype)
            else:
                linear = Linear(fan_in, fan_out, dtype=dtype)
            layers.append(linear)
            self.linear_layers.append(linear)
            if i == n_hidden:
                break
            if normalization is not None:
                layers.append(normalization_1d(normalization, fan_out, dtype))
            layers.append(activations[i].module())
            if rates[i]:
                layers.append(Dropout(rates[i]))
        self.layers = nn.Sequential(*layers)
        self.dropout_rates = rates
        self.is_plain = normalization is None
        if random_state is not None:
            if encoder is not None:
                encoder.initialize(random_state)
            self.initialize(random_state, initialization)

    @property
    def input_encoder(self) -> FeatureEncoder | None:
        """Return what comes before the first layer; networks of early files have none."""
        return self._modules.get("encoder")  # type: ignore[return-value]

    @property
    def activations(self) -> list[Activation]:
        """Return the activation of each hidden layer; looked up, as functions do not pickle."""
        return [find_activation(name) for name in self.activation_names]

    def initialize(
        self, random_state: np.random.RandomState, initialization: str = "glorot"
    ) -> None:
        """Draw weights and biases, "glorot" or "he"."""
        if initialization == "he":
            self._draw_he(random_state)
        else:
            self._draw_glorot(random_state)

    def _draw_glorot(self, random_state: np.random.RandomState) -> None:
        """Draw weights and biases as scikit-learn's MLPClassifier does, in its order.

        Both are uniform in plus or minus ``sqrt(factor / (fan_in + fan_out))``, where the factor
        is 2 for the logistic function and 6 otherwise (Glorot and Bengio, 2010).
        """
        with torch.no_grad():
            for linear, factor in zip(self.linear_layers, self._glorot_factors, strict=True):
                bound = math.sqrt(factor / (linear.in_features + linear.out_features))
                shape = (linear.in_features, linear.out_features)
                weight = random_state.uniform(-bound, bound, shape)
                bias = random_state.uniform(-bound, bound, linear.out_features)
                linear.weight.copy_(torch.from_numpy(weight.T))
                linear.bias.copy_(torch.from_numpy(bias))

    @torch.no_grad()
    def _draw_he(self, random_state: np.random.RandomState) -> None:
        """Draw normal weights of variance 2 / fan_in (He et al., 2015); biases are zero.

        The first layer's are of variance 1 / fan_in, no rectifier being before it. The output
        layer's are of 0.1 / fan_in, so that training begins near the mean of the targets.
        """
        last = len(self.linear_layers) - 1
        for i, linear in enumerate(self.linear_layers):
            variance = 0.1 if i == last else 2.0 if i else 1.0
            deviation = math.sqrt(variance / linear.in_features)
            weight = random_state.normal(0, deviation, linear.weight.shape)
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.zero_()

    def few_outputs(self, X: np.ndarray, dtype: torch.dtype) -> np.ndarray | None:
        """Return the outputs (n, n_outputs) of few rows, by NumPy, whose calls cost less.

        None where the network does not compute in `dtype`, that of X, on the CPU, has other layers,
        or where somebody listens to one of them.
        """
        layers: Any = self._modules["layers"]
        if is_heard(self) or is_heard(layers) or self.input_encoder is not None:
            return None
        Z = X
        for layer in layers._modules.values():
            if layer._forward_hooks or layer._forward_pre_hooks:  # the same, without a call
                return None
            kind = type(layer)
            if kind is Linear or kind is nn.Linear:
                weight, bias = layer._parameters["weight"], layer._parameters["bias"]
                if weight.dtype != dtype or not weight.is_cpu or bias is None:
                    return None
                Z = np.dot(Z, weight.numpy(force=True).T)
                Z += bias.numpy(force=True)
            elif kind in NUMPY_FORMS and Z is not X:
                NUMPY_FORMS[kind](Z)
            elif kind is not Dropout or layer.training:
                return None
        return Z

    def forward(self, X: Tensor, fixed: tuple[Tensor, Tensor] | None = None) -> Tensor:
        if self.input_encoder is not None:
            X = self.input_encoder(X, fixed)
        if X.layout != torch.sparse_csr:
            return self.layers(X)
        # torch has sparse products in float32 and float64 only
        with torch.autocast(X.device.type, enabled=False):
            z = self.layers[0](X)
        return self.layers[1:](z)


def is_heard(module: nn.Module) -> bool:
    """Say whether somebody listens to what goes into a module, or all modules, or comes out."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or torch_module._global_forward_hooks
        or torch_module._global_forward_pre_hooks
    )
