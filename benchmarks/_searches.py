"""Searches for parameters, and ensembles: many networks at once beside one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import sklearn.model_selection as reference
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

import sknn.model_selection as ours
from sknn import NeuralClassifier, NeuralRegressor

from ._contenders import Work
from ._data import Data, small_classification, small_regression
from ._measure import Options, interleave, quiet, report
from ._report import Row

N_JOBS = 2
N_FOLDS = 5
N_MEMBERS = 8

# four penalties and three rates: with five folds 60 fits
GRID: dict[str, list[Any]] = {
    "alpha": [1e-4, 1e-2, 1.0, 10.0],
    "learning_rate_init": [1e-3, 3e-3, 1e-2],
}
WIDTHS: dict[str, list[Any]] = {
    "hidden_layer_sizes": [(25,), (50,), (100,)],
    "alpha": [1e-4, 1.0],
    "learning_rate_init": [1e-3, 1e-2],
}
SHORT = {"learning_rate_init": "rate", "hidden_layer_sizes": "hidden"}


@dataclass(frozen=True)
class Problem:
    """What is searched for, and on what; all fits run all epochs."""

    name: str
    data: Data
    hidden: tuple[int, ...]
    epochs: int
    grid: Mapping[str, list[Any]]

    def network(self, is_mlp: bool, precision: str) -> Any:
        """Return scikit-learn's network or ours."""
        work = Work(hidden=self.hidden, epochs=self.epochs)
        parameters = work.sklearn_parameters(seed=0)
        del parameters["batch_size"]  # "auto"
        is_regression = self.data.kind == "regression"
        if is_mlp:
            return (MLPRegressor if is_regression else MLPClassifier)(**parameters)
        network = NeuralRegressor if is_regression else NeuralClassifier
        return network(precision=precision, device="cpu", **parameters)


@dataclass(frozen=True)
class Contender:
    """A search: by whom, of which network, and in which type that computes."""

    module: Any
    is_mlp: bool = False
    precision: str = "float32"

    def name(self, data: Data) -> str:
        """Return what the row is called."""
        kind = "Regressor" if data.kind == "regression" else "Classifier"
        if self.is_mlp:
            return f"MLP{kind} float64"
        precision = "float64" if self.precision == "auto" else self.precision
        how = "sknn's search" if self.module is ours else "one by one"
        return f"Neural{kind} {precision}, {how}"

    def search(self, problem: Problem, **changes: Any) -> Any:
        """Search; nothing is fitted again in the end."""
        network = problem.network(self.is_mlp, self.precision).set_params(**changes)
        search = self.module.GridSearchCV(
            network, dict(problem.grid), cv=N_FOLDS, n_jobs=N_JOBS, refit=False
        )
        return search.fit(problem.data.X, problem.data.y)


MLP = Contender(reference, is_mlp=True)
ONE_BY_ONE = Contender(reference)
STACKS = Contender(ours)
CONTENDERS = [MLP, ONE_BY_ONE, STACKS, Contender(ours, precision="auto")]


def _problems(options: Options) -> list[Problem]:
    data = small_classification() | small_regression()
    settings: list[tuple[str, str, tuple[int, ...], int, Mapping[str, list[Any]]]] = [
        ("wine", "wine", (100,), 200, GRID),
        ("breast cancer", "breast cancer", (100,), 100, GRID),
        ("digits", "digits", (100,), 30, GRID),
        ("white wine", "white wine", (50,), 20, GRID),
        ("breast cancer, three widths", "breast cancer", (100,), 100, WIDTHS),
    ]
    return [
        Problem(name, data[key], hidden, options.epochs or epochs, grid)
        for name, key, hidden, epochs, grid in settings
        if key in data
    ]


def _describe_best(search: Any, data: Data) -> str:
    metric = "R2" if data.kind == "regression" else "acc"
    best = ", ".join(
        f"{SHORT.get(name, name)} {value if isinstance(value, tuple) else format(value, 'g')}"
        for name, value in search.best_params_.items()
    )
    return f"{metric} {search.best_score_:.4f} at {best}"


def _scores(search: Any) -> np.ndarray:
    """Return the score of each candidate and fold."""
    return np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(N_FOLDS)])


