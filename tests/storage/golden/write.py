"""Write one small model of each kind, and what it predicts, into a folder of this release.

Run it once a release, `python tests/storage/golden/write.py`; files of earlier releases stay as
they are, and `tests/storage/test_models.py` loads them all.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn.forecasting import DirectForecaster
from sknn.model_selection import GridSearchCV
from sknn.sequences import EncoderDecoderRegressor

warnings.simplefilter("ignore")
X, y = load_iris(return_X_y=True)
small: dict[str, Any] = {"hidden_layer_sizes": (3,), "max_iter": 5, "random_state": 0}
images = np.tile(X, (1, 9))  # of 6 by 6 pixels
network = sknn.NeuralClassifier(**small)
table = X.astype(object)  # with gaps, and two categories
table = np.c_[table, np.array(["a", "b", None])[np.arange(len(X)) % 3], y % 2 == 0]
table[::7, 0] = None
tabular: dict[str, Any] = {**small, "n_estimators": 2}
layers: dict[str, Any] = {"hidden_size": 4, "filters": (2,), "max_iter": 1, "random_state": 0}
models: dict[str, tuple[Any, Any, str]] = {
    "classifier": (sknn.NeuralClassifier(**small, dropout=0.1).fit(X, y), X, "predict_proba"),
    "regressor": (sknn.NeuralRegressor(**small, loss="poisson").fit(X, y), X, "predict"),
    "ensemble": (sknn.NeuralRegressor(**small, n_estimators=2).fit(X, y), X, "predict"),
    "images": (
        sknn.ConvClassifier(filters=(2,), max_iter=1, random_state=0).fit(images, y),
        images,
        "predict_proba",
    ),
    "residual": (
        sknn.ConvClassifier(architecture="resnet", filters=(2, 2), max_iter=1, random_state=0).fit(
            images, y
        ),
        images,
        "predict_proba",
    ),
    "series": (sknn.RecurrentRegressor(**layers).fit(X, y), X, "predict"),
    "attention": (
        sknn.AttentionClassifier(**layers, n_heads=2, n_layers=1).fit(X, y),
        X,
        "predict_proba",
    ),
    "decoder": (
        EncoderDecoderRegressor(hidden_size=4, max_iter=1, random_state=0).fit(X, X[:, :2]),
        X,
        "predict",
    ),
    "forecaster": (
        DirectForecaster(sknn.NeuralRegressor(**small), past=4).fit(None, np.sin(np.arange(40.0))),
        np.empty((3, 0)),
        "predict",
    ),
    "table": (sknn.TabularClassifier(**tabular).fit(table, y), table, "predict_proba"),
    "table_quantiles": (
        sknn.TabularRegressor(loss="quantile", quantiles=(0.1, 0.9), **tabular).fit(table, y),
        table,
        "predict",
    ),
    "pipeline": (make_pipeline(StandardScaler(), network).fit(X, y), X, "predict_proba"),
    "search": (
        GridSearchCV(network, {"alpha": [0.1, 1.0]}, cv=2).fit(X, y),
        X,
        "predict_proba",
    ),
}
folder = Path(__file__).parent / sknn.__version__
folder.mkdir(exist_ok=True)
for name, (model, inputs, method) in models.items():
    sknn.save(model, folder / f"{name}.sknn")
    rows = inputs[::25] if len(inputs) > 10 else inputs
    recorded = {
        "method": method,
        "dtype": rows.dtype.name,
        "X": rows.tolist(),
        "expected": getattr(model, method)(rows).tolist(),
    }
    (folder / f"{name}.json").write_text(json.dumps(recorded) + "\n")
