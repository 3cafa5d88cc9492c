"""Chunks shared with other processes: the results are the same, whoever does the work.

A process takes seconds to start. The tests stand in an order in which most find one that is there.
"""

import os
import threading
import warnings
import zlib

import joblib
import numpy as np
import pytest
import sklearn.model_selection as reference
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score

import sknn.model_selection as ours
from sknn.model_selection import _processes, _workers
from tests.helpers import assert_equal_up_to_rounding

pytestmark = pytest.mark.serial

GRID = {"net__learning_rate_init": [0.01, 0.02, 0.05], "net__alpha": [0.1, 0.2, 0.3, 0.4]}


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch):
    monkeypatch.setattr(_workers, "WORTH_PROCESSES", 0)


@pytest.fixture(scope="module", autouse=True)
def no_process_is_left():
    yield
    _processes._holder.drop()


@pytest.fixture
def started():
    """Wait until the other process is there, so that it gets work."""
    _processes._holder.get(1).started.result(timeout=120)


@pytest.fixture
def sent(monkeypatch):
    chunks = []
    submit = _processes.Pool.submit

    def spy(pool, chunk):
        chunks.append(chunk)
        return submit(pool, chunk)

    monkeypatch.setattr(_processes.Pool, "submit", spy)
    return chunks


def test_a_search(wine, tools, started, sent, capfd):
    X, y = wine
    estimator = tools.pipeline(tools.classifier())
    options = {"cv": 5, "return_train_score": True}
    actual = ours.GridSearchCV(estimator, GRID, n_jobs=2, verbose=1, **options).fit(X, y)
    expected = reference.GridSearchCV(estimator, GRID, **options).fit(X, y)
    tools.assert_same_search(actual, expected, X)
    assert len(sent) == 1  # of two chunks
    assert "60/60" in capfd.readouterr().err


def test_fitted_estimators_come_back(wine, tools, started, sent):
    X, y = wine
    options = {"cv": 16, "return_estimator": True}
    actual = ours.cross_validate(tools.classifier(), X, y, n_jobs=2, **options)
    expected = reference.cross_validate(tools.classifier(), X, y, **options)
    assert sent
    np.testing.assert_array_equal(actual["test_score"], expected["test_score"])
    for ours_, theirs in zip(actual["estimator"], expected["estimator"], strict=True):
        assert_equal_up_to_rounding(ours_.coefs_[0], theirs.coefs_[0])


def test_predictions(wine, tools, started, sent):
    X, y = wine
    options = {"cv": 16, "method": "predict_proba"}
    actual = ours.cross_val_predict(tools.classifier(), X, y, n_jobs=2, **options)
    expected = reference.cross_val_predict(tools.classifier(), X, y, **options)
    assert sent
    assert_equal_up_to_rounding(actual, expected)


class Picky:
    """A scorer that fails elsewhere."""

    def __init__(self, error):
        self.home = os.getpid()
        self.error = error

    def __call__(self, estimator, X, y):
        if os.getpid() != self.home:
            raise self.error("as it should")
        return 0.0


@pytest.mark.slow
def test_errors_come_out(wine, tools, started):
    with pytest.raises(RuntimeError, match="as it should"):
        ours.cross_val_score(
            tools.classifier(),
            *wine,
            cv=16,
            n_jobs=2,
            scoring=Picky(RuntimeError),
            error_score="raise",
        )


def warn_and_score(estimator, X, y):
    warnings.warn("a scorer's", DeprecationWarning, stacklevel=1)
    return estimator.score(X, y)


@pytest.mark.parametrize(
    "filters",
    [
        [("error", "", Warning)],
        [("error", "", ConvergenceWarning), ("ignore", "", DeprecationWarning)],
        [("ignore", "", ConvergenceWarning), ("error", "a .*'s$", DeprecationWarning)],
    ],
)
def test_filters_of_warnings_that_are_errors(wine, tools, started, sent, filters):
    X, y = wine
    options = {"cv": 16, "scoring": warn_and_score}
    results = []
    for module, n_jobs in ((ours, 2), (reference, None)):
        with warnings.catch_warnings():
            warnings.resetwarnings()
            for action, message, category in filters:
                warnings.filterwarnings(action, message, category)
            # what scikit-learn itself says of failed fits and scores
            warnings.filterwarnings("ignore", "(\n|.)*(fits failed|Scoring failed|non-finite)")
            try:
                results.append(
                    module.cross_val_score(
                        tools.classifier(max_iter=2), X, y, n_jobs=n_jobs, **options
                    )
                )
            except ValueError as error:
                results.append(str(error).split(".")[0])
    assert sent
    if isinstance(results[1], str):
        assert results == ["\nAll the 16 fits failed"] * 2
    else:
        np.testing.assert_allclose(*results)


