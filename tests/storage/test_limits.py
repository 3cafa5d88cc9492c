"""What reading a file may cost: no more than the file holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import sknn
from sknn.storage import ModelFileError, _files
from sknn.storage._files import write_file
from tests.helpers import run_python
from tests.storage.attacks import document_of

MEGABYTE = 2**20
X, y = load_iris(return_X_y=True)


# --------------------------------------------------------------- small files that claim much

FLOATS = {"floats": {"tensor": ["numbers"]}}
INTS = {"ints": {"tensor": ["whole"]}}
LONG = [{"tensor": ["bytes"]}, "S8", [10**9]]
EMPTY = {"array": [{"tensor": ["empty"]}, "S1", [10**9, 0]]}

COSTLY: dict[str, Any] = {
    "a long text": {"scalar": ["S8", 3e9]},
    "a long text of Unicode": {"scalar": ["U999999999", "a"]},
    "a long type": {"numpy.dtype": "S99999999999"},
    "a long array": {"array": LONG},
    "an empty array of many rows": EMPTY,
    "a history of many rows": {"history": [10**9, []]},
    "a history of an empty array": {"history": [10**9, [["loss", None, EMPTY]]]},
    "a history of two lengths": {"history": [10**9, [["loss", [0], [1.0]]]]},
    "a mask of another shape": {"masked": [{"array": [{"tensor": ["bytes"]}]}, EMPTY, 0]},
    "numbers 300 times": [FLOATS] * 300,
    "whole numbers 3000 times": [INTS] * 3000,
    "an array of many objects": {"objects": [[10**12], []]},
    "an empty array of many objects": {"objects": [[10**12, 0], []]},
    "a number of many digits": {"float": "1" * 100_000},
    "many distributions": [{"distribution": ["norm", {"tuple": []}, {"dict": []}]}] * 20_000,
    "keys of equal hashes": {
        "dict": [[{"tuple": [i, i]}, 0] for i in range(20_000)],
    },
    "large keys of equal hashes": {"dict": [[i * (2**61 - 1), 0] for i in range(20_000)]},
}


@pytest.fixture(scope="module")
def stored() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    document, _ = document_of(sknn.NeuralClassifier())
    tensors = {
        "numbers": torch.zeros(50_000, dtype=torch.float64),
        "whole": torch.zeros(50_000, dtype=torch.int64),
        "bytes": torch.zeros(8, dtype=torch.uint8),
        "empty": torch.empty(0, dtype=torch.uint8),
    }
    return document, tensors


LOAD_AND_MEASURE = """
    import resource, sys, time
    import sknn, sknn.storage, scipy.stats
    sknn.save(sknn.NeuralClassifier(), sys.argv[1])
    sknn.load(sys.argv[1])
    for path in sys.argv[2:]:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()  # the machine may be busy
        try:
            sknn.load(path)
        except sknn.storage.ModelFileError as error:
            assert path in str(error), error
        else:
            raise SystemExit("loaded " + path)
        seconds = time.process_time() - start
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(seconds, (after - before) / 1024)
"""


def write_sparse(path: Path, size: int) -> None:
    """Write the header of a file with one tensor, and a hole."""
    document = {"kind": "model", "versions": {}, "parts": {"estimator": None}, "objects": []}
    write_file(path, document, {"hole": torch.zeros(8, dtype=torch.uint8)})
    content = path.read_bytes().replace(b'"shape":[8]', f'"shape":[{size}]'.encode())
    content = content.replace(b'"data_offsets":[0,8]', f'"data_offsets":[0,{size}]'.encode())
    header = content[8:-8].strip()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)


@pytest.mark.serial
def test_small_files_and_holes_cost_little(stored: Any, tmp_path: Path) -> None:
    document, tensors = stored
    paths = []
    for name, node in COSTLY.items():
        document["objects"][0]["state"]["class_weight"] = node
        path = tmp_path / f"{name}.sknn"
        write_file(path, document, tensors)
        paths.append(str(path))
    longer, agreeing = tmp_path / "a hole behind a model", tmp_path / "a hole for a tensor"
    sknn.save(sknn.NeuralClassifier(), longer)
    with longer.open("r+b") as file:
        file.truncate(6 * 2**30)
    write_sparse(agreeing, 6 * 2**30)
    paths += [str(longer), str(agreeing)]
    output = run_python(LOAD_AND_MEASURE, str(tmp_path / "good"), *paths)
    for path, line in zip(paths, output.splitlines(), strict=True):
        seconds, mebibytes = map(float, line.split())
        assert mebibytes < 200, path
        assert seconds < 2, path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (sknn.load, sknn.file_info):
        with pytest.raises(ModelFileError, match="is no regular file"):
            read(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="is no regular file"):
        sknn.load("/dev/zero")


# ----------------------------------------------------------------------------- large files


def test_holes_are_looked_for_and_all_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "LARGE", 0)  # as in a file of more than 64 MB
    path = tmp_path / "model.sknn"
    with pytest.warns(ConvergenceWarning):
        model = sknn.NeuralClassifier((300,), max_iter=1, random_state=0).fit(X, y)
    sknn.save(model, path)
    assert np.array_equal(sknn.load(path).predict_proba(X), model.predict_proba(X))


LARGE = """
    import os, resource, sys
    import numpy as np, sknn, sknn.storage
    sknn.save(sknn.NeuralClassifier(), sys.argv[2])
    sknn.load(sys.argv[2])

    def peak():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if "VmHWM" in line) / 1024

    def forget():
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")

    for read in (sknn.file_info, sknn.load):
        forget()
        before = peak()
        read(sys.argv[1])
        print(peak() - before)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = used + os.path.getsize(sys.argv[1]) // 2
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        sknn.load(sys.argv[1])
    except Exception as error:
        print(type(error).__name__)
    print(sknn.file_info(sys.argv[1]).kind)
"""


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "model.sknn"
    model = sknn.NeuralClassifier((1500, 1000), max_iter=1, solver="sgd", momentum=0.0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X[:20], np.arange(20) % 2)
    model._state.best = [torch.zeros(5 * MEGABYTE)]
    sknn.save(model, path)
    assert path.stat().st_size > 25 * MEGABYTE
    return path


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux")
def test_a_large_file_is_in_memory_once_and_too_large_a_one_is_a_memory_error(
    large_file: Path, tmp_path: Path
) -> None:
    output = run_python(LARGE, str(large_file), str(tmp_path / "good")).split()
    of_info, of_load = map(float, output[:2])
    assert of_info < 3
    assert of_load < 1.2 * large_file.stat().st_size / MEGABYTE + 3
    assert output[2:] == ["MemoryError", "model"]
