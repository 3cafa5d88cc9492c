"""The same fit whoever listens, beside others, interrupted, and from one way to the other."""

import copy
import gc
import os
import pickle
import signal
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm

pytest.importorskip("numba")

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.training import DivergenceError
from tests.compiled.ways import SKORCH_KEYS, counted, through_core, through_torch, torch_alone
from tests.helpers import assert_same_weights, weights_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4))
labels = np.argmax(X[:, :3] + rng.normal(size=(90, 3)), axis=1)
values = X @ rng.normal(size=(4, 2)) + 0.1 * rng.normal(size=(90, 2))
X_val, y_val = X[::3] + 0.1, labels[::3]

SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "dropout": {"dropout": [0.3, 0.1], "hidden_layer_sizes": (9, 7), "learning_rate": "cosine"},
    "weights": {"class_weight": "balanced", "max_grad_norm": 0.1, "label_smoothing": 0.1},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2},
    "early stopping": {"early_stopping": True, "solver": "adamw", "n_iter_no_change": 3},
    "float32": {"precision": "float32", "max_grad_norm": 0.5, "class_weight": "balanced"},
}


def classifier(**parameters: Any) -> NeuralClassifier:
    defaults: dict[str, Any] = {
        "hidden_layer_sizes": (9,),
        "max_iter": 12,
        "batch_size": 16,
        "random_state": 0,
        "device": "cpu",
        "learning_rate_init": 0.01,
    }
    return NeuralClassifier(**(defaults | parameters))


def assert_same_fit(one: Any, other: Any) -> None:
    """Compare weights and history, to the last bit."""
    assert_same_weights(one, other)
    assert one.n_iter_ == other.n_iter_ and one.t_ == other.t_
    assert one.loss_curve_ == other.loss_curve_
    for mine, others in zip(one.history_, other.history_, strict=True):
        both = (set(mine) & set(others)) - SKORCH_KEYS
        assert {"learning_rate", "train_loss", "train_score"} <= both
        assert {key: mine[key] for key in both} == {key: others[key] for key in both}


# ------------------------------------------------------------------------------------ listeners


class OnEpoch(Callback):
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        assert np.isfinite(net.history[-1]["train_loss"])


class OnBatch(Callback):
    def __init__(self) -> None:
        self.n_batches = 0

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        self.n_batches += 1


LISTENERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "verbose": lambda folder: {"verbose": True},
    "bar": lambda folder: {"verbose": "bar"},
    "epochs": lambda folder: {"callbacks": [OnEpoch()]},
    "batches": lambda folder: {"callbacks": [OnBatch()]},
    "checkpoint": lambda folder: {"checkpoint": folder},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("listener", LISTENERS)
def test_listeners_change_no_bit(listener: str, settings: str, tmp_path: Path) -> None:
    alone = through_core(lambda: classifier(**SETTINGS[settings]).fit(X, labels))
    parameters = SETTINGS[settings] | LISTENERS[listener](tmp_path)
    heard = through_core(lambda: classifier(**parameters).fit(X, labels))
    assert_same_fit(alone, heard)
    if listener == "batches":
        n_rows = round(len(X) * (0.9 if settings == "early stopping" else 1))
        (callback,) = heard.callbacks
        assert callback.n_batches == heard.n_iter_ * -(-n_rows // 16)


@pytest.mark.parametrize("settings", ["adam", "dropout", "sgd", "float32"])
def test_validation_data_change_no_bit(settings: str) -> None:
    alone = classifier(**SETTINGS[settings]).fit(X, labels)
    watched = through_core(
        lambda: classifier(**SETTINGS[settings]).fit(X, labels, X_val=X_val, y_val=y_val)
    )
    assert_same_fit(alone, watched)
    assert all("valid_loss" in row for row in watched.history_)


class Interrupting(Callback):
    """Interrupts an epoch, in its last batch or after it; all are equal to a checkpoint."""

    epoch, hook = 0, ""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.hook == "epoch" and len(net.history) == self.epoch:
            raise KeyboardInterrupt

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        if self.hook == "batch" and len(net.history) == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture
def interrupt_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], None]:
    def set_both(epoch: int, hook: str) -> None:
        monkeypatch.setattr(Interrupting, "epoch", epoch)
        monkeypatch.setattr(Interrupting, "hook", hook)

    return set_both


