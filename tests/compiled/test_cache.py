"""Compiled functions on the disk, and what happens where they cannot be there."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from sknn.compiled import _jit  # noqa: E402 - imports numba

SOURCE = """
from sknn.compiled._jit import compiled

@compiled
def total(values):
    result = values[0] - values[0]
    for value in values:
        result += {factor} * value
    return result

@compiled
def outer(values):
    return total(values)
"""


class Functions:
    """A module of compiled functions in a folder of its own, with the folders of its cache."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "package" / "functions.py"
        self.beside = folder / "package" / "__pycache__"
        self.of_user = folder / "home" / "cache"
        self.source.parent.mkdir()
        self.write(factor=1)

    def write(self, factor: int) -> None:
        self.source.write_text(SOURCE.format(factor=factor))

    def load(self) -> Any:
        """Return the module anew, as another process would have it."""
        spec = importlib.util.spec_from_file_location("functions", self.source)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def files(self, folder: Path) -> list[Path]:
        return sorted(folder.rglob("*.nb?")) if folder.is_dir() else []

    def block(self, folder: Path) -> None:
        """Make a file of it: there root cannot write either."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("")


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Functions:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    result = Functions(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(result.of_user))
    return result


def n_hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def n_misses(function: Any) -> int:
    return sum(function.stats.cache_misses.values())


THREE = np.arange(3.0)


def test_a_function_is_compiled_once(functions: Functions) -> None:
    first = functions.load()
    assert first.outer(THREE) == 3.0
    assert (n_hits(first.outer), n_misses(first.outer)) == (0, 1)
    second = functions.load()
    assert second.outer(THREE) == 3.0
    assert (n_hits(second.outer), n_misses(second.outer)) == (1, 0)
    assert functions.files(functions.beside)


def test_each_type_has_code_of_its_own(functions: Functions) -> None:
    functions.load().total(THREE)
    functions.load().total(THREE.astype("float32"))
    module = functions.load()
    assert numba.typeof(module.total(THREE)) == numba.float64
    module.total(THREE.astype("float32"))
    assert (n_hits(module.total), n_misses(module.total)) == (2, 0)


def test_a_new_source_is_compiled_anew(functions: Functions) -> None:
    functions.load().outer(THREE)
    functions.write(factor=2)
    assert functions.load().outer(THREE) == 6.0  # `outer` itself has not changed


def test_another_file_of_the_room_compiles_anew(
    functions: Functions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "called.py"
    monkeypatch.setattr(_jit, "__file__", str(tmp_path / "_jit.py"))
    hits = []
    for content in ("value = 1", "value = 1", "value = 2"):  # of the same size and time
        other.write_text(content)
        os.utime(other, (0, 0))
        module = functions.load()
        module.total(THREE)
        hits.append(n_hits(module.total))
    assert hits == [0, 1, 0]


def test_another_version_of_numba_compiles_anew(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.load().total(THREE)
    monkeypatch.setattr(numba, "__version__", "0.0")
    module = functions.load()
    assert module.total(THREE) == 3.0
    assert n_hits(module.total) == 0


def test_the_users_folder_takes_what_the_package_cannot(functions: Functions) -> None:
    functions.block(functions.beside)
    functions.load().total(THREE)
    assert functions.files(functions.of_user)
    module = functions.load()
    module.total(THREE)
    assert n_hits(module.total) == 1


def test_without_any_folder_each_process_compiles_for_itself(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.block(functions.beside)
    functions.block(functions.of_user)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(functions.of_user / "below"))
    module = functions.load()
    assert module.outer(THREE) == 3.0
    assert module.outer.stats.cache_path is None


def test_a_folder_that_has_gone(functions: Functions) -> None:
    module = functions.load()
    functions.beside.rmdir()
    functions.block(functions.beside)
    assert module.outer(THREE) == 3.0
    assert module.outer(THREE.astype("float32")) == 3.0


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80\x05\x95", b"no pickle"])
def test_files_that_are_damaged(functions: Functions, suffix: str, content: bytes) -> None:
    functions.load().total(THREE)
    for path in functions.files(functions.beside):
        if path.suffix == f".{suffix}":
            path.write_bytes(content)
    module = functions.load()
    assert module.total(THREE) == 3.0
    assert n_hits(module.total) == 0
    module = functions.load()
    assert module.total(THREE) == 3.0
    assert n_hits(module.total) == 1  # they have been written anew


def test_a_disk_that_is_full(functions: Functions) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    module = functions.load()
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))  # bytes of a file
    try:
        assert module.outer(THREE) == 3.0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(functions.beside.glob("*.tmp.*"))
    assert functions.load().outer(THREE) == 3.0


def test_processes_that_save_at_once_do_not_take_each_others_code(tmp_path: Path) -> None:
    """Each has read the index before the other has written it."""
    one, other = (_jit._CacheFile(str(tmp_path), "function", "stamp") for _ in range(2))
    for each in (one, other):
        each._load_index = dict
    one.save("float32", "code for float32")
    other.save("float64", "code for float64")
    one._save_data(one._data_name(1), "code for float32")  # as if its data came last
    third = _jit._CacheFile(str(tmp_path), "function", "stamp")
    assert third.load("float64") == "code for float64"
    assert third.load("float32") in (None, "code for float32")


@pytest.mark.slow
@pytest.mark.serial
def test_processes_that_compile_at_once(functions: Functions) -> None:
    code = """if True:
    import sys
    sys.path.insert(0, sys.argv[1])
    import numpy as np
    import functions
    X = np.arange(3, dtype=sys.argv[2])
    print(functions.outer(X), sum(functions.outer.stats.cache_hits.values()))
    """

    def start(dtype: str) -> Any:
        command = [sys.executable, "-B", "-c", code, str(functions.source.parent), dtype]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    for expected in ({"0"}, {"0", "1"}, {"1"}):  # at once, with what has been saved, all from disk
        running = [start(dtype) for dtype in ("float32", "float64")]
        outputs = [process.communicate(timeout=120)[0].split() for process in running]
        assert all(process.returncode == 0 for process in running)
        assert {total for total, _ in outputs} == {"3.0"}
        assert {hits for _, hits in outputs} <= expected
