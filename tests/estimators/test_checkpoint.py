"""A fit that was interrupted and taken up ends as one that was not."""

import copy
import os
import pickle
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    LRScheduler,
    PrintLog,
    Unfreezer,
)
from torch import nn

import sknn
import sknn.model_selection
import sknn.sequences
from sknn import (
    AttentionClassifier,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector
from sknn.generative import AdversarialGenerator
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from sknn.storage import ModelFileError, atomic_write, read_parts, write_parts
from sknn.training import CHECKPOINT_FILE
from sknn.training.checkpoints import _checkpoint
from tests.helpers import case_name, representatives

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
y = (X[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(int)
TABLE = pd.DataFrame(X).assign(kind=np.array(["low", "mid", "high"])[np.arange(60) % 3])
TABLE.columns = TABLE.columns.astype(str)
X_val, y_val = X[::3] + 0.1, y[::3]
weights = rng.integers(0, 3, 60).astype(float)
digits = load_digits()
IMAGES, KINDS = digits.images[:40] / 16, digits.target[:40] % 2
SERIES = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 40)]
RISES = np.arange(40) % 2
LABELED = [(each[:, 0] > 0).astype(int) for each in SERIES]
VALUED = [np.cumsum(each[:, 0]) for each in SERIES]
TOKENS = [rng.integers(0, 6, n) for n in rng.integers(4, 12, 40)]

N_EPOCHS = 4
ALWAYS = 1e-9  # minutes: after each batch


class Killed(BaseException):
    """Stands for what ends a process."""


class Writes:
    """Counts the writing of checkpoints, and kills a fit after one of them."""

    def __init__(self) -> None:
        self.n = 0
        self.kill_after = np.inf
        self.error: type[BaseException] = Killed

    def __call__(self, path: Any, parts: Any, *, kind: str) -> None:
        self.write(path, parts, kind=kind)
        self.n += 1
        if self.n >= self.kill_after:
            raise self.error

    write = staticmethod(_checkpoint.write_parts)


@pytest.fixture(autouse=True)
def nothing_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def each_epoch_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_checkpoint, "ALLOWANCE", np.inf)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    counter = Writes()
    monkeypatch.setattr(_checkpoint, "write_parts", counter)
    return counter


def plain_history(model: Any) -> list[dict[str, Any]]:
    return [{k: v for k, v in epoch.items() if k != "dur"} for epoch in model.history_]


def numbers_of(value: Any) -> Any:
    """Everything in nested containers, comparable by ==."""
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tolist(), value.dtype
    if isinstance(value, dict):
        return {k: numbers_of(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [numbers_of(each) for each in value]
    return value


def assert_same_fit(model: Any, expected: Any) -> None:
    """Weights, state and attributes are equal, to the last bit."""
    for first, second in zip(networks_of(model), networks_of(expected), strict=True):
        one, other = first.module_.state_dict(), second.module_.state_dict()
        assert list(one) == list(other)
        for name, tensor in one.items():
            assert tensor.dtype == other[name].dtype
            assert_array_equal(tensor.numpy(), other[name].numpy(), err_msg=name)
        assert numbers_of(plain_history(first)) == numbers_of(plain_history(second))
        assert first.n_iter_ == second.n_iter_
        for name in ("optimizer", "best", "torch_rng", "learning_rate", "n_steps", "plateau"):
            mine, its = getattr(first._state, name), getattr(second._state, name)
            assert numbers_of(mine) == numbers_of(its), name
        assert first.t_ == second.t_
        assert_array_equal(
            first._state.random_state.get_state()[1], second._state.random_state.get_state()[1]
        )
    assert model.n_iter_ == expected.n_iter_


def networks_of(model: Any) -> list[Any]:
    return getattr(model, "estimators_", None) or [model]


def make(estimator: Any, **parameters: Any) -> Any:
    own: dict[str, Any] = {"hidden_size": 4}
    if estimator in (NeuralClassifier, NeuralRegressor, TabularClassifier, TabularRegressor):
        own = {"hidden_layer_sizes": (6,)}
    elif estimator in (ConvClassifier, ConvRegressor):
        own = {"filters": (3,), "hidden_layer_sizes": (4,)}
    elif estimator in (Autoencoder, AutoencoderOutlierDetector):
        own = {"filters": (3,)}
    elif estimator is AdversarialGenerator:
        own = {"latent_size": 3, "discriminator": (6,)}
    elif estimator not in (StepClassifier, StepRegressor, SequenceGenerator):
        own |= {"batch_size": 16}
    own |= {"max_iter": N_EPOCHS, "batch_size": 16, "random_state": 0}
    return estimator(**(own | parameters))


class NoisyNetwork(nn.Module):
    """Draws numbers in training, and has a buffer."""

    def __init__(self, n_features_in: int, n_outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_features_in, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3)
        )
        self.head = nn.Linear(6, n_outputs)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.calls += 1
            X = X + 0.1 * torch.randn_like(X)
        return self.head(self.body(X))


def noisy(images: torch.Tensor) -> torch.Tensor:
    return images + 0.1 * torch.rand_like(images)


def squared_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).square().sum(1)


