from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.training import _lbfgs

X_iris = StandardScaler().fit_transform(load_iris().data)
y_iris = load_iris().target
X_cancer = StandardScaler().fit_transform(load_breast_cancer().data)
y_cancer = load_breast_cancer().target
X_diabetes, y_diabetes = load_diabetes(return_X_y=True)
y_diabetes = (y_diabetes - y_diabetes.mean()) / y_diabetes.std()

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("alpha", [0.1, 5.0])
def test_without_hidden_layers_it_is_ridge(alpha: float) -> None:
    model = NeuralRegressor(
        hidden_layer_sizes=(), random_state=0, solver="lbfgs", alpha=alpha, tol=1e-9
    )
    model.fit(X_diabetes, y_diabetes)
    ridge = Ridge(alpha=alpha).fit(X_diabetes, y_diabetes)
    # SciPy ends the search once the loss changes by less than 2e-9 of itself
    assert_allclose(model.coefs_[0][:, 0], ridge.coef_, atol=2e-2)
    assert_allclose(model.intercepts_[0], ridge.intercept_, atol=1e-4)


def test_weighted_fit_without_hidden_layers_is_weighted_ridge() -> None:
    weights = np.linspace(0, 2, len(y_diabetes))
    model = NeuralRegressor(
        hidden_layer_sizes=(), random_state=0, solver="lbfgs", alpha=1.0, tol=1e-9
    )
    model.fit(X_diabetes, y_diabetes, sample_weight=weights)
    ridge = Ridge(alpha=1.0).fit(X_diabetes, y_diabetes, sample_weight=weights)
    assert_allclose(model.coefs_[0][:, 0], ridge.coef_, atol=1e-2)


@pytest.mark.parametrize(("X", "y"), [(X_cancer, y_cancer), (X_iris, y_iris)])
def test_without_hidden_layers_it_is_logistic_regression(X: np.ndarray, y: np.ndarray) -> None:
    model = NeuralClassifier(
        hidden_layer_sizes=(), random_state=0, solver="lbfgs", alpha=1.0, tol=1e-8, max_iter=2000
    )
    model.fit(X, y)
    reference = LogisticRegression(C=1.0, tol=1e-9, max_iter=10_000).fit(X, y)
    assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=1e-3)


def test_poisson_loss_without_hidden_layers_is_a_poisson_glm() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = rng.poisson(np.exp(0.5 * X[:, 0] + 1))
    model = NeuralRegressor(
        "poisson", hidden_layer_sizes=(), random_state=0, solver="lbfgs", alpha=1.0, tol=1e-9
    ).fit(X, y)
    # its penalty is not divided by the number of samples
    reference = PoissonRegressor(alpha=1 / 100, tol=1e-9).fit(X, y)
    assert_allclose(model.coefs_[0][:, 0], reference.coef_, atol=1e-3)


@ignore_convergence
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("max_iter", [1, 4])
def test_first_iterations_are_scikit_learns(activation: str, max_iter: int) -> None:
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (7, 5),
        "activation": activation,
        "solver": "lbfgs",
        "max_iter": max_iter,
        "random_state": 1,
    }
    for ours, theirs, X, y in [
        (NeuralClassifier, MLPClassifier, X_iris, y_iris),
        (NeuralClassifier, MLPClassifier, X_cancer, y_cancer),
        (NeuralRegressor, MLPRegressor, X_diabetes, y_diabetes),
    ]:
        model, reference = ours(**parameters).fit(X, y), theirs(**parameters).fit(X, y)
        assert model.n_iter_ == reference.n_iter_ == max_iter
        assert_allclose(model.loss_, reference.loss_, rtol=1e-9)
        for coef, expected in zip(model.coefs_, reference.coefs_, strict=True):
            assert_allclose(coef, expected, atol=1e-6)


