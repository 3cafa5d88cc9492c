from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from sknn import (
    AttentionClassifier,
    ConvClassifier,
    ConvRegressor,
    NeuralRegressor,
    RecurrentClassifier,
)
from sknn.export import export_onnx

from .conftest import Exported, assert_same, fit, needs_onnx

# two epochs are enough to have weights
pytestmark = [
    needs_onnx,
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"),
]

LABELS = np.arange(40) % 3
SMALL = {"filters": (4,), "hidden_layer_sizes": (), "max_iter": 1}


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, *shape)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("X", "options"),
    [
        (images(6, 5), {}),
        (images(6, 5, 3), {}),
        (images(3, 6, 5), {"data_format": "channels_first"}),
        (images(90), {"image_shape": (6, 5, 3)}),
        (images(90) / np.float32(255), {"image_shape": (6, 5, 3), "data_format": "channels_first"}),
        (images(36) / 255, {}),
    ],
    ids=["grey", "colour", "channels first", "flat", "flat, channels first", "guessed"],
)
def test_images_go_in_as_they_are(X: np.ndarray, options: dict[str, Any], path: Path) -> None:
    classifier = fit(ConvClassifier(**SMALL, **options), X, LABELS)
    exported = Exported(classifier, path, X[:3])
    assert exported.input.shape == ["n", *X.shape[1:]]
    for n in (1, 40):
        assert_same(exported, classifier, X[:n])


def test_series_far_from_zero_go_in_as_float64(path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    X[..., 1] += 1.7e9
    options = {"hidden_size": 4, "filters": (4,)}
    classifier = fit(RecurrentClassifier(**options), X, LABELS)
    exported = Exported(classifier, path)
    assert exported.input.type == "tensor(double)"
    assert_same(exported, classifier, X)
    # the answers depend on what float32 would lose
    assert np.ptp(exported(X)["probabilities"][:, 0]) > 1e-3


def test_without_samples_images_are_floats_of_the_training_shape(path: Path) -> None:
    regressor = fit(ConvRegressor(**SMALL), images(6, 5, 3), np.arange(40.0))
    exported = Exported(regressor, path)
    assert (exported.input.type, exported.input.shape) == ("tensor(float)", ["n", 6, 5, 3])
    X = (images(6, 5, 3) / 255).astype(np.float32)
    assert_same(exported, regressor, X, given=images(6, 5, 3))


@pytest.mark.slow
@pytest.mark.parametrize("average", ["flip", "flip_shift"])
def test_averages_over_flips_and_shifts(average: str, path: Path) -> None:
    X = images(6, 5) / np.float32(255)
    classifier = fit(ConvClassifier(**SMALL, test_time_augment=average), X, LABELS)
    assert_same(Exported(classifier, path), classifier, X)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["resnet", "airbench"])
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_architectures(architecture: str, normalization: str, path: Path) -> None:
    X = images(8, 8, 3)
    options = SMALL | {"filters": (4, 8), "normalization": normalization}
    classifier = fit(ConvClassifier(architecture=architecture, **options), X, LABELS)
    assert_same(Exported(classifier, path, X[:3]), classifier, X)


def test_modules_for_images(path: Path) -> None:
    X = images(6, 5, 3)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten())
    module.append(torch.nn.Linear(2 * 4 * 3, 3))
    classifier = fit(ConvClassifier(module=module), X, LABELS)
    assert_same(Exported(classifier, path, X[:2]), classifier, X)


def test_single_channels_may_have_no_dimension(series: np.ndarray, path: Path) -> None:
    X = series[:40, :, 0]
    classifier = fit(RecurrentClassifier(hidden_size=4, filters=None), list(X), LABELS)
    exported = Exported(classifier, path, X[:2, :7])
    assert exported.input.shape == ["n", "n_steps"]
    assert_same(exported, classifier, X, given=list(X))


@pytest.mark.slow
def test_tables_of_series_keep_their_width(series: np.ndarray, path: Path) -> None:
    X = series[:40, :, 0]
    classifier = fit(RecurrentClassifier(hidden_size=4, filters=None), X, LABELS)
    exported = Exported(classifier, path)
    assert exported.input.shape == ["n", 12]
    assert_same(exported, classifier, X)


@pytest.mark.slow
def test_tokens_are_int64(path: Path) -> None:
    random = np.random.default_rng(0)
    ragged = [random.integers(0, 9, size=n) for n in random.integers(2, 9, size=40)]
    options = {"embedding_size": 3, "hidden_size": 4, "n_heads": 2, "n_layers": 1, "n_tokens": 9}
    classifier = fit(AttentionClassifier(**options), ragged, LABELS)
    exported = Exported(classifier, path)
    assert (exported.input.type, exported.input.shape) == ("tensor(int64)", ["n", "n_steps"])
    for n, steps in ((1, 5), (7, 2), (20, 30)):
        X = random.integers(0, 9, size=(n, steps))
        assert_same(exported, classifier, X, given=list(X))


# ------------------------------------------------------------------------------------- errors


@pytest.fixture(scope="module")
def regressor(rows: np.ndarray) -> Any:
    return fit(NeuralRegressor(hidden_layer_sizes=(3,)), rows, rows[:, 0])


def test_sparse_samples(regressor: Any, rows: np.ndarray, path: Path) -> None:
    with pytest.raises(TypeError, match="X is a sparse matrix"):
        export_onnx(regressor, path, scipy.sparse.csr_matrix(rows))


@pytest.mark.parametrize("kind", [np.float16, str, complex])
def test_samples_of_other_types(kind: Any, regressor: Any, rows: np.ndarray, path: Path) -> None:
    with pytest.raises(TypeError, match="X has type .* cast it to float32"):
        export_onnx(regressor, path, rows.astype(kind))


def test_samples_of_another_width(regressor: Any, rows: np.ndarray, path: Path) -> None:
    with pytest.raises(ValueError, match="3 features"):
        export_onnx(regressor, path, rows[:, :3])


def test_series_of_different_lengths(series: np.ndarray, path: Path) -> None:
    classifier = fit(RecurrentClassifier(hidden_size=4, filters=None), series[:40], LABELS)
    with pytest.raises(ValueError, match="X holds series of different lengths"):
        export_onnx(classifier, path, [series[0], series[1, :5]])
