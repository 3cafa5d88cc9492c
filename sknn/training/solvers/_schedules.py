"""Learning rate schedules by name, and the plateau that lowers a rate or ends a training.

A schedule with a horizon gives the factor by which the peak learning rate is multiplied as a
function of the progress, from 0 at the first batch to 1 after `max_iter` epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from sknn.training._settings import Settings


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, 2017, arXiv:1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """Rise from 1/25 to 1 over 30 % of the training, then fall to 1e-4 / 25, as half cosines."""
    # Smith and Topin, 2018, arXiv:1708.07120; numbers of fast.ai
    start, rise = 1 / 25, 0.3
    if progress < rise:
        return start + (1 - start) * (1 - cosine(progress / rise))
    return start * 1e-4 + (1 - start * 1e-4) * cosine((progress - rise) / (1 - rise))


def warmup_cosine(progress: float) -> float:
    """Rise linearly from 0 over 5 % of the training, then fall as half a cosine to 0."""
    warmup = 0.05
    return progress / warmup if progress < warmup else cosine((progress - warmup) / (1 - warmup))


def step(progress: float) -> float:
    """Divide by ten after one and after two thirds of the training."""
    return 0.1 ** min(int(3 * progress), 2)


HORIZON_SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "one_cycle": one_cycle,
    "warmup_cosine": warmup_cosine,
    "step": step,
}

# "adaptive" divides the rate by this number on a plateau, until the rate is this small.
ADAPTIVE_DIVISOR = 5.0
ADAPTIVE_MINIMUM = 1e-6


def inverse_scaling(learning_rate: float, n_samples_seen: int, power_t: float) -> float:
    """Return ``learning_rate / (t + 1)^power_t``, t the number of samples seen."""
    return learning_rate / (n_samples_seen + 1) ** power_t


class Clock(Protocol):
    """How far a training has come, and where its learning rate stands between calls."""

    n_samples_seen: int
    n_steps: int
    learning_rate: float | None  # None is the initial one


class LearningRate:
    """Sets the learning rate of an optimizer, and keeps it in the training state."""

    def __init__(
        self,
        settings: Settings,
        optimizer: torch.optim.Optimizer | None,  # None has no learning rate
        state: Clock,
    ) -> None:
        self.schedule = settings.schedule
        self.initial = settings.learning_rate_init  # or the peak of a schedule with a horizon
        self.optimizer = optimizer
        self.state = state
        self.power_t = settings.power_t
        self.horizon = settings.horizon
        self.has_horizon = settings.schedule in HORIZON_SCHEDULES

    @property
    def now(self) -> float:
        """The optimizer's present learning rate."""
        return self.optimizer.param_groups[0]["lr"]  # type: ignore[union-attr]

    def _set(self, rate: float) -> None:
        self.state.learning_rate = rate
        for group in self.optimizer.param_groups:  # type: ignore[union-attr]
            group["lr"] = rate * group.get("rate_factor", 1.0)

    def resume(self) -> None:
        """Go on with the rate that the last call ended with."""
        if self.optimizer is not None and self.state.learning_rate is not None:
            self._set(self.state.learning_rate)

    def before_batch(self, steps_per_epoch: int) -> None:
        """Follow a schedule with a horizon."""
        if self.has_horizon:
            progress = min(self.state.n_steps / (steps_per_epoch * self.horizon), 1.0)
            self._set(self.initial * HORIZON_SCHEDULES[self.schedule](progress))

    def rates(self, steps_per_epoch: int, n_steps: int) -> list[float]:
        """Return the rates of the next steps of a schedule with a horizon."""
        schedule, most = HORIZON_SCHEDULES[self.schedule], steps_per_epoch * self.horizon
        steps = range(self.state.n_steps, self.state.n_steps + n_steps)
        return [self.initial * schedule(min(step / most, 1.0)) for step in steps]

    def after_epoch(self) -> None:
        """Follow "invscaling"."""
        if self.schedule == "invscaling":
            self._change_sgd(inverse_scaling(self.initial, self.state.n_samples_seen, self.power_t))

    def lower(self) -> bool:
        """Divide an "adaptive" rate on a plateau; False if there is none, or it is small enough."""
        if self.schedule != "adaptive" or self.now <= ADAPTIVE_MINIMUM:
            return False
        self._change_sgd(self.now / ADAPTIVE_DIVISOR)
        return True

    def _change_sgd(self, rate: float) -> None:
        """Change the rate of :class:`SGD`, whose velocity stays what it was."""
        self.state.learning_rate = rate
        self.optimizer.change_learning_rate(rate)  # type: ignore[union-attr]


@dataclass
class Plateau:
    """Counts the epochs in a row that did not improve a loss or a score by `tol`."""

    maximize: bool
    best: float = math.nan
    count: int = 0

    def __post_init__(self) -> None:
        if math.isnan(self.best):
            self.best = -math.inf if self.maximize else math.inf

    def update(self, value: float, tol: float) -> bool:
        """Take in an epoch's value (NaN never improves) and say whether it is the best so far."""
        if self.maximize:
            # as scikit-learn: an improvement by exactly tol resets the count for scores only
            reached = value >= self.best + tol
            better = value > self.best
        else:
            reached = value <= self.best - tol
            better = value < self.best
        self.count = 0 if reached else self.count + 1
        if better:
            self.best = value
        return better
