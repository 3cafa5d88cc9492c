"""How good forecasts and their intervals are: the numbers of docs/guide/forecasting.rst."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import zip_longest
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from tqdm import tqdm

from sknn.datasets import fetch_airline_passengers
from sknn.forecasting import DirectForecaster, RecursiveForecaster

from ._data import fetch
from ._measure import Options, quiet, report
from ._report import Row

COVERAGE = 0.8
N_AHEAD = 12  # the steps that intervals reach by default
INSIDE = f"{N_AHEAD} steps, {100 * COVERAGE:.0f} % intervals"
N_OBSERVED = 150  # steps of a simulated series that are known
N_SERIES = {"network": 60, "ridge": 400}  # networks take up to 60 times as long

# Months after January 1949 at which two years to forecast start: January 1955 to 1959.
TWO_YEARS = range(72, 121, 12)
# Those at which a year of intervals starts: July 1956 to January 1960.
MOMENTS = range(90, 133, 3)


# ------------------------------------------------------------------------- simulated series


def autoregressive(rng: np.random.Generator, n: int, factors: tuple[float, ...]) -> np.ndarray:
    """Return a series in which each step follows from those before, and normal noise."""
    n_before = 200  # until the zeros that it starts from are forgotten
    noise, y = rng.normal(size=n + n_before), np.zeros(n + n_before)
    for step in range(len(factors), n + n_before):
        y[step] = sum(f * y[step - 1 - lag] for lag, f in enumerate(factors)) + noise[step]
    return y[n_before:]


def seasonal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return a trend, a season of twelve steps, and noise."""
    t = np.arange(n)
    season = np.sin(2 * np.pi * t / 12) + 0.4 * np.cos(4 * np.pi * t / 12)
    return 10 + 0.02 * t + season + 0.3 * rng.normal(size=n)


def growing(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return logarithms like those of the airline passengers: random growth and a season."""
    t = np.arange(n)
    growth = np.cumsum(0.01 + 0.03 * rng.normal(size=n))
    season = 0.2 * np.sin(2 * np.pi * t / 12) + 0.1 * np.cos(4 * np.pi * t / 12)
    return 4.8 + growth + season + 0.02 * rng.normal(size=n)


SIMULATIONS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "trend, season and noise": seasonal,
    "autoregressive (0.7)": partial(autoregressive, factors=(0.7,)),
    "autoregressive (1.2, -0.5)": partial(autoregressive, factors=(1.2, -0.5)),
    "nearly a random walk (0.98)": partial(autoregressive, factors=(0.98,)),
    "random growth and season, logarithms": growing,
}

INTERVALS: dict[str, tuple[str, Callable[[int], Any]]] = {
    "recursive, ridge": ("ridge", lambda _: RecursiveForecaster(Ridge(), interval=COVERAGE)),
    "recursive, network": (
        "network",
        lambda seed: RecursiveForecaster(interval=COVERAGE, random_state=seed),
    ),
    "direct, network": (
        "network",
        lambda seed: DirectForecaster(interval=COVERAGE, random_state=seed),
    ),
}


# ------------------------------------------------------------------------------- measurements


class Outcome(NamedTuple):
    """Root mean squared error, or share within the interval, and the seconds that it took."""

    score: float
    seconds: float


def _collect(title: str, actions: dict[str, list[Callable[[], float]]]) -> dict[str, list[Outcome]]:
    """Call the actions of all rows, interleaved; some have fewer. Return results and seconds."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in actions}
    total = sum(len(each) for each in actions.values())
    with quiet(), tqdm(total=total, desc=title, leave=False, disable=None) as bar:
        for round_ in zip_longest(*actions.values()):
            for name, action in zip(actions, round_, strict=True):
                if action is not None:
                    start = time.perf_counter()
                    score = action()
                    outcomes[name].append(Outcome(score, time.perf_counter() - start))
                    bar.update()
    return outcomes


def _rows(
    task: str, outcomes: dict[str, list[Outcome]], describe: Callable[[float, int], str]
) -> list[Row]:
    return [
        report(
            Row(
                task,
                name,
                seconds=[o.seconds for o in results],
                score=describe(mean(o.score for o in results), len(results)),
            )
        )
        for name, results in outcomes.items()
    ]


def _share_inside(y: np.ndarray, n_observed: int, model: Any) -> float:
    """Return the share of the steps after `n_observed` that lie within the interval."""
    lower, upper = model.fit(None, y[:n_observed]).forecast_interval(N_AHEAD).T
    future = y[n_observed : n_observed + N_AHEAD]
    return float(np.mean((lower <= future) & (future <= upper)))


def _two_year_error(y: np.ndarray, start: int, model: Any | None) -> float:
    """Return the error of 24 steps from `start` on; without a model, of the last year repeated."""
    if model is None:
        forecast = np.tile(y[start - 12 : start], 2)
    else:
        forecast = np.exp(model.fit(None, np.log(y[:start])).forecast(24))
    return float(root_mean_squared_error(y[start : start + 24], forecast))


def _error_rows(y: np.ndarray, seeds: int) -> list[Row]:
    rows = []
    for start in TWO_YEARS:
        first = 1949 + start // 12
        actions = {
            "last year repeated": [partial(_two_year_error, y, start, None)],
            **{
                forecaster.__name__: [
                    partial(_two_year_error, y, start, forecaster(random_state=seed))
                    for seed in range(seeds)
                ]
                for forecaster in (RecursiveForecaster, DirectForecaster)
            },
        }
        task = f"airline passengers {first}, {first + 1}, RMSE of {seeds} seeds"
        rows += _rows(task, _collect(task, actions), lambda error, _: f"RMSE {error:.1f}")
    return rows


def _airline_coverage_rows(y: np.ndarray, seeds: int, moments: Iterable[int]) -> list[Row]:
    task = f"airline passengers in logarithms, {INSIDE}"
    actions = {
        name: [
            partial(_share_inside, np.log(y), moment, make(seed))
            for seed in range(seeds)
            for moment in moments
        ]
        for name, (kind, make) in INTERVALS.items()
        if kind == "network"
    }
    return _rows(
        task, _collect(task, actions), lambda share, n: f"inside {100 * share:.1f} %, {n} forecasts"
    )


def _simulated_rows(n_series: dict[str, int]) -> list[Row]:
    rows = []
    for series, simulate in SIMULATIONS.items():
        n = N_OBSERVED + N_AHEAD
        drawn = [
            simulate(np.random.default_rng(1000 + i), n) for i in range(max(n_series.values()))
        ]
        task = f"{series}, {INSIDE}"
        actions = {
            name: [
                partial(_share_inside, y, N_OBSERVED, make(seed))
                for seed, y in enumerate(drawn[: n_series[kind]])
            ]
            for name, (kind, make) in INTERVALS.items()
        }
        rows += _rows(
            task,
            _collect(task, actions),
            lambda share, n: f"inside {100 * share:.1f} %, {n} series",
        )
    return rows


def run_forecasts(options: Options) -> list[Row]:
    """Errors of forecasts, and how much 80 % intervals cover: airline and simulated series.

    In full this takes ten minutes or more, most of it for the networks' intervals.
    """
    short = options.quick or options.overview
    rows = []
    airline = fetch("airline passengers", fetch_airline_passengers)
    if airline is not None:
        y = airline.data
        seeds = 1 if short else options.seeds
        rows += _error_rows(y, seeds)
        rows += _airline_coverage_rows(y, seeds, MOMENTS[::5] if short else MOMENTS)
    n_series = {"network": 3, "ridge": 40} if short else N_SERIES
    return rows + _simulated_rows(n_series)
