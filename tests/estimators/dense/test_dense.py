import functools
import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    load_wine,
    make_multilabel_classification,
)
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.nn import ACTIVATIONS
from sknn.training import HORIZON_SCHEDULES, SOLVERS
from tests.helpers import representatives

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def scaled(load: Any) -> tuple[np.ndarray, np.ndarray]:
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


X_iris, y_iris = scaled(load_iris)
X_wine, y_wine = scaled(load_wine)
X_cancer, y_cancer = scaled(load_breast_cancer)
X_diabetes, y_diabetes = load_diabetes(return_X_y=True)
X_diabetes = X_diabetes / X_diabetes.std()
y_diabetes = (y_diabetes - y_diabetes.mean()) / y_diabetes.std()
X_labels, y_labels = make_multilabel_classification(150, 8, n_classes=4, random_state=0)
X_labels = StandardScaler().fit_transform(X_labels)

DATA: dict[str, tuple[Any, Any, np.ndarray, np.ndarray]] = {
    "iris": (NeuralClassifier, MLPClassifier, X_iris, y_iris),
    "wine": (NeuralClassifier, MLPClassifier, X_wine, y_wine),
    "breast cancer": (NeuralClassifier, MLPClassifier, X_cancer, y_cancer),
    "multilabel": (NeuralClassifier, MLPClassifier, X_labels, y_labels),
    "diabetes": (NeuralRegressor, MLPRegressor, X_diabetes, y_diabetes),
}


def fit_both(data: str, **parameters: Any) -> tuple[Any, Any]:
    ours, theirs, X, y = DATA[data]
    parameters = {"hidden_layer_sizes": (9, 5), "max_iter": 8, "random_state": 4} | parameters
    return ours(**parameters).fit(X, y), theirs(**parameters).fit(X, y)


def assert_same_weights(ours: Any, theirs: Any, atol: float = 1e-6) -> None:
    for one, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert_allclose(one, other, rtol=0, atol=atol)


def assert_same_fit(ours: Any, theirs: Any, atol: float = 1e-6) -> None:
    """Compare weights and all that scikit-learn tells about a fit."""
    assert_same_weights(ours, theirs, atol)
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "t_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("loss_", "loss_curve_", "best_loss_"):
        expected = getattr(theirs, name)
        if expected is None:
            assert getattr(ours, name) is None
        else:
            assert_allclose(getattr(ours, name), expected, rtol=1e-5, err_msg=name)
    for name in ("validation_scores_", "best_validation_score_"):
        expected = getattr(theirs, name)
        if expected is None:
            assert getattr(ours, name) is None
        else:
            assert_allclose(getattr(ours, name), expected, rtol=1e-6, err_msg=name)


# ------------------------------------------------------------------- equal to scikit-learn's pair


@pytest.mark.parametrize("data", DATA)
def test_initial_weights_are_scikit_learns_to_the_last_digit(data: str) -> None:
    ours, theirs = fit_both(data, solver="sgd", learning_rate_init=1e-300, momentum=0, max_iter=1)
    assert ours.coefs_[0].dtype == np.float64
    for one, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert_allclose(one, other, rtol=1e-14)


SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adam, rates": {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3, "learning_rate_init": 0.02},
    "adam, penalty": {"alpha": 3.0},
    "adam, batch of 7": {"batch_size": 7},
    "adam, batch of one": {"batch_size": 1, "max_iter": 1},
    "adam, full batch": {"batch_size": 10**6, "learning_rate_init": 0.05},
    "adam, no shuffle": {"shuffle": False, "batch_size": 32},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "sgd, no nesterov": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "sgd, no momentum": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "sgd, invscaling": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "power_t": 0.3,
        "learning_rate_init": 0.2,
    },
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "tol": 0.05,
        "n_iter_no_change": 2,
        "max_iter": 40,
    },
    "adam, early stopping": {"early_stopping": True, "learning_rate_init": 0.01, "max_iter": 40},
    "adam, patience": {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 60},
    "sgd, adaptive, early stopping": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "early_stopping": True,
        "n_iter_no_change": 2,
        "max_iter": 60,
    },
    "adam, tolerance": {"tol": 0.01, "n_iter_no_change": 2, "max_iter": 100},
    "no patience limit": {"n_iter_no_change": np.inf, "tol": 1e9},
}


