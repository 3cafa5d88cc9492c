"""The decorator of compiled functions, and their cache on the disk. Imports numba."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

_njit: Any = numba.njit  # whose types do not know all of its options

# Without the GIL, so that threads run beside each other; IEEE's arithmetic as it is written, so
# that all calls give the same bits; divisions by zero as NumPy's; no references to count.
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy", "_nrt": False}
# What Python does not call needs no wrappers, which take long to compile.
INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function for each type of arguments that it is called with, or read it from disk.

    It allocates no arrays, and returns none.
    """
    dispatcher: Any = _njit(**OPTIONS, no_cfunc_wrapper=True)(function)
    with suppress(RuntimeError):  # no folder can be written: every process compiles for itself
        dispatcher._cache = _Cache(function)
    return dispatcher


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that compiled ones alone call, into whose files it goes."""
    return _njit(**OPTIONS, **INNER)(function)


def sums(function: Callable[..., Any]) -> Any:
    """Compile an inner function whose sums may be taken in another order, as vectors do."""
    return _njit(**(OPTIONS | INNER | {"fastmath": {"reassoc"}}))(function)


def product(function: Callable[..., Any]) -> Any:
    """Compile an inner function that calls np.dot, which wants to count references."""
    return _njit(**(OPTIONS | INNER | {"_nrt": True}))(function)


class _Cache(FunctionCache):
    """numba's cache, without which everything works too: an error is a function not found.

    It lies beside the source, or in the user's cache folder where that cannot be written, or in
    NUMBA_CACHE_DIR.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        # of all files here: a function goes with those that it calls
        files = sorted(Path(__file__).parent.glob("*.py"))
        contents = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        stamp = self._impl.locator.get_source_stamp(), contents
        self._cache_file = _CacheFile(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # cut off, written by another version, not ours to read
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # a full disk, a folder that has gone or become read-only
            self.disable()


class _CacheFile(IndexDataCacheFile):
    """The files of one function, each named after the types and the processor that it is for.

    numba numbers them. Of two processes that save their first at the same time, say one for
    float32 and one for float64, the index of the one would name the code of the other.
    """

    def save(self, key: Any, data: Any) -> None:
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        self._data_name_pattern = f"{self._index_name.removesuffix('.nbi')}.{name}-{{number:d}}.nbc"
        super().save(key, data)

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except Exception:  # damaged: what is saved next writes it anew
            return {}
