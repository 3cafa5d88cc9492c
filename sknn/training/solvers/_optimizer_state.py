"""What an optimizer remembers: out of it as data, into another one, and whose it is."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sknn.nn import parameters_of

from ._fused import FusedOptimizer
from ._paired import PairedOptimizer


def optimizer_state(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return an optimizer's state, a dict a parameter in their order; the tensors are no copies."""
    return [dict(optimizer.state.get(parameter, {})) for parameter in _parameters(optimizer)]


def restore_optimizer_state(optimizer: torch.optim.Optimizer, state: list[dict[str, Any]]) -> None:
    """Give a new optimizer what :func:`optimizer_state` returned of one for equal shapes."""
    is_fused = any(group.get("fused") for group in optimizer.param_groups)
    for parameter, values in zip(_parameters(optimizer), state, strict=True):
        if not values:
            continue
        if is_fused or isinstance(optimizer, FusedOptimizer | PairedOptimizer):
            _check_state(optimizer, parameter, values)
        optimizer.state[parameter] = {
            name: value.to(parameter.device) if isinstance(value, Tensor) else value
            for name, value in values.items()
        }


def _check_state(
    optimizer: torch.optim.Optimizer, parameter: Tensor, values: dict[str, Any]
) -> None:
    """Raise ValueError if a state is another parameter's: fused kernels do not look at sizes."""
    names = getattr(optimizer, "state_names", ())
    fits = not names or set(names) <= set(values)
    for name, value in values.items():
        if name == "step":
            fits &= isinstance(value, Tensor) and value.ndim == 0 and value.dtype == torch.float32
        elif isinstance(value, Tensor):
            fits &= value.shape == parameter.shape and value.dtype == parameter.dtype
        else:
            fits &= name not in names
    if not fits:
        raise ValueError(
            f"the stored state of {type(optimizer).__name__} does not fit a parameter of shape "
            f"{tuple(parameter.shape)}."
        )


def parameter_keys(optimizer: torch.optim.Optimizer, module: nn.Module) -> list[str] | None:
    """Return the keys of the parameters that an optimizer updates; None for one flat tensor."""
    own = {id(parameter) for parameter in parameters_of(module)}
    tensors = _parameters(optimizer)
    return keys_of(tensors, module) if all(id(tensor) in own for tensor in tensors) else None


def keys_of(parameters: Iterable[Tensor], module: nn.Module) -> list[str]:
    """Return name and shape of some of a module's parameters."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [f"{names[id(each)]} {tuple(each.shape)}" for each in parameters]


def parted_state(state: dict[str, Any], parts: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Cut the state of one flat tensor into copies for its parts, one dict each."""
    sizes = [part.numel() for part in parts]

    def cut(value: Any) -> list[Any]:
        if isinstance(value, Tensor) and value.shape == (sum(sizes),):
            pieces = zip(value.split(sizes), parts, strict=True)
            return [piece.reshape(part.shape).clone() for piece, part in pieces]
        return [copy.deepcopy(value) for _ in parts]

    columns = {name: cut(value) for name, value in state.items()}
    return [{name: column[i] for name, column in columns.items()} for i in range(len(parts))]


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]