def _compare_searches(problem: Problem, rounds: int) -> list[Row]:
    contenders = {contender.name(problem.data): contender for contender in CONTENDERS}
    names = {contender: name for name, contender in contenders.items()}
    with quiet():
        for contender in CONTENDERS:  # scikit-learn's worker processes and what they import
            contender.search(problem, max_iter=1)
        actions: dict[str, Callable[[int], Any]] = {
            name: (lambda _, contender=contender: contender.search(problem))
            for name, contender in contenders.items()
        }
        n_fits = N_FOLDS * len(reference.ParameterGrid(dict(problem.grid)))
        task = f"search: {problem.name}, {n_fits} fits"
        timed = interleave(actions, rounds, task)
    medians = {name: median(seconds for seconds, _ in runs) for name, runs in timed.items()}
    searches = {name: runs[0][1] for name, runs in timed.items()}
    rows = []
    for name, contender in contenders.items():
        score = _describe_best(searches[name], problem.data)
        if contender == STACKS:
            pair = (_scores(searches[each]) for each in (name, names[ONE_BY_ONE]))
            different = int(np.not_equal(*pair).sum())
            score += f" ({n_fits - different} of {n_fits} scores as one by one)"
        rows.append(
            Row(
                task,
                name,
                epochs=str(problem.epochs),
                seconds=[seconds for seconds, _ in timed[name]],
                vs_sklearn=medians[names[MLP]] / medians[name],
                vs_single=None if contender.is_mlp else medians[names[ONE_BY_ONE]] / medians[name],
                score=score,
            )
        )
        report(rows[-1])
    return rows


# ----------------------------------------------------------------------------------- ensembles


class _SeparateFits:
    """Networks that differ in `random_state`, each fitted by itself; the mean of their answers."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def fit(self, X: np.ndarray, y: np.ndarray) -> _SeparateFits:
        # those that the members of an ensemble with random_state=0 have
        seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=N_MEMBERS)
        networks = [clone(self.network).set_params(random_state=int(seed)) for seed in seeds]
        self.members = Parallel(n_jobs=N_JOBS)(delayed(_fit)(each, X, y) for each in networks)
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        mean = np.mean([member.predict_proba(X) for member in self.members], axis=0)
        return float(np.mean(mean.argmax(1) == y))


def _fit(network: Any, X: np.ndarray, y: np.ndarray) -> Any:
    with quiet():  # filters of warnings do not come along into the process
        return network.fit(X, y)


def _compare_ensembles(problem: Problem, rounds: int) -> list[Row]:
    X, X_test, y, y_test = train_test_split(
        problem.data.X, problem.data.y, stratify=problem.data.y, random_state=0
    )
    mlp, network = (problem.network(is_mlp, "float32") for is_mlp in (True, False))
    single, own = "NeuralClassifier float32", f"NeuralClassifier float32, n_estimators={N_MEMBERS}"
    ensembles: dict[str, Any] = {
        "MLPClassifier float64, separate fits": _SeparateFits(mlp),
        f"{single}, separate fits": _SeparateFits(network),
        own: clone(network).set_params(n_estimators=N_MEMBERS),
    }
    task = f"ensemble of {N_MEMBERS}: {problem.name}"
    with quiet():
        for ensemble in ensembles.values():
            ensemble.fit(X[:200], y[:200])
        actions: dict[str, Callable[[int], Any]] = {
            name: (lambda _, ensemble=ensemble: ensemble.fit(X, y).score(X_test, y_test))
            for name, ensemble in ensembles.items()
        }
        actions[f"{single}, a single one"] = lambda _: (
            clone(network).fit(X, y).score(X_test, y_test)
        )
        timed = interleave(actions, rounds, task)
    medians = {name: median(seconds for seconds, _ in runs) for name, runs in timed.items()}
    separate_mlp, separate, *_ = medians
    return [
        report(
            Row(
                task,
                name,
                epochs=str(problem.epochs),
                seconds=[seconds for seconds, _ in runs],
                vs_sklearn=medians[separate_mlp] / medians[name] if name in ensembles else None,
                vs_single=medians[separate] / medians[name] if name in (separate, own) else None,
                score=f"acc {runs[0][1]:.4f}",
            )
        )
        for name, runs in timed.items()
    ]


def run_searches(options: Options) -> list[Row]:
    """Grid searches with five folds on two workers, and ensembles, beside one fit by one.

    All have the same float64 arrays, standardized beforehand, the same folds and as many epochs.
    "sknn's search" is `sknn.model_selection.GridSearchCV`, all else is scikit-learn's. "x one by
    one" is what it brings: how many times as fast it is as scikit-learn's search with the same
    network in float32. The score is the best candidate's mean over the folds; for ensembles,
    that of the test samples.
    """
    rounds = options.rounds(alone=5, overview=1)
    problems = _problems(options)
    rows = [row for problem in problems for row in _compare_searches(problem, rounds)]
    for problem in problems:
        if problem.name in ("breast cancer", "digits"):
            rows += _compare_ensembles(problem, rounds)
    return rows
