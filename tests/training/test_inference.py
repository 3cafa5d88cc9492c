import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from sknn.training import ImageRows, make_rows, predict_outputs, rows_at_once
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
