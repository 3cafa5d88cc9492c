"""What checkpoints are made of: states of callbacks, places in an epoch."""

import os
import time
from collections import Counter, OrderedDict
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, LRScheduler, ProgressBar
from torch import nn

from sknn import NeuralClassifier
from sknn.data import Samples, make_rows
from sknn.training import (
    Checkpoint,
    TrainingState,
    callback_parameters,
    isolated_torch_rng,
    prepare_folder,
    stateful,
)
from sknn.training._randomness import OwnGenerators
from sknn.training._training import EpochSums
from sknn.training.checkpoints import _checkpoint
from sknn.training.checkpoints._callback_state import callback_state, restore_callback
from sknn.training.checkpoints._checkpoint import compare_fits
from tests.helpers import case_name

CPU = torch.device("cpu")
rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(7, 3))

# ---------------------------------------------------------------------------- parts of an epoch


@pytest.mark.parametrize("order", [None, rng.permutation(7)])
@pytest.mark.parametrize("subset", [None, np.array([6, 1, 2, 5, 0, 3, 4])])
@pytest.mark.parametrize("batch_size", [2, 3, 7])
def test_batches_can_be_taken_from_any_on(
    order: np.ndarray | None, subset: np.ndarray | None, batch_size: int
) -> None:
    targets, weights = np.arange(7.0)[:, None], np.arange(1.0, 8)
    rows = make_rows(NUMBERS, CPU, torch.float64)
    samples = Samples(rows, NUMBERS, targets, targets, weights, subset=subset)
    all_batches = list(samples.batches(batch_size, order))
    for first in range(len(all_batches) + 1):
        rest = list(samples.batches(batch_size, order, first=first))
        assert len(rest) == len(all_batches) - first
        for one, other in zip(rest, all_batches[first:], strict=True):
            assert torch.equal(one.X, other.X)  # type: ignore[arg-type]
            assert torch.equal(one.targets, other.targets)
            assert one.weight_sum == other.weight_sum


def test_sums_go_on_with_the_seconds_that_an_epoch_has_taken() -> None:
    sums = EpochSums(np.arange(3), 2, 5, torch.tensor(1.5), 2.5, torch.tensor([1, 0]))
    sums.begun -= 100
    again = EpochSums.from_data(sums.as_data(), CPU)
    assert 100 <= again.seconds < 101
    for name in ("n_batches", "n_answers", "loss_sum", "weight_sum"):
        assert getattr(again, name) == getattr(sums, name)
    assert again.order is not None
    assert_array_equal(again.order, [0, 1, 2])
    assert again.decisions is not None
    assert again.decisions.tolist() == [1, 0]


