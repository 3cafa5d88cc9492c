"""The number of threads of SciPy's BLAS."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from threadpoolctl import ThreadpoolController

from sknn.compiled import _blas, one_blas_thread
from tests.helpers import run_python


class Library:
    """A library with one number a process, or one a thread, as threadpoolctl controls it."""

    internal_api = "openblas"

    def __init__(self, number: int, threading_layer: str = "pthreads") -> None:
        self.threading_layer = threading_layer
        self._start = number
        is_per_thread = threading_layer == "openmp"
        self._numbers: Any = threading.local() if is_per_thread else SimpleNamespace()

    def get_num_threads(self) -> int:
        return getattr(self._numbers, "value", self._start)

    def set_num_threads(self, number: int) -> None:
        self._numbers.value = number


@pytest.fixture(params=["pthreads", "openmp"])
def library(request: Any, monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library(4, request.param)
    limit = _blas._BlasLimit()
    limit._libraries = [library]
    monkeypatch.setattr(_blas, "_limit", limit)
    return library


def test_it_is_one_within_and_what_it_was_afterwards(library: Library) -> None:
    with one_blas_thread():
        assert library.get_num_threads() == 1
        with one_blas_thread():
            assert library.get_num_threads() == 1
        assert library.get_num_threads() == 1
    assert library.get_num_threads() == 4


def test_an_error_leaves_it_as_it_was(library: Library) -> None:
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert library.get_num_threads() == 4


def test_the_last_of_several_threads_restores_it(library: Library) -> None:
    inside, leave = threading.Barrier(2), threading.Event()
    numbers = []

    def other() -> None:
        with one_blas_thread():
            inside.wait()
            leave.wait()
            numbers.append(library.get_num_threads())
        numbers.append(library.get_num_threads())

    thread = threading.Thread(target=other)
    with one_blas_thread():
        thread.start()
        inside.wait()
    is_per_thread = library.threading_layer == "openmp"
    assert library.get_num_threads() == (4 if is_per_thread else 1)
    leave.set()
    thread.join()
    assert numbers == [1, 4]
    assert library.get_num_threads() == 4


def test_a_number_that_somebody_else_sets_meanwhile_stays(library: Library) -> None:
    with one_blas_thread():
        library.set_num_threads(3)
    assert library.get_num_threads() == 3


def test_one_stays_one(library: Library) -> None:
    library.set_num_threads(1)
    with one_blas_thread():
        assert library.get_num_threads() == 1
    assert library.get_num_threads() == 1


def test_many_threads_at_once(library: Library) -> None:
    seen = set()

    def work() -> None:
        for _ in range(200):
            with one_blas_thread():
                seen.add(library.get_num_threads())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1} and library.get_num_threads() == 4


def test_a_child_forgets_the_threads_of_its_parent(library: Library) -> None:
    with one_blas_thread():
        _blas._limit.reset()  # what the fork calls
        with one_blas_thread():
            assert library.get_num_threads() == 1
    assert _blas._limit._users == 0


def test_the_library_is_scipys() -> None:
    libraries = _blas._find_libraries()
    loaded = {each.filepath for each in ThreadpoolController().lib_controllers}
    assert {each.filepath for each in libraries} <= loaded


@pytest.mark.slow
@pytest.mark.serial
def test_the_real_library_and_a_real_fork() -> None:
    code = """
    import os
    from sknn.compiled import _blas, one_blas_thread

    libraries = _blas._find_libraries()
    for library in libraries:
        library.set_num_threads(2)
    before = [library.get_num_threads() for library in libraries]
    with one_blas_thread():
        assert [library.get_num_threads() for library in libraries] == [1] * len(libraries)
        child = os.fork()
        if child == 0:
            with one_blas_thread():
                pass
            os._exit(7 if _blas._limit._users == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert [library.get_num_threads() for library in libraries] == before
    print("restored")
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    assert run_python(code).strip() == "restored"


def test_every_thread_can_set_the_real_library() -> None:
    libraries = _blas._find_libraries()
    assert libraries

    def numbers_within() -> list[int]:
        with one_blas_thread():
            return [library.get_num_threads() for library in libraries]

    before = [library.get_num_threads() for library in libraries]
    for library in libraries:  # from now on threadpoolctl obeys this thread alone
        library.set_num_threads(2)
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(numbers_within).result() == [1] * len(libraries)
    finally:
        for library, number in zip(libraries, before, strict=True):
            library.set_num_threads(number)
