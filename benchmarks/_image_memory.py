"""Peak memory of a fit of images, in a new process that has imported what it needs and no more.

Unlike in `_memory` there is no tiny fit before: thread pools, kernels and what is imported late
are the fit's, and the images are read after the imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from ._image_problems import CIFAR_TUTORIAL
from ._peaks import MEBIBYTE, peak_above_baseline

BATCH_SIZE = 32

Fit = Callable[[np.ndarray, np.ndarray, int], object]


def _ours() -> Fit:
    from sknn import ConvClassifier

    def fit(X: np.ndarray, y: np.ndarray, epochs: int) -> object:
        classifier = ConvClassifier(
            **CIFAR_TUTORIAL.parameters,
            batch_size=BATCH_SIZE,
            solver="adam",
            alpha=1e-4,
            learning_rate="constant",
            learning_rate_init=0.003,
            max_iter=epochs,
            device="cpu",
            random_state=0,
        )
        return classifier.fit(X, y)

    return fit


def _torch_loop() -> Fit:
    from ._image_loop import ImageLoop, build_network

    def fit(X: np.ndarray, y: np.ndarray, epochs: int) -> object:
        assert CIFAR_TUTORIAL.layers is not None
        loop = ImageLoop(
            build_network(CIFAR_TUTORIAL.layers, X.shape[1:]),
            X,
            y,
            batch_size=BATCH_SIZE,
            alpha=1e-4,
            learning_rate=1e-3,
            precision="float32",
            channels_last=True,
        )
        for _ in range(epochs):
            loop.epoch()
        return loop

    return fit


# what each imports is imported by the call, before anything is measured
CONTENDERS: dict[str, Callable[[], Fit]] = {
    "ConvClassifier float32": _ours,
    "torch loop float32": _torch_loop,
}


def fit_and_measure(name: str, folder: Path, epochs: int) -> dict[str, int]:
    """Do what the new process is there for."""
    fit = CONTENDERS[name]()
    n_bytes = 0

    def load_and_fit() -> None:
        nonlocal n_bytes
        X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
        n_bytes = X.nbytes + y.nbytes
        fit(X, y, epochs)

    peak = peak_above_baseline(load_and_fit)
    return {"peak": peak, "data": n_bytes}


def _in_new_process(name: str, folder: Path, epochs: int) -> dict[str, int]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks._image_memory"]
    done = subprocess.run(
        [*command, name, str(folder), str(epochs)],
        cwd=Path(__file__).parents[1],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_peaks(
    X: np.ndarray, y: np.ndarray, epochs: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return medians of the peak above imports (`peak`) and above the data too (`fit`)."""
    results: dict[str, list[dict[str, int]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "X.npy"), X)
        np.save(Path(folder, "y.npy"), y)
        for _ in range(rounds):
            for name, measured in results.items():
                measured.append(_in_new_process(name, Path(folder), epochs))
    return {
        name: {
            "peak": median(result["peak"] for result in measured),
            "fit": median(result["peak"] - result["data"] for result in measured),
        }
        for name, measured in results.items()
    }


def describe_peaks(peaks: dict[str, float]) -> str:
    """Return both numbers."""
    return (
        f"{peaks['peak'] / MEBIBYTE:.0f} MiB above imports, "
        f"{peaks['fit'] / MEBIBYTE:.0f} MiB above imports and data"
    )


if __name__ == "__main__":
    print(json.dumps(fit_and_measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
