"""Small networks on a CPU, beside what is asked of them: fits, searches, steps, first fits."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import sklearn.model_selection as reference
from sklearn.neural_network import MLPClassifier, MLPRegressor

import sknn.model_selection as ours
from sknn import NeuralClassifier, NeuralRegressor
from sknn.training import _compiled

from ._data import Data, small_classification, small_regression
from ._measure import Options, interleave, quiet, report
from ._report import Row, format_duration
from ._searches import GRID, N_FOLDS, N_JOBS, N_MEMBERS, Problem

# How many times as fast as scikit-learn's networks ours have to be.
FITS = {"iris": 4.0, "wine": 4.0, "breast cancer": 3.0, "digits": 2.0, "white wine": 2.0}
# Searches in float32 and in float64, both with `N_JOBS`; with one job half of that.
SEARCHES = {
    "wine": (10.0, 7.0),
    "breast cancer": (8.0, 5.0),
    "digits": (4.0, 2.5),
    "white wine": (5.0, 3.0),
}
SEARCHED: dict[str, tuple[tuple[int, ...], int]] = {  # hidden layers and epochs
    "wine": ((100,), 200),
    "breast cancer": ((100,), 100),
    "digits": ((100,), 30),
    "white wine": ((50,), 20),
}
STEPS = 5.0
# How many times as long as one network an ensemble may take.
ENSEMBLE = 3.0
# Seconds that the first fit of a process may take above the second.
WARM, COLD = 0.3, 6.0

MLP = "MLP float64"


def _data() -> dict[str, Data]:
    return small_classification() | small_regression()


def _networks(kind: str) -> tuple[type, type]:
    """Return scikit-learn's class and ours."""
    if kind == "regression":
        return MLPRegressor, NeuralRegressor
    return MLPClassifier, NeuralClassifier


def _compare(
    task: str, actions: Mapping[str, Callable[[], Any]], aims: Mapping[str, float], rounds: int
) -> list[Row]:
    """Time actions beside that of scikit-learn, the first one."""
    with quiet():
        timed = interleave(
            {name: (lambda _, action=action: action()) for name, action in actions.items()},
            rounds,
            task,
        )
    medians = {name: median(seconds for seconds, _ in runs) for name, runs in timed.items()}
    mlp, *_ = medians
    return [
        report(
            Row(
                task,
                name,
                seconds=[seconds for seconds, _ in runs],
                vs_sklearn=medians[mlp] / medians[name],
                aim=f"{aims[name]:.4g} times as fast" if name in aims else "",
                score=str(runs[-1][1] or ""),
            )
        )
        for name, runs in timed.items()
    ]


# ---------------------------------------------------------------------------------- whole fits


def _compare_fits(options: Options, rounds: int) -> list[Row]:
    epochs = options.epochs or 60
    rows = []
    for name, data in _data().items():
        if name not in FITS:
            continue
        mlp, network = _networks(data.kind)

        def fit(cls: type, data: Data = data, **parameters: Any) -> str:
            model = cls(max_iter=epochs, random_state=0, **parameters).fit(data.X, data.y)
            return f"{model.score(data.X, data.y):.4f}"

        actions = {
            MLP: lambda mlp=mlp, fit=fit: fit(mlp),
            "ours, default": lambda network=network, fit=fit: fit(network),
            "ours, float32": lambda network=network, fit=fit: fit(network, precision="float32"),
        }
        with quiet():
            for action in actions.values():  # imports, thread pools, compiled functions
                action()
        aims = {"ours, default": FITS[name]}
        rows += _compare(f"fit: {name}, {epochs} epochs", actions, aims, rounds)
    return rows


def _compare_steps(rounds: int) -> list[Row]:
    """Full-batch steps on five rows and three columns, with one neuron."""
    n_steps = 10_000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 3))
    y = X.sum(axis=1) ** 2

    def fit(cls: type, **parameters: Any) -> str:
        model: Any = cls(
            hidden_layer_sizes=(1,), max_iter=n_steps, tol=0.0, n_iter_no_change=n_steps,
            random_state=0, **parameters,
        )  # fmt: skip
        model.fit(X, y)
        return f"loss {model.loss_:.6f} after {model.n_iter_}"

    actions = {
        MLP: lambda: fit(MLPRegressor),
        "ours, default": lambda: fit(NeuralRegressor),
        "ours, float32": lambda: fit(NeuralRegressor, precision="float32"),
    }
    return _compare(f"{n_steps} full-batch steps, 5 x 3", actions, {"ours, default": STEPS}, rounds)