@pytest.mark.parametrize("hook", ["epoch", "batch"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_fit_that_is_resumed_ends_with_the_same_bits(
    settings: str, hook: str, tmp_path: Path, interrupt_at: Any
) -> None:
    whole = through_core(lambda: classifier(**SETTINGS[settings]).fit(X, labels))
    model = classifier(
        **SETTINGS[settings],
        checkpoint=tmp_path,
        checkpoint_minutes=1e-9,
        callbacks=[Interrupting()],
    )
    interrupt_at(3, hook)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, labels)
    interrupt_at(0, "")
    resumed = clone(model)
    through_core(lambda: resumed.fit(X, labels))
    assert resumed.n_iter_ > 3
    assert_same_fit(whole, resumed)


# ------------------------------------------------------------------------ from one way to the other


def pickled(model: Any, folder: Path) -> Any:
    return pickle.loads(pickle.dumps(model))


def saved(model: Any, folder: Path) -> Any:
    sknn.save(model, folder / "model.sknn")
    return sknn.load(folder / "model.sknn")


def copied(model: Any, folder: Path) -> Any:
    return copy.deepcopy(model)


def itself(model: Any, folder: Path) -> Any:
    return model


@pytest.mark.parametrize("carry", [itself, copied, pickled, saved])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_fit_goes_on_by_the_other_way(carry: Any, solver: str, tmp_path: Path) -> None:
    ways = [through_core, through_torch]
    ends = []
    for first in ways:
        for second in ways:
            model = classifier(
                solver=solver, dropout=0.2, max_iter=4, warm_start=True, learning_rate="invscaling"
            )
            first(lambda model=model: model.fit(X, labels))
            model = carry(model, tmp_path)
            second(lambda model=model: model.fit(X, labels))
            second(lambda model=model: model.partial_fit(X[:20], labels[:20]))
            ends.append(model)
    for model in ends[1:]:
        for mine, other in zip(weights_of(ends[0]), weights_of(model), strict=True):
            np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)
        assert model.t_ == ends[0].t_


@pytest.mark.parametrize("carry", [copied, pickled, saved])
def test_a_copy_goes_on_as_the_fit_does(carry: Any, tmp_path: Path) -> None:
    model = through_core(lambda: classifier(dropout=0.2).partial_fit(X, labels, classes=[0, 1, 2]))
    other = carry(model, tmp_path)
    before = weights_of(model)
    for _ in range(3):
        through_core(lambda: other.partial_fit(X, labels))
    for old, now in zip(before, weights_of(model), strict=True):
        assert_array_equal(old, now)  # no memory is shared
    for _ in range(3):
        through_core(lambda: model.partial_fit(X, labels))
    assert_same_weights(model, other)


def test_the_network_can_be_changed_between_calls() -> None:
    """The core works on the memory of the network's own parameters."""
    models = [
        NeuralRegressor(hidden_layer_sizes=(5,), solver="sgd", random_state=0) for _ in range(2)
    ]
    for model, way in zip(models, [through_core, through_torch], strict=True):
        way(lambda model=model: model.partial_fit(X, values))
        model.module_.layers[0].weight.data.mul_(0.5)
        way(lambda model=model: model.partial_fit(X, values))
    for mine, other in zip(*map(weights_of, models), strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-13)


def test_layers_with_weights_of_their_own_making_are_left_to_torch() -> None:
    model = classifier(warm_start=True, hidden_layer_sizes=(9, 9)).fit(X, labels)
    pruned, normalized, _ = model.module_.linear_layers
    prune.random_unstructured(pruned, "weight", 0.5)
    weight_norm(normalized)
    before = model.predict_proba(X)
    through_torch(lambda: model.partial_fit(X, labels))
    after = [model.predict_proba(X), model.predict_proba(X[:1])]
    assert np.abs(after[0] - before).max() > 1e-3
    np.testing.assert_allclose(after[1], after[0][:1], rtol=1e-4)
    with counted() as calls:
        model.partial_fit(X, labels)
    assert not calls
    assert (pruned.weight_mask == 0).sum() == 18
    assert ((pruned.weight == 0) == (pruned.weight_mask == 0)).all()


# ----------------------------------------------------------------------------------- divergence

# NaN outputs are decided as the first label, which most rows have.
rare = (labels == 2).astype(int)
DIVERGING: dict[str, Any] = {
    "solver": "sgd", "learning_rate_init": 1e150, "early_stopping": True,
    "validation_fraction": 0.3, "precision": "float64",
}  # fmt: skip


@pytest.mark.parametrize("way", [through_core, through_torch])
def test_early_stopping_keeps_no_weights_that_are_not_finite(way: Any) -> None:
    def fit() -> Any:
        with pytest.raises(DivergenceError, match="loss nan in epoch 1"):
            classifier(**DIVERGING).fit(X, rare)
        return DivergenceError, None

    way(fit)


