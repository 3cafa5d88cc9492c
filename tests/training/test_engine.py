"""The engine; that each network is as if trained alone is in tests/estimators/test_together.py."""

import threading
from typing import Any

import numpy as np
import pytest
from skorch.callbacks import Callback

from sknn import NeuralRegressor
from sknn.estimators._fit import FitArguments
from sknn.estimators._fit import prepare as prepare_fit
from sknn.training import Interrupted, _engine, train_all
from tests.helpers import assert_equal_up_to_rounding

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = X[:, 0] - X[:, 1] ** 2


def prepare(**parameters: Any) -> Any:
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0} | parameters
    return prepare_fit(NeuralRegressor(**parameters), FitArguments(X, y))


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """The size of each stack, and the thread that trained it."""
    seen: list[tuple[int, str]] = []
    train_stack = _engine.train_stack

    def spy(trainings: Any, **options: Any) -> None:
        seen.append((len(trainings), threading.current_thread().name))
        train_stack(trainings, **options)

    monkeypatch.setattr(_engine, "train_stack", spy)
    return seen


def test_equal_networks_make_a_stack_and_each_is_concluded(stacks: Any) -> None:
    different = [{}, {"solver": "lbfgs"}, {"alpha": 1.0}, {"activation": "tanh"}, {"max_iter": 2}]
    fits = [prepare(**parameters) for parameters in different]
    done: list[Any] = []
    train_all(fits, on_done=done.append)
    assert [n for n, _ in stacks] == [3]
    assert [fits.index(fit) for fit in done] == [4, 0, 2, 1, 3]
    assert [fit.estimator.n_iter_ for fit in fits if fit is not fits[1]] == [4, 4, 4, 2]
    assert all(fit.training.seconds > 0 for fit in fits)


@pytest.mark.parametrize(("n_threads", "sizes"), [(1, [5]), (2, [2, 3]), (7, [1] * 5)])
def test_threads_share_what_is_large(
    monkeypatch: pytest.MonkeyPatch, stacks: Any, n_threads: int, sizes: list[int]
) -> None:
    small = [prepare(random_state=seed) for seed in range(5)]
    train_all(small, n_threads=n_threads)
    assert [n for n, _ in stacks] == [5]
    stacks.clear()

    monkeypatch.setattr(_engine, "THREADED_FLOPS", 1)
    large = [prepare(random_state=seed) for seed in range(5)]
    train_all(large, n_threads=n_threads)
    assert sorted(n for n, _ in stacks) == sizes
    names = {name for _, name in stacks}
    assert all(name.startswith("sknn-fits") for name in names) or n_threads == 1
    for one, other in zip(small, large, strict=True):
        for ours, theirs in zip(one.estimator.coefs_, other.estimator.coefs_, strict=True):
            assert_equal_up_to_rounding(ours, theirs)


def test_users_functions_are_called_in_one_thread(
    monkeypatch: pytest.MonkeyPatch, stacks: Any
) -> None:
    monkeypatch.setattr(_engine, "THREADED_FLOPS", 1)
    train_all([prepare(callbacks=[Callback()]) for _ in range(3)], n_threads=3)
    assert stacks == [(3, threading.current_thread().name)]


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


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_end_that_was_asked_for(monkeypatch: pytest.MonkeyPatch, n_threads: int) -> None:
    monkeypatch.setattr(_engine, "THREADED_FLOPS", 1)
    fits = [prepare(max_iter=100_000, n_iter_no_change=100_000) for _ in range(4)]

    def should_stop() -> bool:
        return all(fit.training.n_epochs_run > 2 for fit in fits)

    with pytest.raises(Interrupted):
        train_all(fits, should_stop=should_stop, n_threads=n_threads)
    assert all(2 < fit.estimator.n_iter_ < 100_000 for fit in fits)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_single_training_stops_when_it_is_told(solver: str) -> None:
    fit = prepare(solver=solver, tol=0.0, max_iter=100_000, n_iter_no_change=100_000)
    training = fit.training
    before = [weights.copy() for weights in fit.estimator.coefs_]
    training.should_stop = lambda: training.n_epochs_run == 3
    with pytest.raises(Interrupted):
        fit.run()
    assert fit.estimator.n_iter_ == 3
    assert len(fit.estimator.loss_curve_) == 3
    assert all((b != w).any() for b, w in zip(before, fit.estimator.coefs_, strict=True))
