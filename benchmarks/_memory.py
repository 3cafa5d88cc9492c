"""Peak memory of a fit.

Each fit runs in a new process, which holds the data and has done one tiny fit (imports, thread
pools and kernels are there). What it takes beyond that, at its peak, is the fit's. Images are
measured otherwise, see `_image_memory`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy import sparse

from ._contenders import Contender, Work, full_name, ours, sklearn_mlp, skorch, torch_loop
from ._data import Data, cifar10_bytes, mnist, mnist_bytes
from ._image_memory import BATCH_SIZE, describe_peaks, measure_peaks
from ._measure import Options, interleave, quiet, report
from ._peaks import MEBIBYTE, peak_above_baseline
from ._report import Row
from ._search_memory import N_SAMPLES, describe_peak, measure_searches

CONTENDERS: dict[str, Contender] = {
    "sklearn": sklearn_mlp(None),
    "ours": ours(None, "float32"),
    "skorch": skorch(None, "float32"),
    "torch": torch_loop(None, "float32"),
}


def n_bytes(X: Any) -> int:
    """Return the memory of an array or CSR matrix."""
    if sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.nbytes


def save(folder: Path, X: Any, y: np.ndarray) -> None:
    """Write what :func:`load` reads."""
    np.save(folder / "y.npy", y)
    if sparse.issparse(X):
        sparse.save_npz(folder / "X.npz", X, compressed=False)
    else:
        np.save(folder / "X.npy", X)


def load(folder: Path) -> Data:
    """Read data into memory, leaving no copy behind."""
    dense = folder / "X.npy"
    X = np.load(dense) if dense.exists() else sparse.load_npz(folder / "X.npz")
    y = np.load(folder / "y.npy")
    return Data(X, y, X, y)


def fit_and_measure(key: str, folder: Path, epochs: int) -> dict[str, int]:
    """Do what the new process is there for."""
    data, contender = load(folder), CONTENDERS[key]
    work = Work(epochs=epochs)
    fitted = []
    with quiet():
        contender.fit(data.head(2 * work.batch_size), Work(epochs=1), 0)
        peak = peak_above_baseline(lambda: fitted.append(contender.fit(data, work, 0)))
    return {"peak": peak, "input": n_bytes(data.X), "epochs": fitted[0].n_iter_}


def _in_new_process(key: str, folder: Path, epochs: int) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks._memory", key, str(folder), str(epochs)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _inputs(options: Options) -> dict[str, tuple[Any, np.ndarray]]:
    inputs = {}
    scaled, pixels = mnist(), mnist_bytes()
    if scaled is not None and pixels is not None:
        inputs["MNIST uint8"] = (pixels.X, pixels.y)
        inputs["MNIST float32"] = (scaled.X, scaled.y)
    n_samples = 10_000 if options.quick else 50_000
    rng = np.random.default_rng(0)
    # a matrix, not an array: skorch takes rows one by one and expects them two-dimensional
    X = sparse.random(n_samples, 5000, density=0.01, format="csr", dtype=np.float32, rng=rng)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    inputs[f"CSR {n_samples:,} x 5,000, 1 % float32"] = (X, rng.integers(10, size=n_samples))
    return inputs


def run_memory(options: Options) -> list[Row]:
    """Compare peaks for bytes, floats, a sparse matrix ((100,) units), images and searches."""
    epochs = options.epochs or (1 if options.quick or options.overview else 3)
    rounds = options.rounds(alone=3, overview=1)
    rows = []
    for name, (X, y) in _inputs(options).items():
        task = f"memory: {name}, {n_bytes(X) / MEBIBYTE:.0f} MiB"
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder), X, y)
            actions = {
                key: (lambda _, key=key: _in_new_process(key, Path(folder), epochs))
                for key in CONTENDERS
            }
            timed = interleave(actions, rounds, task)
        peaks = {key: median(result["peak"] for _, result in runs) for key, runs in timed.items()}
        for key, contender in CONTENDERS.items():
            result = timed[key][0][1]
            if key == "sklearn" and X.dtype.kind == "f":
                contender = sklearn_mlp(str(X.dtype))
            rows.append(
                Row(
                    task,
                    full_name(contender, "multiclass"),
                    epochs=str(result["epochs"]),
                    vs_sklearn=peaks["sklearn"] / peaks[key],
                    vs_torch=peaks["torch"] / peaks[key],
                    memory=f"{peaks[key] / MEBIBYTE:.0f} MiB = "
                    f"{peaks[key] / result['input']:.2f} x input",
                )
            )
            report(rows[-1])
    return rows + _image_rows(options) + _search_rows(options)


def _image_rows(options: Options) -> list[Row]:
    """All images of CIFAR-10, for one epoch: fewer would leave nothing to see."""
    data = cifar10_bytes()
    if data is None:
        return []
    epochs = options.epochs or 1
    peaks = measure_peaks(data.X, data.y, epochs, options.rounds(alone=3, overview=1))
    task = f"memory: CIFAR-10 uint8, {n_bytes(data.X) / MEBIBYTE:.0f} MiB, batch {BATCH_SIZE}"
    return [
        report(
            Row(
                task,
                name,
                epochs=str(epochs),
                vs_torch=peaks["torch loop float32"]["peak"] / measured["peak"],
                memory=describe_peaks(measured),
            )
        )
        for name, measured in peaks.items()
    ]


def _search_rows(options: Options) -> list[Row]:
    """A grid search on some of MNIST under several limits."""
    data = mnist(N_SAMPLES)
    if data is None:
        return []
    epochs = options.epochs or 1
    peaks = measure_searches(data.X, data.y, epochs, options.rounds(alone=3, overview=1))
    size = f"{n_bytes(data.X) / MEBIBYTE:.0f} MiB"
    task = f"memory: 60 fits, {N_SAMPLES:,} rows of MNIST float32, {size}"
    return [
        report(
            Row(
                task,
                f"GridSearchCV, memory_limit={limit}",
                epochs=str(epochs),
                memory=describe_peak(peak),
            )
        )
        for limit, peak in peaks.items()
    ]


if __name__ == "__main__":
    print(json.dumps(fit_and_measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
