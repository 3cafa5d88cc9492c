import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknn.datasets import _series, fetch_series

# Each as a pair of files, training and test, written by hand.
ONE_CHANNEL = (
    "# Two of them.\n@problemName Tiny\n@univariate true\n@classLabel true 1 2\n@data\n"
    "1,2,3:1\n4,?,6:2\n",
    "@classLabel true 1 2\n@data\n-1,-2,-3.5:2\n",
)
TWO_CHANNELS = (
    "@classLabel true up down\n@data\n1,2,3:10,20,30:up\n4,5,6:40,50,60:down\n",
    "@classLabel true up down\n@data\n7,8,9:70,80,90:up\n",
)
OTHER_LENGTHS = (
    "@targetlabel true\n@data\n1,2:0.5\n3,4:-1.5\n",
    "@targetlabel true\n@data\n5,6,7:2\n8:4\n",
)


def make_archive(files: tuple[str, str], name: str = "Tiny", folder: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{folder}{name}.txt", "a description")
        for split, text in zip(("TRAIN", "TEST"), files, strict=True):
            archive.writestr(f"{folder}{name}_{split}.ts", text)
            archive.writestr(f"{folder}{name}_eq_{split}.ts", "another version")
    return buffer.getvalue()


def write(home: Path, file: str, content: bytes) -> Path:
    path = home / "series" / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def fetch(files: tuple[str, str], home: Path, **parameters: Any) -> Any:
    write(home, "Tiny.zip", make_archive(files))
    return fetch_series("Tiny", data_home=home, download_if_missing=False, **parameters)


def test_one_channel_of_equal_lengths(tmp_path: Path) -> None:
    tiny = fetch(ONE_CHANNEL, tmp_path)
    expected = np.array([[1, 2, 3], [4, np.nan, 6]], dtype=np.float32)
    assert_array_equal(tiny.data, expected, strict=True)
    assert_array_equal(tiny.target, np.array(["1", "2"]), strict=True)
    assert_array_equal(tiny.lengths, [3, 3])
    assert tiny.n_channels == 1
    assert tiny.target_names == ["1", "2"]
    assert tiny.data.flags.writeable and tiny.data.flags.c_contiguous
    for text in ("Tiny\n====\n", "classification", "2 series for training, 1 for testing"):
        assert text in tiny.DESCR
    assert "3 time steps of 1 channel," in tiny.DESCR
    assert ":Target: class, 1, 2\n" in tiny.DESCR


def test_several_channels_of_equal_lengths_are_the_last_dimension(tmp_path: Path) -> None:
    tiny = fetch(TWO_CHANNELS, tmp_path)
    first, second = [[1, 10], [2, 20], [3, 30]], [[4, 40], [5, 50], [6, 60]]
    assert_array_equal(tiny.data, np.array([first, second], dtype=np.float32), strict=True)
    assert tiny.n_channels == 2
    assert tiny.target_names == ["down", "up"]
    assert "3 time steps of 2 channels," in tiny.DESCR


def test_other_lengths_in_the_other_subset_give_an_array_of_arrays(tmp_path: Path) -> None:
    tiny = fetch(OTHER_LENGTHS, tmp_path)
    assert tiny.data.shape == (2,) and tiny.data.dtype == object
    assert_array_equal(tiny.data[0], np.array([[1], [2]], dtype=np.float32), strict=True)
    assert_array_equal(tiny.data[1], np.array([[3], [4]], dtype=np.float32), strict=True)
    assert_array_equal(tiny.target, np.array([0.5, -1.5]), strict=True)
    assert tiny.target_names == ["target"]
    assert "1 to 3 time steps" in tiny.DESCR
    assert "regression" in tiny.DESCR
    test = fetch(OTHER_LENGTHS, tmp_path, subset="test")
    assert [series.ravel().tolist() for series in test.data] == [[5, 6, 7], [8]]
    assert_array_equal(test.lengths, [3, 1])


@pytest.mark.parametrize(
    ("subset", "first_values", "target"),
    [
        ("train", [1, 4], ["up", "down"]),
        ("test", [7], ["up"]),
        ("all", [1, 4, 7], ["up", "down", "up"]),
    ],
)
def test_subsets(
    subset: Literal["train", "test", "all"],
    first_values: list[int],
    target: list[str],
    tmp_path: Path,
) -> None:
    X, y = fetch(TWO_CHANNELS, tmp_path, subset=subset, return_X_y=True)
    assert_array_equal(X[:, 0, 0], first_values)
    assert y.tolist() == target


def test_download_is_converted_once_and_deleted(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = make_archive(TWO_CHANNELS, folder="Tiny/deep/")
    (publisher.folder / "Tiny.zip").write_bytes(content)
    monkeypatch.setattr(_series, "_FOLDER_URL", f"{publisher.url}/")
    for _ in range(2):
        X, _ = fetch_series("Tiny", subset="test", data_home=tmp_path, return_X_y=True)
        assert_array_equal(X, [[[7, 70], [8, 80], [9, 90]]])
    assert publisher.n_requests == 1
    assert [path.name for path in (tmp_path / "series").iterdir()] == ["Tiny.npz"]
    with np.load(tmp_path / "series" / "Tiny.npz") as file:
        assert sorted(file.files) == sorted(
            f"{split}_{part}" for split in ("train", "test") for part in ("values", "lengths", "y")
        )
        assert file["train_values"].shape == (6, 2)


def test_archive_in_the_folder_is_kept(tmp_path: Path) -> None:
    fetch(ONE_CHANNEL, tmp_path)
    assert {path.name for path in (tmp_path / "series").iterdir()} == {"Tiny.zip", "Tiny.npz"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<html>No such data set.</html>", "cannot be decoded"),
        (make_archive(("", ""), name="Other"), r"does not contain Tiny_TRAIN\.ts"),
        (make_archive((ONE_CHANNEL[0], "")), r"Tiny_TEST\.ts: it has no line @data"),
    ],
)
def test_what_is_not_a_data_set_is_not_kept(
    content: bytes,
    problem: str,
    publisher: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (publisher.folder / "Tiny.zip").write_bytes(content)
    monkeypatch.setattr(_series, "_FOLDER_URL", f"{publisher.url}/")
    with pytest.raises(OSError, match=rf"did not give the published file: .*{problem}") as e:
        fetch_series("Tiny", data_home=tmp_path)
    assert f"{publisher.url}/Tiny.zip" in str(e.value)
    assert "Delete it" not in str(e.value)
    assert list((tmp_path / "series").iterdir()) == []


def test_unknown_name_is_what_to_check(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_series, "_FOLDER_URL", f"{publisher.url}/")
    with pytest.raises(OSError, match=r"GunPiont\.zip could not be .*404.*Check .* `name`"):
        fetch_series("GunPiont", data_home=tmp_path)


def test_missing_file_is_named_with_the_publishers_address(tmp_path: Path) -> None:
    address = "https://www.timeseriesclassification.com/aeon-toolkit/GunPoint.zip"
    with pytest.raises(OSError, match=r"^GunPoint\.npz is not in .*series, and") as e:
        fetch_series("GunPoint", data_home=tmp_path, download_if_missing=False)
    assert address in str(e.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not an archive", "cannot be decoded"),
        (make_archive(ONE_CHANNEL)[:200], "cannot be decoded"),
        (make_archive((ONE_CHANNEL[0], TWO_CHANNELS[1])), "have 1 channels, and the test series 2"),
        (make_archive((ONE_CHANNEL[0], OTHER_LENGTHS[1])), "training are of type <U1, and .*float"),
        (make_archive(("@data", "")), r"Tiny_TRAIN\.ts: its header announces neither"),
    ],
)
def test_damaged_archive_is_named(content: bytes, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, "Tiny.zip", content)
    with pytest.raises(ValueError, match=problem) as e:
        fetch_series("Tiny", data_home=tmp_path)
    assert str(path) in str(e.value)
    assert "Delete it" in str(e.value)
    assert list((tmp_path / "series").iterdir()) == [path]


def test_comments_may_be_in_other_encodings(tmp_path: Path) -> None:
    train, test = (
        "\N{BYTE ORDER MARK}# R\N{LATIN SMALL LETTER E WITH ACUTE}sum\xe9\n" + text
        for text in ONE_CHANNEL
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("Tiny_TRAIN.ts", train.encode())
        archive.writestr("Tiny_TEST.ts", test[1:].encode("latin-1"))
    write(tmp_path, "Tiny.zip", buffer.getvalue())
    X, _ = fetch_series("Tiny", subset="test", data_home=tmp_path, return_X_y=True)
    assert_array_equal(X, [[-1, -2, -3.5]])


def make_arrays() -> dict[str, Any]:
    return {
        "train_values": np.arange(10.0).reshape(5, 2),
        "train_lengths": np.array([3, 2]),
        "train_y": np.array([4, 5]),
        "test_values": np.arange(2.0).reshape(1, 2),
        "test_lengths": np.array([1], dtype=np.uint8),
        "test_y": np.array([7]),
    }


def write_npz(home: Path, arrays: dict[str, Any]) -> Path:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return write(home, "Tiny.npz", buffer.getvalue())


def test_integer_labels_stay_integers(tmp_path: Path) -> None:
    write_npz(tmp_path, make_arrays())
    tiny = fetch_series("Tiny", data_home=tmp_path, download_if_missing=False)
    assert_array_equal(tiny.target, np.array([4, 5]), strict=True)
    assert tiny.target_names == ["4", "5", "7"]
    assert_array_equal(tiny.data[1], np.array([[6, 7], [8, 9]], dtype=np.float32), strict=True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train_values": np.ones(5)}, r"train_values is of shape \(5,\)"),
        ({"train_values": np.ones((5, 0))}, r"train_values is of shape \(5, 0\)"),
        ({"train_values": np.ones((5, 2), dtype=int)}, "type int64, expected floats"),
        ({"train_values": np.full((5, 2), np.inf)}, "train_values has infinite values"),
        ({"test_values": np.ones((1, 3))}, "have 2 channels, and the test series 3"),
        ({"train_lengths": np.array([3.0, 2.0])}, "train_lengths is of .*expected integers"),
        ({"train_lengths": np.array([], dtype=int)}, r"train_lengths is of shape \(0,\)"),
        ({"train_lengths": np.array([5, 0])}, "from 0 to 5 and sum to 5, expected positive"),
        ({"train_lengths": np.array([3, 3])}, "sum to 6, expected .* the 5 rows of train_values"),
        ({"train_y": np.array([1])}, r"train_y is of shape \(1,\).* numbers of shape \(2,\)"),
        ({"train_y": np.array([True, False])}, "train_y is of shape .* type bool"),
        ({"train_y": np.array([0.5, np.nan])}, "train_y has values that are not finite"),
        ({"train_y": np.array([0.5, 1.5])}, "of type float64, and those for testing .*int64"),
        ({"train_y": np.array([None, "a"])}, "cannot be decoded .*allow_pickle"),
        ({"train_y": None}, "an array is missing .*train_y"),
    ],
)
def test_damaged_arrays_are_named(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in (make_arrays() | changes).items() if array is not None}
    path = write_npz(tmp_path, arrays)
    with pytest.raises(ValueError, match=problem) as e:
        fetch_series("Tiny", subset="test", data_home=tmp_path)
    assert str(path) in str(e.value)
    assert "Delete it" in str(e.value)


@pytest.mark.parametrize("content", [b"", b"neither", b"PK\3\4 cut off", b"\x93NUMPY"])
def test_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, "Tiny.npz", content)
    with pytest.raises(ValueError, match="cannot be decoded") as e:
        fetch_series("Tiny", data_home=tmp_path)
    assert str(path) in str(e.value)


