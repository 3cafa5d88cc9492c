"""How good the predictions are, beside scikit-learn's networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_circles, make_moons
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tqdm import tqdm

from sknn import NeuralClassifier, NeuralRegressor

from ._data import mnist, supernovae, white_wine
from ._measure import Options, quiet, report
from ._report import Row

Estimators = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Score and seconds of one fit."""

    score: float
    seconds: float


def _with_seed(estimator: Any, seed: int) -> Any:
    """Return a clone whose every random_state is `seed`."""
    seeds = {
        name: seed
        for name in estimator.get_params()
        if name == "random_state" or name.endswith("__random_state")
    }
    return clone(estimator).set_params(**seeds)


def _fit_routed(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """Fit; hand the weights to the network at the pipeline's end."""
    if sample_weight is None:
        return estimator.fit(X, y)
    pipeline = getattr(estimator, "regressor", estimator)
    name = f"{pipeline.steps[-1][0]}__sample_weight"
    return estimator.fit(X, y, **{name: sample_weight})


def _measure(
    task: str, estimators: Estimators, runs: int, run: Callable[[Any, int], list[Outcome]]
) -> list[Row]:
    """Run all estimators with seeds 0 to `runs` - 1, interleaved; the first is scikit-learn's."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in estimators}
    with quiet(), tqdm(total=runs * len(estimators), desc=task, leave=False, disable=None) as bar:
        for seed in range(runs):
            for name, estimator in estimators.items():
                outcomes[name] += run(_with_seed(estimator, seed), seed)
                bar.update()
    for name, estimator in estimators.items():
        print(f"   {name}: {' '.join(str(estimator).split())}")
    seconds = {name: [o.seconds for o in results] for name, results in outcomes.items()}
    reference = np.median(seconds[next(iter(estimators))])
    return [
        report(
            Row(
                task,
                name,
                seconds=seconds[name],
                vs_sklearn=float(reference / np.median(seconds[name])),
                score=f"{mean(o.score for o in results):.4f}",
            )
        )
        for name, results in outcomes.items()
    ]


def _five_folds(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> Callable[[Any, int], list[Outcome]]:
    """Return a run over five shuffled folds: R2 of the part left out, with its weights."""

    def run(estimator: Any, seed: int) -> list[Outcome]:
        outcomes = []
        for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
            fold_weights = (None, None) if weights is None else (weights[train], weights[test])
            start = time.perf_counter()
            fitted = _fit_routed(clone(estimator), X[train], y[train], fold_weights[0])
            seconds = time.perf_counter() - start
            predicted = fitted.predict(X[test])
            score = r2_score(y[test], predicted, sample_weight=fold_weights[1])
            outcomes.append(Outcome(score, seconds))
        return outcomes

    return run


def _held_out(
    split: Callable[[int], Iterable[np.ndarray]],
) -> Callable[[Any, int], list[Outcome]]:
    """Return a run that fits once; `split` gives X, X_test, y, y_test of a seed."""

    def run(estimator: Any, seed: int) -> list[Outcome]:
        X, X_test, y, y_test = split(seed)
        start = time.perf_counter()
        estimator.fit(X, y)
        seconds = time.perf_counter() - start
        return [Outcome(estimator.score(X_test, y_test), seconds)]

    return run


def _supernova_rows(seeds: int) -> list[Row]:
    data = supernovae()
    if data is None:
        return []

    def pipeline(network: Any) -> Any:
        # mu grows nearly linearly with the redshift's logarithm
        scaled = make_pipeline(FunctionTransformer(np.log10), StandardScaler(), network)
        return TransformedTargetRegressor(scaled, transformer=StandardScaler())

    common: dict[str, Any] = {
        "hidden_layer_sizes": (50,),
        "solver": "lbfgs",
        "activation": "tanh",
        "alpha": 1.0,
        "max_iter": 1000,
    }
    estimators = {
        "MLPRegressor": pipeline(MLPRegressor(**common)),
        "NeuralRegressor": pipeline(NeuralRegressor(**common)),
    }
    X, mu, weights = data
    task = f"supernovae, 5 folds x {seeds} seeds, R2 weighted by 1/sigma^2 in fit and score"
    return _measure(task, estimators, seeds, _five_folds(X, mu, weights))


def _wine_rows(seeds: int) -> list[Row]:
    data = white_wine()
    if data is None:
        return []
    estimators = {
        "MLPRegressor, defaults": make_pipeline(StandardScaler(), MLPRegressor()),
        "NeuralRegressor, defaults": make_pipeline(StandardScaler(), NeuralRegressor()),
    }
    task = f"white wine, 5 folds x {seeds} seeds, R2"
    return _measure(task, estimators, seeds, _five_folds(*data))


def _mnist_rows(seeds: int, quick: bool, epochs: int) -> list[Row]:
    data = mnist(10_000 if quick else None)
    if data is None:
        return []
    estimators = {
        "MLPClassifier, defaults": MLPClassifier((100, 100), max_iter=epochs),
        "NeuralClassifier, defaults": NeuralClassifier((100, 100), max_iter=epochs),
        "NeuralClassifier, one_cycle, dropout": NeuralClassifier(
            (100, 100),
            dropout=0.1,
            learning_rate="one_cycle",
            learning_rate_init=0.005,
            max_iter=epochs,
        ),
    }
    task = f"MNIST (100, 100), {epochs} epochs, test accuracy of {seeds} seeds"
    split = (data.X, data.X_test, data.y, data.y_test)
    return _measure(task, estimators, seeds, _held_out(lambda _: split))


def _plane_rows(name: str, make: Callable[..., Any], noise: float, seeds: int) -> list[Row]:
    def split(seed: int) -> Iterable[np.ndarray]:
        X, y = make(n_samples=1000, noise=noise, random_state=seed)
        return train_test_split(X, y, test_size=0.5, random_state=seed)

    common: dict[str, Any] = {"max_iter": 500}
    estimators = {
        "MLPClassifier": MLPClassifier(**common),
        "NeuralClassifier": NeuralClassifier(**common),
    }
    task = f"{name}(noise={noise}), 500 + 500, accuracy of {seeds} seeds"
    return _measure(task, estimators, seeds, _held_out(split))


def run_scores(options: Options) -> list[Row]:
    """Supernovae, white wine, MNIST, circles and moons; the configurations are printed."""
    quick, seeds = options.quick, 1 if options.quick or options.overview else options.seeds
    plane_seeds = 3 if quick or options.overview else max(5, seeds)
    epochs = options.epochs or (2 if quick else 5 if options.overview else 20)
    return [
        *_supernova_rows(seeds),
        *_wine_rows(seeds),
        *_mnist_rows(seeds, quick, epochs),
        *_plane_rows("make_circles", make_circles, 0.1, plane_seeds),
        *_plane_rows("make_moons", make_moons, 0.2, plane_seeds),
    ]
