"""The bar over the epochs of all fits, and the signal to stop."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from sknn.training import BAR

from ._calls import Call, CallTask

# Seconds between two drawings of the bar.
INTERVAL = 0.1


class Progress:
    """Follows fits, with `verbose` on a bar, and holds the signal to stop."""

    def __init__(self, calls: Sequence[Call] = (), *, verbose: bool = False) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._n_fits = len(calls)
        self._running: dict[int, CallTask] = {}
        self._epochs: dict[int, int] = {}  # of the fits that are done
        self._bar: Any = None
        self._next_drawing = 0.0
        if verbose and calls:
            from tqdm import tqdm

            total = sum(call.network.max_iter for call in calls)
            self._bar = tqdm(total=total, bar_format=BAR, file=sys.stderr)

    def begin(self, tasks: Sequence[CallTask]) -> None:
        """Follow fits; those that are repeated count once."""
        with self._lock:
            for task in tasks:
                if task.call.index not in self._epochs:
                    self._running[task.call.index] = task

    def end(self, task: CallTask) -> None:
        """Count a fit as done, and take away the epochs that it has not run."""
        with self._lock:
            if self._running.pop(task.call.index, None) is None:
                return
            self._epochs[task.call.index] = n_epochs = task.n_epochs
            if self._bar is not None:
                self._bar.total -= task.call.network.max_iter - n_epochs
                self._draw()

    def _draw(self) -> None:
        """Draw the bar."""
        n_epochs = sum(self._epochs.values())
        self._bar.n = n_epochs + sum(task.n_epochs for task in self._running.values())
        self._bar.set_postfix_str(f"{len(self._epochs)}/{self._n_fits} fits", refresh=False)
        self._bar.refresh()
        self._next_drawing = time.monotonic() + INTERVAL

    def stop(self) -> None:
        """Tell all fits to stop."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Return whether they are to stop; whoever trains asks, which moves the bar."""
        if self._bar is not None and time.monotonic() >= self._next_drawing:
            with self._lock:
                self._draw()
        return self._stop.is_set()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
