import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)
from sknn.export import export_torch

from .conftest import fit

# two epochs are enough to have weights
pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.pt2"


def test_programs_return_indices_and_probabilities(rows: np.ndarray, path: Path) -> None:
    names = np.array(["a", "b", "c"])[np.arange(100) % 3]
    network = NeuralClassifier((5,), max_iter=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(rows, names)
    export_torch(pipeline, path)
    program = torch.export.load(path).module()
    for n in (1, 7, 100):
        indices, probabilities = program(torch.from_numpy(rows[:n]))
        np.testing.assert_array_equal(pipeline.classes_[indices], pipeline.predict(rows[:n]))
        np.testing.assert_allclose(probabilities, pipeline.predict_proba(rows[:n]), atol=1e-15)


def test_programs_of_regressors_return_predictions(rows: np.ndarray, path: Path) -> None:
    regressor = fit(NeuralRegressor("poisson", (5,), n_estimators=2), rows, np.exp(rows[:, :2]))
    values = export_torch(regressor).module()(torch.from_numpy(rows))
    assert not values.requires_grad
    np.testing.assert_allclose(values, regressor.predict(rows), rtol=1e-12)


def test_programs_take_bytes(path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (30, 6, 5)).astype(np.uint8)
    classifier = fit(ConvClassifier(filters=(4,), test_time_augment="flip"), X, np.arange(30) % 2)
    _, probabilities = export_torch(classifier, X=X[:3]).module()(torch.from_numpy(X))
    np.testing.assert_allclose(probabilities, classifier.predict_proba(X), atol=1e-6)


@pytest.mark.slow
def test_programs_run_without_this_package(series: np.ndarray, path: Path, tmp_path: Path) -> None:
    regressor = fit(RecurrentRegressor(hidden_size=4, filters=None), series, series[:, 0, 0])
    export_torch(regressor, path)
    np.save(tmp_path / "X.npy", series[:, :5])
    code = (
        "import sys, numpy as np, torch; program = torch.export.load(sys.argv[1]).module(); "
        "np.save(sys.argv[3], program(torch.from_numpy(np.load(sys.argv[2])))); "
        "assert 'sknn' not in sys.modules"
    )
    files = [str(path), str(tmp_path / "X.npy"), str(tmp_path / "y.npy")]
    subprocess.run([sys.executable, "-c", code, *files], check=True, cwd=tmp_path)
    expected = regressor.predict(series[:, :5])
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-5, atol=1e-6)


class Pictures(torch.nn.Module):
    """A module of a user's, with layers that look at how images lie in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.BatchNorm2d(3),
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.GroupNorm(2, 4),
            torch.nn.MaxPool2d(2),
            torch.nn.ConvTranspose2d(4, 4, 2, stride=2),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, 3),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


class Convolutions(torch.nn.Module):
    """A module of a user's that convolves series."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.output = torch.nn.Conv1d(2, 4, 3), torch.nn.Linear(4, 1)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        return self.output(self.convolution(series.transpose(1, 2)).amax(2))


GRAY, COLOR, FIRST = (9, 8), (16, 16, 3), (3, 9, 8)
SERIES = (12, 2)
KINDS = {
    "dense": (NeuralClassifier((5,)), (4,)),
    "linear": (NeuralRegressor(hidden_layer_sizes=()), (4,)),
    "ensemble": (NeuralClassifier((5,), n_estimators=2), (4,)),
    "normalized": (NeuralClassifier((5,), normalization="batch"), (4,)),
    "gray": (ConvClassifier(filters=(4,)), GRAY),
    "color": (ConvRegressor(filters=(4, 4)), COLOR),
    "channels first": (ConvClassifier(filters=(4,), data_format="channels_first"), FIRST),
    "resnet": (ConvClassifier(architecture="resnet", filters=(4, 4)), COLOR),
    "airbench": (ConvClassifier(architecture="airbench", filters=(4, 4)), COLOR),
    "flips": (ConvClassifier(filters=(4,), test_time_augment="flip"), COLOR),
    "layer norm": (ConvClassifier(filters=(4,), normalization="layer", pooling=None), GRAY),
    "a user's images": (ConvClassifier(module=Pictures), COLOR),
    "rnn": (RecurrentRegressor(hidden_size=4, cell="rnn", filters=None), SERIES),
    "gru": (RecurrentClassifier(hidden_size=4, filters=(3,)), SERIES),
    "lstm": (RecurrentClassifier(hidden_size=4, cell="lstm", bidirectional=True), SERIES),
    "attention": (AttentionClassifier(hidden_size=4, n_heads=2, n_layers=1), SERIES),
    "attention regressor": (AttentionRegressor(hidden_size=4, n_heads=1, filters=None), SERIES),
    "a user's series": (RecurrentRegressor(module=Convolutions), SERIES),
}
QUICK = {"gray", "a user's images", "gru", "attention"}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in KINDS]
)
def test_any_number_of_samples(kind: str) -> None:
    estimator, shape = KINDS[kind]
    X = np.random.default_rng(0).normal(size=(100, *shape)).astype(np.float32)
    if "Conv" in type(estimator).__name__:
        X = np.abs(X) / 8
    estimator = fit(estimator, X, np.arange(100) % 3)
    module = export_torch(estimator).module()

    def answers_for(n: int) -> tuple[torch.Tensor, ...]:
        answers = module(torch.from_numpy(X[:n]))
        return answers if isinstance(answers, tuple) else (answers,)

    some = answers_for(2)
    for n in (0, 1, 2, 100):
        answers = answers_for(n)
        for answer, other in zip(answers, some, strict=True):
            assert (*answer.shape,) == (n, *other.shape[1:])
            assert answer.dtype == other.dtype
        if n:
            expected = getattr(estimator, "predict_proba", estimator.predict)(X[:n])
            np.testing.assert_allclose(answers[-1], expected, rtol=1e-4, atol=1e-5)
