"""Data, small estimators and the comparison with scikit-learn's results."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.model_selection import _fits

# a few epochs each, and no warning that training has not converged
QUICK = {
    "hidden_layer_sizes": (8,),
    "learning_rate_init": 0.02,
    "batch_size": 40,
    "tol": 0.05,
    "n_iter_no_change": 3,
    "precision": "float64",
    "random_state": 0,
}


def pipeline(network):
    return Pipeline([("scale", StandardScaler()), ("net", network)])


def quick_classifier(**parameters):
    return NeuralClassifier(**(QUICK | parameters))


def quick_regressor(**parameters):
    return NeuralRegressor(**(QUICK | parameters))


def assert_same_results(actual, expected, rtol=0.0):
    """All columns of cv_results_ are equal; of the times, which of them are zero."""
    assert list(actual) == list(expected)
    for name, column in expected.items():
        if name == "params" or name.startswith("param_"):
            assert [str(value) for value in actual[name]] == [str(value) for value in column]
        elif name == "mean_fit_time":
            assert np.all(actual[name] > 0)
        elif name in ("std_fit_time", "std_score_time"):  # equal times have none
            assert np.all(actual[name] >= 0)
        elif "time" in name:  # where nothing is scored, no time
            np.testing.assert_array_equal(actual[name] == 0, column == 0, err_msg=name)
        else:
            np.testing.assert_allclose(actual[name], column, rtol=rtol, err_msg=name)


def assert_same_search(actual, expected, X, rtol=0.0):
    """Two fitted searches have found the same."""
    assert_same_results(actual.cv_results_, expected.cv_results_, rtol)
    assert actual.best_index_ == expected.best_index_
    assert str(actual.best_params_) == str(expected.best_params_)
    np.testing.assert_allclose(actual.best_score_, expected.best_score_, rtol=rtol)
    np.testing.assert_array_equal(actual.predict(X), expected.predict(X))


@pytest.fixture
def tools():
    return SimpleNamespace(
        pipeline=pipeline,
        classifier=quick_classifier,
        regressor=quick_regressor,
        assert_same_results=assert_same_results,
        assert_same_search=assert_same_search,
    )


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X[:200]), (y[:200] - y.mean()) / y.std()


@pytest.fixture
def trained(monkeypatch):
    """The tasks of each call of `fit_together`: one on a CPU."""
    seen = []

    def spy(tasks, **options):
        seen.append(list(tasks))
        return fit_together(tasks, **options)

    fit_together = _fits.fit_together
    monkeypatch.setattr(_fits, "fit_together", spy)
    return seen
