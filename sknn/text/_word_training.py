"""Word vectors learn: epochs, threads, checkpoints and listeners."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sknn.training import STOP, DivergenceError, Interrupted, Listener, in_threads, raise_if

# The learning rate falls to this share of what it was at the beginning.
LAST_RATE = 1e-4


class Learner(Protocol):
    """Arrays that learn from a corpus, one part of it after the other."""

    n_parts: int  # of an epoch
    n_workers: int  # which may learn from different parts at the same time
    sums: np.ndarray  # float64 (n_workers, 2): losses since the epoch began, and their number

    def learn(self, part: int, worker: int, rate: float) -> None:
        """Learn from a part of the corpus."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what has been learned, and what the generators of random numbers go on from."""

    def put_back(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`arrays` has returned."""


@dataclass(frozen=True)
class WordSettings:
    """The plain values of a training."""

    max_epochs: int
    rate: float
    falls: bool  # whether the learning rate falls linearly


@dataclass(eq=False)
class WordTraining:
    """What learns, and how far it has come; a training as listeners and checkpoints know it."""

    learner: Learner
    settings: WordSettings
    history: list[dict[str, Any]]
    listeners: Sequence[Listener] = ()
    checkpoint: Any = None
    n_epochs_run: int = 0
    next_part: int = 0
    seconds: float = 0.0  # that the present epoch took before an interruption
    begun: float = field(default_factory=time.perf_counter)
    this_epoch: dict[str, Any] = field(default_factory=dict)
    is_halted: bool = False

    def __post_init__(self) -> None:
        """Find out what may end this training."""
        self.should_stop = STOP.get()
        self._lock = threading.Lock()

    @property
    def is_done(self) -> bool:
        """Whether all epochs have been run."""
        return self.n_epochs_run >= self.settings.max_epochs

    def predicting(self) -> AbstractContextManager[None]:
        """Return a context in which vectors can be read: they always can."""
        return nullcontext()

    def run(self) -> None:
        """Learn; whatever ends it, the learner has what has been reached."""
        for listener in self.listeners:
            listener.on_train_begin(self)
        try:
            if self.checkpoint is not None:
                self.checkpoint.begin(self)
            while not self.is_done:
                self._run_epoch()
            if self.checkpoint is not None:
                self.checkpoint.complete(self)
        finally:
            for listener in self.listeners:
                listener.on_train_end(self)

    def _run_epoch(self) -> None:
        self.begun = time.perf_counter() - self.seconds
        rate = self._rate()
        n_workers = self.learner.n_workers
        while self.next_part < self.learner.n_parts:
            self.is_halted = False
            if n_workers == 1:
                self._work(0)
            else:
                in_threads(self._work, range(n_workers), n_workers, self._halt)
            raise_if(self.should_stop)
            if self._is_checkpoint_due():
                self.seconds = time.perf_counter() - self.begun
                self.checkpoint.write(self)
        self._end_epoch(rate)

    def _end_epoch(self, rate: float) -> None:
        loss_sum, n = self.learner.sums.sum(axis=0)
        loss = loss_sum / n if n else 0.0
        if not all(np.isfinite(array).all() for array in self.learner.arrays().values()):
            raise DivergenceError(
                "The word vectors are no longer finite; use a smaller learning_rate_init."
            )
        self.learner.sums[:] = 0
        self.this_epoch = {
            "epoch": len(self.history) + 1,
            "learning_rate": rate,
            "train_loss": float(loss),
            "dur": time.perf_counter() - self.begun,
        }
        self.history.append(self.this_epoch)
        self.n_epochs_run += 1
        self.next_part, self.seconds = 0, 0.0
        for listener in self.listeners:
            listener.on_epoch_end(self)
        if self.checkpoint is not None and not self.is_done:
            self.checkpoint.after_epoch(self)

    def _rate(self) -> float:
        """Return the learning rate of the next part."""
        if not self.settings.falls:
            return self.settings.rate
        done = self.n_epochs_run + self.next_part / max(1, self.learner.n_parts)
        return self.settings.rate * max(1 - done / self.settings.max_epochs, LAST_RATE)

    def _work(self, worker: int) -> None:
        """Learn from one part after the other, until there is none, or it is time to look up."""
        while not self.is_halted:
            with self._lock:
                part, rate = self.next_part, self._rate()
                if part == self.learner.n_parts:
                    return
                self.next_part += 1
            self.learner.learn(part, worker, rate)
            if self.should_stop() or self._is_checkpoint_due():
                return
        raise Interrupted

    def _halt(self) -> None:
        self.is_halted = True

    def _is_checkpoint_due(self) -> bool:
        return self.checkpoint is not None and self.checkpoint.is_due()


def word_progress(training: WordTraining) -> dict[str, Any]:
    """Return what the rest of a training depends on."""
    return {
        "arrays": training.learner.arrays(),
        "sums": training.learner.sums,
        "history": training.history,
        "n_epochs_run": training.n_epochs_run,
        "next_part": training.next_part,
        "seconds": training.seconds,
    }


def put_words_back(training: WordTraining, progress: dict[str, Any]) -> None:
    """Bring a new training to where another one was."""
    training.learner.put_back(progress["arrays"])
    sums = progress["sums"]
    if sums.shape == training.learner.sums.shape:
        training.learner.sums[:] = sums
    else:  # of another number of threads
        training.learner.sums[0] = sums.sum(axis=0)
    training.history[:] = progress["history"]
    training.n_epochs_run, training.next_part = progress["n_epochs_run"], progress["next_part"]
    training.seconds = progress["seconds"]
    for listener in training.listeners:
        listener.skip_epochs(training.n_epochs_run)