def test_generators_go_on_where_others_stood_alone_and_in_a_stack() -> None:
    state = TrainingState(np.random.RandomState(0))
    with isolated_torch_rng(state, CPU) as lent:
        torch.rand(5)
        states = lent.states()
        expected = torch.rand(5)
    own = OwnGenerators(TrainingState(np.random.RandomState(1)), CPU)
    own.restore(states)
    assert torch.equal(own.states()[0], states[0])
    assert torch.equal(torch.rand(5, generator=own.generator), expected)
    own.restore(states)
    with isolated_torch_rng(TrainingState(np.random.RandomState(2)), CPU) as lent:
        lent.restore(own.states())
        assert torch.equal(torch.rand(5), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_generators_of_a_gpu_go_on_too() -> None:
    device = torch.device("cuda")
    state = TrainingState(np.random.RandomState(0))
    with isolated_torch_rng(state, device) as lent:
        torch.rand(5, device=device)
        states = lent.states()
        expected = torch.rand(5, device=device)
    assert len(states) == 2
    own = OwnGenerators(TrainingState(np.random.RandomState(1)), device)
    own.restore(states)
    assert torch.equal(torch.rand(5, device=device, generator=own.generator), expected)
    with isolated_torch_rng(TrainingState(np.random.RandomState(2)), device) as lent:
        lent.restore(states)
        assert torch.equal(torch.rand(5, device=device), expected)


def test_a_state_takes_over_all_but_what_is_put_back_elsewhere() -> None:
    other = TrainingState(np.random.RandomState(1), n_samples_seen=7, n_steps=3, learning_rate=0.5)
    other.history.append({"epoch": 1})
    other.best = [torch.ones(2)]
    mine = TrainingState(np.random.RandomState(0), solver="adam")
    random_state, history = mine.random_state, mine.history
    mine.take_over(other, CPU)
    assert mine.random_state is random_state
    assert random_state.randint(2**31) == np.random.RandomState(1).randint(2**31)
    assert mine.history is history
    assert list(history) == [{"epoch": 1}]
    assert (mine.n_samples_seen, mine.n_steps, mine.learning_rate) == (7, 3, 0.5)
    assert mine.best is not None
    assert torch.equal(mine.best[0], torch.ones(2))
    assert mine.solver == "adam"


# ------------------------------------------------------------------------------------ callbacks


class Remembers(Callback):
    def __init__(self, limit: int = 2, data: Any = None, log: Any = None) -> None:
        self.limit, self.data, self.log = limit, data, log


def test_the_state_of_a_callback_is_its_plain_attributes() -> None:
    callback = Remembers(3, np.zeros(5), ["first"])
    callback.seen_ = {1, 2}
    callback.best_ = OrderedDict(weight=torch.ones(2))
    callback.function_ = len
    callback.average_ = nn.Linear(1, 1)
    state = callback_state(callback)
    assert set(state["attributes"]) == {"limit", "log", "seen_", "best_"}  # no array, no function
    assert type(state["attributes"]["best_"]) is dict
    assert set(state["parts"]) == {"average_"}
    other = Remembers(3, np.zeros(5), [])
    other.average_ = nn.Linear(1, 1)
    restore_callback(other, state)
    assert other.seen_ == {1, 2}
    assert other.log == ["first"]
    assert torch.equal(other.average_.weight, callback.average_.weight)


def test_early_stopping_keeps_the_best_weights_though_its_pickle_does_not() -> None:
    callback = EarlyStopping(load_best=True)
    callback.best_model_weights_ = OrderedDict(weight=torch.ones(2))
    assert torch.equal(
        callback_state(callback)["attributes"]["best_model_weights_"]["weight"], torch.ones(2)
    )


def test_milestones_stay_a_counter() -> None:
    def scheduler(steps: int) -> Any:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        callback = LRScheduler("MultiStepLR", milestones=[2, 4]).initialize()
        callback.lr_scheduler_ = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
        for _ in range(steps):
            optimizer.step()
            callback.lr_scheduler_.step()
        return callback

    new = scheduler(0)
    restore_callback(new, callback_state(scheduler(3)))
    assert type(new.lr_scheduler_.milestones) is Counter
    assert new.lr_scheduler_.last_epoch == 3


def test_only_callbacks_that_do_more_than_report_are_looked_at() -> None:
    callback = Remembers()
    named = ("mine", callback)
    assert stateful([EpochTimer(), named, ProgressBar()]) == [callback]
    assert callback_parameters(Remembers(4)) == {"limit": 4, "data": None, "log": None}
    scheduler = LRScheduler("StepLR", step_size=3)
    assert callback_parameters(scheduler)["step_size"] == 3


# ------------------------------------------------------------------------------------- the file


def describe(**changes: Any) -> dict[str, Any]:
    fit: dict[str, Any] = {
        "estimator": "A",
        "parameters": {"alpha": ("0.1", "aaaa"), "module": ("Net", "bbbb")},
        "data": {"X": "x", "y": "y"},
        "start": None,
        "weights": "float64",
        "random_state": None,
    }
    return fit | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"random_state": np.random.RandomState(0)}, []),
        ({"estimator": "B"}, ["of a A, not of a B"]),
        (
            {"parameters": {"alpha": ("0.2", "cccc"), "module": ("Net", "bbbb")}},
            ["alpha=0.1 there and 0.2 here"],
        ),
        (
            {"parameters": {"alpha": ("0.1", "aaaa"), "module": ("Net", "cccc")}},
            ["module=Net has another content there (bbbb) than here (cccc)"],
        ),
        (
            {"parameters": {"alpha": ("0.1", "aaaa"), "module": ("Net", "bbbb"), "n": ("1", "d")}},
            ["n=absent there and 1 here"],
        ),
        ({"data": {"X": "x", "y": "z"}}, ["other data (y)"]),
    ],
    ids=case_name,
)
def test_fits_are_compared_part_by_part(changes: dict[str, Any], said: list[str]) -> None:
    assert compare_fits(describe(), describe(**changes)) == said


