from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sknn import NeuralClassifier, save


@pytest.fixture(scope="session")
def fitted() -> Any:
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning):
        return NeuralClassifier((4,), max_iter=5, random_state=0).fit(X, y)


@pytest.fixture
def model_file(fitted: Any, tmp_path: Path) -> Path:
    path = tmp_path / "model.sknn"
    save(fitted, path)
    return path