DENSE: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd with momentum": {"solver": "sgd"},
    "sgd, nesterov off": {"solver": "sgd", "nesterovs_momentum": False, "shuffle": False},
    "sgd without momentum": {"solver": "sgd", "momentum": 0.0},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 10.0,
        "n_iter_no_change": 1,
        "max_iter": 8,
    },
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "adamw, cosine": {"solver": "adamw", "learning_rate": "cosine"},
    "rmsprop, one_cycle": {"solver": "rmsprop", "learning_rate": "one_cycle"},
    "nadam, step": {"solver": "nadam", "learning_rate": "step"},
    "radam": {"solver": "radam"},
    "adagrad": {"solver": "adagrad"},
    "adadelta": {"solver": "adadelta"},
    "adamax": {"solver": "adamax"},
    "a class of torch's": {"solver": torch.optim.Adam, "learning_rate": "warmup_cosine"},
    "dropout": {"dropout": 0.4},
    "batch normalization": {"normalization": "batch", "dropout": 0.2},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3},
    "early stopping ends": {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "tol": 1.0,
        "n_iter_no_change": 1,
        "max_iter": 20,
    },
    "training ends": {"tol": 1.0, "n_iter_no_change": 1, "max_iter": 20},
    "class weights": {"class_weight": {0: 1.0, 1: 3.0}},
    "one batch": {"batch_size": "all"},
    "embeddings": {"numerical_embedding": ("piecewise_linear", "periodic"), "n_bins": 4},
    "clipped gradients": {"max_grad_norm": 0.1},
    "a module of the user's": {"module": NoisyNetwork},
    "a module instance": {"module": nn.Linear(5, 1)},
    "bfloat16": {"precision": "bfloat16"},
    "no seed": {"random_state": None},
    "no seed and early stopping": {"random_state": None, "early_stopping": True},
    "two networks": {"n_estimators": 2},
    "two networks without a seed": {"n_estimators": 2, "random_state": None, "dropout": 0.2},
    "two networks that make no stack": {"n_estimators": 2, "normalization": "layer"},
    "two networks that end at different times": {
        "n_estimators": 2,
        "early_stopping": True,
        "validation_fraction": 0.3,
        "n_iter_no_change": 1,
        "tol": 0.02,
        "max_iter": 12,
    },
}
FAMILIES: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "regressor": (NeuralRegressor, {}, X, X[:, 1]),
    "two targets": (NeuralRegressor, {"loss": "huber"}, X, X[:, :2]),
    "loss of the user's": (NeuralRegressor, {"loss": squared_loss}, X, X[:, 1]),
    "sparse": (NeuralClassifier, {}, sparse.csr_array(X * (X > 0)), y),
    "text labels": (NeuralClassifier, {}, X, np.where(y, "yes", "no").astype(object)),
    "multilabel": (NeuralClassifier, {}, X, (X[:, :3] > 0).astype(int)),
    "table": (TabularClassifier, {"n_estimators": 3, "validation": "holdout"}, TABLE, y),
    "table with folds": (TabularRegressor, {"n_estimators": 2}, TABLE, X[:, 1]),
    "one network for a table": (TabularRegressor, {"n_estimators": 1}, TABLE, X[:, 1]),
    "images": (
        ConvClassifier,
        {"dropout": 0.3, "normalization": "batch", "augment": noisy},
        IMAGES,
        KINDS,
    ),
    "augmented images": (ConvClassifier, {"augment": ["flip", "shift"]}, IMAGES, KINDS),
    "residual network": (ConvRegressor, {"architecture": "resnet"}, IMAGES, KINDS),
    "recurrent": (RecurrentClassifier, {"dropout": 0.3}, SERIES, RISES),
    "recurrent regressor": (RecurrentRegressor, {"early_stopping": True}, SERIES, RISES),
    "attention": (AttentionClassifier, {"n_heads": 2, "dropout": 0.3}, SERIES, RISES),
    "frozen vectors": (
        RecurrentClassifier,
        {"embedding": X[:6, :3], "freeze_embedding": True},
        TOKENS,
        KINDS,
    ),
    "steps": (StepClassifier, {}, SERIES, LABELED),
    "step regressor": (StepRegressor, {}, SERIES, VALUED),
    "sequences": (EncoderDecoderClassifier, {"dropout": 0.2}, TOKENS, TOKENS[::-1]),
    "values": (EncoderDecoderRegressor, {}, rng.normal(size=(40, 6)), rng.normal(size=(40, 3))),
    "generator": (SequenceGenerator, {"window": 5, "embedding_size": 4}, TOKENS, None),
    "autoencoder": (Autoencoder, {"n_components": 2, "noise_amount": 0.3}, IMAGES, None),
    "outlier detector": (AutoencoderOutlierDetector, {"n_components": 2}, X, None),
    "adversarial": (
        AdversarialGenerator,
        {"generator": (6,), "loss": "wasserstein", "discriminator_steps": 2, "penalty_interval": 3},
        X,
        y,
    ),
}
CASES = {name: (NeuralClassifier, each, X, y) for name, each in DENSE.items()} | FAMILIES


def fit_in_pieces(writes: Writes, fit: Callable[[], Any], lengths: list[int]) -> tuple[Any, int]:
    """Fit until a fit is not killed; return what it returned, and how often others were."""
    n_kills = 0
    for kill_after in [*lengths, np.inf]:
        writes.n, writes.kill_after = 0, kill_after
        try:
            return fit(), n_kills
        except Killed:
            n_kills += 1
    raise AssertionError("the last one is not killed")


def seed_globally(seed: int) -> None:
    """Seed the generator from which random_state=None draws."""
    np.random.seed(seed)  # noqa: NPY002


BETWEEN = [2, 1, 1, 2]
WITHIN = [2, 6, 1, 7]


# One for each way through the code; what a solver or a layer remembers is tested beside them.
KEPT = (
    "sgd, adaptive",
    "adamw, cosine",
    "batch normalization",
    "early stopping",
    "a module of the user's",
    "no seed and early stopping",
    "two networks",
    "two networks that end at different times",
    "sparse",
    "augmented images",
    "recurrent",
    "frozen vectors",
    "steps",
    "sequences",
    "generator",
    "adversarial",
)
BETWEEN_EPOCHS = [name for name in CASES if "networks" in name or name in ("adam", "images")]


