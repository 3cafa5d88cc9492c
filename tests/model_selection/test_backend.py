"""The backend within joblib: who else uses it meanwhile, and what comes after it."""

import _thread
import threading
import time

import joblib
import numpy as np
import pytest
import sklearn.model_selection as reference
from joblib.parallel import get_active_backend
from sklearn.callback import AutoPropagatedCallback
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.utils.parallel import Parallel, delayed

import sknn.model_selection as ours
from sknn.model_selection import _backend, stacked_fits
from sknn.model_selection._backend import StackingBackend


def square(number):
    return number * number


def square_or_fail(number):
    if number == 3:
        raise RuntimeError("three")
    return square(number)


# --------------------------------------------------------------------- other users of joblib


@pytest.fixture
def threads():
    """The backend before: processes would take seconds to start."""
    with joblib.parallel_config(backend="threading"):
        yield


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
@pytest.mark.parametrize("pre_dispatch", ["2*n_jobs", "all", 2])
def test_other_calls_are_passed_on(threads, n_jobs, pre_dispatch):
    with stacked_fits():
        parallel = joblib.Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch)
        assert parallel(joblib.delayed(square)(number) for number in range(5)) == [0, 1, 4, 9, 16]
        with Parallel(n_jobs=n_jobs) as parallel:  # more than once
            for _ in range(2):
                assert parallel(delayed(square)(number) for number in (1, 2)) == [1, 4]
        assert Parallel(n_jobs=n_jobs)([]) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_are_passed_on_and_forgotten(threads, n_jobs):
    with stacked_fits():
        parallel = Parallel(n_jobs=n_jobs)
        with pytest.raises(RuntimeError, match="three"):
            parallel(delayed(square_or_fail)(number) for number in range(5))
        assert Parallel(n_jobs=n_jobs)(delayed(square)(number) for number in (1, 2)) == [1, 4]


def test_no_jobs_at_all(wine, tools):
    with pytest.raises(ValueError, match="n_jobs == 0"):
        ours.cross_val_score(tools.classifier(), *wine, n_jobs=0)


def test_the_number_of_workers_is_that_of_the_backend_before():
    with stacked_fits():
        assert joblib.effective_n_jobs(3) == 3
        assert joblib.effective_n_jobs(None) == 1
        with joblib.parallel_config(n_jobs=2):
            assert joblib.effective_n_jobs(None) == 2


def test_preferences_lead_to_the_backend_before(wine):
    X, y = wine
    forest = RandomForestClassifier(10, n_jobs=2, random_state=0)
    with stacked_fits():
        actual = forest.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(actual, forest.fit(X, y).predict_proba(X))


def test_what_was_active_before_is_active_afterwards(wine, tools):
    with joblib.parallel_config(backend="threading", n_jobs=2):
        before = get_active_backend()
        with stacked_fits():
            assert isinstance(get_active_backend()[0], StackingBackend)
            ours.cross_val_score(tools.classifier(), *wine, cv=2)
            assert isinstance(get_active_backend()[0], StackingBackend)
        assert get_active_backend() == before
        with pytest.raises(ValueError, match="cv"):
            ours.cross_val_score(tools.classifier(), *wine, cv="none")
        assert get_active_backend() == before


def test_settings_within_the_context_remain(wine, tools, trained):
    X, y = wine
    with stacked_fits(), joblib.parallel_config(n_jobs=3):
        for _ in range(2):
            reference.cross_val_score(tools.classifier(), X, y, cv=3)
            assert joblib.effective_n_jobs(None) == 3
    assert len(trained) == 6


def test_the_number_of_jobs_of_a_context(wine, tools, monkeypatch):
    X, y = wine
    numbers = []
    run_in_threads = _backend.run_in_threads

    def spy(calls, n_threads, *args):
        numbers.append(n_threads)
        return run_in_threads(calls, n_threads, *args)

    monkeypatch.setattr(_backend, "run_in_threads", spy)
    with joblib.parallel_config(n_jobs=5):
        ours.cross_val_score(tools.classifier(), X, y)
        ours.cross_val_score(tools.classifier(), X, y, n_jobs=2)
    ours.cross_val_score(tools.classifier(), X, y)
    ours.cross_val_score(tools.classifier(), X, y, n_jobs=-1)
    ours.cross_val_score(tools.classifier(), X, y, n_jobs=-1000)
    with joblib.parallel_config(backend="sequential"):
        ours.cross_val_score(tools.classifier(), X, y, n_jobs=3)
    assert numbers == [5, 2, 1, joblib.cpu_count(), 1, 1]


