"""Workers that run chunks: threads of this process, or another backend of joblib's."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import joblib
import torch
from joblib.parallel import ParallelBackendBase
from sklearn.utils.parallel import Parallel, delayed

from sknn.data import threads_for
from sknn.estimators import flops_per_fit
from sknn.training import in_threads

from ._calls import Call
from ._chunks import Chunk, Results, portable_calls, run_chunk, run_chunk_elsewhere
from ._data import DataCache
from ._memory import MemoryBudget, n_bytes_of
from ._progress import Progress

# With fewer fits for each, more workers are no faster.
FITS_PER_WORKER = 8

# Floating point operations, a second or two, below which no other process is started.
WORTH_PROCESSES = 1e10

# Bytes of X that are sent to a process with each chunk.
SENT_AT_MOST = 2**26


def is_foreign(backend: ParallelBackendBase) -> bool:
    """Return whether a backend is none of joblib's own."""
    # whoever has chosen such a one has a reason, such as further machines
    names = ("loky", "threading", "sequential")
    return type(backend) not in [joblib.parallel.BACKENDS.get(name) for name in names]


def count_workers(n_jobs: int | None, backend: ParallelBackendBase, n_fits: int) -> int:
    """Return how many workers joblib's `n_jobs` stands for with so many networks to train."""
    n_workers = max(joblib.effective_n_jobs(n_jobs), 1)
    return n_workers if is_foreign(backend) else max(min(n_workers, n_fits // FITS_PER_WORKER), 1)


def pays_processes(calls: Sequence[Call], backend: ParallelBackendBase) -> bool:
    """Return whether other processes pay off, where the user lets joblib choose."""
    # not for little work or data that take long to send, nor where callbacks watch this process
    given = calls[0].arguments
    if type(backend) is not joblib.parallel.BACKENDS["loky"]:
        return False
    if getattr(given.get("caller"), "_skl_callbacks", None):
        return False
    flops = sum(flops_per_fit(call.network, given["X"], given["y"]) for call in calls)
    return flops >= WORTH_PROCESSES and n_bytes_of(given["X"]) <= SENT_AT_MOST


def run_in_threads(
    chunks: Sequence[Chunk], n_threads: int, memory_limit: int, progress: Progress
) -> Results:
    """Run chunks in threads of this process, or in this thread if it is one."""
    cache = DataCache(call.data_key for chunk in chunks for call in chunk.calls)
    if n_threads == 1 or len(chunks) == 1:
        return _join(run_chunk(chunk.calls, cache, progress) for chunk in chunks)
    budget = MemoryBudget(memory_limit, progress.should_stop)

    def work(chunk: Chunk) -> Results:
        with (
            budget.reserve(chunk.n_bytes),
            joblib.parallel_config(backend="threading"),  # for what a scorer may run in parallel
            threads_for(0, torch.device("cpu")),  # one each: the chunks are the parallel work
        ):
            return run_chunk(chunk.calls, cache, progress)

    # Filters of warnings belong to the process. Code that changes them for a moment, in two
    # threads at once, may leave them changed: they are put back here.
    with warnings.catch_warnings():
        return _join(in_threads(work, chunks, n_threads, progress.stop))


def run_elsewhere(chunks: Sequence[Chunk], n_jobs: int | None, progress: Progress) -> Results:
    """Run chunks on the active backend of joblib, so that each of its workers trains stacks."""
    backend, _ = joblib.parallel.get_active_backend()
    # as they come, so that the bar advances, where the backend can
    return_as = "generator_unordered" if backend.supports_return_generator else "list"
    items = [delayed(run_chunk_elsewhere)(*portable_calls(chunk.calls)) for chunk in chunks]
    results = []
    for part in Parallel(n_jobs=n_jobs, return_as=return_as)(items):
        results += part
        for index, _ in part:
            progress.fitted(index)
    return results


def _join(parts: Iterable[Results]) -> Results:
    return [result for part in parts for result in part]
