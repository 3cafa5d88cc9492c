"""Warnings of scales that keep networks from learning, and of networks that a constant beats."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import ConvRegressor, NeuralClassifier, NeuralRegressor, RecurrentRegressor
from sknn.estimators._scales import constant_outputs, largest_magnitude
from sknn.nn import (
    CLASSIFICATION_LOSSES,
    make_classification_loss,
    make_regression_loss,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
LARGE_X, LARGE_Y = "X has values beyond 1,000", "y has values beyond 1,000"
USELESS = "worse than a constant would"


def messages(estimator: Any, *data: Any, **parameters: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        estimator.set_params(**parameters).fit(*data)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, lambda X: X.astype(np.int64)])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_large_inputs_are_warned_of_once(make: Any, sign: int, n_estimators: int) -> None:
    large = X.copy()
    large[7, 2] = sign * 2000
    model = NeuralClassifier((3,), max_iter=2, random_state=0, n_estimators=n_estimators)
    assert [text[:25] for text in messages(model, make(large), X[:, 0] > 0)] == [LARGE_X]
    assert messages(model, make(X.clip(-2, 2) * 400), X[:, 0] > 0) == []


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile"])
def test_large_targets_are_warned_of(loss: str) -> None:
    model = NeuralRegressor(hidden_layer_sizes=(3,), max_iter=2, loss=loss, random_state=0)
    (message,) = messages(model, X, 1e6 * X[:, 0])
    assert message.startswith(LARGE_Y)
    assert "TransformedTargetRegressor" in message
    assert messages(model, X, X[:, 0]) == []


def test_what_scales_by_itself_is_not_warned_of() -> None:
    y = 1e6 * np.abs(X[:, 0]) + 1
    small: dict[str, Any] = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    assert messages(NeuralRegressor(loss="poisson", **small), X, y) == []
    scaled = TransformedTargetRegressor(NeuralRegressor(**small), transformer=StandardScaler())
    pipeline = make_pipeline(StandardScaler(), scaled)
    assert messages(pipeline, 1e6 * X, y) == []
    assert messages(RecurrentRegressor(hidden_size=4, max_iter=1), 1e6 * X, y) == []


def test_going_on_is_not_warned_of() -> None:
    model = NeuralRegressor(hidden_layer_sizes=(3,), max_iter=2, warm_start=True, random_state=0)
    assert len(messages(model, 1e4 * X, X[:, 0])) == 1
    assert messages(model, 1e4 * X, X[:, 0]) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NeuralRegressor(hidden_layer_sizes=(3,)).partial_fit(1e4 * X, X[:, 0])


def test_a_schedule_that_ends_without_having_learnt_says_so() -> None:
    data = load_diabetes(return_X_y=True)
    model = NeuralRegressor(learning_rate="cosine", max_iter=60, random_state=0)
    with pytest.warns(ConvergenceWarning, match=USELESS):
        model.fit(*data)
    assert model.score(*data) < 0
    X, y = load_breast_cancer(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_pipeline(StandardScaler(), model).fit(X, (y - y.mean()) / y.std())


@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_classifier_that_has_gone_astray_says_so(loss: str, n_classes: int) -> None:
    y = rng.integers(0, n_classes, size=60)
    model = NeuralClassifier((50,), loss=loss, max_iter=120, random_state=0, learning_rate="cosine")
    # random labels: about as good as a constant, or better
    assert messages(model, X, y, learning_rate_init=0.01) == []
    model.set_params(learning_rate_init=30.0, solver="sgd", max_grad_norm=1.0, momentum=0.99)
    found = messages(model, 900 * X / np.abs(X).max(), y)
    worse = any(USELESS in text for text in found)
    assert worse == (
        model_loss(model, 900 * X / np.abs(X).max(), y) > 1.05 * constant_loss(model, y)
    )


def model_loss(model: Any, X: Any, y: Any) -> float:
    z = torch.tensor(model.decision_function(X).reshape(len(X), -1))
    return float(model._loss(z, encoded(model, y)).mean())


def encoded(model: Any, y: Any) -> torch.Tensor:
    targets = torch.tensor(model._targets.encode(y))
    return targets.double() if targets.is_floating_point() else targets


def constant_loss(model: Any, y: Any) -> float:
    targets = encoded(model, y)
    constants = constant_outputs(model._loss, model.n_outputs_, targets, None)
    return min(float(model._loss(c.expand(len(y), -1), targets).mean()) for c in constants)


@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "hinge"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_the_constants_of_classifiers_are_the_best_there_are(loss: str, task: str) -> None:
    function = make_classification_loss(loss, task)
    weights = torch.tensor(rng.integers(1, 4, size=60).astype(float))
    if task == "multiclass":
        targets, n_outputs = torch.tensor(rng.choice(3, 60, p=[0.6, 0.3, 0.1])), 3
    else:
        n_outputs = 1 if task == "binary" else 2
        targets = torch.tensor((rng.random((60, n_outputs)) < 0.3).astype(float))

    def mean(z: Any) -> float:
        losses = function(torch.as_tensor(z).expand(60, n_outputs), targets)
        return float((losses * weights).sum() / weights.sum())

    best = min(mean(each) for each in constant_outputs(function, n_outputs, targets, weights))
    starts = [np.zeros(n_outputs), *rng.normal(size=(3, n_outputs))]
    found = min(minimize(mean, start, method="Nelder-Mead").fun for start in starts)
    assert_allclose(best, found, rtol=0.02)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma", "msle", "absolute_error"])
def test_the_constants_of_regressors_are_the_best_there_are(loss: str) -> None:
    function = make_regression_loss(loss)
    targets = torch.tensor(rng.exponential(size=(61, 1)) + 0.1)

    def mean(z: Any) -> float:
        return float(function(torch.as_tensor(z).expand(61, 1), targets).mean())

    best = min(mean(each) for each in constant_outputs(function, 1, targets, None))
    found = minimize(mean, [0.1], method="Nelder-Mead").fun
    assert best <= found * 1.02 + 1e-9 if loss != "msle" else best <= 1.15 * found


def test_noise_and_constants_are_not_warned_of() -> None:
    for y in (rng.normal(size=60), np.ones(60)):
        model = NeuralRegressor(hidden_layer_sizes=(20,), max_iter=150, random_state=0)
        assert messages(model, X, y, learning_rate_init=0.01, learning_rate="one_cycle") == []


def test_images_that_were_not_learnt_say_so() -> None:
    images = rng.random((64, 6, 6))
    model = ConvRegressor(filters=(2,), max_iter=40, random_state=0, batch_size=16)
    found = messages(model, images, 1e5 + 1e3 * images.mean((1, 2)))
    reached = np.mean((model.predict(images) - 1e5 - 1e3 * images.mean((1, 2))) ** 2)
    assert any(USELESS in text for text in found) == (reached > 1.05e6 * images.mean((1, 2)).var())


def test_magnitudes_are_those_of_all_values() -> None:
    values = rng.normal(size=(1000, 3))
    values[517, 1] = -77
    assert largest_magnitude(values) == 77
    assert largest_magnitude(values[:0]) == 0
    assert largest_magnitude(values.astype(np.int16)) == 77
    assert largest_magnitude(values > 0) == 0
    assert largest_magnitude(np.full((3, 3), 200, np.uint8)) == 0