@pytest.mark.parametrize("name", representatives(CASES, *KEPT))
def test_a_fit_interrupted_within_an_epoch_ends_with_the_weights_of_one_that_was_not(
    name: str, tmp_path: Path, writes: Writes
) -> None:
    check_pieces(name, ALWAYS, WITHIN, tmp_path, writes)


@pytest.mark.parametrize("name", representatives(BETWEEN_EPOCHS, "adam", "two networks"))
def test_a_fit_interrupted_between_epochs_ends_with_the_weights_of_one_that_was_not(
    name: str, tmp_path: Path, writes: Writes
) -> None:
    check_pieces(name, 10, BETWEEN, tmp_path, writes)


def check_pieces(
    name: str, minutes: float, lengths: list[int], tmp_path: Path, writes: Writes
) -> None:
    estimator, parameters, data, target = CASES[name]
    if isinstance(parameters.get("augment"), list):
        pytest.importorskip("kornia")
    seed_globally(3)
    expected = make(estimator, **parameters).fit(data, target)
    seeds = iter(range(3, 20))  # another process has another global generator

    def fit() -> Any:
        seed_globally(next(seeds))
        model = make(estimator, checkpoint=tmp_path, checkpoint_minutes=minutes, **parameters)
        return model.fit(data, target)

    model, n_kills = fit_in_pieces(writes, fit, lengths)
    assert n_kills >= 2
    assert_same_fit(model, expected)
    writes.n = 0
    assert_same_fit(fit(), expected)
    assert writes.n == 0  # it was found to be over


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_and_validation_data_are_taken_up(
    early_stopping: bool, tmp_path: Path, writes: Writes
) -> None:
    arguments = {"X_val": X_val, "y_val": y_val, "sample_weight": weights}
    parameters = {"early_stopping": early_stopping, "n_iter_no_change": 2, "max_iter": 12}
    expected = make(NeuralClassifier, **parameters).fit(X, y, **arguments)

    def fit() -> Any:
        model = make(NeuralClassifier, checkpoint=tmp_path, checkpoint_minutes=ALWAYS, **parameters)
        return model.fit(X, y, sample_weight_val=None, **arguments)

    model, n_kills = fit_in_pieces(writes, fit, [3, 9, 4])
    assert n_kills >= 1
    assert_same_fit(model, expected)
    assert model.best_validation_score_ == expected.best_validation_score_


def test_a_generator_of_the_user_s_ends_where_it_would_have(tmp_path: Path, writes: Writes) -> None:
    instance = np.random.RandomState(5)
    expected = make(NeuralClassifier, random_state=instance, early_stopping=True).fit(X, y)
    generators = []

    def fit() -> Any:
        generators.append(np.random.RandomState(5))
        return make(
            NeuralClassifier, random_state=generators[-1], early_stopping=True, checkpoint=tmp_path
        ).fit(X, y)

    model, n_kills = fit_in_pieces(writes, fit, [2, 1])
    assert n_kills == 2
    assert_same_fit(model, expected)
    assert generators[-1].randint(2**31) == instance.randint(2**31)
    again = fit()
    assert_same_fit(again, expected)
    with pytest.raises(ValueError, match="random_state=RandomState has another content"):
        again.fit(X, y)


def test_the_global_generator_moves_as_in_an_uninterrupted_fit(
    tmp_path: Path, writes: Writes
) -> None:
    for n_estimators in (1, 2):
        parameters = {"random_state": None, "n_estimators": n_estimators}
        seed_globally(0)
        make(NeuralClassifier, **parameters).fit(X, y)
        expected = np.random.randint(2**31)  # noqa: NPY002
        for _ in range(2):
            seed_globally(0)
            make(NeuralClassifier, checkpoint=tmp_path / str(n_estimators), **parameters).fit(X, y)
            assert np.random.randint(2**31) == expected  # noqa: NPY002


def test_a_warm_start_is_taken_up(tmp_path: Path, writes: Writes) -> None:
    first = make(NeuralClassifier, warm_start=True, early_stopping=True, dropout=0.2).fit(X, y)
    expected = copy.deepcopy(first).set_params(learning_rate_init=0.01).fit(X, y)

    def fit() -> Any:
        model = copy.deepcopy(first).set_params(learning_rate_init=0.01)
        return model.set_params(checkpoint=tmp_path, checkpoint_minutes=ALWAYS).fit(X, y)

    model, n_kills = fit_in_pieces(writes, fit, [3, 5])
    assert n_kills == 2
    assert_same_fit(model, expected)
    with pytest.raises(ValueError, match="began with the weights of an earlier fit .* new weights"):
        clone(model).fit(X, y)
    other = make(NeuralClassifier, warm_start=True, early_stopping=True, dropout=0.2, alpha=1.0)
    other.fit(X, y).set_params(alpha=0.0001, learning_rate_init=0.01, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="this one with the weights of an earlier fit"):
        other.fit(X, y)


def test_an_ensemble_that_grows_has_the_networks_of_the_smaller_one(
    tmp_path: Path, writes: Writes
) -> None:
    for seed in (0, None):
        folder = tmp_path / str(seed)
        parameters = {"random_state": seed, "checkpoint": folder}
        small = make(NeuralClassifier, n_estimators=2, **parameters).fit(X, y)
        writes.n = 0
        large = make(NeuralClassifier, n_estimators=3, **parameters).fit(X, y)
        assert writes.n == N_EPOCHS + 1  # of one network
        for one, other in zip(small.estimators_, large.estimators_, strict=False):
            assert_same_fit(one, other)
        assert len({path.name for path in folder.glob("network-*")}) == 3


