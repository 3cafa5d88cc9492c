"""What training goes on from, and what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from skorch.history import History
from torch import Tensor

from ._optimizers import optimizer_state, restore_optimizer_state
from ._stopping import Plateau


@dataclass
class TrainingState:
    """What `partial_fit`, warm starts and training after loading go on from.

    Numbers and tensors only, the user's generator aside.

    Attributes
    ----------
    random_state : numpy.random.RandomState
        Draws the order of the rows, and the seed of torch's generator.
    torch_rng : Tensor or None
        State of torch's CPU generator, for modules that draw numbers (dropout).
    history : skorch.history.History
        One dict an epoch.
    n_samples_seen : int
        Over all epochs.
    n_steps : int
        Batches that the present schedule has seen.
    learning_rate : float or None
        Where a schedule or an adaptive rate has come to; None is the initial one.
    plateau : Plateau or None
        Best loss or score.
    best : list of Tensor or None
        The weights with the best validation score.
    optimizer : list of dict or None
        The optimizer's state.
    solver : str or None
        Whose state that is.
    """

    random_state: np.random.RandomState
    torch_rng: Tensor | None = None
    history: History = field(default_factory=History)
    n_samples_seen: int = 0
    n_steps: int = 0
    learning_rate: float | None = None
    plateau: Plateau | None = None
    best: list[Tensor] | None = None
    optimizer: list[dict[str, Any]] | None = None
    solver: str | None = None

    def remember_optimizer(self, optimizer: torch.optim.Optimizer | None, solver: str) -> None:
        """Keep an optimizer's state for the next call.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer or None
            None where the solver has no state.
        solver : str
            Its name.
        """
        self.optimizer = None if optimizer is None else optimizer_state(optimizer)
        self.solver = solver

    def restore_optimizer(self, optimizer: torch.optim.Optimizer, solver: str) -> None:
        """Give a new optimizer the state of the last call, if the solver is the same.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            The new optimizer.
        solver : str
            Its name.
        """
        if self.optimizer is not None and self.solver == solver:
            restore_optimizer_state(optimizer, self.optimizer)

    def take_over(self, other: TrainingState, device: torch.device) -> None:
        """Go on from where another training was interrupted.

        The optimizer and torch's generators are put back where they are used.

        Parameters
        ----------
        other : TrainingState
            Of a training with the same data and parameters.
        device : torch.device
            Where this one takes place.
        """
        self.random_state.set_state(other.random_state.get_state(legacy=False))
        self.history[:] = other.history
        for name in ("n_samples_seen", "n_steps", "learning_rate", "plateau"):
            setattr(self, name, getattr(other, name))
        self.best = None if other.best is None else [tensor.to(device) for tensor in other.best]

    def on_cpu(self) -> TrainingState:
        """Return the same state with tensors on the CPU, for storage.

        Returns
        -------
        TrainingState
        """

        def cpu(value: Any) -> Any:
            return value.detach().cpu() if isinstance(value, Tensor) else value

        best = None if self.best is None else [cpu(tensor) for tensor in self.best]
        optimizer = self.optimizer
        if optimizer is not None:
            optimizer = [{k: cpu(v) for k, v in state.items()} for state in optimizer]
        return replace(self, best=best, optimizer=optimizer)
