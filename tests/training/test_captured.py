"""Tests of steps that are replayed, with the same steps done one by one as reference."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

import sknn
from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor
from sknn.estimators import FitTask, fit_together
from sknn.training import _captured, _loop, _stack
from sknn.training.solvers import _fused

pytestmark = pytest.mark.usefixtures("stacks_on_a_cpu", "steps_of_torch")


@pytest.fixture
def steps_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch train small networks on a CPU, as it does on a GPU."""
    monkeypatch.setattr("sknn.training._train.is_compiled", lambda *_: False, raising=False)


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


class Recorded:
    """A graph on the CPU: replaying calls the function again."""

    made: ClassVar[list[Recorded]] = []

    def __init__(self) -> None:
        self.n_replays = 0
        self.made.append(self)

    def capture(self, work: Callable[[], None], generators: Sequence[torch.Generator]) -> None:
        self.work, self.generators = work, list(generators)

    def replay(self) -> None:
        self.n_replays += 1
        self.work()


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """Have the optimizers on the CPU take rates, and record steps in graphs, which are returned."""

    def captured_epochs(training: Any) -> Any:
        if not _captured.can_be_captured(training):
            return None
        return _captured.CapturedEpochs(training, Recorded)

    made: list[Recorded] = []
    monkeypatch.setattr(Recorded, "made", made)
    monkeypatch.setattr(_loop, "captured_epochs", captured_epochs)
    monkeypatch.setattr(_fused, "takes_rates", lambda tensors: tensors[0].dtype == torch.float32)
    return made


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the optimizers on the CPU take rates."""
    monkeypatch.setattr(_fused, "takes_rates", lambda tensors: tensors[0].dtype == torch.float32)


def fit(model: Any, X: np.ndarray, y: np.ndarray, **arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **arguments)


def make(cls: Any = NeuralClassifier, **options: Any) -> Any:
    defaults = {"hidden_layer_sizes": (20,), "batch_size": 64, "max_iter": 5, "random_state": 0}
    return cls(**{**defaults, "precision": "float32", "device": "cpu", **options})


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[:450] / 16, y[:450]  # seven batches of 64, and one of 2


OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adamw": {"solver": "adamw", "alpha": 0.1},
    "adamw_schedule": {"solver": "adamw", "learning_rate": "one_cycle"},
    "sgd": {"solver": "sgd"},
    "sgd_adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "max_iter": 30},
    "sgd_plain": {"solver": "sgd", "momentum": 0.0},
    "dropout": {"dropout": 0.3},
    "schedule": {"learning_rate": "cosine"},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 8},
    "clipping": {"max_grad_norm": 0.1},
    "no_penalty": {"alpha": 0.0},
    "two_layers": {"hidden_layer_sizes": (9, 8), "activation": "tanh"},
    "bfloat16": {"precision": "bfloat16"},
    "whole_batches": {"batch_size": 90},
    "one_batch": {"batch_size": "all", "max_iter": 25},
    "unshuffled": {"shuffle": False},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_replayed_steps_are_those_one_by_one(
    name: str, one_by_one: None, request: pytest.FixtureRequest
) -> None:
    X, y = digits()
    expected = fit(make(**OPTIONS[name]), X, y)
    graphs = request.getfixturevalue("graphs")
    model = fit(make(**OPTIONS[name]), X, y)
    (graph,) = graphs
    n_batches = model._state.n_steps // model.n_iter_
    n_whole = n_batches - (len(X) % 64 > 0 and name not in ("whole_batches", "one_batch"))
    if name != "early_stopping":
        assert graph.n_replays == n_whole * model.n_iter_ - _captured.STEPS_BEFORE
    assert len(graph.generators) == (name == "dropout")
    assert model.loss_curve_ == expected.loss_curve_
    assert [row["train_score"] for row in model.history_] == [
        row["train_score"] for row in expected.history_
    ]
    for found, known in zip(model.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(found, known)


def test_rates_of_float32_update_as_the_numbers_do(graphs: list[Recorded]) -> None:
    X, y = digits()
    models = [fit(make(solver=solver), X, y) for solver in ("adam", "adamw", "sgd")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fused, "takes_rates", lambda tensors: False)
        patch.setattr(_loop, "captured_epochs", lambda training: None)
        for model in models:
            other = fit(make(solver=model.solver), X, y)
            np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-4)


@pytest.mark.parametrize("weighted", ["sample_weight", "class_weight", "zeros"])
def test_weighted_samples(weighted: str, one_by_one: None, request: pytest.FixtureRequest) -> None:
    X, y = digits()
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    options: dict[str, Any] = {"class_weight": "balanced"} if weighted == "class_weight" else {}
    if weighted == "zeros":  # of the second batch
        options["shuffle"] = False
        weight[64:128] = 0
    arguments = {} if weighted == "class_weight" else {"sample_weight": weight}
    expected = fit(make(**options), X, y, **arguments)
    graphs = request.getfixturevalue("graphs")
    model = fit(make(**options), X, y, **arguments)
    assert graphs[0].n_replays > 20
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    assert model.t_ == expected.t_


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_regression(loss: str, one_by_one: None, request: pytest.FixtureRequest) -> None:
    X, y = load_diabetes(return_X_y=True)
    y = np.c_[y, y[::-1]]
    expected = fit(make(NeuralRegressor, loss=loss), X, y)
    graphs = request.getfixturevalue("graphs")
    model = fit(make(NeuralRegressor, loss=loss), X, y)
    assert graphs[0].n_replays > 20
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


class Stop(Callback):
    """Like Ctrl-C after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epochs:
            raise KeyboardInterrupt


