"""Calls: which are taken apart, and what scikit-learn's function finds."""

import pickle

import numpy as np
import pytest
import sklearn
import sklearn.model_selection as reference
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import delayed

import sknn.model_selection as ours
from sknn import ConvClassifier
from sknn.model_selection._calls import last_step, parse_call

X, Y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2


def item(estimator, y=Y, function=_fit_and_score, **arguments):
    arguments = {"fit_params": None, "parameters": None} | arguments
    return delayed(function)(
        estimator, X, y, scorer=None, train=np.arange(40), test=np.arange(40, 60), verbose=0,
        score_params=None, **arguments,
    )  # fmt: skip


def test_what_is_run_here(tools):
    network = tools.classifier()
    for estimator in (network, tools.pipeline(network), Pipeline([("net", network)])):
        call = parse_call(7, item(estimator))
        assert call.index == 7
        assert call.network is network
        assert call.function is _fit_and_score
    parameters = {"net": tools.classifier(alpha=3.0), "net__batch_size": 9}
    call = parse_call(0, item(tools.pipeline(StandardScaler()), parameters=parameters))
    assert (call.network.alpha, call.network.batch_size) == (3.0, 9)
    assert parameters["net"].batch_size == 40


class OtherPipeline(Pipeline):
    pass


def test_what_is_passed_on(tools):
    network = tools.classifier()
    for estimator in (
        StandardScaler(),
        tools.pipeline(StandardScaler()),
        tools.pipeline("passthrough"),
        tools.pipeline(tools.pipeline(network)),
        BaggingClassifier(network),
        OtherPipeline([("net", network)]),
        TransformedTargetRegressor(tools.regressor()),
        ConvClassifier(),
        tools.classifier(solver="lbfgs"),
    ):
        assert parse_call(0, item(estimator)) is None
    assert parse_call(0, item(network, y=None)) is None
    assert parse_call(0, (print, (), {})) is None
    wrapped, args, kwargs = item(network)
    wrapped.with_config_and_warning_filters({"array_api_dispatch": True}, [])
    assert parse_call(0, (wrapped, args, kwargs)) is None


def test_keys(tools):
    def key(estimator, train, **arguments):
        wrapped, args, kwargs = item(estimator, **arguments)
        return parse_call(0, (wrapped, args, kwargs | {"train": train})).data_key

    folds = np.arange(40), np.arange(40)
    pipeline = tools.pipeline(tools.classifier())
    assert key(pipeline, folds[0]) == key(clone(pipeline), folds[0])
    assert key(pipeline, folds[0]) != key(clone(pipeline), folds[1])
    assert key(pipeline, folds[0]) != key(tools.classifier(), folds[0])
    parameters = {"net__alpha": 2}
    assert key(pipeline, folds[0]) == key(clone(pipeline), folds[0], parameters=parameters)
    parameters = {"scale__with_std": False}
    assert key(pipeline, folds[0]) != key(clone(pipeline), folds[0], parameters=parameters)


def test_last_step(tools):
    network = tools.classifier()
    assert last_step(network) is last_step(tools.pipeline(network)) is network


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_scorers_get_the_real_estimator(tools, trained, is_pipeline):
    seen = []

    def scorer(estimator, X, y):
        again = pickle.loads(pickle.dumps(estimator))
        score = again.score(X, y)
        assert not {"fit", "set_params"} & vars(estimator).keys()
        seen.append(clone(estimator).fit(X, y).score(X, y))
        network = last_step(estimator).set_params(alpha=0.5)
        assert network.alpha == 0.5
        return score

    estimator = tools.classifier(batch_size=10)
    if is_pipeline:
        estimator = tools.pipeline(estimator)
    actual = ours.cross_val_score(estimator, X, Y, scoring=scorer, error_score="raise")
    expected = reference.cross_val_score(estimator, X, Y, scoring=scorer)
    np.testing.assert_array_equal(actual, expected)
    assert len(seen) == 10
    assert sum(map(len, trained)) == 5


def test_what_a_pipeline_transforms_for_its_network(tools, trained):
    with sklearn.config_context(enable_metadata_routing=True):
        network = tools.classifier().set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("net", network)], transform_input=["X_val"]
        )
        params = {"X_val": 3 * X[:9], "y_val": Y[:9]}
        actual = ours.cross_validate(pipeline, X, Y, params=params, return_estimator=True)
        expected = reference.cross_validate(pipeline, X, Y, params=params, return_estimator=True)
    for one, other in zip(actual["estimator"], expected["estimator"], strict=True):
        np.testing.assert_array_equal(
            one["net"].validation_scores_, other["net"].validation_scores_
        )
    assert sum(map(len, trained)) == 5


def test_early_stopping_and_class_weights(tools, trained):
    network = tools.classifier(early_stopping=True, class_weight="balanced", batch_size=10)
    y = (np.arange(60) % 5 == 0).astype(int)
    actual = ours.cross_val_predict(network, X, y, method="predict_proba")
    expected = reference.cross_val_predict(network, X, y, method="predict_proba")
    np.testing.assert_array_equal(actual, expected)
    assert sum(map(len, trained)) == 5


def test_fitted_attributes(tools):
    actual = ours.cross_validate(tools.classifier(), X, Y, return_estimator=True)["estimator"]
    expected = reference.cross_validate(tools.classifier(), X, Y, return_estimator=True)
    for one, other in zip(actual, expected["estimator"], strict=True):
        assert vars(one).keys() == vars(other).keys()
        assert one.n_iter_ == other.n_iter_
        np.testing.assert_array_equal(one.loss_curve_, other.loss_curve_)
        for weights, others in zip(one.coefs_, other.coefs_, strict=True):
            np.testing.assert_array_equal(weights, others)
        one.partial_fit(X, Y)
        other.partial_fit(X, Y)
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
