"""How far a training has come: taken out of a net as data, and put into another one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sknn.training._callbacks import ScikitLearnCallbacks
from sknn.training.solvers import optimizer_state, restore_optimizer_state

from ._callback_state import callback_state, restore_callback, stateful

if TYPE_CHECKING:
    from sknn.training._net import Net

# What an optimizer is made with, and is no state: compiled code believes it.
DECIDED = ("params", "fused", "foreach", "capturable", "differentiable")


@dataclass
class EpochSums:
    """What the batches of an epoch have come to so far.

    Attributes
    ----------
    order : ndarray of int or None
        Of the rows; None as they stand.
    n_batches, n_answers : int
        Batches that are done, and their targets.
    loss_sum : Tensor of shape () or float
        Sum of their losses, penalties included.
    weight_sum : float
        Sum of their weights.
    decisions : Tensor or None
        Decisions for all answers; those that are not reached are zero.
    begun : float
        When the epoch began, by `time.perf_counter`.
    """

    order: np.ndarray | None
    n_batches: int = 0
    n_answers: int = 0
    loss_sum: Any = 0.0
    weight_sum: float = 0.0
    decisions: Tensor | None = None
    begun: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """How long the epoch has taken."""
        return time.perf_counter() - self.begun

    def as_data(self) -> dict[str, Any]:
        """Return the same as plain data.

        Returns
        -------
        dict
        """
        data = dict(vars(self))
        del data["begun"]
        return data | {"seconds": self.seconds}

    @classmethod
    def from_data(cls, data: dict[str, Any], device: torch.device) -> EpochSums:
        """Undo :meth:`as_data`.

        Parameters
        ----------
        data : dict
            What it returned.
        device : torch.device
            Where training goes on.

        Returns
        -------
        EpochSums
        """
        arguments = {name: _on_device(value, device) for name, value in data.items()}
        if arguments["order"] is not None:
            arguments["order"] = arguments["order"].copy()
        seconds = arguments.pop("seconds")
        return cls(**arguments, begun=time.perf_counter() - seconds)


def progress_of(net: Net) -> dict[str, Any]:
    """Return all that the rest of a training depends on.

    Parameters
    ----------
    net : Net
        Between two batches or two epochs.

    Returns
    -------
    dict
        Numbers, tensors, and containers of them. The tensors are the net's own, not copies.

    Raises
    ------
    TypeError
        If a callback holds something else.
    """
    assert net.optimizer_ is not None
    groups = net.optimizer_.param_groups
    return {
        "weights": net.tensors(),
        "trainable": [parameter.requires_grad for parameter in net.module_.parameters()],
        "state": replace(net.state, optimizer=None, solver=None, torch_rng=None),
        "optimizer": optimizer_state(net.optimizer_),
        "groups": [{k: v for k, v in group.items() if k != "params"} for group in groups],
        "generators": None if net.generators is None else net.generators.states(),
        "order": net.order,
        "n_epochs_run": net.n_epochs_run,
        "converged": net.converged,
        "stop_training": net.stop_training,
        "callbacks": [callback_state(each) for each in _stateful_callbacks(net)],
        "epoch": None if net.sums is None else net.sums.as_data(),
    }


def put_back(net: Net, progress: dict[str, Any], on_epoch: dict[str, Any]) -> None:
    """Bring a net to where another one was.

    Parameters
    ----------
    net : Net
        As new, its callbacks told that training begins.
    progress : dict
        What :func:`progress_of` returned of a net for the same data and parameters.
    on_epoch : dict
        What `on_epoch_begin` of the callbacks gets.
    """
    device = next(net.module_.parameters()).device
    net.state.take_over(progress["state"], device)
    if type(progress["n_epochs_run"]) is not int:
        raise ValueError(f"{progress['n_epochs_run']!r} epochs were run")
    for name in ("order", "n_epochs_run", "converged", "stop_training"):
        setattr(net, name, progress[name])
    for _, callback in net.callbacks_:
        if isinstance(callback, ScikitLearnCallbacks):
            callback.skip_epochs(net.n_epochs_run)
    if progress["epoch"] is not None:
        net.sums = EpochSums.from_data(progress["epoch"], device)
        for _, callback in net.callbacks_:
            callback.on_epoch_begin(net, **on_epoch)
    # after the callbacks, which may have changed any of these
    _put_back_weights(net, progress["weights"], progress["trainable"])
    _put_back_optimizer(net, progress["optimizer"], progress["groups"], device)
    if net.generators is not None and progress["generators"] is not None:
        net.generators.restore(progress["generators"])
    for callback, state in zip(_stateful_callbacks(net), progress["callbacks"], strict=True):
        restore_callback(callback, state)


def _stateful_callbacks(net: Net) -> list[Any]:
    return stateful(callback for _, callback in net.callbacks_)


@torch.no_grad()
def _put_back_weights(net: Net, weights: Sequence[Tensor], trainable: Sequence[bool]) -> None:
    for tensor, stored in zip(net.tensors(), weights, strict=True):
        if tensor.shape != stored.shape:
            raise ValueError(f"weights of shape {tuple(stored.shape)}, not {tuple(tensor.shape)}")
        tensor.copy_(stored)
    for parameter, flag in zip(net.module_.parameters(), trainable, strict=True):
        parameter.requires_grad = flag  # callbacks freeze layers


def _put_back_optimizer(
    net: Net,
    states: Sequence[dict[str, Any]],
    groups: Sequence[dict[str, Any]],
    device: torch.device,
) -> None:
    optimizer = net.optimizer_
    assert optimizer is not None
    restore_optimizer_state(optimizer, [_copied(state) for state in states])
    for group, stored in zip(optimizer.param_groups, groups, strict=True):
        for name, value in stored.items():
            if name in DECIDED and (name == "params" or value is not group.get(name)):
                raise ValueError(f"{name!r} of the optimizer is not what it was made with")
            group[name] = _on_device(value, device)


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """Copy the tensors, which the optimizer is going to change."""
    return {k: v.clone() if isinstance(v, Tensor) else v for k, v in state.items()}


def _on_device(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value