def test_an_interrupted_fit_goes_on_to_the_same_weights(
    graphs: list[Recorded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sknn.training.checkpoints import _callback_state

    monkeypatch.setattr(_callback_state, "LOGGERS", (*_callback_state.LOGGERS, Stop))
    X, y = digits()
    options: dict[str, Any] = {"dropout": 0.2, "max_iter": 6}
    whole = fit(make(**options), X, y)
    options["checkpoint"] = tmp_path
    with pytest.raises(KeyboardInterrupt):
        fit(make(callbacks=[Stop(4)], **options), X, y)
    again = fit(make(callbacks=[Stop(100)], **options), X, y)
    assert len(graphs) == 3
    assert again.loss_curve_ == whole.loss_curve_
    for found, known in zip(again.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(found, known)


class ChangeBetas(Callback):
    """Changes what a graph has by heart."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.optimizer_.param_groups[0]["betas"] = (0.5, 0.9)


def test_what_a_listener_changes_is_recorded_anew(
    one_by_one: None, request: pytest.FixtureRequest
) -> None:
    X, y = digits()
    expected = fit(make(callbacks=[ChangeBetas()]), X, y)
    graphs = request.getfixturevalue("graphs")
    model = fit(make(callbacks=[ChangeBetas()]), X, y)
    assert len(graphs) == 2
    assert model.loss_curve_ == expected.loss_curve_


class Batches(Callback):
    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "gelu"},
        {"normalization": "layer"},
        {"precision": "float64"},
        {"loss": "hinge"},
        {"solver": "nadam"},
        {"solver": torch.optim.Adam},
        {"callbacks": [Batches()]},
        {"max_iter": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_is_not_recorded(options: dict[str, Any], graphs: list[Recorded]) -> None:
    fit(make(**options), *digits())
    assert not graphs


def test_images_are_not_recorded(graphs: list[Recorded]) -> None:
    X, y = digits()
    fit(ConvClassifier(filters=(4,), max_iter=3, random_state=0), X.reshape(-1, 8, 8), y)
    assert not graphs


def test_a_recording_that_fails_is_told_and_training_goes_on(
    graphs: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    X, y = digits()
    expected = fit(make(), X, y)
    monkeypatch.setattr(Recorded, "capture", refuse)
    with pytest.warns(RuntimeWarning, match="not permitted when stream is capturing"):
        model = fit(make(), X, y)
    assert model.loss_curve_ == expected.loss_curve_


def test_training_on_a_cpu_takes_no_graph() -> None:
    assert _captured.captured_epochs(_training()) is None


def _training() -> Any:
    from tests.training.helpers import make as make_training

    return make_training(np.zeros((4, 2)), np.zeros((4, 1)))


@needs_cuda
@pytest.mark.parametrize("name", OPTIONS)
def test_cuda_graphs_do_what_the_steps_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = digits()
    options = {**OPTIONS[name], "device": "cuda"}
    model = fit(make(**options), X, y)
    monkeypatch.setattr(_loop, "captured_epochs", lambda training: None)
    expected = fit(make(**options), X, y)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)


@needs_cuda
def test_cuda_graphs_survive_saving(tmp_path: Path) -> None:
    X, y = digits()
    model = fit(make(device="cuda"), X, y)
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn", device="cpu")
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-4)


@pytest.fixture
def stacked_graphs(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """Have stacks on the CPU record their steps."""
    made: list[Recorded] = []
    monkeypatch.setattr(Recorded, "made", made)
    monkeypatch.setattr(_stack, "graphs_on", lambda device: Recorded)
    monkeypatch.setattr(_fused, "takes_rates", lambda tensors: tensors[0].dtype == torch.float32)
    return made


STACKS: dict[str, list[dict[str, Any]]] = {
    "equal": [{}, {}, {}],
    "learning_rates": [{"learning_rate_init": rate} for rate in (0.001, 0.01, 0.001)],
    "schedules": [{"learning_rate": "cosine", "max_iter": n} for n in (5, 6, 5)],
    "penalties": [{"alpha": alpha} for alpha in (1e-4, 1e-4, 1.0)],
    "dropout": [{"dropout": rate} for rate in (0.0, 0.2, 0.4)],
    "clipping": [{"max_grad_norm": 0.1}, {}, {"max_grad_norm": 0.2}],
    "adamw": [{"solver": "adamw", "alpha": alpha} for alpha in (0.1, 0.2)],
    "solvers": [{"solver": "sgd"}, {"solver": "adam"}, {"solver": "adamw"}],
    "lengths": [{"max_iter": 4}, {"max_iter": 9}, {"max_iter": 4}],
    "adaptive": [
        {"solver": "sgd", "learning_rate": "adaptive", "tol": tol, "max_iter": 20, "alpha": 0.1}
        for tol in (1.0, 0.01)
    ],
    "early_stopping": [
        {"early_stopping": True, "n_iter_no_change": n, "max_iter": 9} for n in (1, 3)
    ],
}


def fit_stack(stack: list[dict[str, Any]], folds: Sequence[int], **options: Any) -> list[Any]:
    X, y = digits()
    models = [make(random_state=i, **{**each, **options}) for i, each in enumerate(stack)]
    parts = [slice(folds[i % len(folds)]) for i in range(len(stack))]
    tasks = [FitTask(model, X[part], y[part]) for model, part in zip(models, parts, strict=True)]
    fit_together(tasks)
    for task in tasks:
        assert task.error is None
    return models


@pytest.mark.parametrize("folds", [(450,), (450, 380)], ids=["folds alike", "folds differ"])
@pytest.mark.parametrize("name", STACKS)
def test_replayed_steps_of_stacks_are_those_one_by_one(
    name: str, folds: tuple[int, ...], one_by_one: None, request: pytest.FixtureRequest
) -> None:
    expected = fit_stack(STACKS[name], folds)
    graphs = request.getfixturevalue("stacked_graphs")
    models = fit_stack(STACKS[name], folds)
    assert sum(graph.n_replays for graph in graphs) > 5
    for model, other in zip(models, expected, strict=True):
        assert model.loss_curve_ == other.loss_curve_
        assert [row["train_score"] for row in model.history_] == [
            row["train_score"] for row in other.history_
        ]
        for found, known in zip(model.coefs_, other.coefs_, strict=True):
            np.testing.assert_array_equal(found, known)


def test_a_stack_records_one_graph_as_long_as_its_members_stay(
    stacked_graphs: list[Recorded],
) -> None:
    fit_stack(STACKS["schedules"], (450,))
    assert len(stacked_graphs) == 2  # one network goes on after the others


def test_stacks_in_float64_are_not_recorded(stacked_graphs: list[Recorded]) -> None:
    fit_stack(STACKS["equal"], (450,), precision="float64")
    assert not stacked_graphs


@needs_cuda
@pytest.mark.parametrize("name", STACKS)
def test_cuda_graphs_of_stacks_do_what_the_steps_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = fit_stack(STACKS[name], (450, 380), device="cuda")
    monkeypatch.setattr(_stack, "graphs_on", lambda device: None)
    expected = fit_stack(STACKS[name], (450, 380), device="cuda")
    for model, other in zip(models, expected, strict=True):
        np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-5)
