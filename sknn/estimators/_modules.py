"""The user's modules, and copies of modules for storage."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def build_user_module(module: Any, arguments: dict[str, Any], name: str = "module") -> nn.Module:
    """Make the module that a parameter stands for.

    Parameters
    ----------
    module : torch.nn.Module or callable
        An instance, or a class or factory.
    arguments : dict
        Handed to a factory that has parameters of these names.
    name : str, default="module"
        The parameter, for errors.

    Returns
    -------
    torch.nn.Module
        A copy of an instance; else what the factory returned.
    """
    if isinstance(module, nn.Module):
        built = copy.deepcopy(module)
    else:
        accepted = inspect.signature(module).parameters
        bound = getattr(module, "keywords", {})
        wanted = {k: v for k, v in arguments.items() if k in accepted and k not in bound}
        built = module(**wanted)
    if not isinstance(built, nn.Module):
        raise TypeError(f"{name} returned {type(built).__name__}; a torch.nn.Module is needed.")
    if not any(parameter.requires_grad for parameter in built.parameters()):
        raise ValueError(f"{name} has no trainable parameters; there is nothing to fit.")
    return built


def working_copy(module: nn.Module) -> nn.Module:
    """Copy a module on its device, for predictions."""
    copied = copy.deepcopy(module)
    for layer in copied.modules():
        if isinstance(layer, nn.RNNBase):  # cuDNN wants all weights in one piece
            layer.flatten_parameters()
    return copied.eval()


def portable_copy(module: nn.Module) -> nn.Module:
    """Copy a module to the CPU, each parameter with memory of its own.

    In training the parameters may be views of one flat tensor, all of which pickle would store
    once for each of them.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Returns
    -------
    torch.nn.Module
    """
    copied = copy.deepcopy(module).cpu()
    for tensor in copied.parameters():
        tensor.grad = None
        tensor.data = tensor.data.clone()
    return copied


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Have a module in evaluation mode for a while; each layer goes back to its own."""
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode


@torch.no_grad()
def try_module(module: nn.Module, name: str, inputs: Tensor, *labels: Tensor) -> Tensor:
    """Run a network of the user's in evaluation mode; refuse what fails or returns no tensor."""
    try:
        with evaluating(module):
            outputs = module(inputs, *labels)
    except (RuntimeError, TypeError, ValueError) as error:
        beside = " and the numbers of their classes, (n,)" if labels else ""
        raise ValueError(
            f"{name} does not take inputs of shape {('n', *inputs.shape[1:])}{beside}: {error}"
        ) from error
    if not isinstance(outputs, Tensor):
        raise TypeError(f"{name} returned a {type(outputs).__name__}; one tensor is needed.")
    return outputs
