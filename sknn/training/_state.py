"""What training goes on from, and what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn.nn import DenseNetwork, flat_order
from sknn.training.solvers import (
    Plateau,
    keys_of,
    optimizer_state,
    parameter_keys,
    parted_state,
    restore_optimizer_state,
)

from ._skorch import History


@dataclass
class TrainingState:
    """Numbers and tensors that `partial_fit`, warm starts and training after loading go on from."""

    random_state: np.random.RandomState  # draws orders of the rows, and the seed of torch's
    torch_rng: Tensor | None = None  # state of the training's CPU generator
    history: History = field(default_factory=History)  # one dict an epoch
    n_samples_seen: int = 0  # over all epochs
    n_steps: int = 0  # batches that the present schedule has seen
    learning_rate: float | None = None  # where a schedule has come to; None is the initial one
    plateau: Plateau | None = None  # the best loss or score
    best: list[Tensor] | None = None  # parameters and buffers with the best validation score
    optimizer: list[dict[str, Any]] | None = None
    solver: str | None = None  # whose state `optimizer` is
    optimized: list[str] | None = None  # keys of its parameters; None for one flat tensor

    def remember_optimizer(
        self, optimizer: torch.optim.Optimizer | None, solver: str, module: nn.Module
    ) -> None:
        """Keep the state of a solver's optimizer for the next call; None has none."""
        self.optimizer = None if optimizer is None else optimizer_state(optimizer)
        self.optimized = None if optimizer is None else parameter_keys(optimizer, module)
        self.solver = solver

    def is_parted(self, solver: str) -> bool:
        """Say whether each of the network's parameters has a state of its own of this solver."""
        return self.solver == solver and self.optimizer is not None and self.optimized is not None

    def restore_optimizer(
        self, optimizer: torch.optim.Optimizer, solver: str, module: nn.Module
    ) -> None:
        """Give a new optimizer the state of the last call, if the solver is the same."""
        if self.optimizer is None or self.solver != solver:
            return
        keys, states = parameter_keys(optimizer, module), self.optimizer
        if keys is not None:  # parameters that the last call did not train begin without a state
            known = dict(zip(*self._by_parameter(module, keys), strict=True))
            states = [known.get(key, {}) for key in keys]
        restore_optimizer_state(optimizer, states)

    def _by_parameter(
        self, module: nn.Module, keys: list[str]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the optimizer's state by the module's parameters."""
        states = self.optimizer or []
        if self.optimized is not None:
            return self.optimized, states
        if len(states) == 1 and isinstance(module, DenseNetwork):
            # of one flat tensor
            parts = flat_order(module)
            own = {id(parameter) for parameter in module.parameters()}
            pairs = zip(parts, parted_state(states[0], parts), strict=True)
            # a weight that a layer has since been told to make of others is no parameter any more
            known = [(part, state) for part, state in pairs if id(part) in own]
            return keys_of([part for part, _ in known], module), [state for _, state in known]
        # from a file that names no parameters
        everything = keys_of(module.parameters(), module)
        candidates = (names for names in (everything, keys) if len(names) == len(states))
        return next(candidates, []), states if len(states) in (len(everything), len(keys)) else []

    def take_over(self, other: TrainingState, device: torch.device) -> None:
        """Go on from where another training with the same data and parameters was interrupted."""
        # the optimizer and torch's generators are put back where they are used
        self.random_state.set_state(other.random_state.get_state(legacy=False))
        self.history[:] = other.history
        for name in ("n_samples_seen", "n_steps", "learning_rate", "plateau"):
            setattr(self, name, getattr(other, name))
        self.best = None if other.best is None else [tensor.to(device) for tensor in other.best]

    def on_cpu(self) -> TrainingState:
        """Return the same state with tensors on the CPU, for storage."""

        def cpu(value: Any) -> Any:
            return value.detach().cpu() if isinstance(value, Tensor) else value

        best = None if self.best is None else [cpu(tensor) for tensor in self.best]
        optimizer = self.optimizer
        if optimizer is not None:
            optimizer = [{k: cpu(v) for k, v in state.items()} for state in optimizer]
        return replace(self, best=best, optimizer=optimizer)
