"""aeon's MiniRocket on the sets of `_series_sets`, in an environment of its own, with aeon.

``python -m benchmarks._series_peers --folders FOLDER --rows FILE`` writes rows that
``python -m benchmarks series-sets --rows FILE`` shows beside its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from typing import Any

from ._series_data import SeriesSet, archive_folder, series_sets

NAME = "aeon MiniRocket"


def _measure(data: SeriesSet, seed: int) -> dict[str, Any]:
    task = "regression" if data.is_regression else "classification"
    kind = f"MiniRocket{'Regressor' if data.is_regression else 'Classifier'}"
    model = getattr(importlib.import_module(f"aeon.{task}.convolution_based"), kind)
    # channels first; it takes equal lengths only, so zeros stand behind the ends
    X, X_test = (split.transpose(0, 2, 1) for split in data.padded())
    wall, cpu = time.perf_counter(), time.process_time()
    fitted = model(random_state=seed, n_jobs=1).fit(X, data.y)
    found = fitted.predict(X_test)
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    if data.is_regression:
        residuals = ((data.y_test - found) ** 2).sum()
        score = 1 - residuals / ((data.y_test - data.y_test.mean()) ** 2).sum()
    else:
        score = (found == data.y_test).mean()
    measure = "R2" if data.is_regression else "accuracy"
    row = {"set": data.name, "model": NAME, "seed": seed, "measure": measure}
    return {**row, "score": float(score), **seconds}


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folders", nargs="+", default=[archive_folder()])
    parser.add_argument("--sets", nargs="+", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", required=True)
    options = parser.parse_args()
    for number, data in enumerate(series_sets(options.folders, options.sets)):
        if number == 0:
            _measure(data, 0)  # numba compiles
        for seed in range(options.seeds):
            row = _measure(data, seed)
            print(f"{data.name}, seed {seed}: {row['score']:.4f}, {row['cpu']:.1f} s", flush=True)
            with open(options.rows, "a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
