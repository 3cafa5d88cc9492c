"""What the tests of figures and of networks share."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from sknn import ConvClassifier, ConvRegressor, NeuralClassifier

HAS_MATPLOTLIB = find_spec("matplotlib") is not None
if HAS_MATPLOTLIB:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    yield
    if HAS_MATPLOTLIB:
        plt.close("all")


def make_images(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)


def fit(estimator: Any, X: Any, y: Any, **validation: Any) -> Any:
    return estimator.set_params(max_iter=1, random_state=0).fit(X, y, **validation)


@pytest.fixture(scope="session")
def grey_images() -> np.ndarray:
    return make_images(30, 8, 6)


@pytest.fixture(scope="session")
def colour_images() -> np.ndarray:
    return make_images(30, 8, 6, 3)


@pytest.fixture(scope="session")
def labels() -> np.ndarray:
    return np.arange(30) % 3


@pytest.fixture(scope="session")
def grey_classifier(grey_images: np.ndarray, labels: np.ndarray) -> ConvClassifier:
    return fit(
        ConvClassifier(filters=(4, 5), hidden_layer_sizes=(7,), normalization=None),
        grey_images,
        labels,
    )


@pytest.fixture(scope="session")
def colour_classifier(colour_images: np.ndarray, labels: np.ndarray) -> ConvClassifier:
    return fit(ConvClassifier(filters=(4, 5)), colour_images, labels)


@pytest.fixture(scope="session")
def binary_classifier(grey_images: np.ndarray, labels: np.ndarray) -> ConvClassifier:
    return fit(
        ConvClassifier(filters=(4,), normalization=None),
        grey_images,
        np.where(labels > 0, "yes", "no"),
    )


@pytest.fixture(scope="session")
def regressor(grey_images: np.ndarray) -> ConvRegressor:
    return fit(ConvRegressor(filters=(4,)), grey_images, grey_images.mean((1, 2)) / 255)


@pytest.fixture(scope="session")
def dense_classifier(grey_images: np.ndarray, labels: np.ndarray) -> NeuralClassifier:
    rows = grey_images.reshape(30, -1) / 255
    return fit(NeuralClassifier((7,), learning_rate="cosine"), rows, labels)
