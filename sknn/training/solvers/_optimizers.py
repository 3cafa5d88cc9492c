"""Solvers by name: ours for `adam`, `adamw` and `sgd`, torch's classes for the others."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from sknn.training._settings import Settings

from ._fused import SGD, Adam, AdamW

SOLVERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}


# Solvers that take all rows at once and train in no batches.
FULL_BATCH_SOLVERS = ("lbfgs", "ridge")


def takes_all_rows(solver: Any) -> bool:
    """Return whether a solver, a name or a class, goes through no batches."""
    return isinstance(solver, str) and solver in FULL_BATCH_SOLVERS


def make_optimizer(
    settings: Settings,
    parameters: list[Tensor],
    weights: list[Tensor],  # what `alpha` acts upon under "adamw"
) -> torch.optim.Optimizer:
    """Return an optimizer of parameters; each number goes to the solvers that take it."""
    solver, momentum = settings.solver, settings.momentum
    optimizer_class = SOLVERS[solver] if isinstance(solver, str) else solver
    bound = getattr(optimizer_class, "keywords", {})  # of a partial, left as they are
    available: dict[str, Any] = {
        "lr": settings.learning_rate_init,
        "betas": (settings.beta_1, settings.beta_2),
        "eps": settings.epsilon,
        "momentum": momentum,
        "nesterov": settings.nesterovs_momentum and bound.get("momentum", momentum) > 0,
    }
    if solver == "adamw":
        available |= {"weight_decay": settings.alpha, "decayed": weights}
    elif solver == "rmsprop":
        # RMSprop is known without momentum; the default of 0.9 is meant for SGD
        del available["momentum"]
    accepted = _accepted_arguments(optimizer_class)  # type: ignore[arg-type]
    arguments = {
        name: value for name, value in available.items() if name in accepted and name not in bound
    }
    optimizer = optimizer_class(parameters, **arguments)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            f"solver returned {type(optimizer).__name__}; a torch.optim.Optimizer is needed."
        )
    if _needs_closure(type(optimizer)):  # type: ignore[arg-type]
        raise ValueError(
            f"solver={type(optimizer).__name__} evaluates the loss several times a step, which "
            "training in batches does not offer; for L-BFGS use solver='lbfgs'."
        )
    return optimizer


@lru_cache(maxsize=64)
def _accepted_arguments(optimizer_class: Any) -> frozenset[str]:
    return frozenset(inspect.signature(optimizer_class).parameters)


@lru_cache(maxsize=64)
def _needs_closure(optimizer_class: Any) -> bool:
    """Say whether `step` wants to evaluate the loss."""
    closure = inspect.signature(optimizer_class.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
