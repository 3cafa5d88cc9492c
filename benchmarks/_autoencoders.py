"""Autoencoders on MNIST: compression, maps, outliers, and the bound of variational ones."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from sknn.datasets import fetch_mnist
from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector

from ._measure import Options, report
from ._report import Row

# PyOD 3.6.7's AutoEncoder, as its source has it
PYOD_LAYERS = (64, 32)
PYOD_EPOCHS, PYOD_BATCH, PYOD_DROPOUT, PYOD_DECAY, PYOD_RATE = 10, 32, 0.2, 1e-5, 1e-3
PYOD_EPSILON = 1e-8
# principal components whose errors are outlier scores
PCA_SIZES = (16, 32, 64)
LATENT, HIDDEN, EPOCHS, BATCH, RATE = 16, 256, 10, 128, 0.001


def run_autoencoders(options: Options) -> list[Row]:
    """Squared errors, neighbours, areas under the curve and bounds on MNIST's digits."""
    images, y = _digits("train")
    test, y_test = _digits("test")
    if options.quick:
        images, y, test, y_test = images[:4000], y[:4000], test[:2000], y_test[:2000]
    rows = [*_compression(images, test), *_maps(images, y, test, y_test)]
    rows += _outliers(images, y, test, y_test)
    return [*rows, *_bounds(images, test)]


def _digits(subset: Any) -> tuple[np.ndarray, np.ndarray]:
    X, y = fetch_mnist(subset=subset, return_X_y=True)
    return np.asarray(X).reshape(-1, 28, 28), np.asarray(y).astype(int)


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / np.float32(255)


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return action(), time.perf_counter() - start


# ----------------------------------------------------------------------------------- compression


def _compression(images: np.ndarray, test: np.ndarray) -> list[Row]:
    """32 numbers a digit: the squared error of test digits, with pixels from 0 to 1."""
    pca, seconds = _timed(lambda: PCA(32, random_state=0).fit(_flat(images)))
    back = pca.inverse_transform(pca.transform(_flat(test)))
    of_pca = float(np.square(back - _flat(test)).sum(1).mean())
    rows = [report(Row("digits, 32 numbers", "PCA", seconds=[seconds], score=f"{of_pca:.2f}"))]
    for title, parameters in {"": {}, ", dense": {"architecture": "dense"}}.items():
        model = Autoencoder(32, random_state=0, **parameters)
        _, seconds = _timed(lambda model=model: model.fit(images))
        error = float(model.reconstruction_error(test).mean()) / 255**2
        score = f"{error:.2f}, {error / of_pca:.2f} of PCA's"
        aim = "" if title else "0.5 in 180 s"
        name = f"Autoencoder{title}"
        epochs = str(model.n_iter_)
        rows.append(
            report(Row(rows[0].task, name, epochs, seconds=[seconds], score=score, aim=aim))
        )
    return rows


