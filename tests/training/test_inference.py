import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from sknn.data import ImageRows, Ragged, SeriesRows, make_rows
from sknn.nn import valid_steps
from sknn.training import _inference, predict_outputs, rows_at_once
from sknn.training._inference import (
    CHUNK_NUMBERS,
    CHUNK_NUMBERS_ON_ACCELERATORS,
    PREDICTION_ROWS,
    SCORING_ROWS,
)

CPU = torch.device("cpu")


class Counts(nn.Module):
    """A linear map that remembers how many rows it got."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.n_rows: list[int] = []

    def forward(self, X: Tensor) -> Tensor:
        self.n_rows.append(len(X))
        return self.linear(X.flatten(1))


@pytest.mark.parametrize(("chunk", "n_rows"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (100, [7])])
@pytest.mark.parametrize("kind", ["dense", "images"])
def test_chunks_give_the_outputs_of_all_rows(kind: str, chunk: int, n_rows: list[int]) -> None:
    X = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    rows = (
        make_rows(X, CPU, torch.float32)
        if kind == "dense"
        else ImageRows(X, CPU, torch.float32, image_shape=(2, 3, 1))
    )
    module = Counts().eval()
    outputs = predict_outputs(module, rows, torch.float32, chunk)
    weight, bias = (p.detach().numpy() for p in module.linear.parameters())
    assert_allclose(outputs, X @ weight.T + bias, atol=1e-6)
    assert module.n_rows == n_rows


def test_many_rows_go_through_a_small_network_at_once() -> None:
    assert rows_at_once(10, CPU) == PREDICTION_ROWS
    assert rows_at_once(10, CPU, training=True) == SCORING_ROWS
    assert rows_at_once(0, CPU) == PREDICTION_ROWS


@pytest.mark.parametrize("layer_size", [5_000, 100_000, 3_000_000])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_the_largest_layer_stays_below_its_bound(
    device: str, training: bool, layer_size: int
) -> None:
    most = CHUNK_NUMBERS.get(device, CHUNK_NUMBERS_ON_ACCELERATORS)
    rows = rows_at_once(layer_size, torch.device(device), training=training)
    assert rows * layer_size <= most
    limit = SCORING_ROWS if training and device == "cpu" else PREDICTION_ROWS
    assert rows == limit or (rows + 1) * layer_size > most


def test_one_row_goes_through_however_large_it_is() -> None:
    assert rows_at_once(10**12, CPU) == 1


def test_outputs_in_bfloat16_come_back_as_float32() -> None:
    X = np.random.default_rng(0).normal(size=(5, 6))
    module = Counts().eval()
    outputs = predict_outputs(module, make_rows(X, CPU, torch.float32), torch.bfloat16, 2)
    assert outputs.dtype == torch.float32
    exact = predict_outputs(module, make_rows(X, CPU, torch.float32), torch.float32)
    assert_allclose(outputs, exact, atol=0.03)
    assert not np.array_equal(outputs, exact)
    assert_array_equal(outputs, outputs.bfloat16().float())


class Sums(nn.Module):
    """Gives the sum of each series, or each of its steps; remembers the batches' lengths."""

    def __init__(self, *, steps: bool) -> None:
        super().__init__()
        self.steps = steps
        self.lengths: list[list[int]] = []

    def forward(self, series: Tensor, lengths: Tensor) -> Tensor:
        self.lengths.append(lengths.tolist())
        return series[valid_steps(lengths, series.shape[1])] if self.steps else series.sum(1)


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("steps", [False, True])
def test_series_are_sorted_by_length_and_their_outputs_put_back(steps: bool, chunk: int) -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(n, 2)) for n in rng.integers(1, 12, 23)]
    module = Sums(steps=steps).eval()
    rows = SeriesRows(Ragged.from_list(series), CPU, torch.float64)
    outputs = predict_outputs(module, rows, torch.float64, chunk)
    expected = np.concatenate(series) if steps else [each.sum(0) for each in series]
    assert_allclose(outputs, expected, atol=1e-12)
    lengths = np.concatenate(module.lengths)
    assert_array_equal(lengths, np.sort([len(each) for each in series]))
    # as many steps, padding included, as `chunk` of the longest series
    padded = [len(each) * max(each) for each in module.lengths]
    assert max(padded) <= chunk * max(lengths)
    for each, following in zip(module.lengths, module.lengths[1:], strict=False):
        assert (len(each) + 1) * following[0] > chunk * max(lengths)


def test_a_long_series_does_not_lengthen_the_short_ones_beside_it() -> None:
    X = Ragged(np.arange(2100.0), np.array([*[5] * 200, 1100]))
    module = Sums(steps=False)
    outputs = predict_outputs(module, SeriesRows(X, CPU, torch.float64), torch.float64, 2)
    assert module.lengths == [[5] * 200, [1100]]
    assert_allclose(outputs[:, 0], np.add.reduceat(X.values, X.starts))


def test_series_that_each_have_one_step_keep_their_order() -> None:
    """Whether outputs are of series or of steps, there are equally many."""
    X = Ragged(np.arange(5.0), np.ones(5, int))
    for steps in (False, True):
        outputs = predict_outputs(
            Sums(steps=steps), SeriesRows(X, CPU, torch.float64), torch.float64
        )
        assert_array_equal(outputs[:, 0], X.values)


def test_few_series_of_different_lengths_go_through_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_inference, "RAGGED_ROWS", 3)
    module = Sums(steps=False)
    X = Ragged(np.arange(10.0), np.array([4, 1, 2, 3]))
    outputs = predict_outputs(module, SeriesRows(X, CPU, torch.float64), torch.float64)
    assert module.lengths == [[1, 2, 3], [4]]
    assert_array_equal(outputs[:, 0], [6, 4, 11, 24])
