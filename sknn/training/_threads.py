"""Trainings in several threads, and the signal that ends them early."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

# So often, in seconds, a thread that waits looks whether it is to stop: on some systems waiting
# itself is not interrupted.
PATIENCE = 0.5


# What a training asks whether it is to stop, unless it is told otherwise.
STOP: contextvars.ContextVar[Callable[[], bool]] = contextvars.ContextVar(
    "stop", default=lambda: False
)


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """Training was asked to end before it was done."""


def raise_if(should_stop: Callable[[], bool]) -> None:
    """Raise Interrupted if training is to stop."""
    if should_stop():
        raise Interrupted


@contextmanager
def ended_by(should_stop: Callable[[], bool]) -> Iterator[None]:
    """Have the trainings of fits in this block raise Interrupted once `should_stop` says so."""
    token = STOP.set(should_stop)
    try:
        yield
    finally:
        STOP.reset(token)


def in_threads(
    work: Callable[[Any], T], items: Sequence[Any], n_threads: int, stop: Callable[[], None]
) -> list[T]:
    """Return what `work` makes of each item, in a pool of threads.

    Whatever ends it early, Ctrl-C included, calls `stop`, which is to have `work` raise
    Interrupted, and waits for all threads.
    """
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="sknn-fits")
    all_wait = threading.Event()

    def begin(item: Any) -> T:
        # an interrupt while the pool starts a thread would have it forget that thread: none that
        # the work itself causes comes before all have started
        all_wait.wait()
        return work(item)

    try:
        # with a copy of the context, threads see the filters of warnings in any Python
        futures = [pool.submit(contextvars.copy_context().run, begin, item) for item in items]
        all_wait.set()
        while not _is_over(futures):
            wait(futures, PATIENCE, FIRST_EXCEPTION)
    finally:
        stop()
        all_wait.set()
        pool.shutdown(wait=True, cancel_futures=True)
    for future in futures:  # an error goes before the interruptions that have followed from it
        if not future.cancelled() and not isinstance(future.exception(), Interrupted):
            future.result()
    return [future.result() for future in futures]


def _is_over(futures: Sequence[Future[T]]) -> bool:
    """Return whether all are done, or one has failed."""
    finished = [future for future in futures if future.done()]
    return len(finished) == len(futures) or any(future.exception() for future in finished)
