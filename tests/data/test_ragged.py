import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.data import Ragged

LENGTHS = np.array([3, 1, 4, 2])


def make_list(*shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, *shape)) for n in LENGTHS]


def assert_same_series(found: Any, expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)], ids=str)
def test_a_list_goes_in_and_comes_out(shape: tuple[int, ...]) -> None:
    series = make_list(*shape)
    ragged = Ragged.from_list(series)
    assert_same_series(ragged, series)
    assert_array_equal(ragged.values, np.concatenate(series))
    assert_array_equal(ragged.lengths, LENGTHS)
    assert_array_equal(ragged.starts, [0, 3, 4, 8])
    assert ragged.shape == (4,)  # one dimension, as scikit-learn counts samples
    assert ragged.dtype == np.float64


@pytest.mark.parametrize(
    "index",
    [
        [2, 0],
        [1, 1, 3, 1],
        np.array([3]),
        np.array([-1, 0]),
        np.array([True, False, False, True]),
        slice(1, 3),
        slice(None, None, -2),
        slice(0, 0),
    ],
    ids=str,
)
def test_an_index_chooses_series_as_it_does_of_an_array(index: Any) -> None:
    series = make_list(2)
    ragged = Ragged.from_list(series)
    chosen = np.arange(4)[index]
    found = ragged[index]
    assert isinstance(found, Ragged)
    assert_same_series(found, [series[i] for i in chosen])
    assert_array_equal(found.starts, np.cumsum(LENGTHS[chosen]) - LENGTHS[chosen])


@pytest.mark.parametrize("index", [0, 2, -1, np.int64(3)])
def test_a_number_chooses_one_series_without_a_copy(index: Any) -> None:
    ragged = Ragged.from_list(make_list(2))
    assert_array_equal(ragged[index], make_list(2)[index])
    assert np.shares_memory(ragged[index], ragged.values)


def test_a_choice_is_a_copy() -> None:
    ragged = Ragged.from_list(make_list())
    chosen = ragged[[0, 1]]
    chosen.values[:] = 0
    assert_same_series(ragged, make_list())


def test_objects_are_what_scikit_learn_indexes() -> None:
    objects = Ragged.from_list(make_list(2)).to_objects()
    assert (objects.shape, objects.dtype) == ((4,), object)
    assert_same_series(objects, make_list(2))
    equal = Ragged(np.arange(6), np.array([2, 2, 2])).to_objects()
    assert equal.shape == (3,)  # NumPy would make (3, 2) of it


@pytest.mark.parametrize("index", [[], [0], [3, 1], [2, 2, 0], [3, 2, 1, 0]], ids=str)
def test_positions_are_those_of_each_step(index: list[int]) -> None:
    expected = [
        step for i in index for step in range(sum(LENGTHS[:i]), sum(LENGTHS[:i]) + LENGTHS[i])
    ]
    chosen = np.array(index, int)
    assert_array_equal(Ragged.from_list(make_list()).positions(chosen), expected)


def test_types_that_differ_are_joined_as_numpy_joins_them() -> None:
    ragged = Ragged.from_list([np.array([1, 2]), np.array([0.5])])
    assert ragged.dtype == np.float64
    assert_array_equal(ragged.values, [1, 2, 0.5])


def test_it_is_pickled() -> None:
    ragged = Ragged.from_list(make_list(2))
    assert_same_series(pickle.loads(pickle.dumps(ragged)), make_list(2))
