"""Chunks: calls that one worker takes on together.

The networks of a chunk become one stack, or few. A chunk is large enough for a stack to pay off,
small enough that all workers have one, and takes no more memory than there is.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.utils.validation import _num_samples

from sknn.data import resolve_device
from sknn.estimators import bytes_per_fit, fit_together
from sknn.training import raise_if

from ._calls import Call, CallTask, make_task
from ._data import DataCache
from ._memory import n_bytes_of
from ._progress import Progress

# On a CPU larger stacks are hardly faster. Smaller ones spend more of their time in Python, where
# threads wait for each other.
CALLS_PER_CHUNK = 32
# What is cut in two so that the chunks come out even for the workers.
SMALLEST_TO_CUT = 8

Results = list[tuple[int, Any]]  # index and result of each call


@dataclass(eq=False)
class Chunk:
    """What one worker takes on at a time."""

    calls: list[Call]  # their networks may share a stack
    n_bytes: int  # roughly the memory that they take at once


def device_of(call: Call) -> torch.device:
    """Return where a call's network is trained; the CPU where `fit` refuses its `device`."""
    try:
        return resolve_device(call.network.device)
    except (ValueError, TypeError):
        return torch.device("cpu")


def plan_chunks(calls: Sequence[Call], n_workers: int, memory_limit: int) -> list[Chunk]:
    """Cut calls into chunks; those with the same data are next to each other.

    The limit is for all chunks in work at once. A single call may exceed its part of it.
    """
    seen: dict[Hashable, int] = {}
    for call in calls:
        for key in (call.fold_key, call.data_key):
            seen.setdefault(key, len(seen))

    def rank(call: Call) -> tuple[int, int]:
        return seen[call.fold_key], seen[call.data_key]

    groups = [sorted(group, key=rank) for group in _group(calls)]
    sizes = MemorySizes()
    chunks: list[Chunk] = []
    counts = _count_chunks(groups, n_workers)
    limit = memory_limit // min(n_workers, sum(counts))
    for group, n_chunks in zip(groups, counts, strict=True):
        for part in _cut_evenly(group, n_chunks):
            chunks += sizes.cut(part, limit)
    return sorted(chunks, key=lambda chunk: rank(chunk.calls[0]))


def _group(calls: Iterable[Call]) -> Iterable[list[Call]]:
    """Return the calls whose networks may share a stack, and that pass on the same objects."""
    groups: dict[Hashable, list[Call]] = defaultdict(list)
    for call in calls:
        shared = tuple(id(call.arguments[name]) for name in ("X", "y"))
        groups[call.function, shared, id(call.config), call.stacking_key].append(call)
    return groups.values()


def _count_chunks(groups: Sequence[Sequence[Call]], n_workers: int) -> list[int]:
    """Return into how many chunks each group is cut so that all workers are busy to the end."""
    if any(device_of(group[0]).type == "cuda" for group in groups):
        return [1] * len(groups)  # the larger the stack, the better for a GPU
    counts = [math.ceil(len(group) / CALLS_PER_CHUNK) for group in groups]
    while sum(counts) % n_workers:
        sizes = [len(group) / count for group, count in zip(groups, counts, strict=True)]
        largest = max(sizes)
        too_few = sum(counts) < n_workers
        if largest <= 1 or (largest < SMALLEST_TO_CUT and not too_few):
            break
        counts[sizes.index(largest)] += 1
    return counts


def _cut_evenly(calls: list[Call], n_parts: int) -> Iterable[list[Call]]:
    edges = [round(len(calls) * part / n_parts) for part in range(n_parts + 1)]
    return (calls[start:end] for start, end in itertools.pairwise(edges) if end > start)


class MemorySizes:
    """Estimates how much memory calls take; arrays are measured once."""

    def __init__(self) -> None:
        self._of_objects: dict[int, int] = {}

    def cut(self, calls: Sequence[Call], limit: int) -> Iterable[Chunk]:
        """Cut calls into chunks of at most `limit` bytes, or of one call."""
        chunk = Chunk([], 0)
        data: set[Hashable] = set()
        for call in calls:
            n_bytes = self.of_fit(call) + self.of_data(call) * (call.data_key not in data)
            if chunk.calls and chunk.n_bytes + n_bytes > limit:
                yield chunk
                chunk, data = Chunk([], 0), set()
                n_bytes = self.of_fit(call) + self.of_data(call)
            chunk.calls.append(call)
            chunk.n_bytes += n_bytes
            data.add(call.data_key)
        yield chunk

    def of_data(self, call: Call) -> int:
        """Return the bytes of a fold's rows; preprocessing may add or remove columns."""
        # a stack has a copy of them, next to those of its other folds
        X, y, train = (call.arguments[name] for name in ("X", "y", "train"))
        part = np.asarray(train).size / max(_num_samples(X), 1)
        return int(part * (2 * self._of(X) + self._of(y)))

    def of_fit(self, call: Call) -> int:
        """Return the bytes that training this network adds."""
        return bytes_per_fit(call.network, call.arguments["X"], call.arguments["y"])

    def _of(self, data: Any) -> int:
        if id(data) not in self._of_objects:
            self._of_objects[id(data)] = n_bytes_of(data)
        return self._of_objects[id(data)]


def run_chunk(calls: Sequence[Call], cache: DataCache, progress: Progress) -> Results:
    """Train the networks of a chunk's calls together, and return the calls' results.

    Interrupted is raised if the fits are to stop, torch.OutOfMemoryError if a single network does
    not find the memory.
    """
    with config_context(**calls[0].config):
        tasks = _train(calls, cache, progress)
        if tasks is not None:
            return [_finish(task, cache) for task in _until_stopped(tasks, progress)]
    if device_of(calls[0]).type == "cuda":
        torch.cuda.empty_cache()
    half = len(calls) // 2
    parts = calls[:half], calls[half:]
    return [result for part in parts for result in run_chunk(part, cache, progress)]


def _train(calls: Sequence[Call], cache: DataCache, progress: Progress) -> list[CallTask] | None:
    """Train the networks; return None where fewer of them may find the memory."""
    tasks = [make_task(call, cache) for call in _until_stopped(calls, progress)]
    try:
        fit_together(
            [task for task in tasks if task.error is None],
            on_fitted=lambda task: progress.fitted(task.call.index),
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


def _until_stopped(items: Iterable[Any], progress: Progress) -> Iterable[Any]:
    for item in items:
        raise_if(progress.should_stop)
        yield item


def run_chunk_elsewhere(X: Any, y: Any, calls: Sequence[Call]) -> Results:
    """Run a chunk in another process, where it has come as :func:`portable_calls`."""
    calls = [replace(call, arguments={**call.arguments, "X": X, "y": y}) for call in calls]
    return run_chunk(calls, DataCache(call.data_key for call in calls), Progress())


def portable_calls(calls: Sequence[Call]) -> tuple[Any, Any, list[Call]]:
    """Return X, y and the calls of a chunk without them: they go once, and not with each call."""
    X, y = (calls[0].arguments[name] for name in ("X", "y"))
    # what the chunk is carried by has the filters of warnings
    dropped: dict[str, Any] = {"stacking_key": None, "warning_filters": ()}
    without_data = []
    for call in calls:
        rest = {name: value for name, value in call.arguments.items() if name not in ("X", "y")}
        without_data.append(replace(call, arguments=rest, **dropped))
    return X, y, without_data
