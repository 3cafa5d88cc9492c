"""Airline passengers of the 1950s, a year and two years ahead.

Both forecasters, in logarithms, against the last year repeated: first the last 24 months, forecast
from the 120 before them, then year by year from 1955 to 1960, by TimeSeriesSplit. Each forecast
comes with an interval of 80 %, and the tables say how much of what came it held. The data are
looked for in the folder SKNN_DATA, and downloaded if they are not there. The figure is written to
examples/output/.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import TimeSeriesSplit, cross_validate

from sknn.datasets import fetch_airline_passengers
from sknn.forecasting import DirectForecaster, RecursiveForecaster

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"
BLUE, ORANGE, GREY = "#2a6fbb", "#d9661f", "#8a8f98"
NAIVE = "last year repeated"


class FirstOfWindow(RegressorMixin, BaseEstimator):
    """Predict the first step of a window: with past=12, what was a year before."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> FirstOfWindow:
        self.is_fitted_ = True
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0]


def forecasters(n_steps: int) -> dict[str, TransformedTargetRegressor]:
    """Return three forecasters with intervals that reach `n_steps` ahead."""
    # 0.3 of the series: 13 two-year forecasts from 120 months, 11 one-year forecasts from 72
    common: dict[str, Any] = {"interval": 0.8, "calibration_fraction": 0.3}
    recursive: dict[str, Any] = common | {"interval_steps": n_steps}
    models = {
        NAIVE: RecursiveForecaster(FirstOfWindow(), past=12, scale=None, **recursive),
        "RecursiveForecaster": RecursiveForecaster(random_state=0, **recursive),
        "DirectForecaster": DirectForecaster(horizon=n_steps, random_state=0, **common),
    }
    # In logarithms the swings of the seasons stay the same while the passengers grow.
    return {
        name: TransformedTargetRegressor(model, func=np.log, inverse_func=np.exp)
        for name, model in models.items()
    }


def predict_interval(model: TransformedTargetRegressor, X: np.ndarray) -> np.ndarray:
    """Return lower and upper bounds, back from logarithms; quantiles go through exp unchanged."""
    return np.exp(model.regressor_.predict_interval(X))


def count_inside(model: TransformedTargetRegressor, X: np.ndarray, y: np.ndarray) -> int:
    """Count the months within the interval; a scorer, as scikit-learn calls it."""
    lower, upper = predict_interval(model, X).T
    return int(np.sum((lower <= y) & (y <= upper)))


def forecast_last(X: np.ndarray, y: np.ndarray, n_steps: int) -> dict[str, Any]:
    """Forecast the last steps from those before; print errors; return the fitted models."""
    models = forecasters(n_steps)
    # A shorter horizon, gone on with from its own forecasts; the interval reaches no further.
    in_blocks = "DirectForecaster, horizon=12"
    models[in_blocks] = forecasters(12)["DirectForecaster"]
    print(f"the last {n_steps} months             RMSE   within the interval")
    for name, model in models.items():
        model.fit(X[:-n_steps], y[:-n_steps])
        error = root_mean_squared_error(y[-n_steps:], model.predict(X[-n_steps:]))
        reach = 12 if name == in_blocks else n_steps
        inside = count_inside(model, X[-n_steps:][:reach], y[-n_steps:][:reach])
        print(f"{name:28s} {error:8.1f}   {inside} of {reach}")
    return models


def forecast_years(X: np.ndarray, y: np.ndarray, years: np.ndarray) -> None:
    """Forecast each year from all before it; print errors, and who was better off without."""
    cv = TimeSeriesSplit(n_splits=len(years), test_size=12)
    scoring = {"rmse": "neg_root_mean_squared_error", "inside": count_inside}
    results = {
        name: cross_validate(model, X, y, cv=cv, scoring=scoring, error_score="raise")
        for name, model in forecasters(12).items()
    }
    errors = {name: -result["test_rmse"] for name, result in results.items()}
    inside = {name: result["test_inside"] for name, result in results.items()}

    print("\nRMSE, months of 12 within the interval")
    print("year   " + "".join(f"{name:>22s}" for name in results))
    for i, year in enumerate(years):
        cells = [f"{errors[name][i]:.1f}, {inside[name][i]:2d}" for name in results]
        print(f"{year}   " + "".join(f"{cell:>22s}" for cell in cells))
    shares = {name: f"{100 * np.mean(counts) / 12:.0f} %" for name, counts in inside.items()}
    cells = [f"{np.mean(errors[name]):.1f}, {shares[name]}" for name in results]
    print("mean   " + "".join(f"{cell:>22s}" for cell in cells))
    for name, error in errors.items():
        if name != NAIVE:
            lost = ", ".join(str(year) for year in years[error >= errors[NAIVE]]) or "no year"
            print(f"{name} was worse than the {NAIVE} in {lost}.")


def draw(models: dict[str, Any], month: np.ndarray, X: np.ndarray, y: np.ndarray, n: int) -> None:
    """Draw the last years, the forecasts of the last `n` steps, and their intervals."""
    names = ["RecursiveForecaster", "DirectForecaster"]
    figure, axes = plt.subplots(
        len(names), 1, sharex=True, sharey=True, figsize=(8, 7), layout="constrained"
    )
    shown, last = slice(-n - 60, None), slice(-n, None)
    for name, axis in zip(names, axes, strict=True):
        lower, upper = predict_interval(models[name], X[last]).T
        axis.fill_between(
            month[last], lower, upper, color=ORANGE, alpha=0.2, lw=0, label="interval of 80 %"
        )
        axis.plot(month[last], models[NAIVE].predict(X[last]), "--", color=BLUE, label=NAIVE)
        axis.plot(month[last], models[name].predict(X[last]), color=ORANGE, lw=2, label="forecast")
        axis.plot(month[shown], y[shown], ".-", color=GREY, ms=4, lw=1, label="passengers")
        axis.axvline(month[-n], color=GREY, lw=0.8, ls=":")
        axis.set(title=name, ylabel="passengers / thousands")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, loc="upper left")
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "airline.png", dpi=150)
    plt.close(figure)


def main() -> None:
    """Forecast, compare, draw."""
    start = time.perf_counter()
    airline = fetch_airline_passengers()
    y, X = airline.data, np.empty((len(airline.data), 0))  # no covariates
    print(f"{len(y)} months, {airline.month[0]} to {airline.month[-1]}, in thousands\n")
    models = forecast_last(X, y, 24)
    print(
        "Two years at once leave DirectForecaster 73 windows to learn from, and 37 before the\n"
        "months that calibrate its interval."
    )
    forecast_years(X, y, np.arange(1955, 1961))
    print("In 1958 a growth of nine years came to a halt. Nothing before it foretold that.")
    draw(models, airline.month, X, y, 24)
    print(f"\n{time.perf_counter() - start:.0f} s; figure: {OUTPUT / 'airline.png'}")


if __name__ == "__main__":
    main()
