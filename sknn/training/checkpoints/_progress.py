"""How far a training has come: taken out of it as data, and put into another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sknn.training._skorch import SkorchCallbacks
from sknn.training._training import EpochSums, Training
from sknn.training.solvers import optimizer_state, restore_optimizer_state

from ._callback_state import callback_state, restore_callback, stateful

# What an optimizer is made with, and is no state: compiled code believes it.
DECIDED = ("params", "fused", "foreach", "capturable", "differentiable")


def progress_of(training: Training) -> dict[str, Any]:
    """Return what the rest of a training depends on, as numbers, tensors and containers of them."""
    optimizer = training.step.optimizer
    assert optimizer is not None
    groups = optimizer.param_groups
    generators, sums = training.generators, training.sums
    return {
        "weights": training.tensors(),
        "trainable": [parameter.requires_grad for parameter in training.module.parameters()],
        "state": replace(training.state, optimizer=None, solver=None, torch_rng=None),
        "optimizer": optimizer_state(optimizer),
        "groups": [{k: v for k, v in group.items() if k != "params"} for group in groups],
        "generators": None if generators is None else generators.states(),
        "order": training.order,
        "n_epochs_run": training.n_epochs_run,
        "converged": training.converged,
        "stop_training": training.stop_training,
        "callbacks": [callback_state(each) for each in _stateful_callbacks(training)],
        "epoch": None if sums is None else sums.as_data(),
    }


def put_back(training: Training, progress: dict[str, Any]) -> None:
    """Bring a new training, its listeners told that it begins, to where another one was."""
    device = training.train.device
    training.state.take_over(progress["state"], device)
    if type(progress["n_epochs_run"]) is not int:
        raise ValueError(f"{progress['n_epochs_run']!r} epochs were run")
    for name in ("order", "n_epochs_run", "converged", "stop_training"):
        setattr(training, name, progress[name])
    for listener in training.listeners:
        listener.skip_epochs(training.n_epochs_run)
    if progress["epoch"] is not None:
        training.sums = EpochSums.from_data(progress["epoch"], device)
        for listener in training.listeners:
            listener.on_epoch_begin(training)
    # after the listeners, which may have changed any of these
    _put_back_weights(training, progress["weights"], progress["trainable"])
    _put_back_optimizer(training, progress["optimizer"], progress["groups"], device)
    if training.generators is not None and progress["generators"] is not None:
        training.generators.restore(progress["generators"])
    for callback, state in zip(_stateful_callbacks(training), progress["callbacks"], strict=True):
        restore_callback(callback, state)


def _stateful_callbacks(training: Training) -> list[Any]:
    told = (each for each in training.listeners if isinstance(each, SkorchCallbacks))
    return stateful(callback for each in told for callback in each.callbacks)


@torch.no_grad()
def _put_back_weights(
    training: Training, weights: Sequence[Tensor], trainable: Sequence[bool]
) -> None:
    for tensor, stored in zip(training.tensors(), weights, strict=True):
        if tensor.shape != stored.shape:
            raise ValueError(f"weights of shape {tuple(stored.shape)}, not {tuple(tensor.shape)}")
        tensor.copy_(stored)
    for parameter, flag in zip(training.module.parameters(), trainable, strict=True):
        parameter.requires_grad = flag  # callbacks freeze layers


def _put_back_optimizer(
    training: Training,
    states: Sequence[dict[str, Any]],
    groups: Sequence[dict[str, Any]],
    device: torch.device,
) -> None:
    optimizer = training.step.optimizer
    assert optimizer is not None
    restore_optimizer_state(optimizer, [_copied(state) for state in states])
    for group, stored in zip(optimizer.param_groups, groups, strict=True):
        for name, value in stored.items():
            if name in DECIDED and (name == "params" or value is not group.get(name)):
                raise ValueError(f"{name!r} of the optimizer is not what it was made with")
            group[name] = value.to(device) if isinstance(value, Tensor) else value


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """Copy the tensors, which the optimizer is going to change."""
    return {k: v.clone() if isinstance(v, Tensor) else v for k, v in state.items()}
