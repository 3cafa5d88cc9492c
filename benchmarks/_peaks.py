"""Peak memory of this process."""

from __future__ import annotations

import ctypes
import gc
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

MEBIBYTE = 2**20


def peak_above_baseline(action: Callable[[], Any]) -> int:
    """Return by how many bytes resident memory rises while an action runs."""
    gc.collect()
    _return_free_memory()
    if _reset_high_water_mark():
        baseline = _high_water_mark()
        action()
        return _high_water_mark() - baseline
    baseline = psutil.Process().memory_info().rss
    return _sampled_peak(action) - baseline


def _return_free_memory() -> None:
    """Give back what the tiny fit has freed: else the next fit has that much for nothing."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _reset_high_water_mark() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _high_water_mark() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def _sampled_peak(action: Callable[[], Any]) -> int:
    """Look a thousand times a second; a shorter peak goes unseen."""
    process, done = psutil.Process(), threading.Event()
    peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        action()
    finally:
        done.set()
        watcher.join()
    return max(peak, process.memory_info().rss)