def test_a_checkpoint_is_due_after_its_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    checkpoint = Checkpoint(tmp_path, 2.0, describe(), lambda training: None)
    for seconds, expected in ((0, False), (119, False), (121, True)):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
        assert checkpoint.is_due() is expected


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Writing takes 20 ms; one appends what time it was after each."""
    now, written = [0.0], []

    def write(path: Any, parts: Any, kind: str) -> None:
        now[0] += 0.02
        written.append(now[0])

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_checkpoint, "write_parts", write)
    monkeypatch.setattr(_checkpoint, "progress_of", lambda training: {})
    now.append(written)  # type: ignore[arg-type]
    return now


TRAINING: Any = SimpleNamespace(predicting=nullcontext, is_done=False)


def run_epochs(checkpoint: Checkpoint, clock: Any, n_epochs: int, seconds: float) -> np.ndarray:
    checkpoint.begin(TRAINING)
    for _ in range(n_epochs):
        clock[0] += seconds
        checkpoint.after_epoch(TRAINING)
    return np.array(clock[1])


@pytest.mark.parametrize("n_together", [1, 4])
def test_writing_takes_a_share_of_the_time(n_together: int, tmp_path: Path, clock: Any) -> None:
    """It is a hundredth, and a quarter of a second more, for all fits that go on together."""
    checkpoint = Checkpoint(tmp_path, 10, describe(), lambda training: None, n_together=n_together)
    run_epochs(checkpoint, clock, 4000, 0.05)
    spent = n_together * 0.02 * len(clock[1])
    allowed = 0.25 + 0.01 * clock[0]
    assert allowed - 0.05 < spent < allowed + n_together * 0.02 + 1e-9


def test_each_epoch_of_a_short_fit_is_kept(tmp_path: Path, clock: Any) -> None:
    checkpoint = Checkpoint(tmp_path, 10, describe(), lambda training: None)
    written = run_epochs(checkpoint, clock, 12, 0.01)
    assert_allclose(np.diff(written), 0.03)
    assert len(written) == 13


def test_no_pause_is_longer_than_the_minutes(tmp_path: Path, clock: Any) -> None:
    checkpoint = Checkpoint(tmp_path, 0.5 / 60, describe(), lambda training: None)
    gaps = np.diff(run_epochs(checkpoint, clock, 4000, 0.01))
    assert gaps.max() <= 0.5 + 0.01 + 0.02 + 1e-9
    assert gaps[-1] > 0.5


def test_the_end_is_written_once(tmp_path: Path, clock: Any) -> None:
    checkpoint = Checkpoint(tmp_path, 10, describe(), lambda training: None)
    before = len(run_epochs(checkpoint, clock, 500, 0.01))
    checkpoint.complete(TRAINING)
    checkpoint.complete(TRAINING)
    assert len(clock[1]) == before + 1


def test_only_leftovers_of_this_file_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    prepare_folder(folder, "f")
    for name in (".f.12.tmp", ".g.12.tmp", "f", "f.tmp"):
        (folder / name).touch()
    prepare_folder(os.fspath(folder), "f")
    assert sorted(path.name for path in folder.iterdir()) == [".g.12.tmp", "f", "f.tmp"]


def test_a_batch_asks_the_clock_only_with_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Checkpoint, "is_due", lambda self: asked.append(1))
    NeuralClassifier((3,), max_iter=2, batch_size=2, learning_rate="cosine").fit(
        NUMBERS, np.arange(7) % 2
    )
    assert asked == []
