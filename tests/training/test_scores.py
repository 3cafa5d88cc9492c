import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score

from sknn.training import accuracy, decide_labels, decide_multiclass, r2

N_ROWS = 40
WEIGHTS = [None, np.linspace(0, 2, N_ROWS)]


def tensor(array: np.ndarray | None) -> torch.Tensor | None:
    return None if array is None else torch.from_numpy(array)


@pytest.mark.parametrize("weights", WEIGHTS, ids=["equal", "weighted"])
def test_multiclass_accuracy(weights: np.ndarray | None) -> None:
    rng = np.random.default_rng(0)
    outputs, y = rng.normal(size=(N_ROWS, 3)), rng.integers(0, 3, N_ROWS)
    decisions = decide_multiclass(torch.from_numpy(outputs))
    assert_array_equal(decisions, outputs.argmax(1))
    result = accuracy(decisions, torch.from_numpy(y), tensor(weights))
    assert_allclose(result, accuracy_score(y, outputs.argmax(1), sample_weight=weights))


@pytest.mark.parametrize("weights", WEIGHTS, ids=["equal", "weighted"])
@pytest.mark.parametrize("n_labels", [1, 3])
def test_binary_and_multilabel_accuracy(n_labels: int, weights: np.ndarray | None) -> None:
    rng = np.random.default_rng(1)
    outputs = rng.normal(size=(N_ROWS, n_labels))
    outputs[0] = 0
    y = ((outputs > 0) ^ (rng.random(outputs.shape) < 0.2)).astype(float)
    decisions = decide_labels(torch.from_numpy(outputs))
    assert_array_equal(decisions, outputs > 0)
    result = accuracy(decisions, torch.from_numpy(y), tensor(weights))
    assert 0 < result < 1
    expected = accuracy_score(y.astype(int), (outputs > 0).astype(int), sample_weight=weights)
    assert_allclose(result, expected)


@pytest.mark.parametrize("weights", WEIGHTS, ids=["equal", "weighted"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_r2(n_outputs: int, weights: np.ndarray | None) -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(3, 2, (N_ROWS, n_outputs))
    predictions = y + rng.normal(size=y.shape)
    result = r2(torch.from_numpy(predictions), torch.from_numpy(y), tensor(weights))
    assert_allclose(result, r2_score(y, predictions, sample_weight=weights))


@pytest.mark.parametrize("weights", WEIGHTS, ids=["equal", "weighted"])
@pytest.mark.parametrize(("offset", "expected"), [(0.0, 1.0), (0.5, 0.0)])
def test_r2_of_a_constant_target(
    offset: float, expected: float, weights: np.ndarray | None
) -> None:
    y = np.full((N_ROWS, 1), 2.0)
    result = r2(torch.from_numpy(y + offset), torch.from_numpy(y), tensor(weights))
    assert result == expected
    assert result == r2_score(y, y + offset, sample_weight=weights)


def test_r2_averages_constant_and_varying_targets() -> None:
    y = np.column_stack([np.full(N_ROWS, 1.0), np.arange(N_ROWS)])
    predictions = y + 0.25
    result = r2(torch.from_numpy(predictions), torch.from_numpy(y), None)
    assert_allclose(result, r2_score(y, predictions))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_r2_of_predictions_that_are_not_finite_is_nan(value: float) -> None:
    y = np.arange(6.0)[:, None]
    predictions = y.copy()
    predictions[2] = value
    assert np.isnan(r2(torch.from_numpy(predictions), torch.from_numpy(y), None))


def test_r2_of_float32_targets_far_from_zero() -> None:
    y = (1000 + np.random.default_rng(0).normal(size=(N_ROWS, 1))).astype(np.float32)
    predictions = y + np.float32(0.3)
    result = r2(torch.from_numpy(predictions), torch.from_numpy(y), None)
    assert_allclose(result, r2_score(y, predictions), rtol=1e-3)