def test_members_of_a_stack_go_on_at_different_epochs(tmp_path: Path, writes: Writes) -> None:
    expected = make(NeuralClassifier, n_estimators=3, dropout=0.2).fit(X, y)

    def fit() -> Any:
        model = make(NeuralClassifier, n_estimators=3, dropout=0.2, checkpoint=tmp_path)
        return model.set_params(checkpoint_minutes=ALWAYS).fit(X, y)

    # the first has run two epochs, the second one, the third none
    model, n_kills = fit_in_pieces(writes, fit, [3 + 4, 1, 1])
    assert n_kills == 3
    assert_same_fit(model, expected)
    # one that is alone in the middle of an epoch, and then among others again
    for number in (1, 3):
        (tmp_path / f"network-{number}" / CHECKPOINT_FILE).unlink()
    model, n_kills = fit_in_pieces(writes, fit, [3])
    assert n_kills == 1
    assert_same_fit(model, expected)


def test_a_network_interrupted_in_an_epoch_is_taken_up_beside_a_new_one(
    tmp_path: Path, writes: Writes
) -> None:
    """A stack begins epochs as a whole, so the network goes on alone."""
    parameters = {"dropout": 0.2, "checkpoint": tmp_path, "checkpoint_minutes": ALWAYS}
    expected = make(NeuralClassifier, n_estimators=2, dropout=0.2).fit(X, y)
    make(NeuralClassifier, n_estimators=2, **parameters).fit(X, y)
    (tmp_path / "network-1" / CHECKPOINT_FILE).unlink()
    writes.n, writes.kill_after = 0, 4
    with pytest.raises(Killed):
        make(NeuralClassifier, n_estimators=2, **parameters).fit(X, y)
    (tmp_path / "network-2" / CHECKPOINT_FILE).unlink()
    writes.kill_after = np.inf
    assert_same_fit(make(NeuralClassifier, n_estimators=2, **parameters).fit(X, y), expected)


def test_ctrl_c_leaves_a_fitted_model_and_the_next_fit_goes_on(
    tmp_path: Path, writes: Writes
) -> None:
    expected = make(NeuralClassifier).fit(X, y)
    model = make(NeuralClassifier, checkpoint=tmp_path)
    writes.kill_after, writes.error = 3, KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == 2
    assert model.predict(X).shape == y.shape
    writes.kill_after = np.inf
    assert_same_fit(model.fit(X, y), expected)


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_a_bar_counts_the_epochs_before_an_interruption(
    n_estimators: int, tmp_path: Path, writes: Writes, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {"checkpoint": tmp_path, "verbose": "bar", "n_estimators": n_estimators}
    writes.kill_after = 4
    with pytest.raises(Killed):
        make(NeuralClassifier, **parameters).fit(X, y)
    assert capsys.readouterr().err.endswith("\n")  # the next line does not begin in the bar
    writes.kill_after = np.inf
    make(NeuralClassifier, **parameters).fit(X, y)
    total = n_estimators * N_EPOCHS
    assert f"100%|██████████| {total}/{total} epochs" in capsys.readouterr().err
    make(NeuralClassifier, **parameters).fit(X, y)  # is over: there is nothing to show
    assert "nan" not in capsys.readouterr().err


def test_partial_fit_writes_nothing(tmp_path: Path, writes: Writes) -> None:
    for n_estimators in (1, 2):
        model = make(NeuralClassifier, checkpoint=tmp_path / "new", n_estimators=n_estimators)
        model.partial_fit(X, y, classes=[0, 1])
    assert writes.n == 0
    assert not (tmp_path / "new").exists()


# ------------------------------------------------------------------------- what is in the file


@pytest.mark.parametrize("minutes", [10, ALWAYS])
@pytest.mark.parametrize("name", ["dropout", "images", "steps", "sequences", "early stopping"])
def test_the_file_is_an_estimator_with_the_weights_so_far(
    name: str, minutes: float, tmp_path: Path, writes: Writes
) -> None:
    estimator, parameters, data, target = CASES[name]
    parameters = parameters | {"learning_rate": "constant"}  # the others ask for all epochs
    epochs = make(estimator, **parameters | {"max_iter": 2}).fit(data, target)
    writes.kill_after = 3 if minutes == 10 else 8
    checkpointed = make(estimator, checkpoint=tmp_path, checkpoint_minutes=minutes, **parameters)
    with pytest.raises(Killed):
        checkpointed.fit(data, target)
    loaded = sknn.load(tmp_path / CHECKPOINT_FILE, trusted=[noisy])
    assert loaded.callbacks is None
    assert loaded.checkpoint is None
    assert not loaded.module_.training
    if minutes == 10:
        assert loaded.n_iter_ == 2
        if not parameters.get("early_stopping"):  # else it has the best weights of the two
            for one, other in zip(
                loaded.module_.state_dict().values(),
                epochs.module_.state_dict().values(),
                strict=True,
            ):
                assert torch.equal(one, other)
    assert loaded.n_iter_ == len(loaded.loss_curve_)
    for one, other in zip(loaded.predict(data), loaded.predict(data), strict=True):
        assert_array_equal(one, other)


def test_the_file_of_a_fit_that_is_over_is_the_fitted_estimator(tmp_path: Path) -> None:
    parameters = {"early_stopping": True, "dropout": 0.3, "checkpoint": tmp_path}
    model = make(NeuralClassifier, **parameters).fit(X, y)
    loaded = sknn.load(tmp_path / CHECKPOINT_FILE)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    loaded.set_params(early_stopping=False).partial_fit(X, y)
    model.set_params(early_stopping=False, checkpoint=None).partial_fit(X, y)
    assert_same_fit(loaded, model)


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    left = [f".{CHECKPOINT_FILE}.0123abcd.tmp", f".{CHECKPOINT_FILE}.ffff0000.tmp"]
    kept = ["notes.tmp", ".checkpoint.txt", f"{CHECKPOINT_FILE}.old"]
    for name in left + kept:
        (tmp_path / name).write_bytes(b"x")
    make(NeuralClassifier, checkpoint=str(tmp_path)).fit(X, y)
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT_FILE, *kept}


