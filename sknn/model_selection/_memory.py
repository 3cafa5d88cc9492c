"""Limits of memory, what calls take of it, and threads that keep within them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import _num_samples

from sknn.estimators import bytes_per_fit
from sknn.training import PATIENCE, raise_if

from ._calls import Call

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("kmgt", start=1)}


def parse_memory_limit(limit: int | str | None) -> int | None:
    """Return the parameter `memory_limit` ("500MB", "2GB", "1.5GiB") in bytes, or refuse it."""
    if limit is None:
        return None
    n_bytes = 0
    if isinstance(limit, str):
        match = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmgt]?i?)b?\s*", limit.lower())
        if match and match[2] in UNITS:
            n_bytes = int(float(match[1]) * UNITS[match[2]])
    elif isinstance(limit, int | np.integer) and not isinstance(limit, bool):
        n_bytes = int(limit)
    if n_bytes < 1:
        raise ValueError(
            f"memory_limit={limit!r} is not a memory limit: use a positive number of bytes, a "
            "string such as '500MB' or '2GB', or None for half of the memory that is available."
        )
    return n_bytes


def available_memory(device: torch.device) -> int:
    """Return the bytes that are available on a device, as far as the system says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        import psutil  # type: ignore[import-untyped]
    except ImportError:
        pass
    else:
        return int(psutil.virtual_memory().available)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a system that tells
        return 4 * 10**9


def n_bytes_of(data: Any) -> int:
    """Return roughly how much memory an array, a matrix, a table or a list takes."""
    if data is None:
        return 0
    if hasattr(data, "memory_usage"):  # pandas
        usage = data.memory_usage()
        return int(np.sum(usage))
    if hasattr(data, "indptr"):  # scipy.sparse
        return int(data.data.nbytes + data.indices.nbytes + data.indptr.nbytes)
    if hasattr(data, "nbytes"):
        return int(data.nbytes)
    if isinstance(data, list | tuple):
        return sum(n_bytes_of(row) for row in data)
    return 8


class MemorySizes:
    """Estimates how much memory calls take; arrays are measured once."""

    def __init__(self) -> None:
        self._of_objects: dict[int, int] = {}

    def of(self, call: Call) -> int:
        """Return the bytes that a call takes."""
        return self._of_fit(call) + self._of_data(call)

    def cut(self, calls: Sequence[Call], limit: int) -> Iterator[list[Call]]:
        """Cut calls into parts of at most `limit` bytes, or of one call."""
        part: list[Call] = []
        total, data = 0, set[Hashable]()
        for call in calls:
            n_bytes = self._of_fit(call) + self._of_data(call) * (call.data_key not in data)
            if part and total + n_bytes > limit:
                yield part
                part, total, data = [], 0, set()
                n_bytes = self.of(call)
            part.append(call)
            total += n_bytes
            data.add(call.data_key)
        yield part

    def _of_data(self, call: Call) -> int:
        """Return the bytes of a fold's rows; preprocessing may add or remove columns."""
        # a stack has a copy of them, next to those of its other folds
        X, y, train = (call.arguments[name] for name in ("X", "y", "train"))
        part = np.asarray(train).size / max(_num_samples(X), 1)
        return int(part * (2 * self._of_object(X) + self._of_object(y)))

    def _of_fit(self, call: Call) -> int:
        """Return the bytes that training this network adds."""
        return bytes_per_fit(call.network, call.arguments["X"], call.arguments["y"])

    def _of_object(self, data: Any) -> int:
        if id(data) not in self._of_objects:
            self._of_objects[id(data)] = n_bytes_of(data)
        return self._of_objects[id(data)]


class MemoryBudget:
    """Lets threads start their work while all memory at once is within a limit of bytes."""

    def __init__(self, limit: int, should_stop: Callable[[], bool]) -> None:
        self.limit = limit
        self.should_stop = should_stop
        self._left = limit
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, n_bytes: int) -> Iterator[None]:
        """Wait for this much memory and hold it; what is more than the limit waits to be alone."""
        n_bytes = min(n_bytes, self.limit)
        with self._changed:
            while self._left < n_bytes:
                raise_if(self.should_stop)
                self._changed.wait(PATIENCE)
            self._left -= n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._left += n_bytes
                self._changed.notify_all()
