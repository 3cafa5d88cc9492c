"""The plain values of a training, and what one sample costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

# Floating point operations for each multiplication of the forward pass: it goes with an addition,
# and in training there are as many again for the gradients of inputs, and for those of weights.
FORWARD_FLOPS, TRAINING_FLOPS = 2, 6


class Work(NamedTuple):
    """What one sample costs a network in a step of training."""

    flops: float  # that run side by side; infinite, worth all threads, where nobody knows
    layer_size: int  # numbers that the largest layer returns

    @classmethod
    def of_training(cls, multiplications: float | None, layer_size: int) -> Work:
        """Return the work that follows from a forward pass; None where nobody knows it."""
        if multiplications is None:
            return cls(math.inf, layer_size)
        return cls(TRAINING_FLOPS * multiplications, layer_size)

    @property
    def forward_flops(self) -> float:
        """Operations of a prediction."""
        return self.flops * FORWARD_FLOPS / TRAINING_FLOPS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The plain values of a training; those that are parameters of estimators have their names."""

    # the solver's
    solver: str | Callable[..., torch.optim.Optimizer]
    learning_rate_init: float
    alpha: float
    beta_1: float
    beta_2: float
    epsilon: float
    momentum: float
    nesterovs_momentum: bool
    max_grad_norm: float | None
    max_fun: int  # evaluations of the loss by L-BFGS, at most
    # the learning rate's
    schedule: str  # `learning_rate`, where the solver and this call can follow it
    power_t: float
    horizon: int  # epochs after which a schedule that has an end is over
    # the loop's
    max_epochs: int  # of this call
    batch_size: int
    shuffle: bool
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    # early stopping watches the validation loss, not the score, and a schedule with an end is left
    # early where nothing improves
    stops_by_loss: bool
    scales_data: bool  # the family scales X and y, which users need not do
    verbose: bool | str  # "bar" prints above a progress bar
    # the network's
    compute_dtype: torch.dtype
    work: Work
    runs_user_code: bool  # module, loss or solver may draw from torch's global generators
    draws_numbers: bool  # the training may draw numbers of torch's

    @classmethod
    def of(cls, estimator: Any, **resolved: Any) -> Settings:
        """Return the settings with an estimator's parameters, but for those that are given."""
        names = [name for name in cls.__dataclass_fields__ if name not in resolved]
        return cls(**{name: getattr(estimator, name) for name in names}, **resolved)

    @property
    def solver_name(self) -> str:
        """Name of the solver; "custom" for a class of the user's."""
        return self.solver if isinstance(self.solver, str) else "custom"
