"""scikit-learn's meta-estimators around estimators without y, and copies of them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector
from sknn.generative import AdversarialGenerator

X, y = load_digits(return_X_y=True)
X, y = X[y < 3][:150], y[y < 3][:150]
BYTES = (15 * X).astype(np.uint8).reshape(-1, 8, 8)
TABLE = pd.DataFrame(X[:, 18:22], columns=list("abcd"))
SMALL: dict[str, Any] = {"batch_size": 25, "max_iter": 3, "random_state": 0}
CODED = {"hidden_layer_sizes": (8,), "filters": (4,), **SMALL}
MODELS: dict[str, Any] = {
    "autoencoder": Autoencoder(3, **CODED),
    "variational": Autoencoder(3, variational=True, **CODED),
    "detector": AutoencoderOutlierDetector(3, warm_start=True, **CODED),
    "generator": AdversarialGenerator(latent_size=4, **SMALL),
}


def answers(model: Any, data: Any) -> list[np.ndarray]:
    """Return what a fitted model says of data, and what it makes."""
    found = [np.asarray(getattr(model, name)(data)) for name in METHODS if hasattr(model, name)]
    if hasattr(model, "sample"):
        found.append(np.asarray(model.sample(3, random_state=1)))
    return found


METHODS = ("transform", "decision_function", "predict", "discriminate")


def assert_same(one: Any, other: Any, data: Any) -> None:
    for mine, theirs in zip(answers(one, data), answers(other, data), strict=True):
        assert_array_equal(mine, theirs)


# ------------------------------------------------------------------------------- meta-estimators


@pytest.mark.parametrize("data", [X, BYTES], ids=["vectors", "images"])
def test_a_search_in_two_processes_equals_one_in_one(data: np.ndarray) -> None:
    grid = {"n_components": [1, 6], "noise_amount": [0.0, 0.3]}
    one, two = (
        GridSearchCV(MODELS["autoencoder"], grid, cv=2, n_jobs=n_jobs).fit(data)
        for n_jobs in (1, 2)
    )
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert len(set(one.cv_results_["mean_test_score"])) == 4
    assert_array_equal(one.transform(data), two.transform(data))
    direct = clone(MODELS["autoencoder"]).set_params(**one.best_params_).fit(data)
    assert_array_equal(direct.transform(data), one.transform(data))


def test_codes_are_searched_through_a_pipeline_and_join_other_features() -> None:
    encoder = Autoencoder(**CODED | {"max_iter": 40})
    pipeline = make_pipeline(StandardScaler(), encoder, LogisticRegression())
    search = GridSearchCV(pipeline, {"autoencoder__n_components": [1, 8]}, cv=2).fit(X, y)
    assert search.best_params_ == {"autoencoder__n_components": 8}
    assert search.best_score_ > 0.8
    union = FeatureUnion([("codes", MODELS["autoencoder"]), ("range", MinMaxScaler())])
    assert union.fit_transform(X).shape == (150, 3 + 64)
    names = union.get_feature_names_out()
    assert list(names[:4]) == [*(f"codes__autoencoder{i}" for i in range(3)), "range__x0"]


def test_detectors_are_searched_by_what_is_known_of_outliers() -> None:
    """Labels go to the scorer alone: 1 for what is usual, as `predict` says."""
    usual = np.where(y == 0, 1, -1)
    search = GridSearchCV(
        MODELS["detector"], {"max_iter": [1, 40]}, scoring="roc_auc", cv=2, n_jobs=2
    ).fit(X, usual)
    detector = clone(MODELS["detector"]).set_params(max_iter=40).fit(X[y == 0])
    assert roc_auc_score(usual, detector.decision_function(X)) > 0.95
    assert search.cv_results_["mean_test_score"].shape == (2,)
    pipeline = make_pipeline(StandardScaler(), clone(detector)).fit(X[y == 0])
    assert np.mean(pipeline.predict(X[y != 0]) == -1) > 0.8


def test_sample_weights_are_routed() -> None:
    """Rows without a weight count for nothing, neither in training nor in the score."""
    strange = np.concatenate([X, 20 - X[:50]])
    weights = np.repeat([1.0, 0.0], [150, 50])
    with config_context(enable_metadata_routing=True):
        model = clone(MODELS["autoencoder"]).set_params(max_iter=10)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        with_zeros, all_rows = (
            cross_val_score(model, strange, cv=2, params={"sample_weight": each}).mean()
            for each in (weights, np.ones(200))
        )
        assert with_zeros != all_rows
        search = GridSearchCV(model, {"n_components": [2, 3]}, cv=2)
        search.fit(strange, sample_weight=weights)
    direct = clone(search.best_estimator_).fit(X)
    assert_allclose(search.transform(X), direct.transform(X), rtol=1e-4, atol=1e-5)


# ----------------------------------------------------------------------------- copies and storage


@pytest.mark.parametrize("data", [X, BYTES, TABLE], ids=["vectors", "images", "table"])
@pytest.mark.parametrize("name", MODELS)
def test_copies_answer_and_go_on_the_same(name: str, data: Any) -> None:
    model = clone(MODELS[name]).fit(data)
    ways = (copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each)))
    others = [way(model) for way in ways]
    for other in others:
        assert_same(other, model, data)
        assert other.get_params() == model.get_params()
        assert not hasattr(clone(other), "module_")
    before = answers(model, data)
    for each in (model, *others):
        if hasattr(each, "partial_fit"):
            each.partial_fit(data)
        else:
            each.set_params(warm_start=True).fit(data)
    assert any((a != b).any() for a, b in zip(before, answers(model, data), strict=True))
    for other in others:
        assert_same(other, model, data)


@pytest.mark.parametrize("name", MODELS)
def test_column_names_are_kept_and_checked(name: str) -> None:
    model = clone(MODELS[name]).fit(TABLE)
    assert_array_equal(model.feature_names_in_, list("abcd"))
    method = next(getattr(model, each) for each in METHODS if hasattr(model, each))
    method(TABLE)
    with pytest.raises(ValueError, match="feature names"):
        method(TABLE[list("dcba")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        method(TABLE.to_numpy())


def test_codes_come_as_tables_where_they_are_asked_for() -> None:
    model = clone(MODELS["autoencoder"]).set_output(transform="pandas").fit(TABLE)
    codes = model.transform(TABLE[::2])
    assert_array_equal(codes.index, TABLE.index[::2])
    assert_array_equal(codes.columns, model.get_feature_names_out())
    back = model.inverse_transform(codes)
    assert_array_equal(back.columns, TABLE.columns)
    assert_array_equal(back.index, codes.index)
