"""Who runs the chunks: threads, or what the user has chosen."""

import pickle
import sys
import warnings

import joblib
import numpy as np
import pytest
import sklearn.model_selection as reference
from joblib._parallel_backends import ThreadingBackend

import sknn.model_selection as ours
from sknn.model_selection import _workers


class ForeignBackend(ThreadingBackend):
    """Stands for a backend that somebody else has registered."""

    default_n_jobs = 2


@pytest.fixture
def foreign(monkeypatch):
    monkeypatch.setitem(joblib.parallel.BACKENDS, "foreign", ForeignBackend)
    return "foreign"


GRID = {"net__learning_rate_init": [0.01, 0.02, 0.05], "scale__with_mean": [True, False]}


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_other_backends_train_stacks(wine, tools, stacks, foreign, monkeypatch, capfd, n_jobs):
    X, y = wine
    sent = []
    monkeypatch.setattr(
        _workers, "portable_calls", lambda calls: sent.append(portable_calls(calls)) or sent[-1]
    )
    estimator = tools.pipeline(tools.classifier())
    with joblib.parallel_config(backend=foreign):
        actual = ours.GridSearchCV(estimator, GRID, cv=3, n_jobs=n_jobs, verbose=1).fit(X, y)
    expected = reference.GridSearchCV(estimator, GRID, cv=3).fit(X, y)
    tools.assert_same_search(actual, expected, X)
    assert len(sent) == len(stacks) == (2 if n_jobs == 2 else 1)
    assert "18/18" in capfd.readouterr().err
    for _, _, calls in sent:  # go to another process without the data
        assert len(pickle.dumps(calls)) < X.nbytes * len(calls)
        assert not any({"X", "y"} & call.arguments.keys() for call in calls)


portable_calls = _workers.portable_calls


def test_errors_of_other_backends(diabetes, tools, foreign):
    network = tools.regressor(solver="sgd", learning_rate_init=1e12)
    with joblib.parallel_config(backend=foreign), pytest.raises(ValueError, match="diverge"):
        ours.cross_val_score(network, *diabetes, error_score="raise")


@pytest.mark.slow
def test_dask(wine, tools):
    distributed = pytest.importorskip("distributed")
    X, y = wine
    estimator = tools.pipeline(tools.classifier())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cluster and its processes
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
        with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
            actual = ours.GridSearchCV(estimator, GRID, cv=3).fit(X, y)
            scores = ours.cross_validate(estimator, X, y, return_estimator=True)
    expected = reference.GridSearchCV(estimator, GRID, cv=3).fit(X, y)
    tools.assert_same_search(actual, expected, X)
    np.testing.assert_allclose(
        scores["test_score"], reference.cross_val_score(estimator, X, y), rtol=1e-6
    )
    assert scores["estimator"][0].predict(X).shape == y.shape


def test_how_many_workers(monkeypatch):
    loky, sequential = (joblib.parallel.BACKENDS[name]() for name in ("loky", "sequential"))
    monkeypatch.setattr(_workers, "FITS_PER_WORKER", 8)
    assert _workers.count_workers(3, loky, 1000) == 3
    assert _workers.count_workers(3, loky, 16) == 2
    assert _workers.count_workers(3, loky, 1) == 1
    assert _workers.count_workers(-1, loky, 1000) == joblib.effective_n_jobs(-1)
    assert _workers.count_workers(-1000, loky, 1000) == 1
    assert _workers.count_workers(None, loky, 1000) == 1
    with joblib.parallel_config(n_jobs=2):
        assert _workers.count_workers(None, loky, 1000) == 2
    with joblib.parallel_config(backend="sequential"):
        assert _workers.count_workers(3, sequential, 1000) == 1
    assert _workers.count_workers(3, ForeignBackend(), 1) == 3


def test_threads_leave_filters_of_warnings_alone(wine, tools):
    X, y = wine

    def scorer(estimator, X, y):
        warnings.simplefilter("ignore")
        return 0.0

    before = list(warnings.filters)
    ours.cross_val_score(tools.classifier(), X, y, scoring=scorer, cv=16, n_jobs=2)
    assert warnings.filters == before


@pytest.mark.slow
def test_scorers_may_run_things_in_parallel(wine, tools):
    X, y = wine

    def scorer(estimator, X, y):
        parts = joblib.Parallel(n_jobs=2)(
            joblib.delayed(estimator.score)(X[part], y[part]) for part in (slice(9), slice(9, None))
        )
        return float(np.mean(parts))

    for n_jobs in (1, 2):
        actual = ours.cross_val_score(tools.classifier(), X, y, scoring=scorer, n_jobs=n_jobs)
    np.testing.assert_allclose(
        actual, reference.cross_val_score(tools.classifier(), X, y, scoring=scorer)
    )


def test_the_bar_needs_no_tqdm_unless_asked_for(wine, tools, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    ours.cross_val_score(tools.classifier(), *wine)
    with pytest.raises(ImportError):
        ours.cross_val_score(tools.classifier(), *wine, verbose=1)
