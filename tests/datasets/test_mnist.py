import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.datasets import _mnist, fetch_mnist

N_TRAIN, N_TEST = 60, 10


@pytest.fixture(autouse=True)
def few_images(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a complete file have few images, except for the tests of the real ones."""
    if "real_data" not in request.fixturenames:
        monkeypatch.setattr(_mnist, "_N_IMAGES", {"train": N_TRAIN, "test": N_TEST})


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def make_digits(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    return images, rng.integers(0, 10, n, dtype=np.uint8)


def write_digits(
    home: Path, prefix: str, images: np.ndarray, labels: np.ndarray
) -> tuple[Path, Path]:
    folder = home / "mnist"
    folder.mkdir(exist_ok=True)
    paths = folder / f"{prefix}-images-idx3-ubyte.gz", folder / f"{prefix}-labels-idx1-ubyte.gz"
    for path, array in zip(paths, (images, labels), strict=True):
        path.write_bytes(gzip.compress(idx(array)))
    return paths


@pytest.mark.parametrize(
    ("subset", "prefix", "n"), [("train", "train", N_TRAIN), ("test", "t10k", N_TEST)]
)
def test_reads_images_and_labels(
    subset: Literal["train", "test"], prefix: str, n: int, tmp_path: Path
) -> None:
    images, labels = make_digits(n, seed=0)
    write_digits(tmp_path, prefix, images, labels)
    mnist = fetch_mnist(subset=subset, data_home=tmp_path, download_if_missing=False)
    assert mnist.data.dtype == np.uint8
    assert_array_equal(mnist.data, images.reshape(n, 784))
    assert_array_equal(mnist.target, labels)
    assert np.issubdtype(mnist.target.dtype, np.signedinteger)
    assert mnist.data.flags.writeable
    assert mnist.data.flags.c_contiguous
    assert mnist.target_names == list("0123456789")
    assert len(mnist.feature_names) == 784
    assert mnist.feature_names[28 * 3 + 5] == "pixel_3_5"
    assert mnist.frame is None
    assert "LeCun" in mnist.DESCR


def test_all_is_train_then_test(tmp_path: Path) -> None:
    train, test = make_digits(N_TRAIN, seed=0), make_digits(N_TEST, seed=1)
    write_digits(tmp_path, "train", *train)
    write_digits(tmp_path, "t10k", *test)
    X, y = fetch_mnist(subset="all", data_home=tmp_path, return_X_y=True)
    assert X.dtype == np.uint8
    assert_array_equal(X, np.concatenate([train[0], test[0]]).reshape(-1, 784))
    assert_array_equal(y, np.concatenate([train[1], test[1]]))


def test_as_frame(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    images, labels = make_digits(N_TEST, seed=0)
    write_digits(tmp_path, "t10k", images, labels)
    mnist = fetch_mnist(subset="test", data_home=tmp_path, as_frame=True)
    assert list(mnist.frame.columns) == [*mnist.feature_names, "target"]
    assert (mnist.data.dtypes == np.uint8).all()
    assert isinstance(mnist.target, pd.Series)
    assert_array_equal(mnist.data.to_numpy(), images.reshape(-1, 784))
    assert_array_equal(mnist.target.to_numpy(), labels)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: b"not compressed", "cannot be decoded"),
        (lambda content: gzip.compress(content)[:-2000], "cannot be decoded"),
        (lambda content: gzip.compress(content)[:2000] + b"\0" * 5000, "cannot be decoded"),
        (lambda content: b"", r"magic number is , expected 00000803"),
        (lambda content: gzip.compress(b""), r"magic number is , expected 00000803"),
        (lambda content: gzip.compress(b"\0\0\10\1" + content[4:]), "is 00000801, expected"),
        (lambda content: gzip.compress(b"\0\0\15\3" + content[4:]), "is 00000d03, expected"),
        (lambda content: gzip.compress(content[:10]), "ends within its header"),
        (
            lambda content: gzip.compress(idx(np.zeros((9, 28, 28), np.uint8))),
            r"announces the shape \(9, 28, 28\), expected \(10, 28, 28\)",
        ),
        (lambda content: gzip.compress(content[:-1]), "fewer bytes than its shape"),
        (lambda content: gzip.compress(content + b"\0"), "more bytes than its shape"),
    ],
)
def test_damaged_images_are_named(
    damage: Callable[[bytes], bytes], problem: str, tmp_path: Path
) -> None:
    images, labels = make_digits(N_TEST, seed=0)
    path, _ = write_digits(tmp_path, "t10k", images, labels)
    path.write_bytes(damage(idx(images)))
    with pytest.raises(ValueError, match=problem) as e:
        fetch_mnist(subset="test", data_home=tmp_path)
    assert str(path) in str(e.value)
    assert "Delete it" in str(e.value)


def test_impossible_label_is_named(tmp_path: Path) -> None:
    images, labels = make_digits(N_TEST, seed=0)
    labels[3] = 10
    _, path = write_digits(tmp_path, "t10k", images, labels)
    with pytest.raises(ValueError, match="a label is 10, expected 0 to 9") as e:
        fetch_mnist(subset="test", data_home=tmp_path)
    assert str(path) in str(e.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    write_digits(tmp_path, "train", *make_digits(N_TRAIN, seed=0))
    with pytest.raises(OSError, match=r"https://\S+/t10k-images-idx3-ubyte\.gz") as e:
        fetch_mnist(subset="all", data_home=tmp_path, download_if_missing=False)
    assert str(tmp_path / "mnist") in str(e.value)


@pytest.mark.parametrize("parameters", [{"subset": "validation"}, {"as_frame": None}])
def test_bad_parameter_is_named(parameters: dict[str, Any]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        fetch_mnist(**parameters)


def test_real_digits(real_data: Callable[[str], Path]) -> None:
    home = real_data("mnist/train-images-idx3-ubyte.gz")
    mnist = fetch_mnist(subset="all", data_home=home, download_if_missing=False)
    assert mnist.data.shape == (70_000, 784)
    assert mnist.data.dtype == np.uint8
    # The mean of the training pixels, by which they are usually normalised.
    sample = mnist.data[:60_000]
    assert sample.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    # The well-known first digits of the training set and of the test set.
    assert_array_equal(mnist.target[:5], [5, 0, 4, 1, 9])
    assert_array_equal(mnist.target[60_000:60_005], [7, 2, 1, 0, 4])
    # Images and labels belong together: the nearest of the ten mean images is mostly right.
    means = np.stack([sample[mnist.target[:60_000] == d][:500].mean(axis=0) for d in range(10)])
    test = mnist.data[60_000:61_000].astype(np.float64)
    distances = (means**2).sum(axis=1) - 2 * test @ means.T
    assert np.mean(distances.argmin(axis=1) == mnist.target[60_000:61_000]) > 0.75
