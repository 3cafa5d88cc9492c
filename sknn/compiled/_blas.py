"""One thread for the library of matrix products that compiled functions call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class _BlasLimit:
    """Sets the number of threads of SciPy's BLAS to one while anybody is within it.

    numba's products are those of `scipy.linalg.cython_blas`. A library has one number a process:
    the first who enters sets it, the last who leaves restores it. OpenBLAS on OpenMP has one a
    thread, where each sets and restores its own. A number that somebody else has set in the
    meantime is left alone: it is later than the one that would be restored.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._libraries: list[Any] | None = None
        self._before: list[int] = []

    def enter(self) -> list[int]:
        """Set the numbers, and return those of this thread before."""
        with self._lock:
            if self._libraries is None:
                self._libraries = _find_libraries()
            before = [library.get_num_threads() for library in self._libraries]
            if self._users == 0:
                self._before = before
            self._users += 1
            for library, number in zip(self._libraries, before, strict=True):
                if number != 1:
                    _set_threads(library, 1)
            return before

    def leave(self, before: Sequence[int]) -> None:
        """Restore the numbers, `before` of a thread's own."""
        with self._lock:
            if self._users:  # none are left in a process that was forked within
                self._users -= 1
            libraries = self._libraries or []
            for library, own, common in zip(libraries, before, self._before, strict=True):
                number = own if _is_per_thread(library) else common if self._users == 0 else 1
                if number != 1 and library.get_num_threads() == 1:
                    _set_threads(library, number)

    def reset(self) -> None:
        """Forget the threads that a fork has left behind; their number stays 1 in the child."""
        self._lock, self._users = threading.Lock(), 0
        self._before = [1] * len(self._before)


def _find_libraries() -> list[Any]:
    """Return threadpoolctl's controllers of SciPy's BLAS; none for Accelerate, which has no limit.

    SciPy's wheels bring a library of their own. Elsewhere it shares one with NumPy, and all that
    are loaded are meant.
    """
    import scipy.linalg.cython_blas  # noqa: F401 - only loaded libraries are found
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    of_scipy = [each for each in found if "scipy.libs" in each.filepath.replace(os.sep, "/")]
    return of_scipy or found


def _set_threads(library: Any, number: int) -> None:
    """Set a library's number of threads, whichever thread asks."""
    # threadpoolctl from 3.8 on lets only the first thread that has set OpenBLAS's do so again
    set_number = getattr(library, "_real_set_num_threads", library.set_num_threads)
    set_number(number)


def _is_per_thread(library: Any) -> bool:
    return library.internal_api == "openblas" and library.threading_layer == "openmp"


_limit = _BlasLimit()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limit.reset)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Compute matrix products on one thread: those of small networks are over before it starts."""
    before = _limit.enter()
    try:
        yield
    finally:
        _limit.leave(before)