def test_an_array_alone_is_no_data_set(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    write(tmp_path, "Tiny.npz", buffer.getvalue())
    with pytest.raises(ValueError, match="cannot be decoded"):
        fetch_series("Tiny", data_home=tmp_path)


@pytest.mark.parametrize(
    "name", ["", "../wine/x", "a/b", "a\\b", "a.b", "C:", "Gun Point", "é", "a\n"]
)
def test_names_are_no_paths(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`name` is .*expected letters, digits"):
        fetch_series(name, data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "parameters", [{"name": 3}, {"subset": "validation"}, {"data_home": 3}, {"return_X_y": "yes"}]
)
def test_bad_parameter_is_named(parameters: dict[str, Any]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        fetch_series(**({"name": "Tiny"} | parameters))


def test_real_gun_point(real_data: Callable[[str], Path]) -> None:
    home = real_data("series/GunPoint.npz")
    train = fetch_series("GunPoint", data_home=home, download_if_missing=False)
    test = fetch_series("GunPoint", subset="test", data_home=home, download_if_missing=False)
    # The publisher's page: 50 and 150 series of 150 time steps, two classes.
    assert train.data.shape == (50, 150)
    assert test.data.shape == (150, 150)
    # The beginning and the first labels of the publisher's GunPoint_TRAIN.ts.
    assert_allclose(train.data[0, :3], [-0.6478854, -0.64199155, -0.63818632], rtol=1e-6)
    assert train.target[:5].tolist() == ["2", "2", "1", "1", "2"]
    # The archive's series are standardized.
    assert_allclose(test.data.mean(axis=1), 0, atol=1e-5)
    assert_allclose(test.data.std(axis=1, ddof=1), 1, rtol=1e-4)


def test_real_vowels(real_data: Callable[[str], Path]) -> None:
    home = real_data("series/JapaneseVowels.npz")
    train = fetch_series("JapaneseVowels", data_home=home, download_if_missing=False)
    test = fetch_series("JapaneseVowels", subset="test", data_home=home, download_if_missing=False)
    # The description at https://archive.ics.uci.edu/dataset/128/japanese+vowels: 9 speakers, 12
    # coefficients, series of 7 to 29 points; how many utterances each speaker has.
    _, counts = np.unique(train.target, return_counts=True)
    assert_array_equal(counts, [30] * 9)
    _, counts = np.unique(test.target, return_counts=True)
    assert_array_equal(counts, [31, 35, 88, 44, 29, 24, 40, 50, 29])
    lengths = [len(series) for series in [*train.data, *test.data]]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert all(series.shape[1] == 12 for series in train.data)
    # The beginning of the first channel in the publisher's JapaneseVowels_TRAIN.ts.
    assert_allclose(train.data[0][:3, 0], [1.860936, 1.891651, 1.939205], rtol=1e-6)


def test_real_covid(real_data: Callable[[str], Path]) -> None:
    home = real_data("series/Covid3Month.npz")
    covid = fetch_series("Covid3Month", subset="all", data_home=home, download_if_missing=False)
    # The publisher's page: 140 and 61 series of 84 days; the target is a death rate.
    assert covid.data.shape == (201, 84)
    assert covid.target.dtype == np.float64
    assert covid.target.min() >= 0 and covid.target.max() <= 1
    # The last target in the publisher's Covid3Month_TRAIN.ts.
    assert covid.target[139] == 0.005509641873278237
