"""numba: found, missing, broken, switched off."""

import gc
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sknn.compiled import _loading
from tests.helpers import run_python

ASK = """
import sys
from sknn import compiled

print(compiled.is_available(), "numba" in sys.modules)
"""


@pytest.fixture
def nobody_has_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loading, "_is_available", None)
    monkeypatch.setattr(_loading, "_modules", {})


def package(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)


def test_numba_is_not_imported_with_the_package() -> None:
    code = """
    import sys
    import sknn, sknn.export, sknn.forecasting, sknn.inspection, sknn.model_selection
    import sknn.preprocessing, sknn.sequences, sknn.text

    print([name for name in sys.modules if name.partition(".")[0] in ("numba", "llvmlite")])
    """
    assert run_python(code).strip() == "[]"


@pytest.mark.slow
def test_the_first_who_asks_imports_it() -> None:
    pytest.importorskip("numba")
    assert run_python(ASK).split() == ["True", "True"]


@pytest.mark.usefixtures("nobody_has_asked")
def test_a_numba_that_is_missing_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert not _loading.is_available()
    with pytest.raises(ImportError, match="not installed"):
        _loading.kernels()


@pytest.mark.slow
def test_a_numba_that_is_switched_off_is_not_used() -> None:
    pytest.importorskip("numba")
    switch = {"NUMBA_DISABLE_JIT": "1"}
    assert run_python(ASK, flags=("-W", "error"), **switch).split() == ["False", "True"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('Numba needs NumPy 2.5 or less. Got NumPy 2.6.')", "Got NumPy 2.6"),
        ("import llvmlite_of_another_age", "llvmlite_of_another_age"),
        ("raise OSError('libllvmlite.so: cannot open shared object file')", "libllvmlite.so"),
    ],
    ids=["NumPy too new", "half installed", "library missing"],
)
def test_a_numba_that_does_not_work_is_warned_of_once(
    code: str, reason: str, tmp_path: Path
) -> None:
    package(tmp_path, "numba", code)
    script = """
    import sys, warnings
    sys.path.insert(0, sys.argv[1])
    from sklearn.datasets import load_iris
    from sknn import NeuralClassifier, compiled

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not compiled.is_available() and not compiled.is_available()
        NeuralClassifier(learning_rate="cosine", max_iter=2).fit(*load_iris(return_X_y=True))
    print(*(str(each.message) for each in caught), sep="\\n")
    """
    (message,) = run_python(script, str(tmp_path)).splitlines()
    assert message.startswith("numba is installed, but cannot be imported") and reason in message


@pytest.mark.usefixtures("nobody_has_asked")
def test_the_warning_as_an_error_is_raised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loading, "_try_numba", lambda: (False, "ImportError: too old"))
    with pytest.raises(UserWarning, match="too old"):
        _loading.is_available()
    assert not _loading.is_available()


@pytest.mark.usefixtures("nobody_has_asked")
def test_threads_that_ask_at_once_share_one_import(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def try_slowly() -> tuple[bool, str]:
        calls.append(threading.get_ident())
        barrier.wait()
        return True, ""

    barrier = threading.Barrier(2)  # the one who imports, and the test
    monkeypatch.setattr(_loading, "_try_numba", try_slowly)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(_loading.is_available())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    for thread in threads:
        thread.join()
    assert answers == [True] * 4 and len(calls) == 1


@pytest.mark.parametrize("is_enabled", [True, False])
def test_garbage_is_collected_afterwards_as_before(is_enabled: bool) -> None:
    was_enabled = gc.isenabled()
    try:
        (gc.enable if is_enabled else gc.disable)()
        with _loading._without_collections():
            assert not gc.isenabled()
        assert gc.isenabled() == is_enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


@pytest.mark.slow
@pytest.mark.serial
def test_a_fork_in_the_middle_of_an_import_leaves_no_lock_behind() -> None:
    code = """
    import os, sys, threading
    from sknn.compiled import _loading

    locked, done = threading.Event(), threading.Event()
    def hold():
        with _loading._lock:
            locked.set()
            done.wait()
    threading.Thread(target=hold).start()
    locked.wait()
    child = os.fork()
    if child == 0:
        _loading.is_available()
        os._exit(7)
    done.set()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    assert run_python(code).strip() == "7"
