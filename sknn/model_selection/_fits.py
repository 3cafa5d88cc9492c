"""Who trains the networks of calls: threads on a CPU, one program on a GPU.

On a CPU a call is one fit, and each of `n_jobs` threads takes the next call when it is done with
the last one. On a GPU the networks of calls with equal keys are one stack, or as few as memory
allows.
"""

from __future__ import annotations

import threading
import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import joblib
import torch
from sklearn import config_context

from sknn.data import threads_for
from sknn.estimators import fit_together, flops_per_fit
from sknn.training import in_threads, raise_if

from ._calls import Call, CallTask, make_task
from ._data import DataCache
from ._memory import MemoryBudget, MemorySizes
from ._progress import Progress

CPU = torch.device("cpu")

Results = list[tuple[int, Any]]  # index and result of each call


def run_in_threads(
    calls: Sequence[Call], n_threads: int, memory_limit: int, progress: Progress
) -> Results:
    """Run calls in threads of this process, or in this thread if it is one."""
    cache = DataCache(call.data_key for call in calls)
    calls = _in_order(calls)
    if n_threads == 1 or len(calls) == 1:
        return [result for call in calls for result in run_together([call], cache, progress)]
    budget, sizes = MemoryBudget(memory_limit, progress.should_stop), MemorySizes()
    waiting, lock = iter(calls), threading.Lock()

    def work(_: int) -> Results:
        results: Results = []
        with (
            joblib.parallel_config(backend="threading"),  # for what a scorer may run in parallel
            threads_for(0, CPU),  # one each: the calls are the parallel work
        ):
            while True:
                with lock:
                    call = next(waiting, None)
                    n_bytes = 0 if call is None else sizes.of(call)
                if call is None:
                    return results
                with budget.reserve(n_bytes):
                    results += run_together([call], cache, progress)

    # Filters of warnings belong to the process. Code that changes them for a moment, in two
    # threads at once, may leave them changed: they are put back here.
    with warnings.catch_warnings():
        parts = in_threads(work, range(min(n_threads, len(calls))), n_threads, progress.stop)
    return [result for part in parts for result in part]


def run_in_stacks(calls: Sequence[Call], memory_limit: int, progress: Progress) -> Results:
    """Run calls in this thread, those with equal keys together as far as memory allows."""
    groups: dict[Hashable, list[Call]] = defaultdict(list)
    for call in _in_order(calls):
        groups[call.stacking_key, call.function, id(call.config)].append(call)
    cache = DataCache(call.data_key for call in calls)
    sizes = MemorySizes()
    return [
        result
        for group in groups.values()
        for part in sizes.cut(group, memory_limit)
        for result in run_together(part, cache, progress)
    ]


def _in_order(calls: Sequence[Call]) -> list[Call]:
    """Return calls fold by fold, those with the same data next to each other, large ones first."""
    # so few folds are in memory at once, and threads are done at about the same time
    seen: dict[Hashable, int] = {}
    for call in calls:
        for key in (call.fold_key, call.data_key):
            seen.setdefault(key, len(seen))

    def rank(call: Call) -> tuple[int, int, float]:
        given = call.arguments
        flops = flops_per_fit(call.network, given["X"], given["y"])
        return seen[call.fold_key], seen[call.data_key], -flops

    return sorted(calls, key=rank)


def run_together(calls: Sequence[Call], cache: DataCache, progress: Progress) -> Results:
    """Train the networks of calls and return the calls' results.

    Interrupted is raised if the fits are to stop, torch.OutOfMemoryError if a single network does
    not find the memory.
    """
    with config_context(**calls[0].config):
        tasks = _train(calls, cache, progress)
        if tasks is not None:
            return [_finish(task, cache) for task in _until_stopped(tasks, progress)]
    torch.cuda.empty_cache()
    half = len(calls) // 2
    parts = calls[:half], calls[half:]
    return [result for part in parts for result in run_together(part, cache, progress)]


def _train(calls: Sequence[Call], cache: DataCache, progress: Progress) -> list[CallTask] | None:
    """Train the networks; return None where fewer of them may find the memory."""
    tasks = [make_task(call, cache) for call in _until_stopped(calls, progress)]
    progress.begin(tasks)
    for task in tasks:
        if task.error is not None:
            progress.end(task)
    try:
        with config_context(skip_parameter_validation=True):  # which has been done
            fit_together(
                [task for task in tasks if task.error is None],
                on_fitted=progress.end,
                should_stop=progress.should_stop,
            )
    except torch.OutOfMemoryError:
        if len(calls) == 1:
            raise
        return None
    return tasks


def _finish(task: CallTask, cache: DataCache) -> tuple[int, Any]:
    """Return index and result of a call."""
    result = task.finish()
    cache.release(task.call.data_key)
    return task.call.index, result


def _until_stopped(items: Iterable[Any], progress: Progress) -> Iterator[Any]:
    for item in items:
        raise_if(progress.should_stop)
        yield item