@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning")
@pytest.mark.filterwarnings("ignore:batch_size=.* is larger than:UserWarning")
@pytest.mark.parametrize(
    ("setting", "data"),
    [
        (setting, data)
        for setting, data in itertools.product(SETTINGS, DATA)
        # scikit-learn does not stratify the validation part of three classes, see below
        if not (SETTINGS[setting].get("early_stopping") and data in ("iris", "wine"))
    ],
)
def test_a_fit_is_scikit_learns(setting: str, data: str) -> None:
    assert_same_fit(*fit_both(data, **SETTINGS[setting]))


@pytest.mark.parametrize("data", ["wine", "breast cancer", "diabetes"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_activations_are_scikit_learns(activation: str, data: str) -> None:
    ours, theirs = fit_both(data, activation=activation, hidden_layer_sizes=(9, 5, 4))
    assert_same_fit(ours, theirs)
    X = DATA[data][2]
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
    if data != "diabetes":
        assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
        assert_allclose(
            ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("sizes", [7, [7], (7,), np.array([7, 3]), (2, 2, 2, 2)], ids=str)
def test_layer_sizes_are_scikit_learns(sizes: Any) -> None:
    assert_same_fit(*fit_both("iris", hidden_layer_sizes=sizes))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_poisson_loss_is_scikit_learns(solver: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    parameters: dict[str, Any] = {
        "loss": "poisson",
        "hidden_layer_sizes": (6,),
        "solver": solver,
        "max_iter": 10,
        "random_state": 0,
    }
    ours, theirs = NeuralRegressor(**parameters).fit(X, y), MLPRegressor(**parameters).fit(X, y)
    assert_same_weights(ours, theirs)
    assert ours.out_activation_ == "exp"
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


@pytest.mark.parametrize("data", ["breast cancer", "diabetes"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_weighted_full_batch_fits_are_scikit_learns(data: str, early_stopping: bool) -> None:
    ours, theirs, X, y = DATA[data]
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (9,),
        "batch_size": len(y) * 8 // 10,
        "validation_fraction": 0.2,
        "early_stopping": early_stopping,
        "max_iter": 10,
        "random_state": 0,
        "learning_rate_init": 0.01,
    }
    if not early_stopping:
        parameters["batch_size"] = len(y)
    model = ours(**parameters).fit(X, y, sample_weight=weights)
    reference = theirs(**parameters).fit(X, y, sample_weight=weights)
    assert_same_weights(model, reference)
    if early_stopping:
        assert_allclose(model.validation_scores_, reference.validation_scores_, rtol=1e-6)
    assert_allclose(
        model.score(X, y, sample_weight=weights), reference.score(X, y, sample_weight=weights)
    )


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("data", DATA)
def test_the_first_partial_fit_is_scikit_learns(data: str, solver: str) -> None:
    ours, theirs, X, y = DATA[data]
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (9,),
        "solver": solver,
        "batch_size": 30,
        "random_state": 2,
    }
    arguments: dict[str, Any] = {}
    if theirs is MLPClassifier:
        arguments["classes"] = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
    model = ours(**parameters).partial_fit(X, y, **arguments)
    reference = theirs(**parameters).partial_fit(X, y, **arguments)
    assert_same_fit(model, reference)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_unshuffled_partial_fits_are_scikit_learns(solver: str, learning_rate: str) -> None:
    """Shuffled ones differ: scikit-learn begins the same random stream in each call."""
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (9,),
        "solver": solver,
        "learning_rate": learning_rate,
        "learning_rate_init": 0.1,
        "batch_size": 30,
        "shuffle": False,
        "n_iter_no_change": 2,
        "tol": 0.1,
        "random_state": 2,
    }
    model, reference = NeuralClassifier(**parameters), MLPClassifier(**parameters)
    for _ in range(12):
        for each in (model, reference):
            each.partial_fit(X_wine, y_wine, classes=[0, 1, 2])
    assert_same_weights(model, reference)
    assert_allclose(model.loss_curve_, reference.loss_curve_, rtol=1e-6)
    assert model.t_ == reference.t_


def test_partial_fit_goes_on_with_its_random_stream() -> None:
    """N partial fits of one epoch go through the batches that one fit of N epochs does."""
    model = NeuralClassifier((5,), batch_size=20, random_state=0)
    for _ in range(3):
        model.partial_fit(X_wine, y_wine, classes=[0, 1, 2])
    again = NeuralClassifier((5,), batch_size=20, random_state=0)
    again.partial_fit(X_wine, y_wine, classes=[0, 1, 2])
    orders = []
    for each in (again, again):
        before = [coef.copy() for coef in each.coefs_]
        each.partial_fit(X_wine, y_wine)
        orders.append([coef - old for coef, old in zip(each.coefs_, before, strict=True)])
    assert not np.allclose(orders[0][0], orders[1][0])
    assert_same_weights(model, again, atol=0)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_unshuffled_warm_starts_are_scikit_learns(solver: str) -> None:
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (9,),
        "solver": solver,
        "shuffle": False,
        "batch_size": 50,
        "max_iter": 5,
        "warm_start": True,
        "random_state": 0,
    }
    model, reference = NeuralClassifier(**parameters), MLPClassifier(**parameters)
    for _ in range(3):
        model.fit(X_wine, y_wine)
        reference.fit(X_wine, y_wine)
    assert_same_weights(model, reference)
    assert_allclose(model.loss_curve_, reference.loss_curve_, rtol=1e-6)
    assert model.n_iter_ == reference.n_iter_


# ------------------------------------------------------------ where we differ from scikit-learn


def test_the_squared_loss_of_several_targets_is_their_sum() -> None:
    Y = np.column_stack([y_diabetes, -y_diabetes, X_diabetes[:, 0]])
    parameters: dict[str, Any] = {"hidden_layer_sizes": (9,), "max_iter": 5, "random_state": 0}
    ours = NeuralRegressor(alpha=0, **parameters).fit(X_diabetes, Y)
    theirs = MLPRegressor(alpha=0, **parameters).fit(X_diabetes, Y)
    assert_same_weights(ours, theirs)
    assert_allclose(ours.loss_curve_, 3 * np.array(theirs.loss_curve_), rtol=1e-6)


def test_the_validation_part_of_several_classes_is_stratified() -> None:
    """scikit-learn documents it and does so for two classes only."""
    held_out: list[np.ndarray] = []

    class Looks(Callback):
        def on_epoch_end(self, net: Any, dataset_valid: Any = None, **kwargs: Any) -> None:
            held_out.append(np.bincount(dataset_valid.y))

    for seed in range(3):
        NeuralClassifier(
            (4,), early_stopping=True, max_iter=1, callbacks=[Looks()], random_state=seed
        ).fit(X_iris, y_iris)
    assert_array_equal(held_out, [[5, 5, 5]] * 3)


def test_one_class_is_refused() -> None:
    MLPClassifier(max_iter=1).fit(X_iris, np.ones(150))
    with pytest.raises(ValueError, match="y contains only one class"):
        NeuralClassifier(max_iter=1).fit(X_iris, np.ones(150))


def test_no_hidden_layer_is_a_linear_model() -> None:
    model = NeuralRegressor(hidden_layer_sizes=(), max_iter=3).fit(X_diabetes, y_diabetes)
    (coef,), (intercept,) = model.coefs_, model.intercepts_
    assert_allclose(model.predict(X_diabetes), (X_diabetes @ coef + intercept)[:, 0], rtol=1e-9)


def test_predictions_far_from_the_boundary_keep_a_finite_logarithm() -> None:
    model = NeuralClassifier((4,), max_iter=50, random_state=0).fit(X_cancer, y_cancer)
    logs = model.predict_log_proba(1e4 * X_cancer)
    assert np.isfinite(logs).all()
    assert logs.min() < -1000


# --------------------------------------------------------------------------- beyond scikit-learn


def check_learns(model: Any, threshold: float = 0.9) -> None:
    """Train on two thirds of a problem and beat `threshold` on the rest."""
    is_classifier = isinstance(model, NeuralClassifier)
    X, y = (X_wine, y_wine) if is_classifier else (X_diabetes, X_diabetes[:, 2] - X_diabetes[:, 8])
    test = np.arange(len(X)) % 3 == 0
    model.set_params(hidden_layer_sizes=(30,), random_state=0).fit(X[~test], y[~test])
    assert model.score(X[test], y[test]) > threshold


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_learns(name: str) -> None:
    check_learns(NeuralClassifier(activation=name, learning_rate_init=0.01, max_iter=40))


# each step of each of them is compared with torch's in the tests of optimizers
@pytest.mark.parametrize("solver", representatives(SOLVERS, "adam", "sgd", "adadelta"))
def test_every_solver_learns(solver: str) -> None:
    rate = {"adadelta": 3.0, "sgd": 0.1, "adagrad": 0.05, "radam": 0.05}.get(solver, 0.01)
    parameters: dict[str, Any] = {"solver": solver, "learning_rate_init": rate, "epsilon": 1e-6}
    check_learns(NeuralClassifier(max_iter=40, **parameters))
    check_learns(NeuralRegressor(max_iter=80, **parameters), 0.8)


@pytest.mark.parametrize("learning_rate", HORIZON_SCHEDULES)
@pytest.mark.parametrize("solver", representatives(["adam", "sgd", "rmsprop"], "sgd"))
def test_every_schedule_learns(solver: str, learning_rate: str) -> None:
    rate = 0.2 if solver == "sgd" else 0.02
    model = NeuralClassifier(
        solver=solver, learning_rate=learning_rate, learning_rate_init=rate, max_iter=40
    )
    check_learns(model)


@pytest.mark.parametrize("learning_rate", HORIZON_SCHEDULES)
def test_a_schedule_runs_max_iter_epochs_and_ends_without_a_warning(learning_rate: str) -> None:
    model = NeuralClassifier((3,), learning_rate=learning_rate, max_iter=24, tol=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X_iris, y_iris)
    assert model.n_iter_ == 24


@pytest.mark.parametrize("learning_rate", HORIZON_SCHEDULES)
def test_the_history_has_the_learning_rate_at_the_start_of_each_epoch(learning_rate: str) -> None:
    model = NeuralClassifier(
        (3,), solver="sgd", learning_rate=learning_rate, max_iter=10, batch_size=30
    ).fit(X_iris, y_iris)
    rates = [epoch["learning_rate"] for epoch in model.history_]
    expected = [0.001 * HORIZON_SCHEDULES[learning_rate](i / 10) for i in range(10)]
    assert_allclose(rates, expected, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("loss", ["log_loss", "hinge", "squared_hinge", "squared_error", "focal"])
def test_every_classification_loss_learns(loss: str) -> None:
    check_learns(NeuralClassifier(loss=loss, learning_rate_init=0.01, max_iter=60))
    model = NeuralClassifier((10,), loss=loss, learning_rate_init=0.01, max_iter=30)
    assert model.fit(X_cancer, y_cancer).score(X_cancer, y_cancer) > 0.95
    assert hasattr(model, "predict_proba") is ("hinge" not in loss)
    model.fit(X_labels, y_labels)
    right = (model.predict(X_labels) == y_labels).mean()
    assert right > np.maximum(y_labels.mean(0), 1 - y_labels.mean(0)).mean()


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "log_cosh", "quantile"]
)
def test_every_loss_of_the_mean_or_the_median_learns(loss: str) -> None:
    check_learns(NeuralRegressor(loss, learning_rate_init=0.01, max_iter=60), 0.8)


@pytest.mark.parametrize("loss", ["poisson", "gamma", "mape", "msle"])
def test_every_loss_of_positive_targets_learns(loss: str) -> None:
    y = np.exp(0.5 * X_diabetes[:, 2])
    model = NeuralRegressor(loss, learning_rate_init=0.01, max_iter=60, random_state=0)
    assert model.fit(X_diabetes, y).score(X_diabetes, y) > 0.8
    if loss != "mape":
        assert (model.predict(100 * X_diabetes) > -1).all()


def test_cosine_loss_learns_directions() -> None:
    Y = X_diabetes[:, :2] * [1, -1]
    model = NeuralRegressor("cosine", learning_rate_init=0.01, max_iter=60, random_state=0)
    P = model.fit(X_diabetes, Y).predict(X_diabetes)
    cosines = (P * Y).sum(1) / np.linalg.norm(P, axis=1) / np.linalg.norm(Y, axis=1)
    assert cosines.mean() > 0.95


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_quantile_loss_has_its_share_of_targets_below(quantile: float) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 1)), rng.normal(size=2000)
    model = NeuralRegressor(
        "quantile", hidden_layer_sizes=(), quantile=quantile, learning_rate_init=0.05, max_iter=60
    ).fit(X, y)
    assert_allclose((y < model.predict(X)).mean(), quantile, atol=0.03)


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": 0.3},
        {"dropout": (0.1, 0.4)},
        {"dropout": np.array([0.1, 0.4])},
        {"normalization": "batch"},
        {"normalization": "layer", "dropout": 0.2},
        {"activation": ("tanh", "gelu")},
        {"activation": ["relu", nn.Hardsigmoid]},
        {"activation": functools.partial(nn.LeakyReLU, 0.3)},
        {"max_grad_norm": 0.5},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
        {"class_weight": {0: 1, 1: 5, 2: 1}},
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"solver": torch.optim.Adam},
        {"solver": functools.partial(torch.optim.SGD, weight_decay=1e-3), "max_iter": 200},
    ],
    ids=str,
)
def test_every_further_parameter_learns(parameters: dict[str, Any]) -> None:
    parameters = {"max_iter": 40, "learning_rate_init": 0.02, "random_state": 0} | parameters
    model = NeuralClassifier((20, 20), **parameters).fit(X_wine[::2], y_wine[::2])
    assert model.score(X_wine[1::2], y_wine[1::2]) > 0.9
    assert clone(model).fit(X_wine[::2], y_wine[::2]).loss_ == model.loss_


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": 0.3},
        {"normalization": "batch"},
        {"activation": "gelu"},
        {"precision": "float32"},
        {"precision": "bfloat16"},
        {"precision": "bfloat16", "activation": "gelu"},
        {"solver": torch.optim.Adam},
        {"solver": "sgd", "learning_rate": "adaptive"},
        {"early_stopping": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows_give_the_model_of_dense_ones(make: Any, parameters: dict[str, Any]) -> None:
    X = np.where(np.abs(X_wine) > 0.7, X_wine, 0)
    parameters = {"batch_size": 50, "max_iter": 4, "random_state": 0} | parameters
    dense = NeuralClassifier((8, 6), **parameters).fit(X, y_wine)
    compressed = NeuralClassifier((8, 6), **parameters).fit(make(X), y_wine)
    tolerance = {"bfloat16": 0.05, "float32": 1e-5}.get(parameters.get("precision", ""), 1e-9)
    assert_same_weights(compressed, dense, atol=tolerance)
    assert_allclose(compressed.predict_proba(make(X)), dense.predict_proba(X), atol=tolerance)


def test_dropout_and_normalization_are_off_in_prediction() -> None:
    model = NeuralClassifier((20,), dropout=0.5, normalization="batch", max_iter=3, random_state=0)
    model.fit(X_wine, y_wine)
    single = np.vstack([model.predict_proba(row[None]) for row in X_wine[:5]])
    assert_allclose(single, model.predict_proba(X_wine)[:5], rtol=1e-9)


def test_max_grad_norm_bounds_a_step() -> None:
    parameters: dict[str, Any] = {
        "solver": "sgd",
        "momentum": 0,
        "batch_size": len(X_wine),
        "max_iter": 1,
        "random_state": 0,
    }
    start = NeuralClassifier((8,), learning_rate_init=1e-300, **parameters).fit(X_wine, y_wine)
    step = NeuralClassifier((8,), learning_rate_init=1.0, max_grad_norm=0.01, **parameters)
    step.fit(X_wine, y_wine)
    squares = sum(
        np.square(new - old).sum()
        for new, old in zip(
            step.coefs_ + step.intercepts_, start.coefs_ + start.intercepts_, strict=True
        )
    )
    assert_allclose(np.sqrt(squares), 0.01, rtol=1e-3)


def test_class_weights_are_sample_weights() -> None:
    weighted = NeuralClassifier((8,), class_weight={0: 1, 1: 3, 2: 0.5}, max_iter=5, random_state=0)
    plain = NeuralClassifier((8,), max_iter=5, random_state=0)
    own = np.linspace(0.5, 1, len(y_wine))
    weighted.fit(X_wine, y_wine, sample_weight=own)
    plain.fit(X_wine, y_wine, sample_weight=own * np.array([1, 3, 0.5])[y_wine])
    assert_same_weights(weighted, plain, atol=0)


def test_balanced_class_weights_find_a_rare_class() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(800) < 0.06).astype(int)
    X = rng.normal(size=(800, 2)) + 1.2 * y[:, None]
    recalls = [
        NeuralClassifier((8,), class_weight=weight, max_iter=60, random_state=0)
        .fit(X, y)
        .predict(X)[y == 1]
        .mean()
        for weight in (None, "balanced")
    ]
    assert recalls[1] > recalls[0] + 0.2


