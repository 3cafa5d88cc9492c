"""The same network on CPU and GPU."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from sknn import NeuralClassifier

from ._contenders import ENDLESS_PATIENCE
from ._data import mnist
from ._measure import Options, interleave, quiet, report
from ._report import Row

PREDICT = """
import pickle, sys
import numpy as np, torch
assert not torch.cuda.is_available()
model, X = pickle.load(open(sys.argv[1], "rb"))
np.save(sys.argv[2], model.predict_proba(X))
"""


def _fit(X: np.ndarray, y: np.ndarray, device: str, epochs: int, seed: int) -> NeuralClassifier:
    model = NeuralClassifier(
        (512, 512),
        batch_size=1024,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=ENDLESS_PATIENCE,
        device=device,
        precision="float32",
        random_state=seed,
    )
    with quiet():
        model.fit(X, y)
    if device == "cuda":
        torch.cuda.synchronize()
    return model


def predict_without_cuda(model: NeuralClassifier, X: np.ndarray) -> np.ndarray:
    """Return what a pickle predicts in a process that sees no GPU."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "model.pickle"), Path(folder, "probabilities.npy")
        source.write_bytes(pickle.dumps((model, X)))
        subprocess.run(
            [sys.executable, "-c", PREDICT, str(source), str(target)],
            check=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )
        return np.load(target)


def run_cuda(options: Options) -> list[Row]:
    """MNIST, (512, 512), batch 1024: epochs a second on both, and a pickle that changes sides."""
    if not torch.cuda.is_available():
        print("cuda: left out, torch finds no CUDA device here")
        return []
    data = mnist()
    if data is None:
        return []
    epochs = {"cpu": options.epochs or 3, "cuda": options.epochs or 10}
    for device in epochs:
        _fit(data.X[:4096], data.y[:4096], device, 1, 0)
    actions = {
        device: (lambda seed, device=device: _fit(data.X, data.y, device, epochs[device], seed))
        for device in epochs
    }
    timed = interleave(actions, options.rounds(alone=5, overview=3), "cuda")
    a_epoch = {
        device: median(seconds for seconds, _ in runs) / epochs[device]
        for device, runs in timed.items()
    }
    rows = []
    for device, runs in timed.items():
        model = runs[0][1]
        score = model.score(data.X_test, data.y_test)
        rows.append(
            Row(
                "MNIST (512, 512), batch 1024",
                f"NeuralClassifier {device}, {1 / a_epoch[device]:.2f} epochs/s, "
                f"{a_epoch['cpu'] / a_epoch[device]:.1f} x CPU",
                epochs=str(model.n_iter_),
                seconds=[seconds for seconds, _ in runs],
                score=f"acc {score:.4f}",
            )
        )
        report(rows[-1])

    model, X = timed["cuda"][0][1], data.X_test[:1000]
    start = time.perf_counter()
    difference = np.abs(predict_without_cuda(model, X) - model.predict_proba(X)).max()
    print(
        f"A pickle from CUDA predicts without a GPU ({time.perf_counter() - start:.1f} s with the "
        f"process's start); its probabilities differ by at most {difference:.1e}."
    )
    return rows
