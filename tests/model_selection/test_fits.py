"""Who runs calls: threads, one program on a GPU, or a backend that the user has chosen."""

import itertools
import sys
import threading
import warnings

import joblib
import numpy as np
import pytest
import sklearn.model_selection as reference
import torch
from joblib._parallel_backends import ThreadingBackend
from sklearn.metrics import accuracy_score
from sklearn.model_selection._validation import _fit_and_score

import sknn.model_selection as ours
from sknn.model_selection import _fits, _memory
from sknn.model_selection._calls import Call
from sknn.model_selection._memory import MemorySizes

X, Y = np.zeros((100, 10)), np.zeros(100)
ENOUGH = 10**12
CONFIG = {"working_memory": 1024}
GRID = {"net__learning_rate_init": [0.01, 0.02, 0.05], "scale__with_mean": [True, False]}


@pytest.fixture
def make_calls(tools):
    folds = [np.arange(80) for _ in range(5)]

    def make(n_candidates, stacking_key="stack", preprocessing=(None,), **parameters):
        calls = []
        for number in range(n_candidates):
            for train in folds:
                estimator = tools.classifier(**parameters)
                arguments = {"estimator": estimator, "X": X, "y": Y, "train": train}
                call = Call(
                    len(calls), _fit_and_score, arguments, CONFIG, stacking_key=stacking_key
                )
                call.data_key = (call.fold_key, preprocessing[number % len(preprocessing)])
                calls.append(call)
        return calls

    return make


@pytest.fixture
def run(monkeypatch):
    """The calls of each `run_together`, which does nothing."""
    seen = []

    def run_together(calls, cache, progress):
        seen.append(list(calls))
        return [(call.index, None) for call in calls]

    monkeypatch.setattr(_fits, "run_together", run_together)
    return seen


# ------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_a_thread_takes_one_call_after_the_other(make_calls, run, n_threads):
    calls = make_calls(3)
    results = _fits.run_in_threads(calls, n_threads, ENOUGH, _fits.Progress())
    assert sorted(results) == [(call.index, None) for call in calls]
    assert sorted(call.index for (call,) in run) == [call.index for call in calls]


def test_calls_on_the_same_data_are_neighbours_and_large_ones_come_first(make_calls, run):
    calls = make_calls(4, preprocessing=("a", "b"))
    calls += make_calls(4, preprocessing=("a", "b"), hidden_layer_sizes=(50,))
    _fits.run_in_threads(calls, 1, ENOUGH, _fits.Progress())
    taken = [call for (call,) in run]
    keys = [call.data_key for call in taken]
    assert sum(one != other for one, other in itertools.pairwise(keys)) == 5 * 2 - 1
    widths = [call.network.hidden_layer_sizes[0] for call in taken]
    assert widths == [50, 50, 8, 8] * 10


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_run_in_threads_of_this_process(wine, tools, backend):
    threads = []

    def scorer(estimator, X, y):
        threads.append(threading.current_thread().name)
        return accuracy_score(y, estimator.predict(X))

    with joblib.parallel_config(backend=backend):
        ours.cross_val_score(tools.classifier(), *wine, cv=8, scoring=scorer, n_jobs=2)
        assert all(name.startswith("sknn-fits") for name in threads)
        threads.clear()
        ours.cross_val_score(tools.classifier(), *wine, cv=8, scoring=scorer)
    assert set(threads) == {threading.current_thread().name}


def test_a_thread_has_one_thread_of_torch_s(wine, tools):
    before = torch.get_num_threads()

    def scorer(estimator, X, y):
        return torch.get_num_threads()

    assert set(ours.cross_val_score(tools.classifier(), *wine, scoring=scorer, n_jobs=2)) == {1}
    assert torch.get_num_threads() == before


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

    expected = reference.cross_val_score(tools.classifier(), X, y, scoring=scorer)
    for n_jobs in (1, 2):
        actual = ours.cross_val_score(tools.classifier(), X, y, scoring=scorer, n_jobs=n_jobs)
        np.testing.assert_array_equal(actual, expected)


