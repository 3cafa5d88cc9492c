"""A search for parameters whose networks are trained together, and an ensemble of the best ones.

The program is scikit-learn's; only the import of `GridSearchCV` is another. A grid of 18
candidates on five folds is 90 fits. `sknn.model_selection` trains them as stacks: one operation
does for many networks what would otherwise be an operation for each. The scores are the same.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier
from sknn.model_selection import GridSearchCV

GRID = {
    "network__alpha": [1e-4, 1e-2, 1.0],
    "network__learning_rate_init": [1e-3, 3e-3, 1e-2],
    "network__dropout": [0.0, 0.3],
}


def main() -> None:
    """Search on breast cancer, and score on patients not seen."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)

    # The scaler is a step of the pipeline, so that it sees no test fold. It is fitted once a fold.
    network = NeuralClassifier((50,), learning_rate="cosine", max_iter=40, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])

    # verbose=1 draws a bar of finished fits. All parameters are scikit-learn's.
    search = GridSearchCV(pipeline, GRID, scoring="neg_log_loss", n_jobs=2, verbose=1)
    start = time.perf_counter()
    search.fit(X, y)
    print(f"\n{search.n_splits_ * len(search.cv_results_['params'])} fits, and one with the best")
    print(f"parameters to all rows, took {time.perf_counter() - start:.1f} s.\n")

    print_table(search.cv_results_)
    print("\nbest parameters:")
    for name, value in search.best_params_.items():
        print(f"  {name.removeprefix('network__')} = {value:g}")
    best = search.best_estimator_  # fitted to all rows
    print(f"\n{'':21s}log loss  accuracy")
    print_scores("single network", best, X_test, y_test)

    # Eight networks with these parameters and different initial weights are one stack, too.
    # Their probabilities are averaged.
    ensemble = clone(best).set_params(network__n_estimators=8).fit(X, y)
    print_scores("ensemble of eight", ensemble, X_test, y_test)


def print_table(results: dict[str, Any]) -> None:
    """Print the five best candidates and the last one, from `cv_results_`."""
    order = np.argsort(results["rank_test_score"], kind="stable")
    print("rank   alpha   rate  dropout  log loss  deviation over folds")
    for i in [*order[:5], order[-1]]:
        print(
            f"{results['rank_test_score'][i]:4d}"
            f"  {results['param_network__alpha'][i]:6g}"
            f"  {results['param_network__learning_rate_init'][i]:5g}"
            f"  {results['param_network__dropout'][i]:7g}"
            f"  {-results['mean_test_score'][i]:8.4f}"
            f"  {results['std_test_score'][i]:20.4f}"
        )


def print_scores(name: str, model: Pipeline, X: np.ndarray, y: np.ndarray) -> None:
    """Print a model's scores on test data."""
    print(f"{name:20s} {log_loss(y, model.predict_proba(X)):8.4f}  {model.score(X, y):8.3f}")


if __name__ == "__main__":
    main()
