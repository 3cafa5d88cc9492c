"""Files that are cut off, altered, of another kind, or made to harm."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn.storage import ModelFileError, write_parts
from sknn.storage._files import MAX_HEADER, write_file
from tests.helpers import run_python
from tests.storage.attacks import document_of

RNG = np.random.default_rng(0)


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(model_file: Path) -> None:
    content = model_file.read_bytes()
    lengths = {0, 1, 7, 8, 9, len(content) - 1, *RNG.integers(0, len(content), 100).tolist()}
    for length in lengths:
        model_file.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=str(model_file)):
            sknn.load(model_file)


def test_a_file_that_is_too_long_is_refused(model_file: Path) -> None:
    with model_file.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelFileError, match=str(model_file)):
        sknn.load(model_file)


@pytest.mark.parametrize("change", ["one bit", "all bits", "another byte"])
def test_a_file_with_one_altered_byte_is_refused(change: str, model_file: Path) -> None:
    content = model_file.read_bytes()
    places = [*range(20), *RNG.integers(0, len(content), 100), len(content) - 1]
    for place in places:
        altered = bytearray(content)
        if change == "one bit":
            altered[place] ^= 1 << int(RNG.integers(8))
        elif change == "all bits":
            altered[place] ^= 0xFF
        else:
            altered[place] = (altered[place] + int(RNG.integers(1, 256))) % 256
        model_file.write_bytes(altered)
        with pytest.raises(ModelFileError, match=str(model_file)):
            sknn.load(model_file)


def test_all_parts_of_the_header_count(model_file: Path) -> None:
    content = model_file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for place in range(0, 8 + length, 7):
        altered = bytearray(content)
        altered[place] ^= 1 << (place % 8)
        model_file.write_bytes(altered)
        with pytest.raises(ModelFileError):
            sknn.load(model_file)


# -------------------------------------------------------------------------- other kinds of files


class Payload:
    """Says that it ran, when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.marker}",))


