import hashlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.datasets import _cifar10, fetch_cifar10

PER_BATCH = 4
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
CLASSES_FILE = ("\n".join(CLASSES) + "\n\n").encode()


@pytest.fixture(autouse=True)
def few_images(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a complete file have few images, except for the tests of the real ones."""
    if "real_data" not in request.fixturenames:
        monkeypatch.setattr(_cifar10, "_IMAGES_PER_BATCH", PER_BATCH)


def make_batch(seed: int) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Return images, labels, and the file with them, written pixel by pixel."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (PER_BATCH, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, PER_BATCH)
    content = b"".join(
        bytes([label]) + b"".join(image[:, :, channel].tobytes() for channel in range(3))
        for image, label in zip(images, labels, strict=True)
    )
    return images, labels, content


BATCHES = {name: make_batch(seed) for seed, name in enumerate([*TRAIN, "test_batch.bin"])}
FILES = {name: content for name, (_, _, content) in BATCHES.items()}
FILES["batches.meta.txt"] = CLASSES_FILE


def write_files(home: Path, names: list[str] | None = None) -> Path:
    folder = home / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or FILES:
        (folder / name).write_bytes(FILES[name])
    return folder


def make_archive(files: dict[str, bytes], prefix: str = "cifar-10-batches-bin/") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {"readme.html": b"<html></html>", **files}.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def write_archive(home: Path, content: bytes) -> Path:
    path = home / "cifar10" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def assert_is_complete(home: Path) -> None:
    X, y = fetch_cifar10(subset="all", data_home=home, download_if_missing=False, return_X_y=True)
    assert_array_equal(X, np.concatenate([images for images, _, _ in BATCHES.values()]))
    assert_array_equal(y, np.concatenate([labels for _, labels, _ in BATCHES.values()]))


def test_reads_channels_last(tmp_path: Path) -> None:
    write_files(tmp_path)
    cifar = fetch_cifar10(subset="test", data_home=tmp_path, download_if_missing=False)
    images, labels, _ = BATCHES["test_batch.bin"]
    assert cifar.data.shape == (PER_BATCH, 32, 32, 3)
    assert cifar.data.dtype == np.uint8
    assert_array_equal(cifar.data, images)
    assert_array_equal(cifar.target, labels)
    assert np.issubdtype(cifar.target.dtype, np.signedinteger)
    assert cifar.data.flags.c_contiguous
    assert np.shares_memory(cifar.data.reshape(PER_BATCH, -1), cifar.data)
    assert cifar.target_names == CLASSES
    assert len(cifar.feature_names) == 3072
    assert cifar.frame is None
    assert "Krizhevsky" in cifar.DESCR


def test_train_and_all_are_in_the_order_of_the_batches(tmp_path: Path) -> None:
    write_files(tmp_path)
    assert_is_complete(tmp_path)
    X, _ = fetch_cifar10(data_home=tmp_path, return_X_y=True)
    assert_array_equal(X, np.concatenate([BATCHES[name][0] for name in TRAIN]))


def test_as_frame_has_flat_rows(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    write_files(tmp_path)
    cifar = fetch_cifar10(subset="test", data_home=tmp_path, as_frame=True)
    images, labels, _ = BATCHES["test_batch.bin"]
    assert list(cifar.frame.columns) == [*cifar.feature_names, "target"]
    assert_array_equal(cifar.data["pixel_3_5_green"], images[:, 3, 5, 1])
    assert_array_equal(cifar.data["pixel_31_0_blue"], images[:, 31, 0, 2])
    assert (cifar.data.dtypes == np.uint8).all()
    assert_array_equal(cifar.target, labels)


def test_a_subset_needs_its_own_files_only(tmp_path: Path) -> None:
    write_files(tmp_path, ["test_batch.bin", "batches.meta.txt"])
    fetch_cifar10(subset="test", data_home=tmp_path, download_if_missing=False)
    with pytest.raises(OSError, match=r"cifar-10-batches-bin/data_batch_1\.bin is not in") as e:
        fetch_cifar10(subset="train", data_home=tmp_path, download_if_missing=False)
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz" in str(e.value)
    assert f"the folder {tmp_path / 'cifar10'}" in str(e.value)


def test_archive_in_the_folder_is_unpacked_and_kept(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, make_archive(FILES))
    assert_is_complete(tmp_path)
    assert archive.exists()
    folder = tmp_path / "cifar10" / "cifar-10-batches-bin"
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_unpacking_keeps_the_files_that_are_there(tmp_path: Path) -> None:
    folder = write_files(tmp_path, ["batches.meta.txt"])
    (folder / "batches.meta.txt").write_bytes(CLASSES_FILE.upper())
    write_archive(tmp_path, make_archive(FILES))
    cifar = fetch_cifar10(subset="test", data_home=tmp_path)
    assert cifar.target_names == [name.upper() for name in CLASSES]


def test_download_is_unpacked_and_the_archive_deleted(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = make_archive(FILES)
    (publisher.folder / "cifar-10-binary.tar.gz").write_bytes(content)
    file = replace(
        _cifar10._ARCHIVE,
        url=f"{publisher.url}/cifar-10-binary.tar.gz",
        known_hash=f"md5:{hashlib.md5(content).hexdigest()}",
    )
    monkeypatch.setattr(_cifar10, "_ARCHIVE", file)
    fetch_cifar10(subset="test", data_home=tmp_path)
    assert_is_complete(tmp_path)
    assert publisher.n_requests == 1
    assert [path.name for path in (tmp_path / "cifar10").iterdir()] == ["cifar-10-batches-bin"]


def test_download_of_another_archive_is_refused(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (publisher.folder / "cifar-10-binary.tar.gz").write_bytes(make_archive(FILES))
    file = replace(_cifar10._ARCHIVE, url=f"{publisher.url}/cifar-10-binary.tar.gz")
    monkeypatch.setattr(_cifar10, "_ARCHIVE", file)
    with pytest.raises(OSError, match="whose hash is md5:c32a1d4ab5d03f1284b67883e8d87530"):
        fetch_cifar10(subset="test", data_home=tmp_path)
    assert list((tmp_path / "cifar10").iterdir()) == []


@pytest.mark.parametrize("prefix", ["../../", "/tmp/"])
def test_no_archive_writes_elsewhere(prefix: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path, make_archive(FILES, prefix=prefix))
    assert_is_complete(tmp_path)
    names = set(FILES)
    found = {path for path in tmp_path.rglob("*") if path.is_file()}
    folder = tmp_path / "cifar10" / "cifar-10-batches-bin"
    assert found == {archive} | {folder / name for name in names}


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(FILES["test_batch.bin"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.bin")
        tar.addfile(link)
    write_archive(tmp_path, buffer.getvalue())
    with pytest.raises(ValueError, match=r"does not contain .*test_batch\.bin"):
        fetch_cifar10(subset="test", data_home=tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not an archive", "cannot be decoded"),
        (make_archive(FILES)[:-5000], "cannot be decoded"),
        (make_archive({"test_batch.bin": b""}), r"does not contain batches\.meta\.txt, data_batch"),
    ],
)
def test_damaged_archive_is_named(content: bytes, problem: str, tmp_path: Path) -> None:
    archive = write_archive(tmp_path, content)
    with pytest.raises(ValueError, match=problem) as e:
        fetch_cifar10(subset="test", data_home=tmp_path)
    assert str(archive) in str(e.value)
    left_over = tmp_path.rglob("tmp*")
    assert list(left_over) == []


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("test_batch.bin", b"", "it has 0 bytes, expected 12292"),
        ("test_batch.bin", FILES["test_batch.bin"][:-1], "it has 12291 bytes, expected 12292"),
        ("test_batch.bin", b"\12" + FILES["test_batch.bin"][1:], "a label is 10, expected 0 to 9"),
        ("batches.meta.txt", b"airplane\n", "it has 1 class names, expected 10"),
        ("batches.meta.txt", b"\xff\xfe", "cannot be decoded"),
    ],
)
def test_damaged_file_is_named(name: str, content: bytes, problem: str, tmp_path: Path) -> None:
    path = write_files(tmp_path) / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=problem) as e:
        fetch_cifar10(subset="test", data_home=tmp_path)
    assert str(path) in str(e.value)
    assert "Delete it" in str(e.value)


@pytest.mark.parametrize("parameters", [{"subset": "validation"}, {"as_frame": None}])
def test_bad_parameter_is_named(parameters: dict[str, Any]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        fetch_cifar10(**parameters)


def test_real_images(real_data: Callable[[str], Path]) -> None:
    home = real_data("cifar10/cifar-10-batches-bin/test_batch.bin")
    X, y = fetch_cifar10(subset="test", data_home=home, download_if_missing=False, return_X_y=True)
    assert X.shape == (10_000, 32, 32, 3)
    # The publisher: exactly 1000 test images of each class.
    assert_array_equal(np.bincount(y), [1000] * 10)
    # Channels in their places: the sky behind airplanes is bluer than red, and neighbouring
    # pixels are alike in both directions.
    airplanes = X[y == 0].astype(np.float64)
    assert airplanes[..., 2].mean() > airplanes[..., 0].mean() + 10
    for axis in (1, 2):
        assert np.abs(np.diff(airplanes, axis=axis)).mean() < 15
