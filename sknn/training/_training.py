"""`Training`: a network, what it learns from and how, and what has come of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import Samples
from sknn.nn import Generators, Loss, set_mode

from ._listeners import Listener
from ._running_statistics import RunningStatistics
from ._scores import Score
from ._settings import Settings
from ._state import TrainingState
from ._steps import Step
from ._threads import STOP
from .solvers import LearningRate


class DivergenceError(ValueError):
    """Loss or weights stopped being finite."""


class CheckpointProtocol(Protocol):
    """Keeps how far a training has come, and knows where an interrupted one goes on."""

    @property
    def is_within_epoch(self) -> bool:
        """Whether training goes on in the middle of an epoch."""

    def begin(self, training: Any) -> None:
        """Put a new training to where it was interrupted, its listeners told that it begins."""

    def is_due(self) -> bool:
        """Say whether too much time has gone since the training was kept."""

    def write(self, training: Any) -> None:
        """Keep a training, between two batches or two epochs."""

    def after_epoch(self, training: Any) -> None:
        """Keep a training after an epoch, unless that would take much of the time."""

    def complete(self, training: Any) -> None:
        """Keep that a training is over, with its final weights."""


@dataclass
class EpochSums:
    """What the batches of an epoch have come to so far."""

    order: np.ndarray | None  # of the rows; None as they stand
    n_batches: int = 0  # that are done
    n_answers: int = 0  # their targets
    loss_sum: Any = 0.0  # a tensor () after the first batch; penalties included
    weight_sum: float = 0.0
    decisions: Tensor | None = None  # for all answers; those that are not reached are zero
    # in place of decisions, if compiled functions train: rows that are right, and for each output
    # the sum of squared errors
    tally: np.ndarray | None = None
    begun: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """How long the epoch has taken."""
        return time.perf_counter() - self.begun

    def add(self, decisions: Tensor, loss_sum: Tensor, weight_sum: float, n_answers: int) -> None:
        """Take in a batch's decisions (n, ...), which become part of those for all answers."""
        self.loss_sum = self.loss_sum + loss_sum
        self.weight_sum += weight_sum
        n = len(decisions)
        if n == n_answers:
            self.decisions = decisions
            return
        # Not a list that is joined at the end: small tensors that outlive their batch keep the
        # large ones that were freed around them from being used again.
        if self.decisions is None:
            self.decisions = decisions.new_zeros((n_answers, *decisions.shape[1:]))
        self.decisions[self.n_answers : self.n_answers + n] = decisions

    def as_data(self) -> dict[str, Any]:
        """Return the same as plain data."""
        data = dict(vars(self))
        del data["begun"]
        return data | {"seconds": self.seconds}

    @classmethod
    def from_data(cls, data: dict[str, Any], device: torch.device) -> EpochSums:
        """Undo :meth:`as_data`, on a device."""
        arguments: dict[str, Any] = {
            name: value.to(device) if isinstance(value, Tensor) else value
            for name, value in data.items()
        }
        if arguments["order"] is not None:
            arguments["order"] = arguments["order"].copy()
        seconds = arguments.pop("seconds")
        return cls(**arguments, begun=time.perf_counter() - seconds)


@dataclass(eq=False)
class Training:
    """A network, what it learns from and how, and what has come of it."""

    module: nn.Module
    loss: Loss
    step: Step
    learning_rate: LearningRate
    settings: Settings
    state: TrainingState  # up to date after every epoch
    train: Samples
    validation: Samples | None
    # outputs (n, n_outputs) and targets of a batch to decisions (n, ...), which the score is of
    decide: Callable[[Tensor, Tensor], Tensor]
    score: Score
    statistics: RunningStatistics
    is_all: bool = True  # whether `train` stands for all of the data
    augment: Callable[[Any], Any] | None = None  # changes the inputs of training batches at random
    checkpoint: CheckpointProtocol | None = None
    listeners: Sequence[Listener] = ()
    # asked often; another thread may say so
    should_stop: Callable[[], bool] = field(default_factory=STOP.get)

    # what has come of it
    generators: Generators | None = None  # what training draws from; None if it draws nothing
    n_epochs_run: int = 0  # in this call
    order: np.ndarray | None = None  # of the rows in the last epoch
    sums: EpochSums | None = None  # of an epoch that is not over
    converged: bool = False
    stop_training: bool = False
    error: Exception | None = None  # what ended it, where others go on
    seconds: float = 0.0  # its share of the time that several took together

    @property
    def is_done(self) -> bool:
        """Whether the last epoch of this call has been run."""
        return self.stop_training or self.n_epochs_run >= self.settings.max_epochs

    @property
    def this_epoch(self) -> dict[str, Any]:
        """The history's last row (skorch's own indexing takes long)."""
        return list.__getitem__(self.state.history, -1)

    @property
    def n_whole_epochs(self) -> int:
        """Rows of the history, without that of an epoch that is not over."""
        history = self.state.history
        return len(history) - bool(history and "dur" not in self.this_epoch)

    @property
    def listens_to_batches(self) -> bool:
        """Whether a listener is told of each batch."""
        return any(listener.listens_to_batches for listener in self.listeners)

    def tensors(self) -> list[Tensor]:
        """Return everything that a copy of the network has to hold: parameters and buffers."""
        return [*self.module.parameters(), *self.module.buffers()]

    def set_mode(self, *, training: bool) -> None:
        """Switch dropout and the like on or off (which walks through the module)."""
        if self.module.training != training:
            set_mode(self.module, training=training)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Switch dropout and the like off for a while."""
        training = self.module.training
        self.set_mode(training=False)
        try:
            yield
        finally:
            self.set_mode(training=training)

    def lending(self, needed: bool = True) -> AbstractContextManager[None]:
        """Return a context in which torch's global generators draw what this training would."""
        if not needed or self.generators is None:
            return nullcontext()
        return self.generators.lent()

    def remember_optimizer(self) -> None:
        """Keep the optimizer's state for the next call."""
        self.state.remember_optimizer(self.step.optimizer, self.settings.solver_name, self.module)