def test_class_weights_of_multilabel_problems_are_a_list_of_dicts() -> None:
    weights = [{0: 1, 1: 2}, {0: 1, 1: 1}, {0: 3, 1: 1}, {0: 1, 1: 1}]
    model = NeuralClassifier((8,), class_weight=weights, max_iter=3, random_state=0)
    plain = NeuralClassifier((8,), max_iter=3, random_state=0)
    expanded = np.where(y_labels[:, 0], 2, 1) * np.where(y_labels[:, 2], 1, 3)
    model.fit(X_labels, y_labels)
    plain.fit(X_labels, y_labels, sample_weight=expanded)
    assert_same_weights(model, plain, atol=1e-12)


@pytest.mark.parametrize("batch", [[0, 1], [1, 2], [2]])
def test_partial_fit_with_class_weights_takes_batches_without_some_class(batch: list[int]) -> None:
    model = NeuralClassifier((8,), class_weight={0: 1, 2: 5}, random_state=0)
    rows = np.isin(y_wine, batch)
    model.partial_fit(X_wine[rows], y_wine[rows], classes=[0, 1, 2])
    assert model.n_iter_ == 1


def test_partial_fit_refuses_balanced_class_weights() -> None:
    with pytest.raises(ValueError, match="class_weight='balanced'.*compute_class_weight"):
        NeuralClassifier(class_weight="balanced").partial_fit(X_wine, y_wine, classes=[0, 1, 2])