def test_the_bar_needs_no_tqdm_unless_asked_for(wine, tools, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    ours.cross_val_score(tools.classifier(), *wine)
    with pytest.raises(ImportError):
        ours.cross_val_score(tools.classifier(), *wine, verbose=1)


def test_devices_that_do_not_exist_are_the_fit_s_business(wine, tools):
    with pytest.raises(ValueError, match="device='gpu'"):
        ours.cross_val_score(tools.classifier(device="gpu"), *wine, error_score="raise")


# ---------------------------------------------------------------------------- backends of users


class ForeignBackend(ThreadingBackend):
    """Stands for a backend that somebody else has registered."""

    default_n_jobs = 2


@pytest.fixture
def foreign(monkeypatch):
    monkeypatch.setitem(joblib.parallel.BACKENDS, "foreign", ForeignBackend)
    return "foreign"


def test_other_backends_run_the_fits(wine, tools, trained, foreign):
    X, y = wine
    estimator = tools.pipeline(tools.classifier())
    with joblib.parallel_config(backend=foreign):
        actual = ours.GridSearchCV(estimator, GRID, cv=3).fit(X, y)
    assert not trained
    expected = reference.GridSearchCV(estimator, GRID, cv=3).fit(X, y)
    tools.assert_same_search(actual, expected, X)


def test_stacks_stay_here_whatever_the_backend(wine, tools, trained, foreign, stacks_on_a_cpu):
    with joblib.parallel_config(backend=foreign):
        ours.cross_val_score(tools.classifier(), *wine, cv=4)
    assert [len(tasks) for tasks in trained] == [4]


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
    np.testing.assert_array_equal(scores["test_score"], reference.cross_val_score(estimator, X, y))
    assert scores["estimator"][0].predict(X).shape == y.shape


# -------------------------------------------------------------------------------------- stacks


def test_a_search_in_stacks_finds_the_same(wine, tools, trained, stacks_on_a_cpu):
    X, y = wine
    estimator = tools.pipeline(tools.classifier())
    grid = GRID | {"net__hidden_layer_sizes": [(8,), (4, 4)]}
    actual = ours.GridSearchCV(estimator, grid, cv=3, n_jobs=2).fit(X, y)
    assert [len(tasks) for tasks in trained] == [18, 18]
    expected = reference.GridSearchCV(estimator, grid, cv=3).fit(X, y)
    tools.assert_same_search(actual, expected, X, rtol=1e-6)


def test_stacks_of_their_own(make_calls, run):
    calls = [call for key in "abc" for call in make_calls(2, key)]
    _fits.run_in_stacks(calls, ENOUGH, _fits.Progress())
    assert [len(stack) for stack in run] == [10, 10, 10]
    for stack in run:
        assert len({call.stacking_key for call in stack}) == 1


def test_memory_cuts_stacks(make_calls, run, monkeypatch):
    monkeypatch.setattr(_memory, "bytes_per_fit", lambda *_: 1000)
    fold = 80 * 21 * 8  # X twice, and y
    calls = make_calls(12)
    _fits.run_in_stacks(calls, fold + 4000, _fits.Progress())
    assert [len(stack) for stack in run] == [4] * 15
    assert all(len({call.data_key for call in stack}) == 1 for stack in run)
    run.clear()
    _fits.run_in_stacks(calls, 2 * fold + 14_000, _fits.Progress())
    assert [len(stack) for stack in run] == [14] * 4 + [4]
    run.clear()
    _fits.run_in_stacks(calls, 1, _fits.Progress())
    assert [len(stack) for stack in run] == [1] * 60
    assert MemorySizes().of(calls[0]) == fold + 1000


@pytest.fixture
def little_memory(monkeypatch):
    """No memory for more than three networks at once; the sizes of the attempts."""
    sizes = []

    def fit_together(tasks, **options):
        sizes.append(len(tasks))
        if len(tasks) > 3:
            original(tasks[:2], **options)  # something has been done before
            raise torch.OutOfMemoryError("no memory")
        original(tasks, **options)

    original = _fits.fit_together
    monkeypatch.setattr(_fits, "fit_together", fit_together)
    return sizes


def test_halves_of_what_was_too_much(wine, tools, stacks_on_a_cpu, little_memory, capfd):
    data = wine
    grid = {"net__learning_rate_init": [0.01, 0.02, 0.05], "net__random_state": [0, 1]}
    estimator = tools.pipeline(tools.classifier())
    actual = ours.GridSearchCV(estimator, grid, cv=2, verbose=1).fit(*data)
    assert little_memory == [12, 6, 3, 3, 6, 3, 3]
    assert "12/12 fits" in capfd.readouterr().err
    expected = reference.GridSearchCV(estimator, grid, cv=2).fit(*data)
    tools.assert_same_search(actual, expected, data[0], rtol=1e-6)


def test_a_network_that_is_too_much_by_itself(wine, tools, stacks_on_a_cpu, monkeypatch):
    def fit_together(tasks, **options):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(_fits, "fit_together", fit_together)
    with pytest.raises(torch.OutOfMemoryError):
        ours.cross_val_score(tools.classifier(), *wine)