def test_without_a_folder_nothing_is_asked_and_nothing_written(
    writes: Writes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(NeuralClassifier, checkpoint=None).fit(X, y)
    assert writes.n == 0
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------- callbacks


class Counts(Callback):
    """Changes the weights by what it remembers."""

    def __init__(self, limit: int = 3) -> None:
        self.limit = limit

    def initialize(self) -> Any:
        self.losses_: list[float] = []
        self.seen_: set[int] = set()
        self.mean_ = None
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.losses_.append(net.history[-1]["train_loss"])
        self.seen_.add(len(net.history))
        latest = np.array([sum(self.losses_), len(self.seen_)])
        self.mean_ = latest if self.mean_ is None else self.mean_ + 0.5 * latest
        with torch.no_grad():
            for tensor in net.module_.parameters():
                tensor.mul_(1 - 1e-3 * float(self.mean_.sum()))


class HasStateDict(Counts):
    """Holds what cannot be stored, and says so."""

    def initialize(self) -> Any:
        self.lock_ = iter([1, 2])
        return super().initialize()

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses_, "seen": sorted(self.seen_), "mean": self.mean_}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses_, self.seen_ = state["losses"], set(state["seen"])
        self.mean_ = state["mean"]


class HasGetState(Counts):
    """Holds what cannot be stored, and pickles without it."""

    def initialize(self) -> Any:
        self.lock_ = iter([1, 2])
        return super().initialize()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "lock_"}


class CountsBatches(Callback):
    def initialize(self) -> Any:
        self.n_ = 0
        return self

    def on_batch_end(self, net: Any, loss: Any = None, **kwargs: Any) -> None:
        self.n_ += 1
        with torch.no_grad():
            for tensor in net.module_.parameters():
                tensor.mul_(1 - 1e-4 * self.n_ * float(loss))


def on_class_scoring(net: Any, X: Any, y: Any) -> float:
    return float((net.predict(X) == y).mean())


CALLBACKS: dict[str, Callable[[], list[Any]]] = {
    "counts": lambda: [Counts()],
    "state_dict": lambda: [("mine", HasStateDict())],
    "getstate": lambda: [HasGetState()],
    "batches": lambda: [CountsBatches()],
    "early stopping": lambda: [
        EarlyStopping("train_loss", patience=2, threshold=0.05, load_best=True, sink=len)
    ],
    "StepLR": lambda: [LRScheduler("StepLR", step_size=2)],
    "MultiStepLR": lambda: [LRScheduler("MultiStepLR", milestones=[1, 3])],
    "ExponentialLR": lambda: [LRScheduler("ExponentialLR", gamma=0.5)],
    "ReduceLROnPlateau": lambda: [
        LRScheduler("ReduceLROnPlateau", patience=0, threshold=0.5, monitor="train_loss")
    ],
    "CyclicLR a batch": lambda: [
        LRScheduler("CyclicLR", base_lr=1e-3, max_lr=1e-2, step_every="batch", cycle_momentum=False)
    ],
    "OneCycleLR a batch": lambda: [
        LRScheduler(
            torch.optim.lr_scheduler.OneCycleLR,
            max_lr=1e-2,
            total_steps=40,
            step_every="batch",
            cycle_momentum=False,
        )
    ],
    "LambdaLR": lambda: [LRScheduler("LambdaLR", lr_lambda=half_as_fast)],
    "WarmRestartLR": lambda: [LRScheduler(min_lr=1e-4, max_lr=1e-2, base_period=2)],
    "scores": lambda: [EpochScoring(on_class_scoring, lower_is_better=False, on_train=True)],
    "frozen layers": lambda: [Freezer("body.*", at=1), Unfreezer("body.*", at=3)],
}


def half_as_fast(epoch: int) -> float:
    return 0.5**epoch


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
@pytest.mark.parametrize(
    ("name", "minutes"),
    representatives(
        product(CALLBACKS, [10, ALWAYS]),
        ("counts", ALWAYS),
        ("state_dict", 10),
        ("getstate", ALWAYS),
        ("batches", ALWAYS),
        ("early stopping", 10),
        ("ReduceLROnPlateau", 10),
        ("OneCycleLR a batch", ALWAYS),
        ("scores", 10),
        ("frozen layers", 10),
    ),
)
def test_callbacks_go_on_with_what_they_remember(
    name: str, minutes: float, tmp_path: Path, writes: Writes
) -> None:
    callbacks = CALLBACKS[name]
    parameters = {"max_iter": 6, "learning_rate_init": 0.01, "module": NoisyNetwork}
    expected = make(NeuralClassifier, callbacks=callbacks(), **parameters).fit(X, y)

    def fit() -> Any:
        reporting = [EpochTimer(), PrintLog(sink=len)]
        return make(
            NeuralClassifier,
            callbacks=[*callbacks(), *reporting],
            checkpoint=tmp_path,
            checkpoint_minutes=minutes,
            **parameters,
        ).fit(X, y)

    model, n_kills = fit_in_pieces(writes, fit, [2, 1] if minutes == 10 else [8, 9, 3])
    assert n_kills >= 2
    assert_same_fit(model, expected)