@ignore_convergence
def test_it_is_scipys_search_on_the_penalised_loss() -> None:
    """One hidden layer written in NumPy, with numerical gradients, through the same search."""
    X, y = X_diabetes[:40, :2], y_diabetes[:40]
    parameters: dict[str, Any] = {"hidden_layer_sizes": (3,), "activation": "tanh", "alpha": 0.5}
    model = NeuralRegressor(solver="lbfgs", random_state=0, tol=1e-8, **parameters).fit(X, y)
    start = NeuralRegressor(
        solver="sgd", learning_rate_init=1e-300, momentum=0, random_state=0, **parameters
    ).partial_fit(X, y)

    def unpack(theta: np.ndarray) -> list[np.ndarray]:
        W1, W2, b1, b2 = np.split(theta, [6, 9, 12])
        return [W1.reshape(2, 3), W2.reshape(3, 1), b1, b2]

    def loss(theta: np.ndarray) -> float:
        W1, W2, b1, b2 = unpack(theta)
        residuals = (np.tanh(X @ W1 + b1) @ W2 + b2)[:, 0] - y
        penalty = 0.5 * (np.square(W1).sum() + np.square(W2).sum()) / 2
        return float(residuals @ residuals / 2 + penalty) / len(y)

    theta = np.concatenate([w.ravel() for w in start.coefs_ + start.intercepts_])
    result = minimize(loss, theta, method="L-BFGS-B", options={"gtol": 1e-8, "maxiter": 1000})
    assert_allclose(model.loss_, result.fun, rtol=1e-5)
    ours = np.concatenate([w.ravel() for w in model.coefs_ + model.intercepts_])
    assert_allclose(model.loss_, loss(ours), rtol=1e-9)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"max_iter": 3}, "max_iter"), ({"max_fun": 5}, "max_fun"), ({"max_iter": 1}, "max_iter")],
)
def test_a_limit_that_ends_the_search_is_named(limits: dict[str, int], reason: str) -> None:
    model = NeuralClassifier(solver="lbfgs", tol=1e-12, random_state=0, **limits)
    with pytest.warns(ConvergenceWarning, match=rf"lbfgs.*{reason} \({limits[reason]}\)"):
        model.fit(X_iris, y_iris)
    assert model.n_iter_ == len(model.loss_curve_)
    assert model.n_iter_ <= limits[reason]


def test_a_converged_search_does_not_warn() -> None:
    model = NeuralClassifier(solver="lbfgs", tol=1e-2, random_state=0).fit(X_iris, y_iris)
    assert model.n_iter_ == len(model.loss_curve_) < 200


def test_the_loss_falls_in_each_iteration() -> None:
    model = NeuralRegressor(solver="lbfgs", tol=1e-2, random_state=0).fit(X_diabetes, y_diabetes)
    assert (np.diff(model.loss_curve_) <= 0).all()
    assert model.loss_ == model.loss_curve_[-1]


def test_the_best_loss_is_the_smallest() -> None:
    model = NeuralClassifier(solver="lbfgs", tol=1e-2, random_state=0).fit(X_iris, y_iris)
    assert model.best_loss_ == min(model.loss_curve_)


def test_a_start_at_the_minimum_has_a_loss() -> None:
    model = NeuralRegressor(solver="lbfgs", tol=1e10, random_state=0, alpha=0)
    model.fit(X_diabetes, y_diabetes)
    residuals = model.predict(X_diabetes) - y_diabetes
    assert_allclose(model.loss_, np.mean(residuals**2) / 2, rtol=1e-9)