# ------------------------------------------------------------------------ searches and ensembles

# The first search of a process: what it imports is imported, nothing else is warm but the disk.
FIRST_SEARCH = """
import sys, time, warnings
warnings.simplefilter("ignore")
from benchmarks._compiled import find_problem, search_ours
problem = find_problem(sys.argv[1], int(sys.argv[2]))
start = time.perf_counter()
search_ours(problem, "float32", int(sys.argv[3]))
print(time.perf_counter() - start)
"""


def find_problem(name: str, epochs: int) -> Problem:
    """Return the search on a data set."""
    hidden, _ = SEARCHED[name]
    return Problem(name, _data()[name], hidden, epochs, GRID)


def search_ours(problem: Problem, precision: str, n_jobs: int | None) -> str:
    """Search with our networks, and return the best score."""
    return _search(ours, problem, is_mlp=False, precision=precision, n_jobs=n_jobs)


def _search(
    module: Any, problem: Problem, *, is_mlp: bool, precision: str = "", n_jobs: int | None
) -> str:
    network = problem.network(is_mlp, precision)
    search = module.GridSearchCV(
        network, dict(problem.grid), cv=N_FOLDS, n_jobs=n_jobs, refit=False
    )
    return f"{search.fit(problem.data.X, problem.data.y).best_score_:.4f}"


def _run_script(script: str, *arguments: str, **environment: str) -> list[float]:
    """Return the numbers that a script prints in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    return [float(each) for each in done.stdout.split()]


def _compare_searches(options: Options, rounds: int) -> list[Row]:
    rows = []
    for name, (_, usual_epochs) in SEARCHED.items():
        epochs = options.epochs or usual_epochs
        if name not in _data():
            continue
        problem = find_problem(name, epochs)
        actions: dict[str, Callable[[], str]] = {
            f"{MLP}, n_jobs={N_JOBS}": lambda problem=problem: _search(
                reference, problem, is_mlp=True, n_jobs=N_JOBS
            )
        }
        aims = {}
        for precision, aim in zip(("float32", "float64"), SEARCHES[name], strict=True):
            for n_jobs, share in ((N_JOBS, 1.0), (None, 0.5)):
                label = f"ours {precision}, n_jobs={n_jobs}"
                actions[label] = lambda problem=problem, precision=precision, n_jobs=n_jobs: (
                    search_ours(problem, precision, n_jobs)
                )
                aims[label] = aim * share
        with quiet():  # the processes of scikit-learn's
            _search(
                reference, Problem(name, problem.data, (5,), 1, GRID), is_mlp=True, n_jobs=N_JOBS
            )
        compared = _compare(f"search: {name}, 60 fits", actions, aims, rounds)
        rows += compared
        seconds = [
            _run_script(FIRST_SEARCH, name, str(epochs), str(N_JOBS))[0] for _ in range(rounds)
        ]
        rows.append(
            report(
                Row(
                    compared[0].task,
                    f"ours float32, n_jobs={N_JOBS}, first of a process",
                    seconds=seconds,
                    vs_sklearn=median(compared[0].seconds) / median(seconds),
                    aim=f"{SEARCHES[name][0]:.4g} times as fast",
                )
            )
        )
    return rows


def _compare_ensembles(options: Options, rounds: int) -> list[Row]:
    rows = []
    for name in ("wine", "breast cancer", "digits"):
        _, usual_epochs = SEARCHED[name]
        problem = find_problem(name, options.epochs or usual_epochs)
        X, y = problem.data.X, problem.data.y
        task = f"ensemble: {name}, {problem.epochs} epochs"
        for precision in ("float32", "float64"):
            network = problem.network(False, precision)

            def fit(n: int, network: Any = network, X: Any = X, y: Any = y) -> str:
                network.set_params(n_estimators=n)
                return f"{network.fit(X, y).score(X, y):.4f}"

            with quiet():
                timed = interleave(
                    {f"{n} networks": (lambda _, n=n, fit=fit: fit(n)) for n in (1, N_MEMBERS)},
                    rounds + 1,
                    task,
                )
            one, many = ([seconds for seconds, _ in runs[1:]] for runs in timed.values())
            rows.append(
                report(
                    Row(
                        task,
                        f"{N_MEMBERS} members, {precision}",
                        seconds=many,
                        score=f"{median(many) / median(one):.2f} times one network",
                        aim=f"at most {ENSEMBLE:g} times",
                    )
                )
            )
    return rows


# --------------------------------------------------------------------------------- first fits

FIRST_FIT = """
import time, warnings
warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
start = time.perf_counter()
from sknn import NeuralClassifier
imported = time.perf_counter()
X, y = load_iris(return_X_y=True)
model = NeuralClassifier(max_iter=60, random_state=0)
fitted = [imported - start]
for _ in range(2):
    start = time.perf_counter()
    model.fit(X, y)
    fitted.append(time.perf_counter() - start)
