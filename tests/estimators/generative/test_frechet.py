"""The Fréchet distance of normal distributions."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from sknn.generative import frechet_distance

rng = np.random.default_rng(0)


def test_shifted_and_stretched_rows_have_the_distance_of_the_closed_form() -> None:
    X = rng.normal(size=(500, 3))
    moved = X * [2, 1, 0.5] + [3, 0, 4]
    standard = X.std(0, ddof=1)
    centred = X - X.mean(0)
    X = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred, rowvar=False))).T
    moved = X * [2, 1, 0.5] + [3, 0, 4]
    assert standard.shape == (3,)
    # |m|^2 and the sum of (s_1 - s_2)^2
    assert frechet_distance(X, moved) == pytest.approx(25 + 1 + 0 + 0.25, rel=1e-9)
    assert frechet_distance(moved, X) == pytest.approx(frechet_distance(X, moved), rel=1e-9)
    assert frechet_distance(X, X) == pytest.approx(0, abs=1e-9)


def test_any_covariances_have_the_distance_by_a_matrix_root() -> None:
    first, second = (rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) for _ in range(2))
    covariances = [np.cov(each, rowvar=False) for each in (first, second)]
    means = first.mean(0) - second.mean(0)
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = means @ means + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_a_single_feature_and_fewer_rows_than_features() -> None:
    first, second = rng.normal(size=(50, 1)), 3 * rng.normal(size=(50, 1)) + 1
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    wide = rng.normal(size=(5, 20))
    assert frechet_distance(wide, wide + 1) == pytest.approx(20, rel=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "2 columns and other_features 4"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "minimum of 2"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "other_features contains NaN"),
        (np.zeros((3, 2, 2)), np.zeros((3, 2)), "dim 3"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(
    first: object, second: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(first, second)


def test_features_whose_squares_overflow_are_refused() -> None:
    features = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(ValueError, match="so large that their squares overflow"):
        frechet_distance(features * 1e200, features)