def number_of_filters(estimator, X, y):
    """Return a number that tells lists of filters apart."""
    shown = [
        (action, str(message), kind.__name__) for action, message, kind, *_ in warnings.filters
    ]
    return zlib.crc32(repr(shown).encode())


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_all_workers_have_the_filters_of_the_caller(wine, tools, started, sent, backend):
    with warnings.catch_warnings(), joblib.parallel_config(backend=backend):
        warnings.simplefilter("ignore")
        warnings.filterwarnings("once", "some words", UserWarning, "a.module", append=True)
        expected = number_of_filters(None, None, None)
        scores = ours.cross_val_score(
            tools.classifier(max_iter=2), *wine, cv=16, n_jobs=2, scoring=number_of_filters
        )
    assert bool(sent) == (backend == "loky")
    assert set(scores) == {expected}


@pytest.mark.parametrize(
    ("backend", "limits"),
    [
        ("threading", {}),
        ("sequential", {}),
        ("loky", {"WORTH_PROCESSES": 1e15}),
        ("loky", {"SENT_AT_MOST": 10}),
    ],
)
def test_where_no_other_process_is_wanted(wine, tools, sent, monkeypatch, backend, limits):
    for name, value in limits.items():
        monkeypatch.setattr(_workers, name, value)
    X, y = wine
    with joblib.parallel_config(backend=backend):
        actual = ours.cross_val_score(tools.classifier(), X, y, cv=16, n_jobs=2)
    assert not sent
    np.testing.assert_array_equal(
        actual, reference.cross_val_score(tools.classifier(), X, y, cv=16)
    )


def test_until_the_others_have_started_the_work_is_done_here(wine, tools, sent):
    _processes._holder.drop()
    X, y = wine
    actual = ours.cross_val_score(tools.classifier(), X, y, cv=16, n_jobs=2)
    expected = reference.cross_val_score(tools.classifier(), X, y, cv=16)
    np.testing.assert_array_equal(actual, expected)
    assert len(sent) < 2


class Deadly:
    """A scorer that ends any other process than the one that made it."""

    def __init__(self):
        self.home = os.getpid()

    def __call__(self, estimator, X, y):
        if os.getpid() != self.home:
            os._exit(1)
        return accuracy_score(y, estimator.predict(X))


@pytest.mark.filterwarnings("ignore:A worker stopped")
def test_the_work_of_a_process_that_dies_is_done_here(wine, tools, started, sent):
    X, y = wine
    options = {"cv": 16, "scoring": Deadly()}
    actual = ours.cross_val_score(tools.classifier(), X, y, n_jobs=2, **options)
    expected = reference.cross_val_score(tools.classifier(), X, y, **options)
    assert sent
    np.testing.assert_array_equal(actual, expected)
    assert _processes._holder.pool is None  # the next search starts another


def test_another_number_of_processes_replaces_the_pool():
    pool = _processes._holder.get(2)
    assert _processes._holder.get(2) is pool
    assert _processes._holder.get(1) is not pool


def test_an_interrupt_ends_the_others(wine, tools, started):
    def interrupt(estimator, X, y):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ours.cross_val_score(tools.classifier(), *wine, cv=16, n_jobs=2, scoring=interrupt)
    assert _processes._holder.pool is None


class Unsendable:
    """A scorer that does not pickle."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, estimator, X, y):
        return accuracy_score(y, estimator.predict(X))


@pytest.mark.slow
def test_what_cannot_be_sent_is_done_here(wine, tools, started, sent):
    X, y = wine
    options = {"cv": 16, "scoring": Unsendable()}
    actual = ours.cross_val_score(tools.classifier(), X, y, n_jobs=2, **options)
    expected = reference.cross_val_score(tools.classifier(), X, y, **options)
    assert sent
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("action", "n_printed"), [("ignore", 0), ("always", 8)])
def test_what_the_other_process_prints(wine, tools, sent, capfd, action, n_printed):
    _processes._holder.drop()  # the next process prints to where this test reads
    _processes._holder.get(1).started.result(timeout=120)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        ours.cross_val_score(tools.classifier(max_iter=2), *wine, cv=16, n_jobs=2)
    assert sent
    assert len(caught) == n_printed
    assert capfd.readouterr().err.count("ConvergenceWarning:") == n_printed
