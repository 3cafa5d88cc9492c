from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor

from sknn.data import Ragged, SeriesRows

CPU = torch.device("cpu")
LENGTHS = [3, 5, 1, 2, 5]


def make_list(*shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, 9, size=(n, *shape)).astype(float) for n in LENGTHS]


def make_rows(X: Any, dtype: torch.dtype = torch.float64, **parameters: Any) -> SeriesRows:
    return SeriesRows(X, CPU, dtype, **parameters)


def padded(series: list[np.ndarray]) -> np.ndarray:
    """The series as an array that is zero behind their ends and as long as the longest."""
    array = np.zeros((len(series), max(map(len, series)), *series[0].shape[1:]))
    for row, each in zip(array, series, strict=True):
        row[: len(each)] = each
    return array


@pytest.mark.parametrize("shape", [(), (2,)], ids=["one channel", "two channels"])
@pytest.mark.parametrize("chosen", [[0], [2, 0], [4, 2, 1, 1], [3, 2], [0, 1, 2, 3, 4]], ids=str)
def test_series_are_padded_to_the_longest_of_their_batch(
    chosen: list[int], shape: tuple[int, ...]
) -> None:
    series = make_list(*shape)
    rows = make_rows(Ragged.from_list(series))
    assert len(rows) == 5
    assert_array_equal(rows.lengths, LENGTHS)
    batch, lengths = rows.take(torch.tensor(chosen))
    expected = padded([series[i] for i in chosen])
    assert_array_equal(batch, expected if shape else expected[..., None])
    assert_array_equal(lengths, np.array(LENGTHS)[chosen])
    assert batch.dtype == torch.float64
    assert lengths.dtype == torch.int64


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (1, 3), (4, 5)])
def test_consecutive_series_are_padded_alike(start: int, stop: int) -> None:
    rows = make_rows(Ragged.from_list(make_list(2)))
    batch, lengths = rows.slice(start, stop)
    assert_array_equal(batch, padded(make_list(2)[start:stop]))
    assert_array_equal(lengths, LENGTHS[start:stop])


@pytest.mark.parametrize("shape", [(4,), (4, 2)], ids=str)
def test_series_of_equal_length_are_one_tensor(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=(6, *shape))
    rows = make_rows(X)
    assert len(rows) == 6
    assert rows.lengths is None
    expected = X if X.ndim == 3 else X[..., None]
    assert_array_equal(rows.take(torch.tensor([4, 0, 4])), expected[[4, 0, 4]])
    assert_array_equal(rows.slice(1, 4), expected[1:4])
    assert rows.tensor.data_ptr() == X.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("X_dtype", ["bool", "uint8", "int64", "float16", "float32", ">f8"])
def test_numbers_of_any_type_become_the_networks_type(X_dtype: str, dtype: torch.dtype) -> None:
    series = [each.astype(X_dtype) for each in make_list(2)]
    rows = make_rows(Ragged.from_list(series), dtype)
    batch, _ = rows.take(torch.tensor([1, 4]))
    assert batch.dtype == dtype
    assert_array_equal(batch, np.stack([series[1], series[4]]).astype(float))
    equal = make_rows(np.stack([series[1], series[4]]), dtype)
    assert equal.slice(0, 2).dtype == dtype


@pytest.mark.parametrize("X_dtype", ["bool", "uint8", "int16", "int64"])
def test_tokens_stay_integers_and_get_no_channel(X_dtype: str) -> None:
    series = [each.astype(X_dtype) for each in make_list()]
    batch, lengths = make_rows(Ragged.from_list(series), tokens=True).take(torch.tensor([2, 0]))
    assert batch.dtype == torch.int64
    assert_array_equal(batch, padded([series[2], series[0]]))
    assert_array_equal(lengths, [1, 3])
    equal = make_rows(np.stack([series[1], series[4]]), tokens=True).slice(0, 2)
    assert isinstance(equal, Tensor)
    assert_array_equal(equal, np.stack([series[1], series[4]]))
    assert equal.dtype == torch.int64


def test_what_is_taken_does_not_change_what_is_there() -> None:
    rows = make_rows(Ragged.from_list(make_list(2)))
    for _ in range(2):
        batch, lengths = rows.take(torch.tensor([2, 1]))
        assert_array_equal(batch, padded([make_list(2)[i] for i in (2, 1)]))
        batch += 1
        lengths += 1
