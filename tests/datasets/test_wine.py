from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.datasets import fetch_wine_quality

FEATURES = [
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
]
N_WINES = {"white": 4898, "red": 1599}
WHITE_GRADES = {3: 20, 4: 163, 5: 1457, 6: 2198, 7: 880, 8: 175, 9: 5}
RED_GRADES = {3: 10, 4: 53, 5: 681, 6: 638, 7: 199, 8: 18}


def make_table(color: str) -> np.ndarray:
    """Return numbers with one decimal and, in the last column, qualities from 0 to 10."""
    rng = np.random.default_rng(len(color))
    features = rng.integers(0, 1000, (N_WINES[color], 11)) / 10
    return np.column_stack([features, rng.integers(0, 11, N_WINES[color])])


def write_table(home: Path, color: str, table: np.ndarray) -> Path:
    path = home / "wine" / f"winequality-{color}.csv"
    path.parent.mkdir(exist_ok=True)
    header = ";".join(f'"{name}"' for name in [*FEATURES, "quality"])
    np.savetxt(path, table, fmt="%.10g", delimiter=";", header=header, comments="")
    return path


@pytest.mark.parametrize("color", ["white", "red"])
def test_reads_features_and_quality(color: Literal["white", "red"], tmp_path: Path) -> None:
    table = make_table(color)
    write_table(tmp_path, color, table)
    wine = fetch_wine_quality(color=color, data_home=tmp_path)
    assert_array_equal(wine.data, table[:, :11])
    assert_array_equal(wine.target, table[:, 11])
    assert wine.data.dtype == np.float64
    assert np.issubdtype(wine.target.dtype, np.integer)
    assert wine.feature_names == FEATURES
    assert wine.target_names == ["quality"]
    assert set(wine.color) == {color}
    assert wine.frame is None
    assert "Cortez" in wine.DESCR


def test_all_is_white_then_red(tmp_path: Path) -> None:
    white, red = make_table("white"), make_table("red")
    write_table(tmp_path, "white", white)
    write_table(tmp_path, "red", red)
    wine = fetch_wine_quality(color="all", data_home=str(tmp_path))
    assert_array_equal(wine.data, np.vstack([white, red])[:, :11])
    assert_array_equal(wine.target, np.vstack([white, red])[:, 11])
    assert_array_equal(wine.color, ["white"] * 4898 + ["red"] * 1599)


def test_tuple_and_frame(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    table = make_table("red")
    write_table(tmp_path, "red", table)
    X, y = fetch_wine_quality(color="red", data_home=tmp_path, return_X_y=True)
    assert isinstance(X, np.ndarray)
    assert_array_equal(np.column_stack([X, y]), table)

    wine = fetch_wine_quality(color="red", data_home=tmp_path, as_frame=True)
    assert list(wine.frame.columns) == [*FEATURES, "quality"]
    assert list(wine.data.columns) == FEATURES
    assert isinstance(wine.target, pd.Series)
    assert wine.target.name == "quality"
    assert_array_equal(wine.frame.to_numpy(), table)

    X, y = fetch_wine_quality(color="red", data_home=tmp_path, as_frame=True, return_X_y=True)
    assert_array_equal(X.to_numpy(), table[:, :11])
    assert_array_equal(y.to_numpy(), table[:, 11])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: "", "its first line is ''"),
        (lambda text: text.replace(";", ","), "its first line is .*expected the column names"),
        (lambda text: text.rsplit("\n", 2)[0], "it has 1598 wines, expected 1599"),
        (lambda text: text + text.splitlines()[1], "it has 1600 wines, expected 1599"),
        (lambda text: text[:-4] + "x\n", "not a table of numbers"),
        (lambda text: text.rstrip().rsplit(";", 1)[0] + ";11", "a quality not an integer in 0-10"),
        (lambda text: text.rstrip().rsplit(";", 1)[0] + ";5.5", "a quality not an integer"),
        (lambda text: text.rstrip().rsplit(";", 2)[0] + ";nan;5", "a feature is not a number"),
        (lambda text: text + "\xff", "cannot be decoded"),
    ],
)
def test_damaged_file_is_named(damage: Callable[[str], str], problem: str, tmp_path: Path) -> None:
    path = write_table(tmp_path, "red", make_table("red"))
    path.write_text(damage(path.read_text()), encoding="latin-1")
    with pytest.raises(ValueError, match=problem) as e:
        fetch_wine_quality(color="red", data_home=tmp_path)
    assert str(path) in str(e.value)
    assert "Delete it" in str(e.value)


@pytest.mark.parametrize("color", ["white", "red", "all"])
def test_missing_file(color: Literal["white", "red", "all"], tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"https://archive\.ics\.uci\.edu/\S*winequality-"):
        fetch_wine_quality(color=color, data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize(
    "parameters",
    [
        {"color": "pink"},
        {"data_home": 3},
        {"return_X_y": "yes"},
        {"as_frame": 2},
        {"download_if_missing": None},
    ],
)
def test_bad_parameter_is_named(parameters: dict[str, Any]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        fetch_wine_quality(**parameters)


def test_real_wine(real_data: Callable[[str], Path]) -> None:
    home = real_data("wine/winequality-red.csv")
    white = fetch_wine_quality(color="white", data_home=home, download_if_missing=False)
    red = fetch_wine_quality(color="red", data_home=home, download_if_missing=False)
    # The first row of each file.
    first = [7, 0.27, 0.36, 20.7, 0.045, 45, 170, 1.001, 3, 0.45, 8.8]
    assert_array_equal(white.data[0], first)
    first = [7.4, 0.7, 0, 1.9, 0.076, 11, 34, 0.9978, 3.51, 0.56, 9.4]
    assert_array_equal(red.data[0], first)
    # How many wines have each grade, as awk, sort and uniq count them in the files.
    grades, counts = np.unique(white.target, return_counts=True)
    assert dict(zip(grades, counts, strict=True)) == WHITE_GRADES
    grades, counts = np.unique(red.target, return_counts=True)
    assert dict(zip(grades, counts, strict=True)) == RED_GRADES
