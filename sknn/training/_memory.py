"""Memory that is used again from batch to batch.

glibc gives large blocks back to the system as soon as they are freed. The next batch gets new
ones, and the system clears them page by page at their first use, which for the feature maps of
convolutions can take a third of the time of a step. While a network with large layers runs, we
ask glibc to keep what is freed; afterwards everything goes back.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

# Layers that return less than this for a batch do not suffer.
LARGE_LAYER_BYTES = 2**20

# Parameters of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEEP_BYTES = 2**30
# What glibc's own rule arrives at, once blocks of 32 MiB have been freed.
SYSTEM_MMAP_BYTES, SYSTEM_TRIM_BYTES = 2**25, 2**26


class _Heap:
    """Counts who wants freed memory kept; the last one gives it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    def keep(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                _set_thresholds(KEEP_BYTES, KEEP_BYTES)

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _set_thresholds(SYSTEM_MMAP_BYTES, SYSTEM_TRIM_BYTES)
                _glibc().malloc_trim(0)  # type: ignore[union-attr]

    def forget(self) -> None:
        """Begin anew in a forked child, whose parent's threads are not there."""
        self._lock, self._users = threading.Lock(), 0


_heap = _Heap()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_heap.forget)


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return glibc, if it is the C library and the user has not set its thresholds."""
    is_set = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"} & {*os.environ}
    if is_set or platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def _set_thresholds(mmap_bytes: int, trim_bytes: int) -> None:
    library = _glibc()
    assert library is not None
    library.mallopt(M_MMAP_THRESHOLD, mmap_bytes)
    library.mallopt(M_TRIM_THRESHOLD, trim_bytes)


@contextmanager
def reused_memory(layer_bytes: int, device: torch.device) -> Iterator[None]:
    """Keep freed memory for the next batch.

    Parameters
    ----------
    layer_bytes : int
        What the largest layer returns for a batch.
    device : torch.device
        Other devices than the CPU have caches of their own.
    """
    if device.type != "cpu" or layer_bytes < LARGE_LAYER_BYTES or _glibc() is None:
        yield
        return
    _heap.keep()
    try:
        yield
    finally:
        _heap.release()
