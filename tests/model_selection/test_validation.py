"""Validation functions: everything is as scikit-learn's own functions say."""

import inspect

import numpy as np
import pytest
import sklearn
import sklearn.model_selection as reference
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

import sknn.model_selection as ours


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_cross_validate(wine, tools, trained, n_jobs):
    X, y = wine
    options = {
        "scoring": ["accuracy", "neg_log_loss"],
        "return_train_score": True,
        "return_indices": True,
    }
    estimator = tools.pipeline(tools.classifier())
    actual = ours.cross_validate(estimator, X, y, n_jobs=n_jobs, **options)
    expected = reference.cross_validate(estimator, X, y, **options)
    for name in ("train", "test"):
        for indices in (actual, expected):
            indices[name] = np.concatenate(indices["indices"][name])
    del actual["indices"], expected["indices"]
    tools.assert_same_results(actual, expected)
    assert sum(map(len, trained)) == 5


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_estimators_of_cross_validate(wine, tools, n_jobs):
    X, y = wine
    estimator = tools.pipeline(tools.classifier())
    fold = (np.arange(100), np.arange(100, 178))
    options = {"return_estimator": True, "cv": [fold, fold, (fold[1], fold[0])]}
    y = np.random.default_rng(0).permutation(y)
    actual = ours.cross_validate(estimator, X, y, n_jobs=n_jobs, **options)["estimator"]
    expected = reference.cross_validate(estimator, X, y, **options)["estimator"]
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
        assert not {"fit", "set_params"} & vars(one).keys()
    # each has steps of its own
    assert len({id(step) for one in actual for _, step in one.steps}) == 6
    actual[0].fit(X, 1 - y)
    np.testing.assert_array_equal(actual[1].predict_proba(X), expected[1].predict_proba(X))


@pytest.mark.parametrize("cv", [3, KFold(4, shuffle=True, random_state=0), ShuffleSplit(3)])
def test_cross_val_score(wine, tools, cv):
    X, y = wine
    if isinstance(cv, ShuffleSplit):
        cv = list(cv.split(X))
    actual = ours.cross_val_score(tools.classifier(), X, y, cv=cv)
    np.testing.assert_array_equal(
        actual, reference.cross_val_score(tools.classifier(), X, y, cv=cv)
    )


def test_cross_val_score_of_groups_and_weights(diabetes, tools):
    X, y = diabetes
    options = {
        "groups": np.arange(len(y)) % 7,
        "cv": GroupKFold(3),
        "params": {"sample_weight": np.random.default_rng(0).uniform(0.1, 3, len(y))},
        "scoring": "neg_mean_absolute_error",
    }
    actual = ours.cross_val_score(tools.regressor(), X, y, n_jobs=2, **options)
    expected = reference.cross_val_score(tools.regressor(), X, y, **options)
    np.testing.assert_array_equal(actual, expected)


def test_metadata_that_are_routed(wine, tools, trained):
    X, y = wine
    params = {
        "sample_weight": np.random.default_rng(0).uniform(0.1, 3, len(y)),
        "groups": np.arange(len(y)) % 7,
    }
    with sklearn.config_context(enable_metadata_routing=True):
        network = tools.classifier().set_fit_request(sample_weight=True)
        network.set_score_request(sample_weight=True)
        options = {"cv": GroupKFold(3), "params": params}
        actual = ours.cross_val_score(network, X, y, n_jobs=2, **options)
        expected = reference.cross_val_score(network, X, y, **options)
    np.testing.assert_array_equal(actual, expected)
    assert sum(map(len, trained)) == 3


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("is_pipeline", [False, True])
def test_cross_val_predict(wine, tools, trained, method, is_pipeline):
    X, y = wine
    y = np.array(["c", "a", "b"])[y]
    estimator = tools.classifier()
    if is_pipeline:
        estimator = tools.pipeline(estimator)
    options = {"method": method, "cv": StratifiedKFold(4, shuffle=True, random_state=0)}
    actual = ours.cross_val_predict(estimator, X, y, n_jobs=2, **options)
    expected = reference.cross_val_predict(estimator, X, y, **options)
    if method == "predict":
        np.testing.assert_array_equal(actual, expected)
    else:
        np.testing.assert_array_equal(actual, expected)
    assert sum(map(len, trained)) == 4


def test_cross_val_predict_of_a_regressor(diabetes, tools):
    X, y = diabetes
    actual = ours.cross_val_predict(tools.regressor(), X, y)
    expected = reference.cross_val_predict(tools.regressor(), X, y)
    np.testing.assert_array_equal(actual, expected)


def test_errors_of_cross_val_predict_come_out(diabetes, tools):
    X, y = diabetes
    network = tools.regressor(solver="sgd", learning_rate_init=1e12)
    with pytest.raises(ValueError, match="diverge"):
        ours.cross_val_predict(network, X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_other_estimators(wine, trained, n_jobs):
    X, y = wine
    actual = ours.cross_val_predict(LogisticRegression(), X, y, n_jobs=n_jobs)
    np.testing.assert_array_equal(actual, reference.cross_val_predict(LogisticRegression(), X, y))
    assert not trained


@pytest.mark.parametrize("name", ["cross_validate", "cross_val_score", "cross_val_predict"])
def test_signatures_are_those_of_scikit_learn(name):
    actual = inspect.signature(getattr(ours, name)).parameters
    expected = inspect.signature(getattr(reference, name)).parameters
    assert list(actual) == [*expected, "memory_limit"]
    for parameter, given in expected.items():
        assert actual[parameter].kind == given.kind
        np.testing.assert_equal(actual[parameter].default, given.default)


@pytest.mark.parametrize("name", ["cross_validate", "cross_val_score", "cross_val_predict"])
def test_limits_that_are_none(wine, tools, name):
    with pytest.raises(ValueError, match="memory_limit='a lot'"):
        getattr(ours, name)(tools.classifier(), *wine, memory_limit="a lot")


def test_a_bar(wine, tools, capfd):
    ours.cross_val_predict(tools.classifier(), *wine, verbose=1)
    printed = capfd.readouterr()
    assert "5/5" in printed.err
    assert "concurrent workers" not in printed.err + printed.out
