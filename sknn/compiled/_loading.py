"""numba and what it has compiled, imported by the first fit that uses them."""

from __future__ import annotations

import gc
import importlib
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_lock = threading.RLock()
# Whether numba works here; None until somebody asks.
_is_available: bool | None = None
_modules: dict[str, ModuleType] = {}


def is_available() -> bool:
    """Return whether numba can compile here; the first call imports it.

    Only an import tells: numba refuses a NumPy that is newer than it is. One that is installed
    and does not work is warned of, once; torch does the same work without it.
    """
    global _is_available
    if _is_available is None:
        with _lock:
            if _is_available is None:
                _is_available, problem = _try_numba()
                if problem:
                    warnings.warn(
                        f"numba is installed, but cannot be imported ({problem}). Small networks "
                        "are trained by torch alone, which takes longer.",
                        stacklevel=2,
                    )
    return _is_available


def kernels() -> Any:
    """Return the functions that train; they are compiled, or read from the disk, as called.

    Raises ImportError where :func:`is_available` is False.
    """
    return _module("_kernels")


def rocket() -> Any:
    """Return the functions for MiniRocket, in the same way."""
    return _module("_rocket")


def words() -> Any:
    """Return the functions for word vectors, in the same way."""
    return _module("_words")


def _module(name: str) -> ModuleType:
    if name not in _modules:
        with _lock:  # two threads that import numba at once may each find half of it
            if not is_available():
                raise ImportError("numba is not installed, does not work here or is switched off.")
            with _without_collections():
                _load_compiler()
                _modules[name] = importlib.import_module(f"sknn.compiled.{name}")
    return _modules[name]


def _load_compiler() -> None:
    """Load the rest of numba, which its first compiled function would load anyway."""
    from numba.core.registry import cpu_target

    cpu_target.target_context.refresh()


def _try_numba() -> tuple[bool, str]:
    """Return whether numba works, and what is wrong with one that is installed."""
    try:
        with _without_collections():
            import numba
    except ModuleNotFoundError as error:
        return False, "" if error.name == "numba" else str(error)
    except Exception as error:  # a NumPy too new, a library that is missing or built for another
        return False, f"{type(error).__name__}: {error}"
    # NUMBA_DISABLE_JIT leaves Python functions, whose integers do not wrap around.
    return not getattr(numba.config, "DISABLE_JIT", False), ""


@contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage: an import makes none, and going through torch's objects takes 0.2 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _after_fork_in_child() -> None:
    """Take a new lock: the thread that held the old one has stayed behind."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
