"""scikit-learn's own tests of its multi-layer perceptron, run with our classes in their place."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MinMaxScaler

from sknn import NeuralClassifier

# These read what is private in scikit-learn; each has its counterpart below.
PRIVATE = {
    "test_fit",
    "test_gradient",
    "test_learning_rate_warmstart",
    "test_adaptive_learning_rate",
    "test_n_iter_no_change",
    "test_n_iter_no_change_inf",
}
# Here we differ on purpose, see below too.
DIFFERENT = {"test_early_stopping_stratified", "test_preserve_feature_names[NeuralClassifier]"}

PLUGIN = """
import json, os

import pytest
import sklearn.neural_network

import sknn

sklearn.neural_network.MLPClassifier = sknn.NeuralClassifier
sklearn.neural_network.MLPRegressor = sknn.NeuralRegressor
outcomes = {}


@pytest.fixture
def global_random_seed():
    return 42


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid.split("::")[-1]] = report.outcome


def pytest_sessionfinish(session):
    with open(os.environ["PARITY_OUTCOMES"], "w") as file:
        json.dump(outcomes, file)
"""

X_digits, y_digits = load_digits(n_class=2, return_X_y=True)
X_digits, y_digits = MinMaxScaler().fit_transform(X_digits[:100]), y_digits[:100]


@pytest.mark.slow
def test_scikit_learns_own_tests_pass_but_for_private_attributes(tmp_path: Path) -> None:
    (tmp_path / "parity_plugin.py").write_text(PLUGIN)
    outcomes_file = tmp_path / "outcomes.json"
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "PARITY_OUTCOMES": str(outcomes_file),
        "OMP_NUM_THREADS": "1",
    }
    run = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "parity_plugin"],
            *["--rootdir", str(tmp_path), "-p", "no:cacheprovider", "--tb=line"],
            *["--pyargs", "sklearn.neural_network.tests.test_mlp"],
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcomes_file.exists(), run.stdout + run.stderr
    outcomes = json.loads(outcomes_file.read_text())
    assert len(outcomes) >= 59
    not_passed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    assert not_passed == PRIVATE | DIFFERENT, run.stdout


def test_fit_of_the_worked_example() -> None:
    """The numbers of scikit-learn's `test_fit`, through the views that coefs_ are."""
    X, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    model = NeuralClassifier(
        solver="sgd",
        learning_rate_init=1e-300,
        alpha=0.1,
        activation="logistic",
        random_state=1,
        hidden_layer_sizes=2,
        momentum=0,
    ).partial_fit(X, y, classes=[0, 1])
    model.coefs_[0][:] = [[0.1, 0.2], [0.3, 0.1], [0.5, 0]]
    model.coefs_[1][:] = [[0.1], [0.2]]
    model.intercepts_[0][:] = [0.1, 0.1]
    model.intercepts_[1][:] = [1.0]
    model.set_params(learning_rate_init=0.1).partial_fit(X, y)
    expected = [[0.098, 0.195756], [0.2956664, 0.096008], [0.4939998, -0.002244]]
    # its comment rounds in the third row: 0.5 - 0.1 (0.7 * 0.01667 + 0.1 * 0.5) is 0.49383
    assert_allclose(model.coefs_[0], expected, atol=5e-4)
    assert_allclose(model.coefs_[1], [[0.04706], [0.154089]], atol=1e-4)
    assert_allclose(model.intercepts_[0], [0.098333, 0.09626], atol=1e-4)
    assert_allclose(model.intercepts_[1], [0.9235], atol=1e-4)
    assert_allclose(model.predict_proba(X)[0, 1], 0.739, atol=1e-3)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_gradient_of_the_penalised_loss(n_labels: int, activation: str) -> None:
    """One step of plain descent shows the gradient; the loss curve shows the loss."""
    rng = np.random.RandomState(42)
    X, y = rng.rand(5, 10), 1 + np.mod(np.arange(5) + 1, n_labels)
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": 10,
        "activation": activation,
        "solver": "sgd",
        "momentum": 0,
        "alpha": 0.1,
        "random_state": 1,
    }
    classes = np.unique(y)

    def start() -> NeuralClassifier:
        model = NeuralClassifier(learning_rate_init=1e-300, **parameters)
        return model.partial_fit(X, y, classes=classes)

    def loss(k: int, index: tuple[int, ...], shift: float) -> float:
        model = start()
        (model.coefs_ + model.intercepts_)[k][index] += shift
        return model.partial_fit(X, y).loss_

    model = start()
    before = [array.copy() for array in model.coefs_ + model.intercepts_]
    model.set_params(learning_rate_init=1.0).partial_fit(X, y)
    after = model.coefs_ + model.intercepts_
    for k, (old, new) in enumerate(zip(before, after, strict=True)):
        for index in [(0,) * old.ndim, tuple(n - 1 for n in old.shape)]:
            numeric = (loss(k, index, 1e-5) - loss(k, index, -1e-5)) / 2e-5
            assert_allclose((old - new)[index], numeric, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("learning_rate", ["invscaling", "constant"])
def test_learning_rate_of_a_warm_start(learning_rate: str) -> None:
    X, y = [[3, 2], [1, 6], [5, 6], [-2, -4]], [1, 1, 1, 0]
    model = NeuralClassifier(
        solver="sgd",
        hidden_layer_sizes=4,
        learning_rate=learning_rate,
        max_iter=2,
        power_t=0.25,
        warm_start=True,
    )
    rates = [epoch["learning_rate"] for epoch in model.fit(X, y).fit(X, y).history_]
    if learning_rate == "constant":
        assert rates == [0.001] * 4
    else:
        # t counts the samples of the first fit too; the first epoch of each fit has the full rate
        expected = [0.001, 0.001 / 5**0.25, 0.001, 0.001 / 13**0.25]
        assert_allclose(rates, expected)


def test_adaptive_learning_rate_falls_by_five_until_it_is_tiny() -> None:
    model = NeuralClassifier(tol=0.5, max_iter=3000, solver="sgd", learning_rate="adaptive")
    model.fit([[3, 2], [1, 6]], [1, 0])
    assert model.n_iter_ < 3000
    rates = np.array([epoch["learning_rate"] for epoch in model.history_])
    values, lengths = np.unique(rates, return_counts=True)
    assert_allclose(values[::-1], 0.001 / 5.0 ** np.arange(len(values)))
    assert values[0] <= 1e-6 < values[1]
    assert set(lengths[1:-1]) == {11}
    assert (np.diff(rates) <= 0).all()


@pytest.mark.parametrize("n_iter_no_change", [2, 5, 10, 50, 100])
def test_patience_counts_the_epochs_that_do_not_improve(n_iter_no_change: int) -> None:
    model = NeuralClassifier(
        tol=0.01, max_iter=3000, solver="sgd", n_iter_no_change=n_iter_no_change, random_state=0
    ).fit(X_digits, y_digits)
    losses = np.array(model.loss_curve_)
    best_before = np.minimum.accumulate(np.append(np.inf, losses[:-1]))
    fails = losses > best_before - 0.01
    assert fails[-(n_iter_no_change + 1) :].all()
    assert not fails[-(n_iter_no_change + 2)]
    assert model.n_iter_ == len(losses) < 3000


def test_infinite_patience_never_stops() -> None:
    model = NeuralClassifier(tol=1e9, max_iter=200, solver="sgd", n_iter_no_change=np.inf)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(200\)"):
        model.fit(X_digits, y_digits)
    assert model.n_iter_ == len(model.loss_curve_) == 200


def test_a_class_that_is_too_small_to_be_held_out_is_named() -> None:
    """scikit-learn names its own encoding, True or False; we name the label."""
    X, y = [[1, 2], [2, 3], [3, 4], [4, 5]], ["many", "many", "many", "few"]
    with pytest.raises(ValueError, match=r"only 1 member.*few"):
        NeuralClassifier(early_stopping=True).fit(X, y)
    with pytest.raises(ValueError, match="'(True|False)'"):
        MLPClassifier(early_stopping=True).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_column_names_survive_early_stopping_with_two_classes() -> None:
    """scikit-learn's test fits one class, which we refuse."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.RandomState(0).randn(20, 2), columns=["colname_a", "colname_b"])
    model = NeuralClassifier(early_stopping=True, validation_fraction=0.2, max_iter=3)
    model.fit(X, pd.Series(np.arange(20) % 2, name="colname_y"))
    assert_array_equal(model.feature_names_in_, ["colname_a", "colname_b"])
    with pytest.raises(ValueError, match="only one class"):
        model.fit(X, pd.Series(np.full(20, 1)))