# ---------------------------------------------------------------- other functions of scikit-learn


def test_learning_curve(wine, tools, trained):
    X, y = wine
    given = {"train_sizes": [0.5, 1.0], "cv": 3, "shuffle": True, "random_state": 0}
    with stacked_fits():
        actual = reference.learning_curve(tools.classifier(), X, y, **given)
    assert sum(map(len, trained)) == 6
    for one, other in zip(
        actual, reference.learning_curve(tools.classifier(), X, y, **given), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_functions_within_calls_of_others(wine, tools):
    X, y = wine
    estimator = StackingClassifier(
        [("first", tools.classifier()), ("second", LogisticRegression())], cv=3
    )
    with stacked_fits():
        actual = estimator.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(actual, estimator.fit(X, y).predict_proba(X))


# ------------------------------------------------------------------------------------- callbacks


class Recorder:
    """A callback that a search hands to its estimators."""

    max_propagation_depth = None

    def __init__(self):
        self.seen = []
        self.lock = threading.Lock()

    def setup(self, estimator, context):
        self.note("setup", estimator)

    def teardown(self, estimator, context):
        self.note("teardown", estimator)

    def on_fit_task_begin(self, estimator, context):
        self.note("begin", estimator, context)

    def on_fit_task_end(self, estimator, context):
        self.note("end", estimator, context)

    def note(self, event, estimator, context=None):
        with self.lock:
            self.seen.append((event, type(estimator).__name__, context and context.task_name))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_of_a_search(wine, tools, trained, n_jobs):
    assert isinstance(Recorder(), AutoPropagatedCallback)
    X, y = wine
    seen = []
    for searches in (ours, reference):
        recorder = Recorder()
        search = searches.GridSearchCV(tools.classifier(), {"alpha": [0, 0.1]}, n_jobs=n_jobs, cv=2)
        if searches is reference:
            search.set_params(n_jobs=None)
        search.set_callbacks(recorder).fit(X, y)
        # of networks that are fitted here, no epochs
        seen.append(sorted(str(event) for event in recorder.seen if "epoch" not in str(event[2])))
        fits = [event for event in recorder.seen if event == ("end", "NeuralClassifier", "fit")]
        assert len(fits) == 5
    assert seen[0] == seen[1]
    assert sum(map(len, trained)) == 4


def test_networks_with_callbacks_are_fitted_singly(wine, tools, trained):
    ours.cross_val_score(tools.classifier().set_callbacks(NotPropagated()), *wine, cv=2)
    assert not trained


class NotPropagated:
    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context): ...


# ------------------------------------------------------------------------------------ interrupts


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_within_a_fit(wine, tools, n_jobs):
    X, y = wine
    calls = []

    def scorer(estimator, X, y):
        calls.append(0)
        raise KeyboardInterrupt

    search = ours.GridSearchCV(
        tools.classifier(), {"alpha": np.logspace(-6, 0, 20)}, scoring=scorer, n_jobs=n_jobs
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert len(calls) <= n_jobs


def test_an_interrupt_while_threads_work(wine, tools):
    X, y = wine
    calls = []

    def scorer(estimator, X, y):
        if not calls:
            _thread.interrupt_main()  # as Ctrl-C does
        calls.append(0)
        time.sleep(0.05)
        return accuracy_score(y, estimator.predict(X))

    search = ours.GridSearchCV(
        tools.classifier(), {"alpha": np.logspace(-6, 0, 20)}, scoring=scorer, n_jobs=2
    )
    n_threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert len(calls) < 40
    assert threading.active_count() == n_threads
    assert isinstance(get_active_backend()[0], joblib.parallel.BACKENDS["loky"])
