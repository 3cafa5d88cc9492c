"""Peak memory of a search beside its limit, in a new process that has done one tiny search."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from sknn import NeuralClassifier
from sknn.model_selection import GridSearchCV

from ._measure import quiet
from ._peaks import MEBIBYTE, peak_above_baseline

N_SAMPLES = 10_000
LIMITS = ("100MiB", "200MiB", "400MiB")
GRID = {"alpha": [1e-4, 1e-3, 1e-2, 1e-1], "learning_rate_init": [1e-3, 3e-3, 1e-2]}


def search_and_measure(limit: str, folder: Path, epochs: int) -> int:
    """Do what the new process is there for."""
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    network = NeuralClassifier(max_iter=epochs, device="cpu", random_state=0)
    search = GridSearchCV(network, GRID, n_jobs=4, refit=False, memory_limit=limit)
    with quiet():
        search.fit(X[:400], y[:400])
        return peak_above_baseline(lambda: search.fit(X, y))


def _in_new_process(limit: str, folder: Path, epochs: int) -> int:
    command = [sys.executable, "-m", "benchmarks._search_memory", limit, str(folder), str(epochs)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_searches(X: np.ndarray, y: np.ndarray, epochs: int, rounds: int) -> dict[str, float]:
    """Return the median peak under each limit."""
    results: dict[str, list[int]] = {limit: [] for limit in LIMITS}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "X.npy"), X)
        np.save(Path(folder, "y.npy"), y)
        for _ in range(rounds):
            for limit, peaks in results.items():
                peaks.append(_in_new_process(limit, Path(folder), epochs))
    return {limit: median(peaks) for limit, peaks in results.items()}


def describe_peak(peak: float) -> str:
    """Return what the search takes beside its data."""
    return f"{peak / MEBIBYTE:.0f} MiB above the data"


if __name__ == "__main__":
    print(json.dumps(search_and_measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
