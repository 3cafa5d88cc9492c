"""The engine; that each network is as if trained alone is in tests/estimators/test_together.py."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from sknn import NeuralRegressor, compiled
from sknn.estimators._checks import FitArguments
from sknn.estimators._fit import prepare as prepare_fit
from sknn.training import Interrupted, _engine, train_all
from tests.compiled.ways import torch_alone

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = X[:, 0] - X[:, 1] ** 2


def prepare(**parameters: Any) -> Any:
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0} | parameters
    return prepare_fit(NeuralRegressor(**parameters), FitArguments(X, y))


def assert_same_weights(one: Any, other: Any) -> None:
    for ours, theirs in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        assert_array_equal(ours, theirs)


@pytest.fixture
def stacks(stacks_on_a_cpu: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each stack."""
    seen: list[int] = []
    train_stack = _engine.train_stack

    def spy(trainings: Any, **options: Any) -> None:
        seen.append(len(trainings))
        train_stack(trainings, **options)

    monkeypatch.setattr(_engine, "train_stack", spy)
    return seen


def test_equal_networks_make_a_stack_and_each_is_concluded(stacks: Any) -> None:
    different = [{}, {"solver": "lbfgs"}, {"alpha": 1.0}, {"activation": "tanh"}, {"max_iter": 2}]
    fits = [prepare(**parameters) for parameters in different]
    done: list[Any] = []
    train_all(fits, on_done=done.append)
    assert stacks == [3]
    assert [fits.index(fit) for fit in done] == [4, 0, 2, 1, 3]
    assert [fit.estimator.n_iter_ for fit in fits if fit is not fits[1]] == [4, 4, 4, 2]
    assert all(fit.training.seconds > 0 for fit in fits)


@pytest.fixture
def threads(training_threads: list[str]) -> list[str]:
    """The thread that trained each network."""
    return training_threads


HERE = threading.main_thread().name


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("large_from", [1, 1e15])
def test_threads_share_networks_that_do_not_wait_for_python(
    monkeypatch: pytest.MonkeyPatch, threads: list[str], n_threads: int, large_from: float
) -> None:
    monkeypatch.setattr(_engine, "THREADED_FLOPS", large_from)
    fits = [prepare(random_state=seed, normalization="layer") for seed in range(5)]
    train_all(fits, n_threads=n_threads)
    is_threaded = n_threads > 1 and large_from == 1
    assert all(name.startswith("sknn-fits") == is_threaded for name in threads)
    assert len(threads) == 5
    for seed, fit in enumerate(fits):
        alone = prepare(random_state=seed, normalization="layer").run()
        assert_same_weights(fit.estimator, alone)


def test_who_is_no_fit_for_a_thread_is_trained_here(
    monkeypatch: pytest.MonkeyPatch, threads: list[str]
) -> None:
    monkeypatch.setattr(_engine, "THREADED_FLOPS", 1)
    here = [
        prepare(callbacks=[Callback()]),  # functions of a user's
        prepare(module=torch.nn.Linear(4, 1)),
        prepare(loss=lambda outputs, targets: (outputs - targets).abs()),
    ]
    train_all([*here, prepare(verbose=True), prepare()], n_threads=2)
    assert threads.count(HERE) == 3
    threads.clear()
    train_all([prepare(normalization="layer"), prepare(normalization="layer")], n_threads=3)
    assert threads == [HERE, HERE]  # alone, each uses all three for its products


def test_networks_on_a_cpu_are_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_engine, "train_stack")
    fits = [prepare(), prepare(alpha=1.0)]
    train_all(fits)
    assert [fit.estimator.n_iter_ for fit in fits] == [4, 4]