def _maps(images: np.ndarray, y: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> list[Row]:
    """Two numbers a digit: the accuracy of five nearest neighbours."""
    task = "digits, 2 numbers"
    pca, seconds = _timed(lambda: PCA(2, random_state=0).fit(_flat(images)))
    of_pca = _neighbours(pca.transform(_flat(images)), y, pca.transform(_flat(test)), y_test)
    rows = [report(Row(task, "PCA", seconds=[seconds], score=f"{100 * of_pca:.1f} %"))]
    model = Autoencoder(2, random_state=0)
    _, seconds = _timed(lambda: model.fit(images))
    found = _neighbours(model.transform(images), y, model.transform(test), y_test)
    score = f"{100 * found:.1f} %, {100 * (found - of_pca):+.1f} points"
    row = Row(
        task, "Autoencoder", str(model.n_iter_), seconds=[seconds], score=score, aim="+20 points"
    )
    return [*rows, report(row)]


def _neighbours(codes: np.ndarray, y: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> float:
    return float(KNeighborsClassifier(5).fit(codes, y).score(test, y_test))


# -------------------------------------------------------------------------------------- outliers


def _outliers(images: np.ndarray, y: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> list[Row]:
    """One digit is normal, the nine others are not: mean area under the curve of the ten."""
    contenders: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "IsolationForest": lambda normal, new: (
            IsolationForest(random_state=0).fit(_flat(normal)).score_samples(_flat(new))
        ),
        **{
            f"PCA({size}), error": lambda normal, new, size=size: _pca_scores(normal, new, size)
            for size in PCA_SIZES
        },
        "PyOD's AutoEncoder, its recipe": _pyod_scores,
        "AutoencoderOutlierDetector": lambda normal, new: (
            AutoencoderOutlierDetector(random_state=0).fit(normal).score_samples(new)
        ),
    }
    rows = []
    for name, score in contenders.items():
        areas, seconds = [], []
        for digit in range(10):
            found, duration = _timed(
                lambda score=score, digit=digit: score(images[y == digit], test)
            )
            areas.append(roc_auc_score(y_test == digit, found))
            seconds.append(duration)
        text = f"{np.mean(areas):.4f} ({min(areas):.3f} to {max(areas):.3f})"
        aim = "forest + 0.03, not below the others" if name == "AutoencoderOutlierDetector" else ""
        rows.append(report(Row("digits, outliers", name, seconds=seconds, score=text, aim=aim)))
    return rows


def _pca_scores(normal: np.ndarray, new: np.ndarray, size: int) -> np.ndarray:
    pca = PCA(size, random_state=0).fit(_flat(normal))
    back = pca.inverse_transform(pca.transform(_flat(new)))
    return -np.square(back - _flat(new)).sum(1)


def _pyod_scores(normal: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Do as PyOD's AutoEncoder with its default parameters."""
    X, X_new = (torch.from_numpy(_flat(each)) for each in (normal, new))
    mean, deviation = X.mean(0), X.std(0, correction=0) + PYOD_EPSILON
    X, X_new = (X - mean) / deviation, (X_new - mean) / deviation
    torch.manual_seed(0)
    widths = (X.shape[1], *PYOD_LAYERS)
    layers: list[nn.Module] = []
    back = PYOD_LAYERS[::-1]
    for fan_in, fan_out in [*pairwise(widths), *pairwise(back)]:
        layers += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.ReLU()]
        layers += [nn.Dropout(PYOD_DROPOUT)]
    network = nn.Sequential(*layers, nn.Linear(back[-1], X.shape[1]))
    optimizer = torch.optim.Adam(network.parameters(), lr=PYOD_RATE, weight_decay=PYOD_DECAY)
    for _ in range(PYOD_EPOCHS):
        for rows in torch.randperm(len(X)).split(PYOD_BATCH):
            if len(rows) > 1:
                optimizer.zero_grad()
                nn.functional.mse_loss(network(X[rows]), X[rows]).backward()
                optimizer.step()
    network.eval()
    with torch.no_grad():
        return -(network(X_new) - X_new).double().square().sum(1).sqrt().numpy()


# ---------------------------------------------------------------------------------------- bounds


class HandWritten(nn.Module):
    """The variational autoencoder of a torch tutorial, of the same size."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, HIDDEN)
        self.mean, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784))

    def forward(self, X: Tensor) -> Tensor:
        """Return the negative bound of each row, with one draw, (n, 784) -> (n,)."""
        hidden = self.hidden(X).relu()
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        entropy = nn.functional.binary_cross_entropy_with_logits(
            self.decoder(code), X, reduction="none"
        ).sum(1)
        return entropy - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1)


def _bounds(images: np.ndarray, test: np.ndarray) -> list[Row]:
    """Evidence lower bounds of test digits whose pixels are 0 or 1."""
    X, X_test = ((each >= 128).reshape(len(each), -1).astype(np.float32) for each in (images, test))
    task = f"binary digits, {LATENT} numbers"

    def by_hand() -> HandWritten:
        torch.manual_seed(0)
        model, rows = HandWritten(), torch.from_numpy(X)
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(rows)).split(BATCH):
                optimizer.zero_grad()
                model(rows[batch]).mean().backward()
                optimizer.step()
        return model

    model, seconds = _timed(by_hand)
    with torch.no_grad():
        theirs = float(-np.mean([model(torch.from_numpy(X_test)).mean() for _ in range(5)]))
    rows = [report(Row(task, "torch, by hand", str(EPOCHS), [seconds], score=f"{theirs:.2f} nats"))]
    shared: dict[str, Any] = {
        "variational": True,
        "loss": "log_loss",
        "hidden_layer_sizes": HIDDEN,
        "random_state": 0,
    }
    equal: dict[str, Any] = {
        "solver": "adam",
        "alpha": 0,
        "learning_rate": "constant",
        "learning_rate_init": RATE,
        "batch_size": BATCH,
        "max_iter": EPOCHS,
    }
    for title, parameters in {"the same training": equal, "": {"max_iter": EPOCHS}}.items():
        ours = Autoencoder(LATENT, **shared | parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, seconds = _timed(lambda ours=ours: ours.fit(X))
        bound = float(ours.elbo(X_test, n_draws=5, random_state=0).mean())
        score = f"{bound:.2f} nats, {bound - theirs:+.2f}"
        name = f"Autoencoder(variational=True){', ' if title else ''}{title}"
        rows.append(
            report(Row(task, name, str(EPOCHS), [seconds], score=score, aim="-3 nats at most"))
        )
    return rows
