from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor
from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector
from sknn.export import export_onnx, export_torch
from sknn.generative import AdversarialGenerator
from sknn.sequences import StepClassifier

from .conftest import Exported, assert_same, needs_onnx

pd = pytest.importorskip("pandas")

# two epochs are enough to have weights
pytestmark = [
    needs_onnx,
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture
def X(rows: np.ndarray) -> np.ndarray:
    return rows * [1, 10, 100, 200] + [5, 0, -300, 100]


SCALERS: list[Any] = [
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler((-1, 2)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    "passthrough",
]


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        MinMaxScaler(clip=True),
        *(pytest.param(scaler, marks=pytest.mark.slow) for scaler in SCALERS),
    ],
    ids=str,
)
def test_scalers_are_in_the_graph(scaler: Any, X: np.ndarray, path: Path) -> None:
    network = NeuralRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    pipeline = make_pipeline(scaler, network).fit(X[:50], X[:50, 0] / 1000)
    # rows that the scaler has not seen lie outside of its range
    assert_same(Exported(pipeline, path), pipeline, 2 * X, tol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_scaling_is_done_in_the_type_of_the_input(kind: Any, X: np.ndarray, path: Path) -> None:
    X = X.astype(kind)
    network = NeuralClassifier((4,), max_iter=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, np.arange(100) % 2)
    assert_same(Exported(pipeline, path, X), pipeline, X)


@pytest.mark.slow
def test_bytes_that_were_scaled_are_not_divided_again(path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (40, 36)).astype(np.uint8)
    network = ConvClassifier(filters=(4,), max_iter=1, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), network).fit(X, np.arange(40) % 2)
    assert_same(Exported(pipeline, path, X), pipeline, X)


@pytest.mark.slow
def test_pipelines_within_pipelines_and_searches(X: np.ndarray, path: Path) -> None:
    network = NeuralClassifier((4,), max_iter=2, random_state=0)
    scaling = Pipeline([("nothing", "passthrough"), ("max", MaxAbsScaler())])
    pipeline = make_pipeline(scaling, make_pipeline(StandardScaler(), network))
    names = np.array(["a", "b"])[np.arange(100) % 2]
    grid = {"pipeline-2__neuralclassifier__alpha": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, names)
    assert_same(Exported(search, path), search, X, tol=1e-9)


@pytest.mark.slow
def test_estimators_with_names_of_columns(X: np.ndarray, path: Path) -> None:
    table = pd.DataFrame(X, columns=list("abcd"))
    network = NeuralRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(table, X[:, 0])
    for given in (None, table):
        assert_same(Exported(pipeline, path, given), pipeline, X, given=table, tol=1e-9)


def test_the_estimator_is_left_as_it_was(X: np.ndarray, path: Path) -> None:
    network = NeuralRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(X, X[:, 0])
    module, before = network.module_, network.predict(X)
    export_onnx(network, path)
    assert network.module_ is module and all(p.requires_grad for p in module.parameters())
    np.testing.assert_array_equal(network.predict(X), before)
    network.partial_fit(X, X[:, 0])
    assert not np.array_equal(network.predict(X), before)


# ------------------------------------------------------------------------------------- errors


def test_other_steps_are_named(X: np.ndarray, path: Path) -> None:
    steps = [("scale", StandardScaler()), ("turn", PCA(2)), ("network", NeuralRegressor((4,)))]
    pipeline = Pipeline(steps[:2]).fit(X)
    network = NeuralRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(
        pipeline.transform(X), X[:, 0]
    )
    whole = Pipeline([*pipeline.steps, ("network", network)])
    with pytest.raises(TypeError, match="the step 'turn' of class PCA.*StandardScaler can"):
        export_onnx(whole, path)


def test_estimators_of_others(X: np.ndarray, path: Path) -> None:
    with pytest.raises(TypeError, match="of class LogisticRegression"):
        export_onnx(LogisticRegression().fit(X / 1000, np.arange(100) % 2), path)


def test_estimators_whose_answers_are_sequences(path: Path) -> None:
    with pytest.raises(TypeError, match="of class StepClassifier"):
        export_onnx(StepClassifier(), path)


@pytest.mark.parametrize("kind", [Autoencoder, AutoencoderOutlierDetector, AdversarialGenerator])
def test_estimators_that_neither_classify_nor_predict_values(kind: Any, path: Path) -> None:
    for export in (export_onnx, export_torch):
        with pytest.raises(TypeError, match=f"of class {kind.__name__}, which cannot be exported"):
            export(kind(), path)


def test_pipelines_and_searches_that_are_not_fitted(path: Path) -> None:
    pipeline = make_pipeline(StandardScaler(), NeuralClassifier())
    for model in (pipeline, GridSearchCV(pipeline, {})):
        with pytest.raises(NotFittedError):
            export_onnx(model, path)


def test_searches_without_a_best_estimator(X: np.ndarray, path: Path) -> None:
    network = NeuralClassifier((4,), max_iter=2)
    search = GridSearchCV(network, {"alpha": [1]}, cv=2, refit=False).fit(X, np.arange(100) % 2)
    with pytest.raises(ValueError, match="refit=False"):
        export_onnx(search, path)
