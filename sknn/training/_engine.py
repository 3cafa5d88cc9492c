"""The engine that trains many: equal networks as one program, all others one after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

from sknn.data import threads_for

from ._stack import stack_key, train_stack
from ._threads import in_threads, raise_if
from ._train import train
from ._training import Training

# Below this number of floating point operations a step, a second thread waits for Python mostly.
THREADED_FLOPS = 2e8


class Trainable(Protocol):
    """A fit of which only the training is left to do."""

    @property
    def training(self) -> Training:
        """The network and what it learns from."""

    def conclude(self) -> Any:
        """Take what the training has come to, whatever has ended it."""


F = TypeVar("F", bound=Trainable)


def train_all(
    fits: Sequence[F],
    *,
    on_done: Callable[[F], Any] = lambda fit: None,
    should_stop: Callable[[], bool] = lambda: False,
    n_threads: int = 1,
) -> None:
    """Train each fit and conclude it, whatever has ended it.

    An error of one is kept in its training and harms no other. `should_stop` is asked now and then;
    once it says so, Interrupted is raised. Up to `n_threads` threads share the stacks on a CPU,
    where they are large enough for it.
    """
    groups: dict[Hashable, list[F]] = {}
    for number, fit in enumerate(fits):
        key = stack_key(fit.training)
        groups.setdefault((number,) if key is None else key, []).append(fit)
    for group in groups.values():
        raise_if(should_stop)
        n_parts = count_parts(group, n_threads)
        if len(group) == 1:
            _train_alone(group[0], on_done)
        elif n_parts == 1:
            _train_together(group, on_done, should_stop)
        else:
            parts = [group[i::n_parts] for i in range(n_parts)]
            _train_in_threads(parts, on_done, should_stop)


def count_parts(group: Sequence[Trainable], n_threads: int) -> int:
    """Return the number of stacks that a group is divided into, each for a thread of its own."""
    training = group[0].training
    flops = training.settings.batch_size * training.settings.work.flops
    # listeners may be functions of the user's, which are not called from several threads
    if training.train.device.type != "cpu" or flops < THREADED_FLOPS or training.listeners:
        return 1
    return min(len(group), n_threads)


def _train_alone(fit: F, on_done: Callable[[F], Any]) -> None:
    """Train and conclude one fit."""
    training, start = fit.training, time.perf_counter()
    try:
        try:
            train(training)
        finally:
            fit.conclude()
    except Exception as error:
        training.error = error
    training.seconds = time.perf_counter() - start
    on_done(fit)


def _train_together(
    stack: Sequence[F], on_done: Callable[[F], Any], should_stop: Callable[[], bool]
) -> None:
    """Train and conclude fits with equal keys, in this thread."""
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


def _train_in_threads(
    parts: Sequence[Sequence[F]], on_done: Callable[[F], Any], should_stop: Callable[[], bool]
) -> None:
    """Train and conclude several stacks, each in a thread of its own."""
    is_over = threading.Event()

    def stops() -> bool:
        return is_over.is_set() or should_stop()

    def train_part(part: Sequence[F]) -> None:
        _train_together(part, on_done, stops)

    in_threads(train_part, parts, len(parts), is_over.set)
