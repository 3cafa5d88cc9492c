"""The file of a checkpoint: when it is written, and whose it is."""

import os
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknn import NeuralClassifier
from sknn.training import Checkpoint, prepare_folder
from sknn.training.checkpoints import _checkpoint
from sknn.training.checkpoints._fit_record import compare_fits
from tests.helpers import case_name

NUMBERS = np.random.default_rng(0).normal(size=(7, 3))


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
    now.append(written)  # type: ignore[arg-type]
    return now


TRAINING: Any = SimpleNamespace(predicting=nullcontext, is_done=False)


def make_checkpoint(folder: Path, minutes: float, *, n_together: int = 1) -> Checkpoint:
    return Checkpoint(
        folder,
        minutes,
        describe(),
        lambda training: None,
        n_together=n_together,
        progress_of=lambda training: {},
    )


def run_epochs(checkpoint: Checkpoint, clock: Any, n_epochs: int, seconds: float) -> np.ndarray:
    checkpoint.begin(TRAINING)
    for _ in range(n_epochs):
        clock[0] += seconds
        checkpoint.after_epoch(TRAINING)
    return np.array(clock[1])


@pytest.mark.parametrize("n_together", [1, 4])
def test_writing_takes_a_share_of_the_time(n_together: int, tmp_path: Path, clock: Any) -> None:
    """It is a hundredth, and a quarter of a second more, for all fits that go on together."""
    checkpoint = make_checkpoint(tmp_path, 10, n_together=n_together)
    run_epochs(checkpoint, clock, 4000, 0.05)
    spent = n_together * 0.02 * len(clock[1])
    allowed = 0.25 + 0.01 * clock[0]
    assert allowed - 0.05 < spent < allowed + n_together * 0.02 + 1e-9


def test_each_epoch_of_a_short_fit_is_kept(tmp_path: Path, clock: Any) -> None:
    checkpoint = make_checkpoint(tmp_path, 10)
    written = run_epochs(checkpoint, clock, 12, 0.01)
    assert_allclose(np.diff(written), 0.03)
    assert len(written) == 13


def test_no_pause_is_longer_than_the_minutes(tmp_path: Path, clock: Any) -> None:
    checkpoint = make_checkpoint(tmp_path, 0.5 / 60)
    gaps = np.diff(run_epochs(checkpoint, clock, 4000, 0.01))
    assert gaps.max() <= 0.5 + 0.01 + 0.02 + 1e-9
    assert gaps[-1] > 0.5


def test_the_end_is_written_once(tmp_path: Path, clock: Any) -> None:
    checkpoint = make_checkpoint(tmp_path, 10)
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
