"""White wine quality by five-fold cross-validation, side by side with MLPRegressor.

Each number is the mean of three seeds, which decide both the folds and the networks. The first
two rows have the same parameters; the third uses what MLPRegressor has not: a cosine schedule and
dropout. Needs the wine data in SKNN_DATA or a network, and some minutes.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralRegressor
from sknn.datasets import fetch_wine_quality

COURSE = {"hidden_layer_sizes": (20, 10), "early_stopping": True, "max_iter": 1000}
OURS = {
    "hidden_layer_sizes": (100, 100),
    "dropout": 0.2,
    "learning_rate": "cosine",
    "learning_rate_init": 0.005,
    "max_iter": 40,
}
CONTENDERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "MLPRegressor (20, 10), early stopping": (MLPRegressor, COURSE),
    "NeuralRegressor (20, 10), early stopping": (NeuralRegressor, COURSE),
    "NeuralRegressor (100, 100), dropout, cosine": (NeuralRegressor, OURS),
}


def main() -> None:
    """Print mean R2 and seconds of each contender."""
    X, y = fetch_wine_quality(return_X_y=True)
    for name, (estimator, parameters) in CONTENDERS.items():
        start = time.perf_counter()
        scores = []
        for seed in range(3):
            network = estimator(random_state=seed, **parameters)
            model = make_pipeline(
                StandardScaler(), TransformedTargetRegressor(network, transformer=StandardScaler())
            )
            folds = KFold(5, shuffle=True, random_state=seed)
            scores.append(cross_val_score(model, X, y, cv=folds, scoring="r2").mean())
        seconds = time.perf_counter() - start
        seeds = " ".join(f"{score:.3f}" for score in scores)
        print(f"{name:45s} R2 {np.mean(scores):.3f} ({seeds})  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