def as_zip(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../escaped", b"outside")
        archive.writestr("data.pkl", pickle.dumps(payload))
        archive.writestr("schema.json", "{}")
    return buffer.getvalue()


def as_torch(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    torch.save({"payload": payload}, buffer)
    return buffer.getvalue()


def as_joblib(payload: Payload, compress: Any = 0) -> bytes:
    path = payload.marker.with_name("dumped")
    joblib.dump(payload, path, compress=compress)
    return path.read_bytes()


def as_numpy(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([payload], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def in_safetensors(payload: Payload) -> bytes:
    """A valid safetensors file, of somebody else, whose tensor and metadata are a pickle."""
    from safetensors.torch import save

    content = pickle.dumps(payload, protocol=0)
    tensor = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return save({"model": tensor}, metadata={"format": "pt", "pickle": content.decode()})


PAYLOADS: dict[str, Callable[[Payload], bytes]] = {
    "pickle": pickle.dumps,
    "pickle of protocol 0": lambda payload: pickle.dumps(payload, protocol=0),
    "joblib": as_joblib,
    "compressed joblib": lambda payload: as_joblib(payload, compress=3),
    "gzip joblib": lambda payload: as_joblib(payload, compress=("gzip", 3)),
    "torch.save": as_torch,
    "numpy": as_numpy,
    "zip": as_zip,
    "safetensors": in_safetensors,
    "pickle behind a length": lambda payload: struct.pack("<Q", 30) + pickle.dumps(payload) * 2,
    "empty": lambda payload: b"",
    "text": lambda payload: b"import os; os.system('true')" * 5,
}

# Whatever is run, imported, opened to write or started while a file is loaded.
WATCHED = ("exec", "compile", "import", "os.system", "subprocess", "pickle", "ctypes", "socket")

LOAD_UNDER_AUDIT = """
    import os, sys, warnings
    import numpy as np, sknn
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    # what loading needs is imported by loading a good file
    model = make_pipeline(StandardScaler(), sknn.NeuralClassifier((2,), max_iter=1))
    warnings.simplefilter("ignore")
    sknn.save(model.fit(np.eye(4), [0, 1, 0, 1]), sys.argv[1] + ".good")
    sknn.load(sys.argv[1] + ".good")
    events = []
    watched = tuple(sys.argv[2].split())
    def hook(event, arguments):
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        if event.startswith(watched) or (event == "open" and arguments[2] & writes):
            events.append((event, str(arguments)[:200]))
    sys.addaudithook(hook)
    for path in sys.argv[3:]:
        try:
            sknn.load(path)
        except sknn.storage.ModelFileError as error:
            assert path in str(error), error
        else:
            raise SystemExit("loaded " + path)
    assert not events, events
    print("refused", len(sys.argv) - 3)
"""


def test_nothing_in_other_kinds_of_files_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    paths = []
    for name, dump in PAYLOADS.items():
        path = tmp_path / f"{name}.sknn"
        path.write_bytes(dump(Payload(marker)))
        paths.append(str(path))
    output = run_python(
        LOAD_UNDER_AUDIT, str(tmp_path / "model"), " ".join(WATCHED), *paths, flags=()
    )
    assert output.strip() == f"refused {len(PAYLOADS)}"
    assert not marker.exists()
    assert not (tmp_path.parent.parent / "escaped").exists()


def test_other_kinds_of_files_are_called_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "model.sknn"
    for kind, word in [
        ("pickle", "pickle"),
        ("torch.save", "zip"),
        ("compressed joblib", "joblib"),
    ]:
        path.write_bytes(PAYLOADS[kind](Payload(tmp_path / "it ran")))
        with pytest.raises(ModelFileError, match=f"is not a file that sknn.save.*{word}"):
            sknn.load(path)


# ------------------------------------------------- files of ours, with a right checksum, that lie


def stored_model() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    model = make_pipeline(StandardScaler(), sknn.NeuralClassifier((2,), max_iter=1))
    with pytest.warns(ConvergenceWarning):
        model.fit(np.eye(4), [0, 1, 0, 1])
    return document_of(model)


HARMFUL: dict[str, Any] = {
    "a function of the system": {"name": "os.system"},
    "a built-in function": {"name": "builtins.eval"},
    "a function of torch that loads": {"name": "torch.load"},
    "a partial call": {"partial": [{"name": "os.system"}, {"tuple": ["true"]}, {"dict": []}]},
    "an attribute of an attribute": {"name": "sknn.estimators._base.copy.os.system"},
    "a class with dots": {"name": "torch.nn.Linear.__init__.__globals__"},
    "an unknown tag": {"pickle": "gASV"},
    "two tags": {"tuple": [], "list": []},
    "an object that is missing": {"object": 10**6},
    "a negative object": {"object": "0"},
    "a tensor that is missing": {"tensor": ["../../etc/passwd"]},
    "a tensor with another order": {"tensor": ["estimator.classes_", [0, 0]]},
    "a huge array": {"objects": [[10**12], []]},
    "a huge type": {"array": [{"tensor": ["estimator.classes_"]}, "V99999999999", [1]]},
    "a type of objects": {"array": [{"tensor": ["estimator.classes_"]}, "O", [1]]},
    "a huge history": {"history": [10**9, []]},
    "a distribution that is none": {"distribution": ["distributions", {"tuple": []}, {"dict": []}]},
    "a type that is none": {"torch.dtype": "load"},
    "a generator of another kind": {"RandomState": {"dict": [["bit_generator", "PCG64"]]}},
    "foreign bytes": {"skops": "estimator.classes_"},
    "deep": json.loads("[" * 900 + "]" * 900),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_file_that_lies_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    document, tensors = stored_model()
    tensors["estimator.classes_"] = torch.arange(2)
    (network,) = (each for each in document["objects"] if "NeuralClassifier" in each["class"])
    network["state"]["alpha"] = HARMFUL[name]
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.load(path)


@pytest.mark.parametrize(
    "name", ["os._wrap_close", "builtins.object", "sknn.training.Net", "torch.nn", "", "x" * 1000]
)
def test_objects_of_other_classes_are_refused(name: str, tmp_path: Path) -> None:
    document, tensors = stored_model()
    document["objects"].append({"class": name, "state": {}})
    document["objects"][0]["state"]["memory"] = {"object": len(document["objects"]) - 1}
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.raises(ModelFileError, match=str(path)):
        sknn.load(path)


def test_a_module_that_is_trusted_by_nobody_is_not_imported(tmp_path: Path) -> None:
    document, tensors = stored_model()
    document["objects"][0]["state"]["memory"] = {"name": "antigravity.geohash"}
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.raises(ModelFileError, match=r"antigravity.geohash"):
        sknn.load(path)
    assert "antigravity" not in sys.modules


def test_archives_in_a_file_do_not_grow(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * 10**8)
    document, tensors = stored_model()
    name = next(name for name, each in tensors.items() if each.dtype == torch.uint8)
    tensors[name] = torch.frombuffer(bytearray(bomb.getvalue()), dtype=torch.uint8)
    path = tmp_path / "model.sknn"
    write_file(path, document, tensors)
    with pytest.raises(ModelFileError, match="claims to be larger"):
        sknn.load(path)


def hostile_headers() -> dict[str, bytes]:
    def with_header(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
        return struct.pack("<Q", len(header) if length is None else length) + header + body

    tensor = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    ours = {"sknn_format": "1", "checksum": "0" * 64, "document": "{}"}
    many = {f"t{i}": tensor for i in range(100_000)}
    return {
        "2^63 bytes": with_header(b"{}", length=2**63),
        "2^64 - 1 bytes": with_header(b"{}", length=2**64 - 1),
        "100,000 tensors": with_header(json.dumps(many).encode()),
        "100,000 tensors and our metadata": with_header(
            json.dumps({"__metadata__": ours, **many}).encode()
        ),
        "a tensor of 2^60 numbers": with_header(
            json.dumps(
                {
                    "__metadata__": ours,
                    "t": {**tensor, "shape": [2**60], "data_offsets": [0, 2**62]},
                }
            ).encode()
        ),
        "names of other folders": with_header(
            json.dumps({"__metadata__": ours, "../../escaped": tensor}).encode()
        ),
        "nested": with_header(b"[" * 500_000),
        "nested dicts": with_header(b'{"a":' * 500_000),
        "ten million lists": with_header(b"[" + b"[]," * (MAX_HEADER // 3 - 9) + b"0]"),
        "as many dicts": with_header(b"[" + b"{}," * 2_000_000 + b"0]"),
        "a header of a gigabyte": with_header(b" " * 100, b"\0" * 1000, length=2**30),
        "a number of a million digits": with_header(b'{"a":' + b"9" * 10**6 + b"}"),
        "a document within the document": with_header(
            json.dumps({"__metadata__": ours | {"document": "[" * 10**6}}).encode()
        ),
        "a newer format": with_header(
            json.dumps({"__metadata__": ours | {"sknn_format": "999"}}).encode()
        ),
    }


LOAD_AND_MEASURE = """
    import resource, sys, time
    import sknn, sknn.storage
    from safetensors.torch import load
    for path in sys.argv[1:]:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        try:
            sknn.load(path)
        except sknn.storage.ModelFileError as error:
            assert path in str(error), error
        else:
            raise SystemExit("loaded " + path)
        seconds = time.perf_counter() - start
        mebibytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"{seconds} {mebibytes}")
"""


def test_hostile_headers_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    paths = []
    for name, content in hostile_headers().items():
        path = tmp_path / f"{name}.sknn"
        path.write_bytes(content)
        paths.append(str(path))
    sparse = tmp_path / "a terabyte.sknn"
    with sparse.open("wb") as file:
        file.write(struct.pack("<Q", 2**39) + b"{")
        file.truncate(2**40)
    output = run_python(LOAD_AND_MEASURE, *paths, str(sparse), flags=())
    for path, line in zip([*paths, sparse], output.splitlines(), strict=True):
        seconds, mebibytes = map(float, line.split())
        assert mebibytes < 200, path
        assert seconds < 2, path


# ----------------------------------------------------------------------------- disks and folders


def big_model() -> Any:
    model = sknn.NeuralClassifier((3000,), max_iter=1)
    with pytest.warns(ConvergenceWarning):
        return model.fit(np.tile(np.eye(10), 10), np.arange(10) % 2)


@pytest.mark.slow
def test_a_full_disk_is_an_error_and_the_old_file_stays(tmp_path: Path) -> None:
    """The largest size of a file stands in for the disk's, which only the administrator sets."""
    path = tmp_path / "model.sknn"
    code = """
        import resource, signal, sys, warnings
        import numpy as np, sknn
        warnings.simplefilter("ignore")
        X = np.tile(np.eye(10), 10)
        small = sknn.NeuralClassifier((3,), max_iter=1).fit(X, np.arange(10) % 2)
        big = sknn.NeuralClassifier((3000,), max_iter=1).fit(X, np.arange(10) % 2)
        path = sys.argv[1]
        sknn.save(small, path)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        try:
            sknn.save(big, path)
        except OSError as error:
            assert error.filename == path, error
        else:
            raise SystemExit("saved more than there is room for")
        assert (sknn.load(path).coefs_[0] == small.coefs_[0]).all()
    """
    run_python(code, str(path), flags=())
    assert os.listdir(tmp_path) == ["model.sknn"]


def is_mounted(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_a_disk_of_one_megabyte(tmp_path: Path, fitted: Any) -> None:
    if not is_mounted(tmp_path):
        pytest.skip("only the administrator can mount a small disk")
    try:
        path = tmp_path / "model.sknn"
        sknn.save(fitted, path)
        with pytest.raises(OSError, match="No space left") as caught:
            sknn.save(big_model(), path)
        assert caught.value.filename == str(path)
        assert np.array_equal(sknn.load(path).coefs_[0], fitted.coefs_[0])
        assert os.listdir(tmp_path) == ["model.sknn"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_to(
    model_file: Path, fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model_file.read_bytes()
    model_file.parent.chmod(0o500)
    if os.access(model_file.parent, os.W_OK):  # the administrator may do everything

        def refuse(path: Any, *arguments: Any, **more: Any) -> int:
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(os, "open", refuse)
    try:
        with pytest.raises(PermissionError) as caught:
            sknn.save(fitted, model_file)
    finally:
        monkeypatch.undo()
        model_file.parent.chmod(0o700)
    assert caught.value.filename == str(model_file)
    assert model_file.read_bytes() == before


def test_a_file_that_is_missing_or_a_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sknn.load(tmp_path / "missing.sknn")
    assert caught.value.filename == str(tmp_path / "missing.sknn")
    with pytest.raises(IsADirectoryError):
        sknn.load(tmp_path)


def test_the_most_that_a_header_may_hold_is_the_most_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(ValueError, match="has more texts, lists or tensors than a file may have"):
        write_parts(path, {"part": ["a" * 40] * 500_000}, kind="test")
    assert not path.exists()


def test_the_header_is_plain_json(model_file: Path) -> None:
    content = model_file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert json.loads(header["__metadata__"]["document"])["kind"] == "model"


def test_a_checkpoint_of_something_else_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_parts(path, {"other": 3}, kind="checkpoint")
    with pytest.raises(ModelFileError, match="holds no estimator but other"):
        sknn.load(path)


def test_depth_has_a_limit_of_its_own(tmp_path: Path) -> None:
    # not that of the interpreter's stack, which differs between versions of Python
    nested: Any = 1
    for _ in range(90):
        nested = [nested]
    write_parts(tmp_path / "deep", {"part": nested}, kind="test")
    for _ in range(11):
        nested = [nested]
    with pytest.raises(ValueError, match="more than 100 levels"):
        write_parts(tmp_path / "deeper", {"part": nested}, kind="test")
    assert not (tmp_path / "deeper").exists()