@pytest.mark.parametrize(
    ("n_chunk_rows", "weights"),
    [(64, None), (64, np.linspace(0, 1, 569)), (100, np.arange(569) // 100 % 2 * 1.0)],
    ids=["equal", "weighted", "whole chunks of weight zero"],
)
@ignore_convergence
def test_chunks_of_rows_do_not_change_the_result(
    monkeypatch: pytest.MonkeyPatch, n_chunk_rows: int, weights: np.ndarray | None
) -> None:
    model = NeuralClassifier((8,), solver="lbfgs", max_iter=10, alpha=0.5, random_state=0)
    expected = model.fit(X_cancer, y_cancer, weights).predict_proba(X_cancer)
    monkeypatch.setattr(_lbfgs, "CHUNK_ROWS", n_chunk_rows)
    chunked = model.fit(X_cancer, y_cancer, weights).predict_proba(X_cancer)
    assert_allclose(chunked, expected, atol=1e-9)


@ignore_convergence
def test_float32_input_is_searched_in_float64_and_answered_in_float32() -> None:
    model = NeuralRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=100, random_state=0)
    X = X_diabetes.astype(np.float32)
    expected = model.fit(X.astype(np.float64), y_diabetes).loss_curve_[:5]
    predictions = model.fit(X, y_diabetes).predict(X)
    assert predictions.dtype == np.float32
    assert_allclose(model.loss_curve_[:5], expected, rtol=1e-9)
    model.fit(X, y_diabetes.astype(np.float32))
    assert_allclose(model.loss_curve_[:5], expected, rtol=1e-5)
    low = model.set_params(precision="float32").fit(X, y_diabetes)
    assert low.coefs_[0].dtype == np.float32
    assert low.score(X, y_diabetes) > 0.5


@ignore_convergence
def test_sparse_rows_give_the_model_of_dense_ones() -> None:
    X = np.where(np.abs(X_cancer) > 0.8, X_cancer, 0)
    model = NeuralClassifier((8,), solver="lbfgs", max_iter=10, random_state=0)
    expected = model.fit(X, y_cancer).predict_proba(X)
    assert_allclose(model.fit(sparse.csr_array(X), y_cancer).predict_proba(X), expected, atol=1e-9)


@ignore_convergence
def test_validation_data_are_scored_after_each_iteration() -> None:
    model = NeuralClassifier(solver="lbfgs", max_iter=6, random_state=0)
    model.fit(X_iris[::2], y_iris[::2], X_val=X_iris[1::2], y_val=y_iris[1::2])
    assert len(model.validation_scores_) == model.n_iter_ == 6
    assert model.validation_scores_[-1] == model.score(X_iris[1::2], y_iris[1::2])


@ignore_convergence
def test_other_activations_and_normalization_go_through_autograd() -> None:
    model = NeuralRegressor(
        hidden_layer_sizes=(8,),
        activation="gelu",
        solver="lbfgs",
        normalization="layer",
        max_iter=200,
        random_state=0,
    )
    assert model.fit(X_diabetes, y_diabetes).score(X_diabetes, y_diabetes) > 0.5


def test_dropout_is_refused() -> None:
    with pytest.raises(ValueError, match="dropout.*solver='lbfgs'"):
        NeuralClassifier(solver="lbfgs", dropout=0.5).fit(X_iris, y_iris)


def test_partial_fit_does_not_exist() -> None:
    assert not hasattr(NeuralClassifier(solver="lbfgs"), "partial_fit")
    assert not hasattr(NeuralRegressor(solver="lbfgs"), "partial_fit")


@ignore_convergence
def test_a_warm_start_goes_on() -> None:
    model = NeuralClassifier(solver="lbfgs", max_iter=5, warm_start=True, random_state=0)
    first = model.fit(X_iris, y_iris).loss_
    assert model.fit(X_iris, y_iris).loss_ < first
    assert len(model.loss_curve_) == 10


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:y has values beyond")
def test_values_that_overflow_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="StandardScaler"):
        NeuralRegressor(solver="lbfgs", random_state=0).fit(X_diabetes, y_diabetes * 1e200)


@ignore_convergence
def test_same_seed_same_weights() -> None:
    first, second = (
        NeuralClassifier(solver="lbfgs", max_iter=20, random_state=0).fit(X_iris, y_iris)
        for _ in range(2)
    )
    for one, other in zip(first.coefs_, second.coefs_, strict=True):
        assert_array_equal(one, other)
