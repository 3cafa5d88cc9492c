"""Training data: made once, by one thread, and let go."""

import threading
import time

import numpy as np
import pytest
import sklearn.model_selection as reference
from joblib import Memory
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import sknn.model_selection as ours
from sknn.model_selection._data import DataCache, TrainingData, preprocessing_key

FITS = []


class Counter(TransformerMixin, BaseEstimator):
    """Counts its fits, in a list that clones share; changes its input where it is."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        FITS.append(self.factor)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        X *= self.factor
        return X


@pytest.fixture(autouse=True)
def counts():
    FITS.clear()


@pytest.mark.parametrize("n_jobs", [1, 2, pytest.param(5, marks=pytest.mark.slow)])
def test_steps_are_fitted_once_a_fold(wine, tools, n_jobs):
    X, y = wine
    grid = {"net__learning_rate_init": [0.01, 0.02, 0.05], "count__factor": [1.0, 2.0]}
    estimator = Pipeline([("count", Counter()), ("net", tools.classifier())])
    actual = ours.GridSearchCV(estimator, grid, n_jobs=n_jobs, refit=False).fit(X, y)
    assert sorted(FITS) == [1.0] * 5 + [2.0] * 5
    expected = reference.GridSearchCV(estimator, grid, refit=False).fit(X, y)
    assert len(FITS) == 10 + 30
    tools.assert_same_results(actual.cv_results_, expected.cv_results_)


def test_steps_with_functions_that_do_not_pickle(wine, tools):
    X, y = wine

    def halve(X):
        FITS.append(0)
        return X / 2

    estimator = Pipeline([("half", FunctionTransformer(halve)), ("net", tools.classifier())])
    ours.GridSearchCV(estimator, {"net__alpha": [0, 0.1, 1]}, cv=3, refit=False).fit(X, y)
    # fitted and applied once a fold, applied once a score
    assert len(FITS) == 3 + 9


class Unpicklable(Counter):
    def __getstate__(self):
        raise TypeError("not to be pickled")


def test_steps_that_do_not_pickle(wine, tools):
    X, y = wine
    estimator = Pipeline([("count", Unpicklable()), ("net", tools.classifier())])
    search = ours.GridSearchCV(estimator, {"net__alpha": [0, 0.1, 1]}, cv=2, n_jobs=1)
    search.fit(X, y)
    assert len(FITS) == 6 + 1


def test_the_memory_of_a_pipeline(wine, tools, tmp_path):
    X, y = wine
    estimator = Pipeline(
        [("count", Counter()), ("net", tools.classifier())], memory=Memory(tmp_path, verbose=0)
    )
    for _ in range(2):
        ours.cross_val_score(estimator, X, y, cv=3)
    assert len(FITS) == 3


def test_keys_of_steps():
    def key(estimator, fit_params=None):
        return preprocessing_key(Pipeline([("a", estimator), ("net", Counter())]), fit_params or {})

    weights = np.ones(3)
    assert key(StandardScaler()) == key(StandardScaler())
    assert key(StandardScaler()) != key(StandardScaler(with_mean=False))
    assert key(FunctionTransformer(lambda X: X)) != key(FunctionTransformer(lambda X: X))
    assert key(Counter(np.zeros(9))) != key(Counter(np.ones(9)))
    assert key(Counter(), {"a__w": weights}) == key(Counter(), {"a__w": weights})
    assert key(Counter(), {"a__w": weights}) != key(Counter(), {"a__w": weights.copy()})
    assert preprocessing_key(Counter(), {}) is None


def test_data_are_made_by_one_thread():
    made = []
    cache = DataCache(["a"] * 4 + ["b"])

    def make():
        made.append(threading.get_ident())
        time.sleep(0.05)
        return TrainingData(X=len(made), seconds=8.0)

    got = []
    threads = [
        threading.Thread(target=lambda: got.append(cache.get("a", make).X)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [1] * 4
    assert cache.get("a", make).seconds == 2.0  # of each of the four
    assert cache.get("b", make).X == 2


def test_data_are_let_go_after_their_last_use():
    cache = DataCache(["a", "a"])
    cache.get("a", TrainingData)
    cache.release("a")
    cache.get("a", TrainingData)
    cache.release("a")
    with pytest.raises(KeyError):
        cache.get("a", TrainingData)


def test_data_whose_making_was_interrupted_are_made_again():
    cache = DataCache(["a"])

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("a", interrupt)
    assert cache.get("a", lambda: TrainingData(X=1)).X == 1
