"""Timing: always interleaved (A B C A B C ...), so that a busy machine is busy for all."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import Any, TypeVar

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from tqdm import tqdm

from ._contenders import Contender, Work, full_name
from ._data import Data
from ._report import Row, format_duration

Result = TypeVar("Result")


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    repeats: int | None = None
    seeds: int = 3
    epochs: int | None = None
    quick: bool = False
    overview: bool = False
    bfloat16: bool = False
    keras_python: str | None = None
    gensim_python: str | None = None
    sets: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    cap: int = 6000
    models: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    rows: str | None = None

    def rounds(self, alone: int, overview: int, quick: int = 1) -> int:
        """Return the number of interleaved runs: as asked for, or a default for the situation."""
        if self.repeats is not None:
            return self.repeats
        return quick if self.quick else overview if self.overview else alone


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings that a fixed number of epochs brings about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def interleave(
    actions: Mapping[str, Callable[[int], Result]], rounds: int, title: str
) -> dict[str, list[tuple[float, Result]]]:
    """Call every action once a round with the round's number; return seconds and results."""
    timed: dict[str, list[tuple[float, Result]]] = {name: [] for name in actions}
    # without a terminal there is no bar; the rows are printed as they are done
    with tqdm(total=rounds * len(actions), desc=title, leave=False, disable=None) as progress:
        for number in range(rounds):
            for name, action in actions.items():
                progress.set_postfix_str(name)
                gc.collect()
                start = time.perf_counter()
                result = action(number)
                timed[name].append((time.perf_counter() - start, result))
                progress.update()
    return timed


def latency(action: Callable[[], Any], calls: int) -> float:
    """Return the median seconds of many calls."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def interleaved_latency(
    actions: Mapping[str, Callable[[], Any]], rounds: int, calls: int, title: str
) -> dict[str, float]:
    """Return each action's median over rounds of its median over calls."""
    for action in actions.values():
        action()  # warm up
    repeated = {
        name: lambda _, action=action: latency(action, calls) for name, action in actions.items()
    }
    timed = interleave(repeated, rounds, title)
    return {name: median(value for _, value in pairs) for name, pairs in timed.items()}


def report(row: Row) -> Row:
    """Print a row when it is measured, as progress."""
    print("  ", "  ".join(cell for cell in row.cells() if cell), flush=True)
    return row


def compare(
    task: str,
    contenders: list[Contender],
    inputs: Mapping[str, Data],
    work: Work,
    *,
    rounds: int,
    seeds: int = 1,
) -> list[Row]:
    """Fit all contenders side by side.

    Round r uses seed r modulo `seeds`; there are at least `seeds` rounds. The first contender is
    scikit-learn's. Where fits stop by themselves, those that cannot are given its number of
    epochs. The score is that of the test samples, a mean over seeds.
    """
    kind = next(iter(inputs.values())).kind
    named = {full_name(contender, kind): contender for contender in contenders}
    reference, *_ = named
    data = {name: inputs[contender.input_dtype or ""] for name, contender in named.items()}

    with quiet():
        for name, contender in named.items():  # imports, thread pools, lazily chosen kernels
            contender.fit(data[name].head(2 * work.batch_size), replace(work, epochs=1), 0)
        given = {}
        if work.stops:
            given = {
                seed: named[reference].fit(data[reference], work, seed).n_iter_
                for seed in range(seeds)
            }

        def fit(name: str, number: int) -> Any:
            seed, task_work = number % seeds, work
            if work.stops and not named[name].own_stopping:
                task_work = replace(work, epochs=given[seed])
            return named[name].fit(data[name], task_work, seed)

        actions = {name: (lambda number, name=name: fit(name, number)) for name in named}
        timed = interleave(actions, max(rounds, seeds), task)

    medians = {name: median(seconds for seconds, _ in runs) for name, runs in timed.items()}
    loops = {c.precision: medians[name] for name, c in named.items() if c.is_torch_loop}
    rows_of_one = {
        name: (lambda name=name: timed[name][0][1].predict(data[name].X_test[:1])) for name in named
    }
    latencies = interleaved_latency(rows_of_one, 5, 40, f"{task}, one row")
    rows = []
    for name, contender in named.items():
        fitted = [model for _, model in timed[name]]
        loop = loops.get(contender.precision)
        rows.append(
            Row(
                task,
                name,
                epochs=_range([model.n_iter_ for model in fitted]),
                seconds=[seconds for seconds, _ in timed[name]],
                vs_sklearn=medians[reference] / medians[name],
                vs_torch=None if loop is None else loop / medians[name],
                score=_mean_score(fitted[:seeds], data[name]),
                latency=format_duration(latencies[name]),
            )
        )
        report(rows[-1])
    return rows


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}-{high}"


def _mean_score(models: list[Any], data: Data) -> str:
    metric = r2_score if data.kind == "regression" else accuracy_score
    score = mean(metric(data.y_test, model.predict(data.X_test)) for model in models)
    return f"{'R2' if data.kind == 'regression' else 'acc'} {score:.4f}"
