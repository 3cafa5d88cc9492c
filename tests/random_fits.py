"""Short fits of each family that draw random numbers, by way of the source of these."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sknn import (
    AttentionClassifier,
    ConvClassifier,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    TabularClassifier,
)
from sknn.decomposition import Autoencoder
from sknn.generative import AdversarialGenerator
from sknn.nn.layers import Dropout
from sknn.sequences import EncoderDecoderClassifier, SequenceGenerator

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
    "embeddings": lambda: NeuralClassifier(
        (8,), dropout=0.3, numerical_embedding=("piecewise_linear", "periodic"), **SHORT
    ).fit(X, labels),
    "table": lambda: TabularClassifier(hidden_layer_sizes=(8,), n_estimators=3, **SHORT).fit(
        X, labels
    ),
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
        hidden_size=8, n_layers=2, dropout=0.3, noise=0.1, bidirectional=True, **SHORT
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
    "denoising": lambda: Autoencoder(
        2, hidden_layer_sizes=(8,), noise="masking", noise_amount=0.3, **SHORT
    ).fit(X),
    "variational": lambda: Autoencoder(2, filters=(4,), variational=True, **SHORT).fit(images),
    "adversarial": lambda: AdversarialGenerator(
        generator=(8,), discriminator=(8,), loss="wasserstein", **SHORT
    ).fit(X, labels),
}


def weights(model: Any) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in model.module_.parameters()])