def test_label_smoothing_keeps_probabilities_from_the_ends() -> None:
    confident, smooth = (
        NeuralClassifier(
            (20,), label_smoothing=s, learning_rate_init=0.01, max_iter=200, random_state=0
        )
        .fit(X_wine, y_wine)
        .predict_proba(X_wine)
        .max(1)
        .mean()
        for s in (0.0, 0.3)
    )
    assert confident > 0.98
    assert_allclose(smooth, 0.8, atol=0.03)  # 1 - 0.3 + 0.3 / 3


# -------------------------------------------------------------------------- user-supplied parts


class TwoLayers(nn.Module):
    def __init__(self, n_features_in: int, n_outputs: int, width: int = 20) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_features_in, width)
        self.output = nn.Linear(width, n_outputs)

    def forward(self, X: Tensor) -> Tensor:
        return self.output(torch.relu(self.hidden(X)))


class Squeezed(TwoLayers):
    def forward(self, X: Tensor) -> Tensor:
        return super().forward(X).squeeze(1)


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * (outputs - targets).square()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, targets, reduction="none")


@pytest.mark.parametrize(
    "module",
    [
        TwoLayers,
        functools.partial(TwoLayers, width=30),
        TwoLayers(13, 3),
        lambda n_features_in, n_outputs: nn.Linear(n_features_in, n_outputs),
        lambda n_outputs: nn.Linear(13, n_outputs),
        lambda: nn.Sequential(nn.Linear(13, 8), nn.Tanh(), nn.Linear(8, 3)),
    ],
    ids=["class", "partial", "instance", "function", "some arguments", "no arguments"],
)
def test_a_module_of_the_users_own_learns(module: Any) -> None:
    model = NeuralClassifier(
        module=module, learning_rate_init=0.02, max_iter=40, random_state=0
    ).fit(X_wine[::2], y_wine[::2])
    assert model.score(X_wine[1::2], y_wine[1::2]) > 0.9
    assert model.predict_proba(X_wine).shape == (178, 3)
    assert not hasattr(model, "coefs_")
    assert clone(model).fit(X_wine[::2], y_wine[::2]).loss_ == model.loss_


