"""Chunks: how calls are cut, and what happens when a chunk is too large."""

import collections
import itertools

import numpy as np
import pytest
import sklearn.model_selection as reference
import torch
from sklearn.model_selection._validation import _fit_and_score

import sknn.model_selection as ours
import sknn.model_selection._chunks as chunks
from sknn.model_selection._calls import Call
from sknn.model_selection._chunks import plan_chunks

X, Y = np.zeros((100, 10)), np.zeros(100)
ENOUGH = 10**12


@pytest.fixture
def make_calls(tools):
    folds = [np.arange(80) for _ in range(5)]

    def make(n_candidates, stacking_key="stack", preprocessing=(None,)):
        calls = []
        for number in range(n_candidates):
            for train in folds:
                arguments = {"estimator": tools.classifier(), "X": X, "y": Y, "train": train}
                call = Call(
                    len(calls), _fit_and_score, arguments, CONFIG, stacking_key=stacking_key
                )
                call.data_key = (call.fold_key, preprocessing[number % len(preprocessing)])
                calls.append(call)
        return calls

    return make


CONFIG = {"working_memory": 1024}


@pytest.mark.parametrize(
    ("n_candidates", "n_workers", "sizes"),
    [
        (12, 2, [30] * 2),
        (12, 1, [30] * 2),
        (1, 2, [2, 3]),
        (1, 8, [1] * 5),
        (8, 2, [20] * 2),
        (8, 3, [13, 14, 13]),
        (100, 2, [32, 31] * 8),
    ],
)
def test_numbers_of_chunks(make_calls, n_candidates, n_workers, sizes):
    planned = plan_chunks(make_calls(n_candidates), n_workers, ENOUGH)
    assert len(planned) == len(sizes)
    assert {len(chunk.calls) for chunk in planned} <= set(sizes)
    assert sum(len(chunk.calls) for chunk in planned) == 5 * n_candidates


def test_stacks_of_their_own(make_calls):
    calls = [call for key in "abc" for call in make_calls(1, key)]
    planned = plan_chunks(calls, 2, ENOUGH)
    assert sorted(len(chunk.calls) for chunk in planned) == [5, 5, 5]
    for chunk in planned:
        assert len({call.stacking_key for call in chunk.calls}) == 1


def test_calls_on_the_same_data_are_neighbours(make_calls):
    calls = make_calls(12, preprocessing=("a", "b"))
    keys = [call.data_key for chunk in plan_chunks(calls, 2, ENOUGH) for call in chunk.calls]
    changes = sum(one != other for one, other in itertools.pairwise(keys))
    assert changes == 5 * 2 - 1
    assert collections.Counter(keys) == collections.Counter(call.data_key for call in calls)


def test_memory_cuts_chunks(make_calls, monkeypatch):
    monkeypatch.setattr(chunks, "bytes_per_fit", lambda *_: 1000)
    calls = make_calls(12)
    fold = 80 * 21 * 8  # X twice, and y
    planned = plan_chunks(calls, 1, fold + 4000)
    assert all(chunk.n_bytes <= fold + 4000 for chunk in planned)
    assert max(len(chunk.calls) for chunk in planned) == 4
    for chunk in planned:
        assert chunk.n_bytes == fold + 1000 * len(chunk.calls)
    halves = plan_chunks(calls, 2, fold + 4000)  # two at once
    assert [len(chunk.calls) for chunk in halves] == [1] * 60


def test_a_gpu_gets_all_at_once(make_calls, monkeypatch):
    monkeypatch.setattr(chunks, "device_of", lambda _: torch.device("cuda"))
    assert [len(chunk.calls) for chunk in plan_chunks(make_calls(50), 1, ENOUGH)] == [250]


def test_devices_that_do_not_exist_are_the_fit_s_business(wine, tools):
    with pytest.raises(ValueError, match="device='gpu'"):
        ours.cross_val_score(tools.classifier(device="gpu"), *wine, error_score="raise")


# ------------------------------------------------------------------------------- out of memory


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

    original = chunks.fit_together
    monkeypatch.setattr(chunks, "fit_together", fit_together)
    return sizes


def test_halves_of_what_was_too_much(wine, tools, little_memory, capfd):
    data = wine
    grid = {"net__learning_rate_init": [0.01, 0.02, 0.05], "net__random_state": [0, 1]}
    estimator = tools.pipeline(tools.classifier())
    actual = ours.GridSearchCV(estimator, grid, cv=2, n_jobs=1, verbose=1).fit(*data)
    assert little_memory == [12, 6, 3, 3, 6, 3, 3]
    assert "12/12" in capfd.readouterr().err
    expected = reference.GridSearchCV(estimator, grid, cv=2).fit(*data)
    tools.assert_same_search(actual, expected, data[0])


def test_a_network_that_is_too_much_by_itself(wine, tools, monkeypatch):
    def fit_together(tasks, **options):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(chunks, "fit_together", fit_together)
    with pytest.raises(torch.OutOfMemoryError):
        ours.cross_val_score(tools.classifier(), *wine)
