"""Peak memory of a fit.

Each fit runs in a new process, which holds the data and has done one tiny fit (imports, thread
pools and kernels are there). What it takes beyond that, at its peak, is the fit's.
"""

from __future__ import annotations

import ctypes
import gc
import json
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from scipy import sparse

from ._contenders import Contender, Work, full_name, ours, sklearn_mlp, skorch, torch_loop
from ._data import Data, mnist, mnist_bytes
from ._measure import Options, interleave, quiet, report
from ._report import Row

CONTENDERS: dict[str, Contender] = {
    "sklearn": sklearn_mlp(None),
    "ours": ours(None, "float32"),
    "skorch": skorch(None, "float32"),
    "torch": torch_loop(None, "float32"),
}
MEBIBYTE = 2**20


def n_bytes(X: Any) -> int:
    """Return the memory of an array or CSR matrix."""
    if sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.nbytes


def peak_above_baseline(action: Callable[[], Any]) -> int:
    """Return by how many bytes resident memory rises while an action runs."""
    gc.collect()
    _return_free_memory()
    if _reset_high_water_mark():
        baseline = _high_water_mark()
        action()
        return _high_water_mark() - baseline
    baseline = psutil.Process().memory_info().rss
    return _sampled_peak(action) - baseline


def _return_free_memory() -> None:
    """Give back what the tiny fit has freed: else the next fit has that much for nothing."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _reset_high_water_mark() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _high_water_mark() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def _sampled_peak(action: Callable[[], Any]) -> int:
    """Look a thousand times a second; a shorter peak goes unseen."""
    process, done = psutil.Process(), threading.Event()
    peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        action()
    finally:
        done.set()
        watcher.join()
    return max(peak, process.memory_info().rss)


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
    """Compare peaks for bytes, floats and a sparse matrix, (100,) hidden units."""
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
    return rows


if __name__ == "__main__":
    print(json.dumps(fit_and_measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