print(*fitted)
"""


def _compare_first_fits(rounds: int) -> list[Row]:
    rows = []
    for kind, aim in (("cold", COLD), ("warm", WARM)):
        measured = []
        with tempfile.TemporaryDirectory() as folder:
            if kind == "warm":
                _run_script(FIRST_FIT, NUMBA_CACHE_DIR=folder)
            for number in range(rounds):
                fresh = folder if kind == "warm" else f"{folder}/{number}"
                measured.append(_run_script(FIRST_FIT, NUMBA_CACHE_DIR=fresh))
        imports, first, second = (list(each) for each in zip(*measured, strict=True))
        above = [one - other for one, other in zip(first, second, strict=True)]
        rows.append(
            report(
                Row(
                    "first fit of a process, iris",
                    f"{kind} cache",
                    seconds=first,
                    score=f"{format_duration(median(above))} above the second; "
                    f"import {median(imports):.2f} s",
                    aim=f"at most {aim:g} s",
                )
            )
        )
    return rows


# --------------------------------------------------------------------------------------- rule

# columns and hidden layers on both sides of the limit of a step
SIZES = ((64, (100,)), (100, (200,)), (200, (200,)), (300, (300,)), (500, (400,)))


def _compare_ways(rounds: int) -> list[Row]:
    """Fit networks by compiled functions and by torch, whatever the limit of a step says."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 2000)
    rows = []
    for n_columns, hidden in SIZES:
        X = rng.normal(size=(2000, n_columns))
        for precision in ("float32", "float64"):

            def fit(limit: float, X: Any = X, hidden: Any = hidden, kind: str = precision) -> None:
                network = NeuralClassifier(
                    hidden, max_iter=5, random_state=0, device="cpu", precision=kind
                )
                with mock.patch.object(_compiled, "LARGEST_STEP", limit):
                    network.fit(X, y)

            actions = {
                "torch": lambda _, fit=fit: fit(0.0),
                "compiled": lambda _, fit=fit: fit(np.inf),
            }
            task = f"{n_columns} columns, hidden {hidden}, {precision}"
            with quiet():
                timed = interleave(actions, rounds + 1, task)  # the first one warms up
            seconds = {name: [each for each, _ in runs[1:]] for name, runs in timed.items()}
            ratio = median(seconds["torch"]) / median(seconds["compiled"])
            row = Row(task, "compiled", seconds=seconds["compiled"], score=f"{ratio:.2f} x torch")
            rows.append(report(row))
    return rows


def run_compiled(options: Options) -> list[Row]:
    """Whole fits, searches, many small steps, ensembles and first fits of small networks.

    scikit-learn's networks have their usual float64 input, all standardized beforehand. Fits have
    default parameters; all fits of a search run all epochs. "aim" is what the compiled core was
    made for. Ensembles and first fits are held against ours alone.
    """
    rounds = options.rounds(alone=5, overview=1)
    rows = _compare_fits(options, rounds) + _compare_steps(rounds)
    rows += _compare_searches(options, rounds)
    rows += _compare_ensembles(options, rounds)
    return rows + _compare_first_fits(rounds) + _compare_ways(rounds)
