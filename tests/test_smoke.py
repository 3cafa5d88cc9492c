"""A short use of everything that stands on another package, for `make test-lowest`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn import (
    ConvClassifier,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    TabularRegressor,
)
from tests.helpers import supervised

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(30, 8, 8), dtype=np.uint8)
LABELS = np.arange(30) % 3


def dense(**parameters: Any) -> NeuralClassifier:
    return NeuralClassifier((8,), learning_rate="cosine", max_iter=2, random_state=0, **parameters)


def images(**parameters: Any) -> ConvClassifier:
    model = ConvClassifier(filters=(4, 4), max_iter=2, random_state=0, **parameters)
    return model.fit(IMAGES, LABELS)


@pytest.mark.parametrize("estimator", supervised(), ids=lambda e: type(e).__name__)
def test_estimators_train_and_predict(estimator: Any) -> None:
    estimator.set_params(learning_rate="cosine", max_iter=2)
    fitted = estimator.fit(X, Y if hasattr(estimator, "class_weight") else X[:, 0])
    assert len(fitted.predict(X)) == len(X)


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "lbfgs"])
def test_solvers(solver: str) -> None:
    model = dense(solver=solver, learning_rate_init=0.05, batch_size=16, tol=0.01)
    assert model.set_params(max_iter=100, verbose="bar").fit(X, Y).score(X, Y) > 0.9


def test_compiled_functions() -> None:
    pytest.importorskip("numba")
    from tests.compiled.ways import through_core, through_torch

    for precision in ("float32", "float64"):
        network = dense(precision=precision, dropout=0.2, early_stopping=True)
        weights = [
            way(lambda network=network: clone(network).fit(X, Y)).coefs_
            for way in (through_core, through_torch)
        ]
        for mine, others in zip(*weights, strict=True):
            np.testing.assert_allclose(mine, others, rtol=0, atol=1e-5)


def test_searches_and_ensembles() -> None:
    from sknn.model_selection import GridSearchCV

    grid = {"neuralclassifier__alpha": [1e-4, 1e-2]}
    search = GridSearchCV(make_pipeline(StandardScaler(), dense(n_estimators=2)), grid, cv=2)
    assert search.fit(X, Y).predict_proba(X).shape == (150, 3)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "f2", "?"])
def test_files(dtype: str, tmp_path: Path) -> None:
    labels = Y.astype(dtype) if dtype != "?" else Y > 0
    model = make_pipeline(StandardScaler(), dense(checkpoint=tmp_path)).fit(X, labels)
    sknn.save(model, tmp_path / "model.sknn")
    assert sknn.file_info(tmp_path / "model.sknn").untrusted == []
    for path in ("model.sknn", "checkpoint.sknn"):
        loaded = sknn.load(tmp_path / path)
        assert loaded.classes_.dtype == labels.dtype
    loaded = sknn.load(tmp_path / "model.sknn")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_files_of_estimators_of_other_packages(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    sknn.save(LogisticRegression().fit(X, Y), tmp_path / "model.sknn")
    assert (sknn.load(tmp_path / "model.sknn").predict(X) == Y).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "images", "series"])
def test_exports(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    if kind == "dense":
        model, data = make_pipeline(StandardScaler(), dense()).fit(X, Y), X.astype(np.float32)
    elif kind == "images":
        model, data = images(), IMAGES
    else:
        data = RNG.normal(size=(30, 6)).astype(np.float32)
        model = RecurrentClassifier(hidden_size=4, max_iter=1, random_state=0).fit(data, LABELS)
    sknn.export_onnx(model, tmp_path / "model.onnx", X=data)  # compares the answers itself
    sknn.export_torch(model, tmp_path / "model.pt2", X=data)


def test_augmentation() -> None:
    pytest.importorskip("kornia")
    assert images(augment=["flip", "shift", "rotate"]).predict(IMAGES).shape == (30,)


def test_figures() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from sknn import inspection

    model = images()
    inspection.plot_images(IMAGES, LABELS, estimator=model, which="worst", n_images=4)
    inspection.plot_filters(model)
    inspection.plot_feature_maps(model, IMAGES[0])
    inspection.plot_learning_curve(model)
    assert inspection.summary(model).n_trainable == model.n_parameters_
    plt.close("all")


def test_saliency_maps() -> None:
    pytest.importorskip("captum")
    from sknn.inspection import saliency

    assert saliency(images(), IMAGES[:2], method="integrated_gradients").shape == (2, 8, 8)


def test_forecasts() -> None:
    from sknn.forecasting import RecursiveForecaster

    network = NeuralRegressor(learning_rate="cosine", max_iter=2, random_state=0)
    series = np.sin(np.arange(60.0))
    model = RecursiveForecaster(network, past=4).fit(None, series)
    assert len(model.forecast(3)) == 3


def test_sequences_and_texts() -> None:
    from sknn.sequences import SequenceGenerator
    from sknn.text import Tokenizer

    tokenizer = Tokenizer(analyzer="char")
    tokens = tokenizer.fit_transform(["abab", "baba"] * 4)
    model = SequenceGenerator(hidden_size=4, max_iter=1, random_state=0).fit(tokens)
    prompt = tokenizer.transform(["ab"])[0]
    assert len(model.sample(prompt=prompt, random_state=0)) > 0


def test_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    model = dense().fit(frame, pandas.Series(Y).map({0: "x", 1: "y", 2: "z"}))
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert set(model.predict(frame)) <= {"x", "y", "z"}


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables(library: str) -> None:
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    X = make({"x": [0.5, None, 2.0] * 8, "kind": ["a", "b", None] * 8})
    model = TabularRegressor(n_estimators=2, hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    assert np.isfinite(model.fit(X, np.arange(24.0)).predict(X)).all()


def test_downloads() -> None:
    pooch = pytest.importorskip("pooch")
    assert pooch.HTTPDownloader(progressbar=True, headers={}) is not None
