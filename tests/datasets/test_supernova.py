from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest, norm

from sknn.datasets import distance_modulus, fetch_supernova, make_supernova

HEADER = "# alpha 0.12\n# beta 2.47\n"


def make_rows() -> list[tuple[str, float, float, float, float]]:
    rng = np.random.default_rng(0)
    numbers = rng.integers(1, 1000, (580, 4)) / 1000
    return [(f"SN{index}", *row) for index, row in enumerate(numbers.tolist())]


def write_rows(home: Path, rows: list[tuple[Any, ...]]) -> Path:
    path = home / "supernova" / "SCPUnion2.1_mu_vs_z.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def test_reads_columns(tmp_path: Path) -> None:
    rows = make_rows()
    write_rows(tmp_path, rows)
    supernova = fetch_supernova(data_home=tmp_path)
    names, redshift, mu, mu_error, probability = zip(*rows, strict=True)
    assert supernova.data.shape == (580, 1)
    assert_array_equal(supernova.data[:, 0], redshift)
    assert_array_equal(supernova.target, mu)
    assert_array_equal(supernova.mu_error, mu_error)
    assert_array_equal(supernova.low_mass_host_probability, probability)
    assert_array_equal(supernova.names, names)
    assert supernova.feature_names == ["redshift"]
    assert supernova.target_names == ["distance_modulus"]
    assert "Suzuki" in supernova.DESCR


def test_tuple_and_frame(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    rows = make_rows()
    write_rows(tmp_path, rows)
    X, y = fetch_supernova(data_home=tmp_path, return_X_y=True)
    assert_array_equal(X[:, 0], [row[1] for row in rows])
    assert_array_equal(y, [row[2] for row in rows])
    frame = fetch_supernova(data_home=tmp_path, as_frame=True).frame
    assert list(frame.columns) == ["redshift", "distance_modulus"]
    assert_array_equal(frame.to_numpy(), np.column_stack([X, y]))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda rows: [], "it has 0 supernovae, expected 580"),
        (lambda rows: rows[:-1], "it has 579 supernovae, expected 580"),
        (lambda rows: [*rows[:-1], ("SN", 0.1, 35)], "not a name and four numbers"),
        (lambda rows: [*rows[:-1], ("SN", 0.1, 35, "x", 0.5)], "not a name and four numbers"),
        (lambda rows: [row[:4] for row in rows], "rows have 4 columns, expected 5"),
        (lambda rows: [*rows[:-1], ("SN", 0.1, 35, 0, 0.5)], "a redshift or an error not positive"),
        (
            lambda rows: [*rows[:-1], ("SN", -0.1, 35, 0.2, 0.5)],
            "a redshift or an error not positive",
        ),
        (lambda rows: [*rows[:-1], ("SN", 0.1, "nan", 0.2, 0.5)], "a number is not finite"),
    ],
)
def test_damaged_file_is_named(
    damage: Callable[[list[Any]], list[Any]], problem: str, tmp_path: Path
) -> None:
    path = write_rows(tmp_path, damage(make_rows()))
    with pytest.raises(ValueError, match=problem) as e:
        fetch_supernova(data_home=tmp_path)
    assert str(path) in str(e.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"https://supernova\.lbl\.gov/\S*SCPUnion2\.1_mu_vs_z\.txt"):
        fetch_supernova(data_home=tmp_path, download_if_missing=False)


def test_real_supernovae(real_data: Callable[[str], Path]) -> None:
    home = real_data("supernova/SCPUnion2.1_mu_vs_z.txt")
    supernova = fetch_supernova(data_home=home, download_if_missing=False)
    assert (supernova.data.min(), supernova.data.max()) == (0.015, 1.414)
    assert supernova.names[0] == "1993ah"
    assert supernova.mu_error[0] == 0.223905932998
    # Suzuki et al. (2012): the density of dark energy is 0.724 + 0.015 - 0.016, and the chi-square
    # of the best flat universe 562. The zero point, that is H0, is free.
    weight = supernova.mu_error**-2
    candidates = np.linspace(0.2, 0.4, 81)
    chi2 = []
    for omega_m in candidates:
        residual = supernova.target - distance_modulus(supernova.data[:, 0], 70, omega_m)
        residual -= np.average(residual, weights=weight)
        chi2.append(np.sum(weight * residual**2))
    assert candidates[np.argmin(chi2)] == pytest.approx(1 - 0.724, abs=0.016)
    assert min(chi2) == pytest.approx(562, abs=1)


def test_make_supernova_without_noise_is_the_distance_modulus() -> None:
    X, y, error = make_supernova(50, H0=65, omega_m=0.4, noise=0, random_state=0, return_error=True)
    assert X.shape == (50, 1)
    assert X.dtype == y.dtype == error.dtype == np.float64
    assert_allclose(y, distance_modulus(X[:, 0], H0=65, omega_m=0.4), rtol=1e-15)
    assert_array_equal(error, 0)


@pytest.mark.parametrize("noise", [0.15, None])
def test_make_supernova_noise_has_the_errors_as_standard_deviations(noise: float | None) -> None:
    X, y, error = make_supernova(20_000, noise=noise, random_state=0, return_error=True)
    pull = (y - distance_modulus(X[:, 0])) / error
    assert kstest(pull, norm.cdf).pvalue > 0.01
    if noise is not None:
        assert_array_equal(error, noise)


def test_make_supernova_is_seeded() -> None:
    first = make_supernova(random_state=1, return_error=True)
    again = make_supernova(random_state=np.random.RandomState(1), return_error=True)
    other = make_supernova(random_state=2, return_error=True)
    assert len(first[1]) == 580
    for one, two, three in zip(first, again, other, strict=True):
        assert_array_equal(one, two)
        assert not np.array_equal(one, three)
    X, y = make_supernova(random_state=1)
    assert_array_equal(X, first[0])
    assert_array_equal(y, first[1])


def test_make_supernova_resembles_union21(real_data: Callable[[str], Path]) -> None:
    home = real_data("supernova/SCPUnion2.1_mu_vs_z.txt")
    supernova = fetch_supernova(data_home=home, download_if_missing=False)
    X, _, error = make_supernova(100_000, random_state=0, return_error=True)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert_allclose(np.quantile(X, levels), np.quantile(supernova.data, levels), rtol=0.2)
    assert_allclose(np.quantile(error, levels), np.quantile(supernova.mu_error, levels), rtol=0.2)


@pytest.mark.parametrize(
    "parameters", [{"n_samples": 0}, {"H0": -1}, {"omega_m": 2}, {"noise": -0.1}]
)
def test_bad_parameter_is_named(parameters: dict[str, Any]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        make_supernova(**parameters)