@pytest.mark.parametrize("way", [through_core, through_torch])
def test_early_stopping_goes_back_to_the_weights_before_the_divergence(way: Any) -> None:
    model = classifier(**DIVERGING, warm_start=True, random_state=2)
    way(lambda: model.set_params(learning_rate_init=1e-5).fit(X, rare))
    before, best = weights_of(model), model.best_validation_score_
    assert best is not None and best < 0.6  # that of NaN is 0.7
    with pytest.warns(ConvergenceWarning, match="diverged"):
        way(lambda: model.set_params(learning_rate_init=1e150).fit(X, rare))
    for mine, others in zip(weights_of(model), before, strict=True):
        assert_array_equal(mine, others)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("listener", [{}, {"verbose": True}])
def test_targets_that_overflow_are_refused_without_numpys_warnings(listener: Any) -> None:
    model = NeuralRegressor(precision="float64", max_iter=3, random_state=0, **listener)
    with pytest.raises(ValueError), pytest.warns(UserWarning, match="y has values beyond"):
        model.fit(X, 1e300 * values)


# ------------------------------------------------------------------------------ threads, memory


def test_threads_that_fit_at_once_have_the_weights_that_they_have_alone() -> None:
    names = [name for name in SETTINGS for _ in range(4)]

    def fit(case: tuple[int, str]) -> Any:
        seed, name = case
        return (
            classifier(**SETTINGS[name], max_iter=30).set_params(random_state=seed).fit(X, labels)
        )

    cases = list(enumerate(names))
    alone = [through_core(lambda case=case: fit(case)) for case in cases]
    with counted() as calls, ThreadPoolExecutor(8) as pool:
        together = list(pool.map(fit, cases))
    assert len(calls) >= len(cases)
    for one, other in zip(alone, together, strict=True):
        assert_same_fit(one, other)


@pytest.mark.slow
@pytest.mark.serial
def test_hundreds_of_fits_leave_no_memory_behind() -> None:
    psutil = pytest.importorskip("psutil")
    wide = rng.normal(size=(200, 100))  # with its batches about 1 MB a fit
    model = classifier(hidden_layer_sizes=(100,), batch_size="auto", max_iter=2)

    def fit(n: int) -> tuple[int, int]:
        for _ in range(n):
            through_core(lambda: model.fit(wide, labels[np.arange(200) % 90]))
        gc.collect()
        return tracemalloc.get_traced_memory()[0], psutil.Process().memory_info().rss

    tracemalloc.start()
    try:
        before, after = fit(50), fit(500)
    finally:
        tracemalloc.stop()
    assert after[0] - before[0] < 2e5
    assert after[1] - before[1] < 5e7


# ------------------------------------------------------------------------------------ interrupts


@pytest.mark.serial
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("n_samples", [5, 90])
def test_ctrl_c_ends_a_fit_and_leaves_it_fitted(n_samples: int) -> None:
    model = classifier(max_iter=10**6, n_iter_no_change=np.inf, batch_size="all")
    through_core(lambda: model.partial_fit(X, labels, classes=[0, 1, 2]))  # compiled by now
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:n_samples], labels[:n_samples])
    timer.join()
    assert model.n_iter_ == len(model.loss_curve_) == len(model.history_) > 0
    assert np.isfinite(model.predict_proba(X)).all()
    assert not model.module_.training


def test_a_call_does_fewer_epochs_where_each_validates_many_rows() -> None:
    # signals are taken between the calls
    many = rng.normal(size=(30_000, 4))
    model = classifier(max_iter=60, hidden_layer_sizes=(100,), n_iter_no_change=np.inf)
    with counted() as alone:
        model.fit(X, labels)
    with counted() as beside:
        model.fit(X, labels, X_val=many, y_val=labels[np.arange(len(many)) % 90])
    assert len(alone) < 3 <= 5 < len(beside)


def test_an_interrupted_fit_is_the_first_part_of_a_whole_one(interrupt_at: Any) -> None:
    interrupt_at(5, "epoch")
    model = classifier(callbacks=[Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        through_core(lambda: model.fit(X, labels))
    with torch_alone():
        other = classifier(max_iter=model.n_iter_).fit(X, labels)
    for mine, others in zip(weights_of(model), weights_of(other), strict=True):
        np.testing.assert_allclose(mine, others, rtol=0, atol=1e-12)
