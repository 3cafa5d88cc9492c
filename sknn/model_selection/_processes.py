"""Chunks shared between this process and others.

Threads of one process take turns in Python, which small networks spend half of their time in, so
other cores need processes. A process has to import torch first, for seconds: until the others
are ready, and beside them afterwards, this process works as well. They stay for the next search.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from pickle import PicklingError
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from sknn.training import PATIENCE

from ._chunks import Chunk, Results, portable_calls, run_chunk, run_chunk_elsewhere
from ._data import DataCache
from ._progress import Progress

# Seconds after which a process that has nothing to do ends.
IDLE_SECONDS = 300


class Pool:
    """Processes that run chunks, one thread each."""

    def __init__(self, n_processes: int) -> None:
        self.n_processes = n_processes
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self._executor = ProcessPoolExecutor(
            n_processes, timeout=IDLE_SECONDS, env=dict.fromkeys(names, "1")
        )
        # this module is imported to run it, and with it torch
        self.started = self._executor.submit(_nothing)

    def submit(self, chunk: Chunk) -> Future[Results]:
        """Hand a chunk to a process."""
        run = chunk.calls[0].carry(run_chunk_elsewhere)
        return self._executor.submit(run, *portable_calls(chunk.calls))

    def end(self) -> None:
        """End the processes, whatever they do."""
        self._executor.shutdown(wait=False, kill_workers=True)


def _nothing() -> None:
    """Be imported."""


class _PoolHolder:
    """Keeps the processes of the last search."""

    def __init__(self) -> None:
        self.pool: Pool | None = None

    def get(self, n_processes: int) -> Pool:
        """Return processes, those of the last search if they are as many."""
        if self.pool is not None and self.pool.n_processes != n_processes:
            self.drop()
        if self.pool is None:
            self.pool = Pool(n_processes)
        return self.pool

    def drop(self) -> None:
        """End the processes."""
        if self.pool is not None:
            self.pool.end()
        self.pool = None

    def forget(self) -> None:
        """Leave the processes alone: they are those of the parent process."""
        self.pool = None


_holder = _PoolHolder()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_holder.forget)


def run_in_processes(chunks: Sequence[Chunk], n_processes: int, progress: Progress) -> Results:
    """Run chunks in `n_processes` processes, of which this one is the first."""
    sharing = _Sharing(chunks, _holder.get(n_processes - 1), progress)
    try:
        return sharing.run()
    except BaseException:
        _holder.drop()
        raise
    finally:
        sharing.close()
        if sharing.is_broken:
            _holder.drop()


class _Sharing:
    """Chunks that wait, those that are elsewhere, and the results."""

    def __init__(self, chunks: Sequence[Chunk], pool: Pool, progress: Progress) -> None:
        self._waiting = deque(chunks)
        self._elsewhere: dict[Future[Results], Chunk] = {}
        self._lock = threading.Lock()
        self._pool = pool
        self._progress = progress
        self._is_open = True
        self.is_broken = False
        self._results: Results = []
        pool.started.add_done_callback(lambda _: self._hand_out())

    def run(self) -> Results:
        """Work until all is done."""
        while True:
            chunk = self._take()
            if chunk is not None:
                cache = DataCache(call.data_key for call in chunk.calls)
                self._results += run_chunk(chunk.calls, cache, self._progress)
            elif self._elsewhere:
                wait(list(self._elsewhere), PATIENCE, "FIRST_COMPLETED")
            else:
                return self._results
            self._collect()

    def close(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._is_open = False

    def _take(self) -> Chunk | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _hand_out(self) -> None:
        """Give each idle process a chunk; called in other threads too."""
        with self._lock:
            while (
                self._is_open
                and not self.is_broken
                and self._waiting
                and sum(not future.done() for future in self._elsewhere) < self._pool.n_processes
            ):
                chunk = self._waiting.pop()
                try:
                    future = self._pool.submit(chunk)
                except RuntimeError:  # the processes are gone
                    self.is_broken = True
                    self._waiting.append(chunk)
                    return
                self._elsewhere[future] = chunk
                future.add_done_callback(lambda _: threading.Thread(target=self._hand_out).start())

    def _collect(self) -> None:
        """Take what the other processes have done; what cannot be done there is done here."""
        with self._lock:
            done = [future for future in self._elsewhere if future.done()]
            chunks = [self._elsewhere.pop(future) for future in done]
        for future, chunk in zip(done, chunks, strict=True):
            error: Any = future.exception()
            if isinstance(error, BrokenProcessPool | PicklingError):
                self.is_broken = True
                with self._lock:
                    self._waiting.append(chunk)
                continue
            results = future.result()
            self._results += results
            for index, _ in results:
                self._progress.fitted(index)
