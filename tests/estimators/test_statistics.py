import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknn.data import Ragged
from sknn.estimators import _statistics
from sknn.estimators._statistics import channel_statistics, weighted_statistics

N, STEPS = 12, 6
SEVERAL = np.random.default_rng(0).normal(size=(N, STEPS, 2))  # channels
ONE = SEVERAL[..., 0]
LENGTHS = [3, 1, 6, 2, 5, 4, 6, 1, 2, 3, 4, 5]
RAGGED = Ragged.from_list([each[:n] for each, n in zip(SEVERAL, LENGTHS, strict=True)])


@pytest.mark.parametrize("at_once", [1, 5, 10**6])
@pytest.mark.parametrize("weighted", [False, True])
def test_statistics_of_channels_count_every_step_by_its_weight(
    weighted: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_statistics, "VALUES_AT_ONCE", at_once)
    repeats = np.array([1, 0, 2] * 4) if weighted else np.ones(N, int)
    for X in (SEVERAL, RAGGED, ONE):
        steps = np.concatenate([np.repeat(x, n, axis=0) for x, n in zip(X, [1] * N, strict=True)])
        lengths = np.array([len(each) for each in X])
        step_repeats = np.repeat(repeats, lengths)
        repeated = np.repeat(steps.reshape(len(step_repeats), -1), step_repeats, axis=0)
        mean, scale = channel_statistics(X, step_repeats.astype(float) if weighted else None)
        assert_allclose(mean, repeated.mean(0), rtol=1e-12)
        assert_allclose(scale, repeated.std(0), rtol=1e-12)


def test_constant_columns_have_a_scale_of_one() -> None:
    values = np.column_stack([np.full(1000, 0.1), np.full(1000, -1e9), np.zeros(1000)])
    mean, scale = weighted_statistics(values, None)
    assert_allclose(mean, [0.1, -1e9, 0])
    assert_array_equal(scale, 1)


def test_constants_that_were_computed_are_constants() -> None:
    values = np.array([[0.1 + 0.2], [0.3], [0.3]])
    assert values.std() > 0
    assert_array_equal(weighted_statistics(values, None)[1], 1)


def test_rows_without_weight_are_no_rows() -> None:
    values = np.array([[1e100], [7.0], [9.0]])
    mean, scale = weighted_statistics(values, np.array([0.0, 2.0, 2.0]))
    assert (mean, scale) == (8, 1)


def test_a_centre_is_subtracted_from_means() -> None:
    values = np.array([[2.0**40], [2.0**40 + 0.25]])
    mean, scale = weighted_statistics(values, None, (2.0**40,))
    assert (mean, scale) == (0.125, 0.125)


def test_statistics_of_numbers_far_from_zero_are_exact() -> None:
    values = 1e6 + np.random.default_rng(0).normal(size=(1000, 1))
    _, scale = weighted_statistics(values, None)
    assert_allclose(scale, values.std(0), rtol=1e-9)
    halves = np.full((4096, 1), 60000, np.float16)  # whose sum is beyond float16
    halves[::2] = 50000
    mean, scale = weighted_statistics(halves, None)
    assert_allclose([mean[0], scale[0]], [55000, 5000], rtol=1e-2)