def test_a_module_instance_keeps_its_weights_and_is_not_changed() -> None:
    module = TwoLayers(13, 3)
    before = [p.detach().clone() for p in module.parameters()]
    model = NeuralClassifier(
        module=module, solver="sgd", learning_rate_init=1e-300, momentum=0, max_iter=1
    ).fit(X_wine, y_wine)
    for p, old, trained in zip(
        module.parameters(), before, model.module_.parameters(), strict=True
    ):
        assert_array_equal(p.detach(), old)
        assert_allclose(trained.detach(), old, rtol=1e-6)
    model.set_params(learning_rate_init=0.1).fit(X_wine, y_wine)
    for p, old in zip(module.parameters(), before, strict=True):
        assert_array_equal(p.detach(), old)


@pytest.mark.parametrize(
    ("module", "n_rows"), [(Squeezed, 100), (nn.Linear(10, 2), 100), (nn.Linear(10, 5), 3)]
)
def test_a_module_whose_outputs_have_another_shape_is_refused(module: Any, n_rows: int) -> None:
    with pytest.raises(ValueError, match="module returned outputs of shape"):
        NeuralRegressor(module=module, max_iter=1).fit(X_diabetes[:n_rows], y_diabetes[:n_rows])


def test_a_built_in_network_is_a_module_like_any_other() -> None:
    """The same weights and batches give the same fit through autograd as through the fast path."""
    built_in = NeuralClassifier((8,), max_iter=5, random_state=0).fit(X_wine, y_wine)

    class Copied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            start = NeuralClassifier(
                (8,), solver="sgd", learning_rate_init=1e-300, momentum=0, random_state=0
            ).partial_fit(X_wine, y_wine, classes=[0, 1, 2])
            self.layers = start.module_.layers

        def forward(self, X: Tensor) -> Tensor:
            return self.layers(X)

    own = NeuralClassifier(module=Copied(), max_iter=5, shuffle=False).fit(X_wine, y_wine)
    built_in = NeuralClassifier((8,), max_iter=5, shuffle=False, random_state=0)
    assert_allclose(
        own.predict_proba(X_wine), built_in.fit(X_wine, y_wine).predict_proba(X_wine), atol=1e-9
    )


