"""Airline passengers of the 1950s, a year and two years ahead.

Both forecasters, with defaults, against the last year repeated: first year by year from 1955 to
1960, each forecast from all months before it, then the last two years at once. Each forecast comes
with intervals of 50 and 80 %, and the tables say how much of what came they held. The data are
looked for in the folder SKNN_DATA, and downloaded if they are not there. The figure is written to
examples/output/.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sknn.datasets import fetch_airline_passengers
from sknn.forecasting import (
    DirectForecaster,
    RecursiveForecaster,
    coverage,
    cross_validate,
    mase,
)
from sknn.inspection import plot_forecast

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"
NAIVE = "last year repeated"


class LastYear(BaseEstimator):
    """Forecast what was a year before: all that cross_validate needs are fit and predict."""

    def fit(self, y: pd.Series, X: None = None) -> LastYear:
        self.y_ = y
        return self

    def predict(self, horizon: int, X: None = None) -> pd.Series:
        months = pd.period_range(self.y_.index[-1] + 1, periods=horizon, freq="M")
        return pd.Series(np.resize(self.y_[-12:], horizon), months)


def forecasters(n_steps: int) -> dict[str, Any]:
    """Return three forecasters, two with intervals that reach `n_steps` ahead."""
    # 0.3 of the series: 13 two-year forecasts from 120 months, 11 one-year forecasts from 72
    common: dict[str, Any] = {
        "interval": [0.5, 0.8],
        "calibration_fraction": 0.3,
        "random_state": 0,
    }
    return {
        NAIVE: LastYear(),
        "RecursiveForecaster": RecursiveForecaster(interval_steps=n_steps, **common),
        "DirectForecaster": DirectForecaster(horizon=n_steps, **common),
    }


def forecast_years(y: pd.Series) -> None:
    """Forecast each of six years from all before it; print errors, and who was better off."""
    scores = {
        name: cross_validate(model, y, horizon=12, n_origins=6, season=12)
        for name, model in forecasters(12).items()
    }
    errors = pd.DataFrame({name: table["mase"] for name, table in scores.items()})
    errors.index = (errors.index.year + 1).rename("year")  # an origin is the December before
    print("MASE: errors in units of those of the last year repeated, in the years before")
    print(errors.round(2).to_string())
    for name, table in scores.items():
        if name != NAIVE:
            worse = ", ".join(map(str, errors.index[errors[name] >= errors[NAIVE]])) or "no year"
            shares = " and ".join(
                f"{100 * table[f'coverage_{level}'].mean():.0f} %" for level in (50, 80)
            )
            print(
                f"{name}: mean MASE {errors[name].mean():.2f}, worse than the {NAIVE} in {worse};"
            )
            print(f"    intervals of 50 and 80 % held {shares}")


def forecast_last(y: pd.Series, n_steps: int) -> dict[str, Any]:
    """Forecast the last months from those before; print errors; return the fitted forecasters."""
    past, future = y[:-n_steps], y[-n_steps:]
    models = {name: model.fit(past) for name, model in forecasters(n_steps).items()}
    print(f"\nthe last {n_steps} months         MASE   within 80 %")
    for name, model in models.items():
        error = mase(future, model.predict(n_steps), y_train=past, season=12)
        inside = ""
        if name != NAIVE:
            bounds = model.predict_interval(n_steps)
            inside = f"{100 * coverage(future, bounds['lower_80'], bounds['upper_80']):.0f} %"
        print(f"{name:24s} {error:8.2f}   {inside:>11s}")
    return models


def draw(models: dict[str, Any], y: pd.Series, n_steps: int) -> None:
    """Draw the last years, the forecasts of the last months, and their intervals."""
    names = ["RecursiveForecaster", "DirectForecaster"]
    figure, axes = plt.subplots(
        len(names), 1, sharex=True, sharey=True, figsize=(8, 7), layout="constrained"
    )
    for name, ax in zip(names, axes, strict=True):
        plot_forecast(models[name], n_steps, y=y, n_past=60, axes=ax)
        ax.set(title=name, ylabel="passengers / thousands")
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "airline.png", dpi=150)
    plt.close(figure)


def main() -> None:
    """Forecast, compare, draw."""
    start = time.perf_counter()
    y = fetch_airline_passengers(as_frame=True).data
    print(f"{len(y)} months, {y.index[0]} to {y.index[-1]}, in thousands\n")
    forecast_years(y)
    print("In 1958 a growth of nine years came to a halt. Nothing before it foretold that.")
    models = forecast_last(y, 24)
    draw(models, y, 24)
    print(f"\n{time.perf_counter() - start:.0f} s; figure: {OUTPUT / 'airline.png'}")


if __name__ == "__main__":
    main()
