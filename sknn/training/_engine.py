"""The engine that trains many: equal networks as one program, others each by itself, in threads.

On a CPU, the program is for networks that compiled functions do not train, and each core has one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

import torch

from sknn.data import threads_for
from sknn.nn import DenseBackprop, DenseNetwork

from ._stack import stack_key, train_stack
from ._threads import Interrupted, in_threads, raise_if
from ._train import train
from ._training import Training

# Devices on which equal dense networks are no program: a core trains one faster than its share of
# many.
UNSTACKED_DEVICES = {"cpu"}

# From this number of floating point operations a step, threads wait for Python only now and then,
# even if torch makes the step.
THREADED_FLOPS = 2e8


class Trainable(Protocol):
    """A fit of which only the training is left to do."""

    @property
    def training(self) -> Training:
        """The network and what it learns from."""

    def conclude(self) -> Any:
        """Take what the training has come to, whatever has ended it."""


F = TypeVar("F", bound=Trainable)


def stacks_networks(device: torch.device) -> bool:
    """Return whether equal networks are trained as one program on a device."""
    return device.type not in UNSTACKED_DEVICES


def train_all(
    fits: Sequence[F],
    *,
    on_done: Callable[[F], Any] = lambda fit: None,
    should_stop: Callable[[], bool] = lambda: False,
    n_threads: int = 1,
) -> None:
    """Train each fit and conclude it, whatever has ended it.

    An error of one is kept in its training and harms no other. `should_stop` is asked often;
    once it says so, Interrupted is raised. Up to `n_threads` fits on a CPU are trained at the same
    time, where that takes less time than one after the other.
    """
    threaded: list[F] = []
    if n_threads > 1:
        threaded = [fit for fit in fits if _gains_from_threads(fit.training, len(fits), n_threads)]
    groups: dict[Hashable, list[F]] = {}
    for number, fit in enumerate(fits):
        if fit not in threaded:
            key = stack_key(fit.training) if _stacks(fit.training) else None
            groups.setdefault((number,) if key is None else key, []).append(fit)
    if threaded:
        _train_in_threads([[fit] for fit in threaded], n_threads, on_done, should_stop)
    for group in groups.values():
        raise_if(should_stop)
        parts = _parts(group, n_threads)
        if len(parts) == 1:
            _train_group(group, on_done, should_stop)
        else:
            _train_in_threads(parts, n_threads, on_done, should_stop)


def _stacks(training: Training) -> bool:
    """Return whether networks like this one are trained as one program."""
    if stacks_networks(training.train.device):
        return True
    if training.step.releases_gil or training.checkpoint is not None:
        # compiled functions train it; or it may go on within an epoch, which a stack cannot
        return False
    backprop = getattr(training.step, "backprop", None)
    return isinstance(backprop, DenseBackprop) and backprop.encoder is not None


def _parts(group: list[F], n_threads: int) -> list[list[F]]:
    """Part a stack on a CPU among threads, each of which trains a smaller one."""
    if group[0].training.train.device.type != "cpu" or any(
        listener.runs_user_code for fit in group for listener in fit.training.listeners
    ):
        return [group]
    n_parts = min(n_threads, len(group))
    return [group[i::n_parts] for i in range(n_parts)]


def _train_group(
    group: Sequence[F], on_done: Callable[[F], Any], should_stop: Callable[[], bool]
) -> None:
    """Train and conclude one fit, or several that are one program."""
    if len(group) == 1:
        _train_alone(group[0], on_done, should_stop)
    else:
        _train_together(group, on_done, should_stop)


def _gains_from_threads(training: Training, n_fits: int, n_threads: int) -> bool:
    """Return whether others may be trained beside this one, in threads, and hardly slow it down."""
    settings = training.settings
    if (
        stacks_networks(training.train.device)
        # functions of the user's are not called from several threads
        or settings.runs_user_code
        or any(listener.runs_user_code for listener in training.listeners)
    ):
        return False
    if training.step.releases_gil:
        return True
    # alone it would use all threads for its products
    is_large = settings.batch_size * settings.work.flops >= THREADED_FLOPS
    return is_large and isinstance(training.module, DenseNetwork) and n_fits >= n_threads


def _train_alone(fit: F, on_done: Callable[[F], Any], should_stop: Callable[[], bool]) -> None:
    """Train and conclude one fit."""
    training, start = fit.training, time.perf_counter()
    training.should_stop = should_stop
    try:
        try:
            train(training)
        finally:
            fit.conclude()
    except Interrupted:
        raise
    except Exception as error:
        training.error = error
    training.seconds = time.perf_counter() - start
    on_done(fit)


def _train_in_threads(
    groups: Sequence[Sequence[F]],
    n_threads: int,
    on_done: Callable[[F], Any],
    should_stop: Callable[[], bool],
) -> None:
    """Train and conclude groups on a CPU, several at a time with one thread of torch's each."""
    is_over = threading.Event()

    def stops() -> bool:
        return is_over.is_set() or should_stop()

    def work(group: Sequence[F]) -> None:
        raise_if(stops)
        with threads_for(0, group[0].training.train.device):
            _train_group(group, on_done, stops)

    in_threads(work, groups, min(n_threads, len(groups)), is_over.set)


def _train_together(
    stack: Sequence[F], on_done: Callable[[F], Any], should_stop: Callable[[], bool]
) -> None:
    """Train and conclude fits with equal keys as one program."""
    trained = {id(fit.training): fit for fit in stack}

    def conclude(training: Training) -> None:
        fit = trained.pop(id(training))
        fit.conclude()
        on_done(fit)

    trainings = [fit.training for fit in stack]
    try:
        with threads_for(0, trainings[0].train.device):
            train_stack(trainings, on_done=conclude, should_stop=should_stop)
    finally:
        for fit in trained.values():  # interrupted
            fit.conclude()
