import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor, RecurrentRegressor
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
