"""Fits that fail, and values that no parameter has: searches end as scikit-learn's do."""

import numpy as np
import pytest
import sklearn.model_selection as reference
from sklearn.metrics import accuracy_score
from skorch.callbacks import Callback

import sknn.model_selection as ours
from sknn import NeuralClassifier, NeuralRegressor
from tests.helpers import outcome

X = np.random.default_rng(0).normal(size=(24, 3))
Y = np.arange(24) % 2


def scores_of(search, *data, **fit_params):
    """Return the columns of scores, or the type and the text of the exception."""
    result = outcome(search.fit, *data, **fit_params)
    if isinstance(result, tuple):
        return result
    return {name: column for name, column in result.cv_results_.items() if "_test_score" in name}


def assert_same_outcome(estimator, grid, *data, fit_params=None, error_score=np.nan, **options):
    """Compare our search with scikit-learn's, and return what came of both."""
    options |= {"cv": 2, "refit": False, "error_score": error_score}
    fit_params = fit_params or {}
    actual = scores_of(ours.GridSearchCV(estimator, grid, **options), *data, **fit_params)
    options["n_jobs"] = None
    expected = scores_of(reference.GridSearchCV(estimator, grid, **options), *data, **fit_params)
    if isinstance(expected, tuple):
        assert actual == expected
    else:
        assert isinstance(actual, dict), actual
        for name, column in expected.items():
            np.testing.assert_array_equal(actual[name], column, err_msg=name)
    return expected


# ---------------------------------------------------------------------------------- callbacks

HOOKS = (
    "initialize",
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_grad_computed",
    "on_batch_end",
    "on_epoch_end",
    "on_train_end",
)


def failing(*hooks, error=RuntimeError):
    """Make a callback whose hooks raise."""

    def fail(name):
        def hook(self, *args, **kwargs):
            raise error(f"{name} fails")

        return hook

    return type("Failing", (Callback,), {name: fail(name) for name in hooks})()


@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_callback_that_fails_harms_no_other_candidate(tools, hook, n_jobs):
    estimator = tools.classifier(max_iter=3, early_stopping=True)
    grid = {"callbacks": [None, [failing(hook)], [Callback()]], "alpha": [0.1, 1.0]}
    results = assert_same_outcome(estimator, grid, X, Y, n_jobs=n_jobs)
    assert np.isnan(results["mean_test_score"]).tolist() == [False, True, False] * 2
    error = assert_same_outcome(estimator, grid, X, Y, n_jobs=n_jobs, error_score="raise")
    assert error == (RuntimeError, f"{hook} fails")


def test_an_error_at_the_end_tells_of_the_one_before(tools):
    grid = {"callbacks": [[failing("on_epoch_end", "on_train_end")], [failing("on_epoch_end")]]}
    search = ours.GridSearchCV(small(NeuralClassifier), grid, error_score="raise")
    with pytest.raises(RuntimeError, match="on_train_end fails") as caught:
        search.fit(X, Y)
    assert str(caught.value.__context__) == "on_epoch_end fails"


class Scoring(Callback):
    """Calls a function of scikit-learn's, whose parameters it need not validate within `fit`."""

    def on_epoch_end(self, net, **kwargs):
        accuracy_score([0, 1], [0, 1], normalize="yes")


def test_callbacks_run_in_the_configuration_of_fit(tools):
    grid = {"callbacks": [[Scoring()], None]}
    results = assert_same_outcome(tools.classifier(max_iter=3), grid, X, Y)
    assert not np.isnan(results["mean_test_score"]).any()


# ------------------------------------------------------------------------- values and keywords

NONSENSE = [None, [0.5]]
MORE_NONSENSE = [
    "nonsense", np.nan, -1, [], {}, np.array([0.1, 0.2]), 0, 1.5, np.inf, True, [1, 2], (),
    {"a": 1}, set(), frozenset(), b"x", 1j, np.float32(0.3), np.int64(3), int, len,
    NeuralClassifier, range(2), "auto", np.datetime64("2020-01-01"),
]  # fmt: skip


def small(kind):
    return kind(hidden_layer_sizes=(4,), max_iter=2, random_state=0)


def values_of(name, values):
    """One candidate each; None as `random_state` gives other scores each time."""
    kept = [value for value in values if name != "random_state" or value is not None]
    return [{}, *({name: [value]} for value in kept)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (NeuralClassifier, NONSENSE),
        pytest.param(NeuralClassifier, MORE_NONSENSE, marks=pytest.mark.slow),
        pytest.param(NeuralRegressor, NONSENSE + MORE_NONSENSE, marks=pytest.mark.slow),
    ],
)
def test_values_that_no_parameter_has(kind, values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the parameter `checkpoint` takes a name
    estimator = small(kind)
    for name in estimator.get_params(deep=False):
        assert_same_outcome(estimator, values_of(name, values), X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("value", NONSENSE + MORE_NONSENSE, ids=repr)
def test_the_error_of_each_value(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    estimator = small(NeuralClassifier)
    for name in estimator.get_params(deep=False):
        assert_same_outcome(estimator, values_of(name, [value]), X, Y, error_score="raise")


@pytest.mark.parametrize("name", ["incremental", "validation", "nonsense", "X", "y", "self"])
def test_keywords_that_fit_does_not_have(tools, name):
    estimator, grid = tools.pipeline(small(NeuralClassifier)), {"net__alpha": [0.1, 1.0]}
    for error_score, kind in ((np.nan, ValueError), ("raise", TypeError)):
        error = assert_same_outcome(
            estimator, grid, X, Y, fit_params={f"net__{name}": True}, error_score=error_score
        )
        assert error[0] is kind
        assert f"argument '{name}'" in error[1]


def test_keywords_of_a_network_alone():
    for name in ("incremental", "validation", "nonsense"):
        error = assert_same_outcome(
            small(NeuralClassifier), {"alpha": [0.1, 1.0]}, X, Y, fit_params={name: True}
        )
        assert "TypeError" in error[1]
