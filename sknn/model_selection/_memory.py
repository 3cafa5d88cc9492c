"""Limits of memory, and threads that keep within them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from sknn.training import PATIENCE, raise_if

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
