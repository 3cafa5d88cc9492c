"""Corrections of answers by rows that were held out."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from sknn import NeuralClassifier, NeuralRegressor, export_torch, load, save
from sknn.estimators import (
    Calibration,
    fit_quantile_shift,
    fit_temperature,
    fit_variance_factor,
)

rng = np.random.default_rng(0)
TASKS = pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])


def overconfident(task: str, n: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are `temperature` times what their targets are drawn with."""
    true = rng.normal(size=(n, {"binary": 1, "multiclass": 4, "multilabel": 3}[task]))
    if task == "multiclass":
        gumbel = rng.gumbel(size=true.shape)  # whose largest is drawn from the softmax
        return temperature * true, (true + gumbel).argmax(1)
    return temperature * true, (rng.random(true.shape) < expit(true)).astype(float)


def log_loss(logits: np.ndarray, targets: np.ndarray, weights: Any = None) -> float:
    if targets.ndim == 1:
        losses = -log_softmax(logits, 1)[np.arange(len(targets)), targets]
    else:
        losses = -(targets * log_expit(logits) + (1 - targets) * log_expit(-logits)).sum(1)
    return float(np.average(losses, weights=weights))


# ------------------------------------------------------------------------------------ temperature


@TASKS
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_minimises_the_log_loss(task: str, temperature: float) -> None:
    logits, targets = overconfident(task, 20_000, temperature)
    found = fit_temperature(logits, targets)
    assert found == pytest.approx(temperature, rel=0.1)
    expected = minimize_scalar(
        lambda inverse: log_loss(inverse * logits, targets), bounds=(0.1, 10), method="bounded"
    )
    assert 1 / found == pytest.approx(expected.x, rel=0.05)  # but for the penalty


@TASKS
def test_few_rows_change_little(task: str) -> None:
    logits, targets = overconfident(task, 4000, 5.0)
    one, all_rows = (fit_temperature(logits[:n], targets[:n]) for n in (1, 4000))
    assert 0.5 < one < 1.6
    assert all_rows == pytest.approx(5, rel=0.15)


@TASKS
def test_temperatures_stay_within_their_limits(task: str) -> None:
    logits, targets = overconfident(task, 500, 1.0)
    labels = np.eye(4)[targets] if task == "multiclass" else targets
    right = 3000 * (2 * labels - 1)  # as sure as can be
    assert 0.1 <= fit_temperature(1e-3 * right, targets) < 1
    many = np.concatenate([targets] * 200)
    assert fit_temperature(np.concatenate([1e-4 * right] * 200), many) == pytest.approx(0.1)
    assert fit_temperature(-right, targets) == pytest.approx(10.0)
    assert fit_temperature(np.zeros_like(logits), targets) == pytest.approx(1.0)


def test_classes_that_are_ruled_out() -> None:
    logits, targets = overconfident("multiclass", 2000, 3.0)
    without = np.column_stack([logits, np.full(2000, -np.inf)])
    assert fit_temperature(without, targets) == pytest.approx(fit_temperature(logits, targets))


@TASKS
def test_weights_of_temperatures(task: str) -> None:
    logits, targets = overconfident(task, 2000, 3.0)
    weights = np.repeat([0.0, 1.0], 1000)
    expected = fit_temperature(logits[1000:], targets[1000:])
    assert fit_temperature(logits, targets, weights) == pytest.approx(expected)
    assert fit_temperature(logits, targets, 1e9 * weights) == pytest.approx(expected)
    counts = rng.integers(0, 3, size=2000)
    repeated = fit_temperature(np.repeat(logits, counts, 0), np.repeat(targets, counts, 0))
    assert fit_temperature(logits, targets, counts) == pytest.approx(repeated, rel=0.01)


# ----------------------------------------------------------------------- quantiles and variances


