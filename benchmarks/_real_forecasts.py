"""Forecasts of real series from rolling origins, beside the seasonal naive forecast."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sknn.forecasting import RecursiveForecaster

from ._measure import Options, report
from ._report import Row

# Steps a season and steps ahead, by the beginning of pandas' name of the frequency.
SEASONS = {"M": (12, 12), "Q": (4, 8), "Y": (1, 6), "D": (7, 14), "h": (24, 24), "30min": (48, 48)}
N_ORIGINS = 6
COVERAGE = 0.8

REGRESSORS: dict[str, Callable[[], Any]] = {
    "RecursiveForecaster": lambda: None,
    "RecursiveForecaster(Ridge())": Ridge,
    "RecursiveForecaster(HistGradientBoosting)": HistGradientBoostingRegressor,
}


def run_real_forecasts(options: Options) -> list[Row]:
    """Mean absolute scaled errors of the series in --folders, a CSV with dates and values each."""
    rows = []
    for name, y, season, horizon in _series(options.folders):
        origins = _origins(len(y), horizon)
        values = y.to_numpy(float)
        naive = np.mean([_mase(values, o, _repeated(values, o, season, horizon), season)
                         for o in origins])  # fmt: skip
        rows.append(report(Row(name, "season repeated", score=f"MASE {naive:.2f}")))
        for title, make in REGRESSORS.items():
            errors, covered, seconds = [], [], []
            for origin in origins:
                start = time.perf_counter()
                model = RecursiveForecaster(
                    make(), interval=COVERAGE, interval_steps=horizon, random_state=0
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)
                    model.fit(y[:origin])
                    forecast = np.asarray(model.predict(horizon))
                    lower, upper = np.asarray(model.predict_interval(horizon)).T
                seconds.append(time.perf_counter() - start)
                future = values[origin : origin + horizon]
                errors.append(_mase(values, origin, forecast, season))
                covered.append(np.mean((lower <= future) & (future <= upper)))
            score = f"MASE {np.mean(errors):.2f}, inside {100 * np.mean(covered):.0f} %"
            rows.append(report(Row(name, title, seconds=seconds, score=score)))
    return rows


def _series(folders: tuple[str, ...]) -> Iterator[tuple[str, Any, int, int]]:
    import pandas as pd

    for path in sorted(each for folder in folders for each in Path(folder).glob("*.csv")):
        y = pd.read_csv(path, index_col=0).iloc[:, 0].dropna()
        first = str(y.index[0])
        if first.isdigit() and len(first) == 4:
            y.index = pd.PeriodIndex(y.index.astype(str), freq="Y")
        elif "Q" in first or len(first) == 7:
            y.index = pd.PeriodIndex(y.index, freq="Q" if "Q" in first else "M")
        elif len(first) >= 10:
            dates = pd.DatetimeIndex(y.index)
            y.index = dates if len(first) > 10 else dates.to_period(pd.infer_freq(dates)[0])
        freq = getattr(y.index, "freqstr", None) or getattr(y.index, "inferred_freq", None) or "Y"
        season, horizon = next((v for k, v in SEASONS.items() if freq.startswith(k)), (1, 6))
        yield path.stem, y, season, horizon


def _origins(n_steps: int, horizon: int) -> list[int]:
    """Return moments in the last part of a series, the last one `horizon` steps before its end."""
    first = min(max(int(0.7 * n_steps), n_steps - N_ORIGINS * horizon), n_steps - horizon)
    return np.unique(np.linspace(first, n_steps - horizon, N_ORIGINS).astype(int)).tolist()


def _repeated(values: np.ndarray, origin: int, season: int, horizon: int) -> np.ndarray:
    return values[origin - season : origin][np.arange(horizon) % season]


def _mase(values: np.ndarray, origin: int, forecast: np.ndarray, season: int) -> float:
    """Return the error in units of the seasonal naive forecast's on the steps before."""
    known, future = values[:origin], values[origin : origin + len(forecast)]
    return float(np.abs(forecast - future).mean() / np.abs(known[season:] - known[:-season]).mean())