def test_callable_losses_equal_the_named_ones() -> None:
    # in one order of the rows: a callable may draw random numbers, for which a seed is drawn
    named = NeuralRegressor(max_iter=5, shuffle=False, random_state=0).fit(X_diabetes, y_diabetes)
    own = NeuralRegressor(mean_squared_error, max_iter=5, shuffle=False, random_state=0)
    assert_same_weights(own.fit(X_diabetes, y_diabetes), named, atol=1e-12)
    named_classifier = NeuralClassifier((8,), max_iter=5, random_state=0).fit(X_wine, y_wine)
    own_classifier = NeuralClassifier((8,), loss=cross_entropy, max_iter=5, random_state=0)
    assert_same_weights(own_classifier.fit(X_wine, y_wine), named_classifier, atol=1e-12)
    assert not hasattr(own_classifier, "predict_proba")
    with pytest.raises(AttributeError, match=r"callable loss=.*declare it: loss\.out_activation"):
        own_classifier.predict_proba(X_wine)
    with pytest.raises(AttributeError, match="lbfgs is not stochastic"):
        NeuralRegressor(solver="lbfgs").partial_fit(X_wine, y_wine)
    assert_array_equal(own_classifier.predict(X_wine), named_classifier.predict(X_wine))


def test_partials_can_be_searched() -> None:
    """`functools.partial` makes the arguments of modules, losses and solvers searchable."""
    search = GridSearchCV(
        NeuralClassifier(max_iter=20, learning_rate_init=0.02, random_state=0),
        {
            "module": [None, functools.partial(TwoLayers, width=1)],
            "solver": ["adam", functools.partial(torch.optim.SGD, weight_decay=0.1)],
        },
        cv=2,
    ).fit(X_wine, y_wine)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) > 1
    assert search.best_params_["module"] is None