@pytest.mark.parametrize("n", [9, 19, 199])
def test_new_rows_are_below_as_often_as_the_level_says(n: int) -> None:
    levels = (0.1, 0.5, 0.9)
    below = []
    for _ in range(20_000 // n):
        y = rng.exponential(size=(n + 50, 1))
        wrong = np.broadcast_to([3.0, -1.0, 0.2], (n + 50, 1, 3))
        shift = fit_quantile_shift(wrong[:n], y[:n], levels)
        below.append((y[n:, :, np.newaxis] <= wrong[n:] + shift).mean((0, 1)))
    assert_allclose(np.mean(below, axis=0), levels, atol=0.01)


def test_shifts_of_columns_and_levels_are_their_own() -> None:
    y = rng.normal(size=(200, 2)) * [1, 100]
    quantiles = rng.normal(size=(200, 2, 3))
    levels = (0.05, 0.5, 0.8)
    shifts = fit_quantile_shift(quantiles, y, levels)
    assert shifts.shape == (2, 3)
    for i, k in np.ndindex(2, 3):
        expected = np.quantile(y[:, i] - quantiles[:, i, k], levels[k], method="weibull")
        assert shifts[i, k] == pytest.approx(expected)


def test_one_row_gives_its_difference() -> None:
    assert_array_equal(fit_quantile_shift([[[1.0, 2.0]]], [[5.0]], (0.1, 0.9)), [[4.0, 3.0]])


def test_weights_of_shifts() -> None:
    y, quantiles = rng.normal(size=(400, 1)), rng.normal(size=(400, 1, 2))
    levels, weights = (0.1, 0.9), np.repeat([0.0, 7.0], 200)
    expected = fit_quantile_shift(quantiles[200:], y[200:], levels)
    assert_allclose(fit_quantile_shift(quantiles, y, levels, weights), expected)
    counts = rng.integers(0, 3, size=400)
    repeated = fit_quantile_shift(np.repeat(quantiles, counts, 0), np.repeat(y, counts, 0), levels)
    assert_allclose(fit_quantile_shift(quantiles, y, levels, counts), repeated, atol=0.05)


def test_the_factor_is_the_most_likely_one() -> None:
    variances = rng.uniform(0.5, 2, size=(5000, 2))
    means = rng.normal(size=(5000, 2))
    y = means + np.sqrt(variances * [4.0, 0.25]) * rng.normal(size=(5000, 2))
    factors = fit_variance_factor(means, variances, y)
    assert_allclose(factors, [4, 0.25], rtol=0.06)
    assert_allclose(factors, ((y - means) ** 2 / variances).mean(0), rtol=0.01)
    few = fit_variance_factor(means[:1], variances[:1], means[:1])
    assert_allclose(few, [10 / 11, 10 / 11])
    weights = np.repeat([0.0, 3.0], 2500)
    expected = fit_variance_factor(means[2500:], variances[2500:], y[2500:])
    assert_allclose(fit_variance_factor(means, variances, y, weights), expected)


# -------------------------------------------------------------------------------------- estimators


X = rng.normal(size=(60, 3))
LABELS = {
    "binary": (X[:, 0] > 0).astype(int),
    "multiclass": X.argmax(1),
    "multilabel": (X > 0).astype(int),
}
SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (5,),
    "max_iter": 5,
    "learning_rate": "cosine",
    "random_state": 0,
}


@TASKS
@pytest.mark.parametrize("n_estimators", [1, 3])
def test_the_temperature_divides_the_logits(task: str, n_estimators: int) -> None:
    model = NeuralClassifier(**SMALL, n_estimators=n_estimators).fit(X, LABELS[task])
    labels, logits = model.predict(X), model.decision_function(X)
    model._calibration = Calibration(temperature=2.5)
    assert_array_equal(model.predict(X), labels)
    assert_allclose(model.decision_function(X), logits / 2.5, rtol=1e-6)
    if task == "multiclass":
        expected = softmax(logits / 2.5, axis=1)
    else:
        expected = expit(logits / 2.5)
    if task == "binary":
        expected = np.column_stack([1 - expected, expected])
    assert_allclose(model.predict_proba(X), expected, rtol=1e-5)
    assert_allclose(model.predict_log_proba(X), np.log(expected), rtol=1e-4, atol=1e-6)
    _, probabilities = export_torch(model).module()(torch.tensor(X))
    assert_allclose(probabilities, model.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_shifts_are_added_to_the_quantiles_which_stay_in_order(n_targets: int) -> None:
    y = 10 + 3 * X[:, :n_targets]
    model = NeuralRegressor(**SMALL, loss="quantile", quantiles=(0.1, 0.9))
    model.fit(X, y if n_targets > 1 else y[:, 0])
    before = model.predict(X).reshape(60, n_targets, 2)
    shift = rng.normal(size=(n_targets, 2)) * 3
    model._calibration = Calibration(quantile_shift=shift)
    expected = np.sort(before + shift * y.std(0)[:, np.newaxis], axis=2)
    answers = model.predict(X)
    assert_allclose(answers.reshape(60, n_targets, 2), expected, rtol=1e-5)
    assert_allclose(export_torch(model).module()(torch.tensor(X)), answers, rtol=1e-5)


def test_factors_multiply_the_variances() -> None:
    y = 10 + 3 * X[:, :2]
    model = NeuralRegressor(**SMALL, loss="gaussian", n_estimators=2).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    model._calibration = Calibration(variance_factor=np.array([4.0, 0.25]))
    calibrated = model.predict(X, return_std=True)
    assert_array_equal(calibrated[0], mean)
    assert_allclose(calibrated[1], std * [2, 0.5], rtol=1e-6)


def test_calibration_is_stored_and_ends_with_the_next_fit(tmp_path: Any) -> None:
    model = NeuralRegressor(**SMALL, loss="quantile", quantiles=(0.1, 0.9)).fit(X, X[:, 0])
    model._calibration = Calibration(0.5, rng.normal(size=(1, 2)), np.array([2.0]))
    save(model, tmp_path / "model.sknn")
    for copy in (load(tmp_path / "model.sknn"), pickle.loads(pickle.dumps(model))):
        assert copy._calibration.temperature == 0.5
        assert_array_equal(copy.predict(X), model.predict(X))
    fresh = NeuralRegressor(**SMALL, loss="quantile", quantiles=(0.1, 0.9)).fit(X, X[:, 0])
    assert model.fit(X, X[:, 0])._calibration is None
    assert_array_equal(model.predict(X), fresh.predict(X))
