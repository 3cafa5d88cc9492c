"""What checkpoints cost a fit, and how long a model takes to be saved and loaded."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import sknn
from sknn import NeuralClassifier
from sknn.estimators import NeuralEstimator
from sknn.training import Checkpoint

from ._data import mnist
from ._measure import Options, interleave, quiet
from ._peaks import MEBIBYTE
from ._report import Row

HIDDEN = (512, 512)


@contextmanager
def timed(cls: type, method: str, seconds: list[float]) -> Iterator[None]:
    """Append how long each call of a method takes."""
    original: Callable[..., Any] = getattr(cls, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - start)

    with patch.object(cls, method, call):
        yield


def run_checkpoints(options: Options) -> list[Row]:
    """MNIST, (512, 512), batch 200: with a checkpoint after each epoch, and without."""
    data = mnist(10_000 if options.quick else None)
    if data is None:
        return []
    epochs = options.epochs or 5
    shares, writes = [], []

    def fit(checkpoint: str | None) -> NeuralClassifier:
        network = NeuralClassifier(
            HIDDEN, batch_size=200, max_iter=epochs, random_state=0, checkpoint=checkpoint
        )
        with quiet():
            return network.fit(data.X, data.y)

    def with_checkpoints(_: int) -> NeuralClassifier:
        written: list[float] = []
        opened: list[float] = []
        with (
            tempfile.TemporaryDirectory() as folder,
            timed(Checkpoint, "write", written),
            timed(NeuralEstimator, "_open_checkpoint", opened),
        ):
            start = time.perf_counter()
            network = fit(folder)
            shares.append((sum(opened) + sum(written)) / (time.perf_counter() - start))
            writes.append(median(written))
        return network

    rounds = options.rounds(alone=5, overview=3)
    actions: dict[str, Any] = {
        "without checkpoints": lambda _: fit(None),
        "with checkpoints": with_checkpoints,
    }
    timings = interleave(actions, rounds, "checkpoints")
    rows = [
        Row(f"MNIST {HIDDEN}", name, str(epochs), [each for each, _ in runs])
        for name, runs in timings.items()
    ]
    # the machine's speed drifts more than checkpoints cost: the time within their code says more
    share, write = 100 * median(shares), 1000 * median(writes)
    rows[1].latency = f"{share:.1f} % in checkpoints, {write:.0f} ms each"

    network = timings["with checkpoints"][0][1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.sknn")
        storing: dict[str, Any] = {
            "sknn.save": lambda _: sknn.save(network, path),
            "sknn.load": lambda _: sknn.load(path),
        }
        stored = interleave(storing, max(rounds, 5), "files")
        size = f"{path.stat().st_size / MEBIBYTE:.1f} MiB"
    rows += [
        Row("its file", name, seconds=[each for each, _ in runs], memory=size)
        for name, runs in stored.items()
    ]
    return rows