def test_a_partial_of_a_module_has_searchable_arguments_by_set_params() -> None:
    activations = [nn.Tanh, functools.partial(nn.LeakyReLU, 0.2), "relu"]
    search = GridSearchCV(
        NeuralClassifier((8,), max_iter=5, random_state=0), {"activation": activations}, cv=2
    ).fit(X_wine, y_wine)
    assert len(search.cv_results_["mean_test_score"]) == 3


# ------------------------------------------------------------------- input, output and precision


@pytest.mark.parametrize(
    ("precision", "X_dtype", "weights"),
    [
        ("auto", "float64", "float64"),
        ("auto", "float32", "float32"),
        ("auto", "float16", "float32"),
        ("auto", "int64", "float64"),
        ("float32", "float64", "float32"),
        ("float64", "float32", "float64"),
        ("bfloat16", "float64", "float32"),
    ],
)
def test_weights_and_answers_have_documented_types(
    precision: str, X_dtype: str, weights: str
) -> None:
    X = (10 * X_diabetes).astype(X_dtype)
    model = NeuralRegressor(precision=precision, max_iter=2, random_state=0).fit(X, y_diabetes)
    assert {coef.dtype for coef in model.coefs_ + model.intercepts_} == {np.dtype(weights)}
    answer = np.float32 if X_dtype in ("float32", "float16") else np.float64
    assert model.predict(X).dtype == answer
    classifier = NeuralClassifier(precision=precision, max_iter=2).fit(X, y_diabetes > 0)
    assert classifier.predict_proba(X).dtype == answer
    assert classifier.decision_function(X).dtype == answer
    assert classifier.predict(X).dtype == bool


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", "int32", "uint32", "uint64", "float16", ">f8"]
)
def test_any_real_type_of_input_gives_the_model_of_float64(dtype: str) -> None:
    X = (X_wine > 0).astype(dtype)
    model = NeuralClassifier((8,), precision="float64", max_iter=3, random_state=0).fit(X, y_wine)
    expected = clone(model).fit(X.astype(float), y_wine)
    assert_same_weights(model, expected, atol=0)
    assert_array_equal(model.predict(X), expected.predict(X.astype(float)))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(">f8"),
        lambda a: np.repeat(a, 2, axis=0)[::2],
    ],
    ids=["reversed", "fortran", "swapped", "strided"],
)
def test_any_view_of_input_targets_and_weights_gives_the_same_model(view: Any) -> None:
    weights = np.linspace(0.1, 1, len(y_diabetes))
    X, y, w = view(X_diabetes), view(y_diabetes), view(weights)
    model = NeuralRegressor(max_iter=3, random_state=0).fit(X, y, sample_weight=w)
    expected = NeuralRegressor(max_iter=3, random_state=0)
    expected.fit(
        *(np.ascontiguousarray(a, dtype=float) for a in (X, y)),
        sample_weight=np.ascontiguousarray(w, dtype=float),
    )
    assert_same_weights(model, expected, atol=0)