class Fails(Callback):
    """Raises in the second epoch."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == 2:
            raise self.error("as it should")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_errors_stay_where_they_are(solver: str) -> None:
    fits = [prepare(), prepare(solver=solver, callbacks=[Fails(RuntimeError)]), prepare(alpha=0.1)]
    train_all(fits)
    assert [fit.estimator.n_iter_ for fit in fits] == [4, 2, 4]
    assert [str(fit.training.error) for fit in fits] == ["None", "as it should", "None"]


@pytest.mark.usefixtures("stacks_on_a_cpu")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_was_begun_is_concluded_and_the_rest_is_not(error: type[BaseException]) -> None:
    fits = [
        prepare(callbacks=[Fails(error)]),
        prepare(alpha=0.1),
        prepare(activation="tanh"),
        prepare(activation="tanh"),
    ]
    for fit in fits:
        del fit.estimator.n_iter_
    with pytest.raises(error):
        train_all(fits)
    assert [vars(fit.estimator).get("n_iter_") for fit in fits] == [2, 1, None, None]


@pytest.mark.parametrize(
    ("parameters", "n_threads", "expected"),
    [
        ({}, 1, [4]),
        ({}, 2, [2, 2]),
        ({"checkpoint": "folder"}, 1, []),  # which may be left within an epoch
        ({"numerical_embedding": None}, 1, []),
    ],
    ids=str,
)
def test_on_a_cpu_networks_with_embeddings_are_a_stack_where_torch_trains_them(
    parameters: dict[str, Any],
    n_threads: int,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    seen: list[int] = []
    train_stack = _engine.train_stack

    def spy(trainings: Any, **options: Any) -> None:
        seen.append(len(trainings))
        train_stack(trainings, **options)

    monkeypatch.setattr(_engine, "train_stack", spy)
    parameters = {"numerical_embedding": "periodic"} | parameters

    def train_four() -> None:
        folders = [tmp_path / name for name in "abcd"]
        own = [{"checkpoint": each} if "checkpoint" in parameters else {} for each in folders]
        fits = [prepare(**(parameters | each)) for each in own]
        train_all(fits, n_threads=n_threads)
        assert [fit.estimator.n_iter_ for fit in fits] == [4] * 4

    with torch_alone():
        train_four()
    assert seen == expected
    parameters.pop("checkpoint", None)
    if compiled.is_available():
        train_four()
    assert seen == expected


ENDLESS: dict[str, Any] = {"max_iter": 100_000, "n_iter_no_change": 100_000}


@pytest.mark.usefixtures("stacks_on_a_cpu")
def test_a_stack_ends_when_it_is_told() -> None:
    fits = [prepare(**ENDLESS) for _ in range(4)]

    def should_stop() -> bool:
        return all(fit.training.n_epochs_run > 2 for fit in fits)

    with pytest.raises(Interrupted):
        train_all(fits, should_stop=should_stop)
    assert all(2 < fit.estimator.n_iter_ < 100_000 for fit in fits)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_single_fits_end_when_they_are_told(
    monkeypatch: pytest.MonkeyPatch, n_threads: int
) -> None:
    monkeypatch.setattr(_engine, "THREADED_FLOPS", 1)
    fits = [prepare(**ENDLESS) for _ in range(4)]
    for fit in fits:
        del fit.estimator.n_iter_

    def should_stop() -> bool:
        return all(fit.training.n_epochs_run > 2 for fit in fits[:n_threads])

    with pytest.raises(Interrupted):
        train_all(fits, should_stop=should_stop, n_threads=n_threads)
    assert all(2 < fit.estimator.n_iter_ < 100_000 for fit in fits[:n_threads])
    assert not any(hasattr(fit.estimator, "n_iter_") for fit in fits[n_threads:])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_single_training_stops_when_it_is_told(solver: str) -> None:
    fit = prepare(solver=solver, tol=0.0, max_iter=100_000, n_iter_no_change=100_000)
    training = fit.training
    before = [weights.copy() for weights in fit.estimator.coefs_]
    training.should_stop = lambda: training.n_epochs_run >= 3
    with pytest.raises(Interrupted):
        fit.run()
    assert 3 <= fit.estimator.n_iter_ < 100_000
    assert len(fit.estimator.loss_curve_) == fit.estimator.n_iter_
    assert all((b != w).any() for b, w in zip(before, fit.estimator.coefs_, strict=True))