class Holds(Callback):
    def __init__(self, X: Any = None) -> None:
        self.X = X

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.held = self.make(net)


@pytest.mark.parametrize(
    ("hold", "kind"),
    [
        (lambda net: iter([1]), "list_iterator"),
        (lambda net: net, "Net"),
        (lambda net: net.module_.weight, "Parameter"),
        (lambda net: {"a": [object()]}, "object"),
        (lambda net: np.array([object()]), "ndarray"),
    ],
)
def test_a_callback_that_holds_what_cannot_be_stored_is_refused_before_training(
    hold: Any, kind: str, tmp_path: Path
) -> None:
    callback = Holds()
    callback.make = hold
    model = make(
        NeuralClassifier, module=nn.Linear(5, 1), checkpoint=tmp_path, callbacks=[callback]
    )
    with pytest.raises(TypeError, match=rf"Holds\.held.*{kind}.*state_dict and load_state_dict"):
        model.fit(X, y)
    assert model.n_iter_ == 0
    assert not list(tmp_path.iterdir())


def test_arrays_handed_to_a_callback_are_not_stored(tmp_path: Path) -> None:
    sizes = []
    for n in (10, 100_000):
        callback = Holds(np.zeros(n))
        callback.make = len
        folder = tmp_path / str(n)
        make(NeuralClassifier, checkpoint=folder, callbacks=[callback], max_iter=1)
        callback.make = lambda net: 1
        make(NeuralClassifier, checkpoint=folder, callbacks=[callback], max_iter=1).fit(X, y)
        sizes.append((folder / CHECKPOINT_FILE).stat().st_size)
    assert abs(sizes[0] - sizes[1]) < 1000


