"""Fits in several threads at once end with the weights that they have one after the other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import Tensor, nn

from sknn import (
    AttentionClassifier,
    ConvClassifier,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
)
from sknn.model_selection import GridSearchCV as OurGridSearchCV
from sknn.nn.layers import Dropout
from sknn.sequences import EncoderDecoderClassifier, SequenceGenerator

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
y = X[:, 0] - X[:, 1] ** 2
labels = (y > 0).astype(int)
images = rng.normal(size=(24, 8, 8, 3)).astype(np.float32)
image_labels = np.arange(24) % 3
series = [rng.normal(size=(n, 2)) for n in rng.integers(4, 9, 24)]
answers = [rng.integers(0, 4, n) for n in rng.integers(2, 5, 24)]


class Dropping(nn.Module):
    """torch's dropout, and ours."""

    def __init__(self, n_features_in: int, n_outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features_in, 8), nn.Dropout(0.4), Dropout(0.2), nn.Linear(8, n_outputs)
        )

    def forward(self, X: Tensor) -> Tensor:
        return self.layers(X)


class DrawnSlope(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.rand(()))

    def forward(self, z: Tensor) -> Tensor:
        return torch.maximum(z, self.slope * z)


class Langevin(torch.optim.SGD):
    """Adds noise to each step."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        super().step()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(0.01 * torch.randn_like(parameter))


class GradientNoise(Callback):
    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        for parameter in net.module_.parameters():
            parameter.grad.add_(0.1 * torch.randn_like(parameter))


def noisy_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs - targets + 0.1 * torch.randn_like(outputs)) ** 2).sum(1)


def add_noise(images: Tensor) -> Tensor:
    return images + torch.randn_like(images)


SHORT: dict[str, Any] = {"max_iter": 3, "batch_size": 10, "random_state": 0}
FITS: dict[str, Callable[[], Any]] = {
    "dense": lambda: NeuralClassifier((8,), dropout=0.3, **SHORT).fit(X, labels),
    "normalized": lambda: NeuralClassifier((8,), dropout=0.3, normalization="batch", **SHORT).fit(
        X, labels
    ),
    "early stopping": lambda: NeuralClassifier((8,), dropout=0.3, early_stopping=True, **SHORT).fit(
        X, labels
    ),
    "ensemble": lambda: NeuralClassifier((8,), dropout=0.3, n_estimators=2, **SHORT).fit(X, labels),
    "partial fit": lambda: (
        NeuralRegressor(hidden_layer_sizes=(8,), dropout=0.3, **SHORT)
        .partial_fit(X, y)
        .partial_fit(X, y)
    ),
    "module": lambda: NeuralRegressor(module=Dropping, **SHORT).fit(X, y),
    "module, lbfgs": lambda: NeuralRegressor(module=Dropping, solver="lbfgs", **SHORT).fit(X, y),
    "activation": lambda: NeuralRegressor(
        hidden_layer_sizes=(8,), activation=DrawnSlope, dropout=0.2, **SHORT
    ).fit(X, y),
    "loss": lambda: NeuralRegressor(noisy_loss, hidden_layer_sizes=(8,), **SHORT).fit(X, y),
    "solver": lambda: NeuralRegressor(solver=Langevin, **SHORT).fit(X, y),
    "callback": lambda: NeuralRegressor(
        hidden_layer_sizes=(8,), dropout=0.2, callbacks=[GradientNoise()], **SHORT
    ).fit(X, y),
    "augmented": lambda: ConvClassifier(
        filters=(4,), dropout=0.2, augment=["flip", "shift", "rotate", "erase"], **SHORT
    ).fit(images, image_labels),
    "function": lambda: ConvClassifier(
        filters=(4,), architecture="airbench", augment=add_noise, **SHORT
    ).fit(images, image_labels),
    "recurrent": lambda: RecurrentClassifier(
        hidden_size=8, n_layers=2, dropout=0.3, bidirectional=True, **SHORT
    ).fit(series, image_labels),
    "attention": lambda: AttentionClassifier(
        hidden_size=8, n_heads=2, n_layers=2, dropout=0.3, **SHORT
    ).fit(series, image_labels),
    "encoder-decoder": lambda: EncoderDecoderClassifier(hidden_size=8, dropout=0.3, **SHORT).fit(
        series, answers
    ),
    "generator": lambda: SequenceGenerator(
        hidden_size=8, embedding_size=4, n_layers=2, dropout=0.3, **SHORT
    ).fit(answers),
}


def weights(model: Any) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in model.module_.parameters()])


def fit_in_threads(names: list[str], n_threads: int) -> list[np.ndarray]:
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda name: weights(FITS[name]()), names))


def test_fits_in_threads_end_as_one_after_the_other() -> None:
    names = [*FITS, "dense", "module", "attention"]
    before = torch.get_rng_state()
    alone = {name: weights(FITS[name]()) for name in FITS}
    for name, found in zip(names, fit_in_threads(names, n_threads=4), strict=True):
        assert_array_equal(found, alone[name], err_msg=name)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
def test_eight_threads_of_eight_fits(name: str) -> None:
    before = torch.get_rng_state()
    alone = weights(FITS[name]())
    for found in fit_in_threads([name] * 64, n_threads=8):
        assert_array_equal(found, alone)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", FITS)
def test_global_generators_decide_nothing_and_are_left_alone(name: str) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(weights(FITS[name]()))
        assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(*found)


class Waiting(Callback):
    """Has two fits go from batch to batch together."""

    def __init__(self, barrier: Any) -> None:
        self.barrier = barrier

    def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
        self.barrier.wait(timeout=60)


@pytest.mark.parametrize("parameters", [{"dropout": 0.3}, {"module": Dropping}], ids=str)
def test_fits_whose_batches_alternate(parameters: dict[str, Any]) -> None:
    def fit(callbacks: list[Any]) -> np.ndarray:
        model = NeuralRegressor(**parameters, **SHORT, callbacks=callbacks)
        return weights(model.fit(X, y))

    alone = fit([])
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(fit, [Waiting(barrier)]) for _ in range(2)]
    for future in futures:
        assert_array_equal(future.result(), alone)


SEARCHED: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "dense": (NeuralClassifier(dropout=0.3), {"hidden_layer_sizes": [(4,), (8,)]}, X),
    "sparse": (NeuralClassifier((8,), dropout=0.3), {"alpha": [0, 0.1]}, csr_array(X)),
    "module": (NeuralClassifier(module=Dropping), {"alpha": [0, 0.1]}, X),
}


@pytest.mark.parametrize("search_class", [GridSearchCV, OurGridSearchCV])
@pytest.mark.parametrize("name", SEARCHED)
def test_searches_in_threads(name: str, search_class: Any) -> None:
    model, grid, inputs = SEARCHED[name]
    model = clone(model).set_params(**SHORT)

    def search(n_jobs: int) -> Any:
        return search_class(model, grid, cv=3, n_jobs=n_jobs).fit(inputs, labels)

    before = torch.get_rng_state()
    alone = search(1)
    with joblib.parallel_backend("threading"):
        found = search(4)
    assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert_array_equal(weights(found.best_estimator_), weights(alone.best_estimator_))
    assert torch.equal(torch.get_rng_state(), before)
