"""A table with gaps and categories, from a DataFrame to predictions with intervals.

House prices in California if the folder SKNN_DATA has them (tabular/california.csv.gz, a minute or
two), else scikit-learn's diabetes data. Beside them stands HistGradientBoostingRegressor, which
takes the same DataFrame.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

from sknn import TabularRegressor


def load() -> tuple[str, pd.DataFrame, pd.Series]:
    """Return a name, a table, and what is to be predicted."""
    folder = Path(os.environ.get("SKNN_DATA") or "~/sknn_data").expanduser() / "tabular"
    file = folder / "california.csv.gz"
    if file.exists():
        frame = pd.read_csv(file).astype({"ocean_proximity": "category"})
        return "California", frame.drop(columns="median_house_value"), frame["median_house_value"]
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return "diabetes", X.astype({"sex": "category"}), y


def report(name: str, model: Any, X: pd.DataFrame, y: pd.Series, seconds: float) -> None:
    """Print the errors of predictions."""
    predicted = model.predict(X)
    error, r2 = root_mean_squared_error(y, predicted), r2_score(y, predicted)
    print(f"{name:30s} RMSE {error:10,.1f}   R2 {r2:.3f}   {seconds:5.1f} s", flush=True)


def main() -> None:
    """Fit both, then the quantiles 0.1 and 0.9."""
    name, X, y = load()
    print(f"{name}: {X.shape[0]:,} rows, {X.shape[1]} columns, {X.isna().sum().sum()} gaps")
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    X, y, X_test, y_test = X[:6000], y[:6000], X_test[:6000], y_test[:6000]

    trees = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    networks = TabularRegressor(random_state=0)
    for model in (trees, networks):
        start = time.perf_counter()
        model.fit(X, y)
        report(type(model).__name__, model, X_test, y_test, time.perf_counter() - start)

    # each row was held out by some of the networks: what they answered
    print(f"R2 of the training rows, out of fold: {r2_score(y, networks.oof_predictions_):.3f}")

    start = time.perf_counter()
    intervals = TabularRegressor(loss="quantile", quantiles=(0.1, 0.9), random_state=0).fit(X, y)
    low, high = intervals.predict(X_test).T
    inside = np.mean((low <= y_test) & (y_test <= high))
    print(
        f"Between the quantiles 0.1 and 0.9 lie {inside:.1%} of the test rows, "
        f"{np.median(high - low):,.1f} wide (median), {time.perf_counter() - start:.1f} s"
    )


if __name__ == "__main__":
    main()