def test_read_only_arrays_and_memmaps_are_taken_without_a_warning(tmp_path: Any) -> None:
    np.save(tmp_path / "X.npy", X_diabetes)
    np.save(tmp_path / "y.npy", y_diabetes)
    X, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "Xy")
    weights = np.ones(len(y))
    weights.flags.writeable = False
    model = NeuralRegressor(max_iter=3, random_state=0).fit(X, y, sample_weight=weights)
    expected = NeuralRegressor(max_iter=3, random_state=0).fit(X_diabetes, y_diabetes)
    assert_same_weights(model, expected, atol=1e-12)
    assert_array_equal(model.predict(X), model.predict(X_diabetes))


@pytest.mark.parametrize("make", [sparse.csr_array, np.asarray])
def test_many_rows_are_predicted_as_in_one_piece(make: Any) -> None:
    model = NeuralRegressor(max_iter=2, random_state=0).fit(X_diabetes, y_diabetes)
    many = np.tile(X_diabetes, (12, 1))
    assert_allclose(
        model.predict(make(many)), np.tile(model.predict(X_diabetes), 12), rtol=1e-9, atol=1e-12
    )


def test_sparse_matrices_with_unsorted_or_repeated_entries() -> None:
    X = sparse.csr_array(np.where(np.abs(X_wine) > 0.7, X_wine, 0))
    messy = X.copy()
    for start, stop in itertools.pairwise(X.indptr):
        messy.indices[start:stop] = messy.indices[start:stop][::-1]
        messy.data[start:stop] = messy.data[start:stop][::-1]
    messy.has_sorted_indices = False
    model = NeuralClassifier((8,), max_iter=3, random_state=0)
    expected = model.fit(X, y_wine).predict_proba(X)
    assert_allclose(model.fit(messy, y_wine).predict_proba(messy), expected, rtol=1e-9)
    halves = sparse.coo_array(
        (np.tile(X.data / 2, 2), (np.tile(X.tocoo().row, 2), np.tile(X.indices, 2))), X.shape
    )
    rows = np.argsort(halves.row, kind="stable")
    repeated = sparse.csr_array(
        (halves.data[rows], halves.col[rows], np.append(0, np.bincount(halves.row).cumsum())),
        X.shape,
    )
    assert repeated.nnz == 2 * X.nnz
    assert_allclose(model.fit(repeated, y_wine).predict_proba(X), expected, rtol=1e-9)


def test_rows_without_an_entry_are_taken() -> None:
    X = sparse.csr_array((6, 4))
    model = NeuralClassifier((3,), max_iter=1, batch_size=2).fit(X, [0, 1, 0, 1, 0, 1])
    assert model.predict_proba(X).shape == (6, 2)


def test_written_weights_take_effect() -> None:
    model = NeuralRegressor(hidden_layer_sizes=(), max_iter=1).fit(X_diabetes, y_diabetes)
    model.coefs_[0][:] = 0
    model.coefs_[0][3] = 2
    model.intercepts_[0][:] = 1
    assert_allclose(model.predict(X_diabetes), 2 * X_diabetes[:, 3] + 1)
    model.partial_fit(X_diabetes, y_diabetes)
    model.intercepts_[0][:] = 5
    assert_allclose(model.predict(np.zeros((1, 10))), [5])


LABELS = [
    np.arange(150) % 3,
    (np.arange(150) % 2).astype(bool),
    np.array(["a", "b", "c"])[np.arange(150) % 3],
    np.arange(150) % 2 * 1.0,
    np.array(["a", "b"], object)[np.arange(150) % 2],
    np.arange(300).reshape(150, 2) % 4 // 2,
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{labels.dtype} {labels.shape}")
def test_the_score_is_scikit_learn_s_accuracy(labels: np.ndarray) -> None:
    X = np.random.default_rng(0).normal(size=(150, 3))
    model = NeuralClassifier((4,), learning_rate="cosine", max_iter=3, random_state=0)
    predicted = model.fit(X, labels).predict(X)
    weights = np.arange(150)
    for y in (labels, labels.tolist()):
        assert model.score(X, y) == accuracy_score(y, predicted)
        assert model.score(X, y, weights) == accuracy_score(y, predicted, sample_weight=weights)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, labels[1:])
