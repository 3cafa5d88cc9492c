"""Activation functions by name: an entry in `ACTIVATIONS` is all that another one needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn

from sknn._documentation import quoted
from sknn._hints import did_you_mean

aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """A named activation function: a factory of its module, and its shortcuts.

    Shapes
    ------
    (...) -> (...)
    """

    module: Callable[[], nn.Module]
    # The function in place, and backward(gradient, output), the gradient times the derivative as it
    # follows from the output; None where it does not. DenseBackprop needs both.
    apply_: Callable[[Tensor], Tensor] | None = None
    backward: Callable[[Tensor, Tensor], Tensor] | None = None
    # f(max(a, b)) = max(f(a), f(b)), so that a maximum may be taken first
    is_nondecreasing: bool = False


LEAKY_SLOPE = 0.01

ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(nn.Identity, lambda z: z, lambda gradient, output: gradient, True),
    "logistic": Activation(nn.Sigmoid, torch.sigmoid_, aten.sigmoid_backward, True),
    "tanh": Activation(nn.Tanh, torch.tanh_, aten.tanh_backward, True),
    "relu": Activation(
        nn.ReLU,
        torch.relu_,
        lambda gradient, output: aten.threshold_backward(gradient, output, 0),
        True,
    ),
    "leaky_relu": Activation(
        lambda: nn.LeakyReLU(LEAKY_SLOPE),
        lambda z: nn.functional.leaky_relu_(z, LEAKY_SLOPE),
        lambda gradient, output: aten.leaky_relu_backward(gradient, output, LEAKY_SLOPE, True),
        True,
    ),
    "elu": Activation(
        nn.ELU,
        nn.functional.elu_,
        lambda gradient, output: aten.elu_backward(gradient, 1.0, 1.0, 1.0, True, output),
        True,
    ),
    "celu": Activation(nn.CELU, is_nondecreasing=True),
    "selu": Activation(nn.SELU, is_nondecreasing=True),
    "prelu": Activation(nn.PReLU),
    "gelu": Activation(nn.GELU),
    "silu": Activation(nn.SiLU),
    "swish": Activation(nn.SiLU),
    "mish": Activation(nn.Mish),
    "softplus": Activation(nn.Softplus, is_nondecreasing=True),
    "softsign": Activation(nn.Softsign, is_nondecreasing=True),
    "relu6": Activation(nn.ReLU6, is_nondecreasing=True),
    "hardtanh": Activation(nn.Hardtanh, is_nondecreasing=True),
    "hardswish": Activation(nn.Hardswish),
}

# in place, on arrays of floats
NUMPY_FORMS: dict[type[nn.Module], Callable[[np.ndarray], object]] = {
    nn.Identity: lambda z: z,
    nn.Sigmoid: lambda z: expit(z, out=z),
    nn.Tanh: lambda z: np.tanh(z, out=z),
    nn.ReLU: lambda z: np.maximum(z, 0, out=z),
}


def describe_activations() -> str:
    """Return what the parameter `activation` takes, for users."""
    return f"{quoted(ACTIVATIONS)}, or a callable that returns a :class:`torch.nn.Module`"


def find_activation(activation: str | Callable[[], Any]) -> Activation:
    """Return the named activation, or wrap a callable that returns a module."""
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    if isinstance(activation, str | nn.Module) or not callable(activation):
        hint = did_you_mean(activation, ACTIVATIONS)
        if isinstance(activation, nn.Module):
            hint = f" Pass the class, {type(activation).__name__}: each layer makes one of its own."
        raise ValueError(
            f"activation={activation!r} is unknown; use one of {sorted(ACTIVATIONS)}, or a "
            "callable that returns a torch module, such as the class torch.nn.ReLU."
            f"{hint}"
        )
    return Activation(partial(_build_activation, activation))


def _build_activation(factory: Callable[[], Any]) -> nn.Module:
    module = factory()
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"activation returned {type(module).__name__}; a torch.nn.Module is needed."
        )
    return module