def test_a_callback_that_makes_its_parts_late_is_refused_when_they_are_missing(
    tmp_path: Path, writes: Writes
) -> None:
    class Late(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            self.average_ = nn.Linear(1, 1)

    writes.kill_after = 3
    with pytest.raises(Killed):
        make(NeuralClassifier, checkpoint=tmp_path, callbacks=[Late()]).fit(X, y)
    with pytest.raises(ValueError, match="Late had an attribute 'average_'"):
        make(NeuralClassifier, checkpoint=tmp_path, callbacks=[Late()]).fit(X, y)


class Epochs:
    """A callback of scikit-learn's that keeps the numbers of epochs."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_begin(self, estimator: Any, context: Any, **kwargs: Any) -> None:
        if context.task_name == "epoch":
            self.numbers.append(context.task_id)

    def on_fit_task_end(self, estimator: Any, context: Any, **kwargs: Any) -> bool:
        return False

    def teardown(self, estimator: Any, context: Any) -> None:
        pass


@pytest.mark.parametrize(("minutes", "kill_after"), [(10, 3), (ALWAYS, 13)])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_callbacks_of_scikit_learn_go_on_with_the_numbers_of_the_epochs(
    n_estimators: int, minutes: float, kill_after: int, tmp_path: Path, writes: Writes
) -> None:
    parameters = {
        "normalization": "layer",
        "n_estimators": n_estimators,
        "checkpoint": tmp_path,
        "checkpoint_minutes": minutes,
    }
    writes.kill_after = kill_after
    with pytest.raises(Killed):
        make(NeuralClassifier, **parameters).fit(X, y)
    writes.kill_after = np.inf
    seen = Epochs()
    make(NeuralClassifier, **parameters).set_callbacks(seen).fit(X, y)
    assert seen.numbers == [2, 3] + [0, 1, 2, 3] * (n_estimators - 1)


# ---------------------------------------------------------------------------------- refusals


CHANGED: dict[str, Any] = {
    "hidden_layer_sizes": (6, 2),
    "activation": "tanh",
    "solver": "sgd",
    "alpha": 0.5,
    "batch_size": 20,
    "learning_rate": "cosine",
    "learning_rate_init": 0.5,
    "max_iter": 5,
    "shuffle": False,
    "random_state": 1,
    "tol": 0.5,
    "n_iter_no_change": 3,
    "beta_1": 0.5,
    "max_grad_norm": 1.0,
    "early_stopping": True,
    "dropout": 0.5,
    "normalization": "layer",
    "class_weight": "balanced",
    "label_smoothing": 0.5,
    "precision": "float32",
    "module": NoisyNetwork,
    "callbacks": [Counts()],
}


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint of a fit after one epoch."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_checkpoint, "ALLOWANCE", np.inf)
        writes = Writes()
        writes.kill_after = 2
        patch.setattr(_checkpoint, "write_parts", writes)
        with pytest.raises(Killed):
            make(NeuralClassifier, checkpoint=folder).fit(X, y)
    return folder


def assert_refused(model: Any, folder: Path, said: list[str], *data: Any, **arguments: Any) -> None:
    before = (folder / CHECKPOINT_FILE).read_bytes()
    with pytest.raises(ValueError) as caught:
        model.fit(*data, **arguments)
    text = str(caught.value)
    for part in (*said, str(folder), "another folder", f"delete {folder / CHECKPOINT_FILE}"):
        assert part in text
    assert (folder / CHECKPOINT_FILE).read_bytes() == before
    assert not hasattr(model, "module_")


@pytest.mark.parametrize(("name", "value"), CHANGED.items(), ids=CHANGED)
def test_other_parameters_are_refused(name: str, value: Any, interrupted: Path) -> None:
    model = make(NeuralClassifier, checkpoint=interrupted, **{name: value})
    there = getattr(make(NeuralClassifier), name)
    here = getattr(value, "__qualname__", repr(value))
    if name == "callbacks":
        there, here = [], "['Counts']"
    assert_refused(model, interrupted, [f"{name}={there!r} there and {here} here"], X, y)


OTHER_DATA: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "one value": (np.where(np.arange(300).reshape(60, 5) == 7, 0, X), y, {}, "X"),
    "type": (X.astype(np.float32), y, {}, "X"),
    "fewer rows": (X[:-1], y[:-1], {}, "X, y"),
    "order of the rows": (X[::-1], y[::-1], {}, "X, y"),
    "sparse": (sparse.csr_array(X), y, {}, "X"),
    "y": (X, 1 - y, {}, "y"),
    "names of labels": (X, np.where(y, "yes", "no"), {}, "classes"),
    "weights": (X, y, {"sample_weight": weights}, "sample_weight"),
    "validation": (X, y, {"X_val": X_val, "y_val": y_val}, "X_val, y_val"),
}


@pytest.mark.parametrize(("data", "target", "more", "said"), OTHER_DATA.values(), ids=OTHER_DATA)
def test_other_data_are_refused(
    data: Any, target: Any, more: dict[str, Any], said: str, interrupted: Path
) -> None:
    model = make(NeuralClassifier, checkpoint=interrupted, precision="auto")
    assert_refused(model, interrupted, [f"other data ({said})"], data, target, **more)


def test_another_estimator_and_another_type_of_weights_are_refused(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regressor = make(NeuralRegressor, checkpoint=interrupted)
    assert_refused(regressor, interrupted, ["NeuralClassifier", "not of a sknn"], X, y)
    types = (torch.float32, torch.float32)  # as on a GPU
    monkeypatch.setattr("sknn.estimators._fit.resolve_precision", lambda *args: types)
    model = make(NeuralClassifier, checkpoint=interrupted)
    assert_refused(model, interrupted, ["weights of type float64, here float32"], X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"verbose": True},
        {"device": "cpu"},
        {"checkpoint_minutes": 1},
        {"callbacks": [EpochTimer(), PrintLog(sink=len)]},
        {"callbacks": []},
    ],
    ids=case_name,
)
def test_what_changes_nothing_may_change(
    parameters: dict[str, Any], interrupted: Path, tmp_path: Path, capsys: Any
) -> None:
    content = (interrupted / CHECKPOINT_FILE).read_bytes()
    (tmp_path / CHECKPOINT_FILE).write_bytes(content)
    model = make(NeuralClassifier, checkpoint=tmp_path, **parameters).fit(X, y)
    for one, other in zip(model.coefs_, make(NeuralClassifier).fit(X, y).coefs_, strict=True):
        assert_array_equal(one, other)


EQUAL: dict[str, Any] = {
    "alpha": np.float64(1e-4),
    "max_iter": np.int64(4),
    "dropout": np.float32(0.5),
    "momentum": np.array(0.9)[()],
    "hidden_layer_sizes": (np.int16(6),),
    "shuffle": np.bool_(True),
    "solver": np.str_("adam"),
    "max_grad_norm": 3,
    "tol": np.float64(0),
}


@pytest.mark.parametrize("name", EQUAL)
def test_numbers_of_equal_value_are_the_same(name: str, tmp_path: Path) -> None:
    plain = {"max_grad_norm": 3.0, "tol": 0, "dropout": 0.5, "hidden_layer_sizes": (6,)}
    value = plain.get(name, np.asarray(EQUAL[name]).item() if name in EQUAL else None)
    model = make(NeuralClassifier, checkpoint=tmp_path, **{name: value}).fit(X, y)
    again = make(NeuralClassifier, checkpoint=tmp_path, **{name: EQUAL[name]}).fit(X, y)
    assert_array_equal(again.coefs_[0], model.coefs_[0])


def test_the_home_folder_has_a_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make(NeuralClassifier, checkpoint="~/run").fit(X, y)
    make(NeuralClassifier, n_estimators=2, checkpoint=Path("~/runs")).fit(X, y)
    assert sorted(os.listdir(tmp_path)) == ["run", "runs"]
    assert (tmp_path / "run" / CHECKPOINT_FILE).exists()
    assert (tmp_path / "runs" / "network-2" / CHECKPOINT_FILE).exists()


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    with atomic_write(tmp_path / CHECKPOINT_FILE) as file:
        file.write(b"1")
        make(NeuralClassifier, checkpoint=tmp_path).fit(X, y)
        assert len(os.listdir(tmp_path)) == 2


LYING: dict[str, Callable[[dict[str, Any]], None]] = {
    "no weights": lambda progress: progress.update(weights=[]),
    "weights of another shape": lambda progress: progress.update(
        weights=[torch.zeros(1) for _ in progress["weights"]]
    ),
    "texts for flags": lambda progress: progress.update(trainable=["yes"]),
    "no callbacks": lambda progress: progress.update(callbacks=[{}, {}]),
    "no optimizer": lambda progress: progress.update(optimizer=None),
    "a key less": lambda progress: progress.pop("order"),
}


@pytest.mark.parametrize("name", LYING)
def test_a_checkpoint_that_lies_is_an_error_of_its_file(
    name: str, interrupted: Path, tmp_path: Path
) -> None:
    with read_parts(interrupted / CHECKPOINT_FILE) as stored:
        parts = {part: stored.decode(part) for part in ("estimator", "fit", "progress")}
    LYING[name](parts["progress"])
    write_parts(tmp_path / CHECKPOINT_FILE, parts, kind="checkpoint")
    with pytest.raises(ModelFileError, match=CHECKPOINT_FILE):
        make(NeuralClassifier, checkpoint=tmp_path).fit(X, y)


def test_a_checkpoint_of_an_estimator_whose_module_has_moved_is_taken_up(
    interrupted: Path, tmp_path: Path
) -> None:
    with read_parts(interrupted / CHECKPOINT_FILE) as stored:
        parts = {part: stored.decode(part) for part in ("estimator", "fit", "progress")}
    assert parts["fit"]["estimator"] == "sknn.estimators.NeuralClassifier"
    parts["fit"]["estimator"] = "sknn.estimators._dense.NeuralClassifier"  # as 0.1.0 has it
    write_parts(tmp_path / CHECKPOINT_FILE, parts, kind="checkpoint")
    model = make(NeuralClassifier, checkpoint=tmp_path).fit(X, y)
    assert_same_fit(model, make(NeuralClassifier).fit(X, y))


@pytest.mark.parametrize("part", ["fit", "progress", "estimator"])
def test_a_checkpoint_holds_what_it_should_where_it_should(
    part: str, interrupted: Path, tmp_path: Path
) -> None:
    with read_parts(interrupted / CHECKPOINT_FILE) as stored:
        parts = {name: stored.decode(name) for name in ("estimator", "fit", "progress")}
    with pytest.raises(TypeError, match=f"^{part}"):
        write_parts(tmp_path / CHECKPOINT_FILE, parts | {part: Path("x")}, kind="checkpoint")
    with pytest.raises(TypeError, match=f"^{part}"):
        write_parts(tmp_path / CHECKPOINT_FILE, parts | {part: nn.Linear(2, 2)}, kind="checkpoint")


def test_equal_data_in_other_memory_are_the_same(interrupted: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    memmap = np.load(tmp_path / "X.npy", mmap_mode="r")
    for number, same in enumerate((np.asfortranarray(X), memmap, X.tolist())):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / CHECKPOINT_FILE).write_bytes((interrupted / CHECKPOINT_FILE).read_bytes())
        model = make(NeuralClassifier, checkpoint=folder).fit(same, y.tolist())
        assert model.n_iter_ == N_EPOCHS


def test_lbfgs_is_refused(tmp_path: Path) -> None:
    model = make(NeuralClassifier, solver="lbfgs", checkpoint=tmp_path / "new")
    with pytest.raises(ValueError, match="checkpoint needs a solver that goes through batches"):
        model.fit(X, y)
    assert not (tmp_path / "new").exists()


def test_a_loss_without_a_name_is_refused_before_training(tmp_path: Path) -> None:
    model = make(NeuralRegressor, loss=lambda outputs, targets: outputs.sum(1), checkpoint=tmp_path)
    with pytest.raises(TypeError, match=r"estimator\.loss.*cannot be"):
        model.fit(X, y)
    assert model.n_iter_ == 0


def test_ensembles_and_single_networks_share_no_folder(tmp_path: Path) -> None:
    for first, second, whose in ((1, 2, "of a single network"), (2, 1, "of an ensemble")):
        folder = tmp_path / str(first)
        make(NeuralClassifier, n_estimators=first, checkpoint=folder).fit(X, y)
        model = make(NeuralClassifier, n_estimators=second, checkpoint=folder)
        with pytest.raises(ValueError, match=f"{whose}, and n_estimators={second}"):
            model.fit(X, y)


def test_a_member_with_other_parameters_is_refused(tmp_path: Path) -> None:
    make(NeuralClassifier, n_estimators=2, checkpoint=tmp_path).fit(X, y)
    for parameters in ({"alpha": 1.0}, {"random_state": 1}, {"random_state": None}):
        model = make(NeuralClassifier, n_estimators=2, checkpoint=tmp_path, **parameters)
        with pytest.raises(ValueError, match=r"network-1.*(alpha|random_state)=.* there and"):
            model.fit(X, y)


def test_an_empty_folder_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty string"):
        make(NeuralClassifier, checkpoint="").fit(X, y)


@pytest.mark.parametrize("search", [GridSearchCV, sknn.model_selection.GridSearchCV])
def test_the_fits_of_a_search_cannot_share_a_folder(search: Any, tmp_path: Path) -> None:
    model = make(NeuralClassifier, checkpoint=tmp_path)
    grid = search(model, {"alpha": [0.1, 0.2]}, cv=2, error_score="raise", refit=False)
    with pytest.raises(ValueError, match="search with checkpoint=None"):
        grid.fit(X, y)
    grid = search(model.set_params(checkpoint=None), {"alpha": [0.1, 0.2]}, cv=2)
    expected = grid.fit(X, y)
    refitted = clone(expected.best_estimator_).set_params(checkpoint=tmp_path / "best").fit(X, y)
    assert_same_fit(refitted, expected.best_estimator_)


def test_another_version_of_torch_goes_on_with_a_warning(
    interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes((interrupted / CHECKPOINT_FILE).read_bytes())
    monkeypatch.setattr(torch, "__version__", "99.0")
    with pytest.warns(UserWarning, match="this is torch 99.0"):
        make(NeuralClassifier, checkpoint=tmp_path).fit(X, y)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT_FILE
    sknn.save(make(NeuralClassifier), path)
    with pytest.raises(ValueError, match="is no checkpoint, but a file of kind 'model'"):
        make(NeuralClassifier, checkpoint=tmp_path).fit(X, y)
    for content in (b"", pickle.dumps([1, 2, 3])):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=CHECKPOINT_FILE):
            make(NeuralClassifier, checkpoint=tmp_path).fit(X, y)
        assert path.read_bytes() == content
