"""Who runs the chunks: threads of this process, or another backend of joblib's."""

from __future__ import annotations

import contextvars
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

import joblib
import torch
from joblib.parallel import ParallelBackendBase
from sklearn.utils.parallel import Parallel, delayed

from sknn.estimators import Interrupted
from sknn.training import threads_for

from ._chunks import Chunk, Results, portable_calls, run_chunk, run_chunk_elsewhere
from ._data import DataCache
from ._memory import MemoryBudget
from ._progress import Progress

# Threads take turns in Python: with fewer fits each, more threads are no faster.
FITS_PER_THREAD = 8

# The main thread looks so often whether it was interrupted, in seconds: on some systems
# waiting itself is not.
PATIENCE = 0.5


def runs_in_threads(backend: ParallelBackendBase) -> bool:
    """Say whether threads of this process stand in for a backend.

    They do for joblib's own ones. Whoever has chosen another backend has a reason, such as
    further machines.

    Parameters
    ----------
    backend : ParallelBackendBase
        The active backend.

    Returns
    -------
    bool
    """
    names = ("loky", "threading", "sequential")
    return type(backend) in [joblib.parallel.BACKENDS.get(name) for name in names]


def count_threads(n_jobs: int | None, backend: ParallelBackendBase, n_fits: int) -> int:
    """Return how many threads `n_jobs` stands for.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib; None is as many as torch would use for one network.
    backend : ParallelBackendBase
        The active backend.
    n_fits : int
        How many networks there are to train.

    Returns
    -------
    int
    """
    if type(backend) is joblib.parallel.BACKENDS["sequential"]:
        return 1
    if n_jobs is None:
        n_jobs = torch.get_num_threads()
    elif n_jobs < 0:
        n_jobs = joblib.cpu_count() + 1 + n_jobs
    return max(min(n_jobs, n_fits // FITS_PER_THREAD), 1)


def run_in_threads(
    chunks: Sequence[Chunk], n_threads: int, memory_limit: int, progress: Progress
) -> Results:
    """Run chunks in threads of this process, or in this thread if it is one.

    Parameters
    ----------
    chunks : sequence of Chunk
        What is to be done.
    n_threads : int
        How many at once.
    memory_limit : int
        Bytes of all that run at once.
    progress : Progress
        Is told of each fit, and to stop if one fails or on Ctrl-C.

    Returns
    -------
    list of (int, object)
        Index and result of each call.
    """
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
        return _join(_in_threads(work, chunks, n_threads, progress))


def _in_threads(
    work: Callable[[Chunk], Results], chunks: Sequence[Chunk], n_threads: int, progress: Progress
) -> list[Results]:
    """Return what `work` makes of each chunk; whatever ends it early ends all threads first."""
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="sknn-fits")
    try:
        # with a copy of the context, threads see the filters of warnings in any Python
        futures = [pool.submit(contextvars.copy_context().run, work, chunk) for chunk in chunks]
        while not _is_over(futures):
            wait(futures, PATIENCE, FIRST_EXCEPTION)
    finally:
        progress.stop()
        pool.shutdown(wait=True, cancel_futures=True)
    for future in futures:
        if not future.cancelled() and not isinstance(future.exception(), Interrupted):
            future.result()
    return [future.result() for future in futures]


def _is_over(futures: Sequence[Future[Results]]) -> bool:
    finished = [future for future in futures if future.done()]
    return len(finished) == len(futures) or any(future.exception() for future in finished)


def run_elsewhere(chunks: Sequence[Chunk], n_jobs: int | None, progress: Progress) -> Results:
    """Run chunks on the active backend of joblib, so that each of its workers trains stacks.

    Parameters
    ----------
    chunks : sequence of Chunk
        What is to be done.
    n_jobs : int or None
        As in joblib.
    progress : Progress
        Is told of the fits of each chunk that comes back.

    Returns
    -------
    list of (int, object)
        Index and result of each call.
    """
    backend, _ = joblib.parallel.get_active_backend()
    # as they come, so that the bar advances, where the backend can
    return_as = "generator_unordered" if backend.supports_return_generator else "list"
    tasks = []
    for chunk in chunks:
        shared = [chunk.calls[0].arguments[name] for name in ("X", "y")]
        tasks.append(delayed(run_chunk_elsewhere)(*shared, portable_calls(chunk.calls)))
    results = []
    for part in Parallel(n_jobs=n_jobs, return_as=return_as)(tasks):
        results += part
        for index, _ in part:
            progress.fitted(index)
    return results


def _join(parts: Any) -> Results:
    return [result for part in parts for result in part]
