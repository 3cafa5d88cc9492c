"""Activation functions by name.

Each name stands for a module factory and, where the derivative follows from the function's own
output, for the pair of in-place functions that :class:`sknn.nn.DenseBackprop` needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sknn._hints import did_you_mean

aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """A named activation function.

    Attributes
    ----------
    module : callable
        Returns a new :class:`torch.nn.Module` that applies the function.
    apply_ : callable or None
        The function applied in place to a tensor of pre-activations.
    backward : callable or None
        ``backward(gradient, output)`` multiplies a gradient by the derivative, which it
        computes from the function's output. None where the output does not determine it.
    """

    module: Callable[[], nn.Module]
    apply_: Callable[[Tensor], Tensor] | None = None
    backward: Callable[[Tensor, Tensor], Tensor] | None = None


LEAKY_SLOPE = 0.01

ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(nn.Identity, lambda z: z, lambda gradient, output: gradient),
    "relu": Activation(
        nn.ReLU, torch.relu_, lambda gradient, output: aten.threshold_backward(gradient, output, 0)
    ),
    "logistic": Activation(nn.Sigmoid, torch.sigmoid_, aten.sigmoid_backward),
    "tanh": Activation(nn.Tanh, torch.tanh_, aten.tanh_backward),
    "leaky_relu": Activation(
        lambda: nn.LeakyReLU(LEAKY_SLOPE),
        lambda z: nn.functional.leaky_relu_(z, LEAKY_SLOPE),
        lambda gradient, output: aten.leaky_relu_backward(gradient, output, LEAKY_SLOPE, True),
    ),
    "elu": Activation(
        nn.ELU,
        nn.functional.elu_,
        lambda gradient, output: aten.elu_backward(gradient, 1.0, 1.0, 1.0, True, output),
    ),
    "celu": Activation(nn.CELU),
    "selu": Activation(nn.SELU),
    "prelu": Activation(nn.PReLU),
    "gelu": Activation(nn.GELU),
    "silu": Activation(nn.SiLU),
    "swish": Activation(nn.SiLU),
    "mish": Activation(nn.Mish),
    "softplus": Activation(nn.Softplus),
    "softsign": Activation(nn.Softsign),
    "relu6": Activation(nn.ReLU6),
    "hardtanh": Activation(nn.Hardtanh),
    "hardswish": Activation(nn.Hardswish),
}


def find_activation(activation: str | Callable[[], Any]) -> Activation:
    """Return the named activation, or wrap a module factory.

    Parameters
    ----------
    activation : str or callable
        A key of `ACTIVATIONS`, or a callable without arguments that returns a module, such as
        the class :class:`torch.nn.Hardsigmoid`.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If the name is unknown.
    """
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
