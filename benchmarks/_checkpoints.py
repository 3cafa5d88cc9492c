"""What checkpoints cost a fit, and how long a model takes to be saved and loaded."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import sknn
from sknn import NeuralClassifier

from ._data import mnist
from ._measure import Options, interleave, quiet
from ._peaks import MEBIBYTE
from ._report import Row

HIDDEN = (512, 512)


def run_checkpoints(options: Options) -> list[Row]:
    """MNIST, (512, 512), batch 200: with a checkpoint after each epoch, and without."""
    data = mnist(10_000 if options.quick else None)
    if data is None:
        return []
    epochs = options.epochs or 5

    def fit(checkpoint: str | None) -> NeuralClassifier:
        network = NeuralClassifier(
            HIDDEN, batch_size=200, max_iter=epochs, random_state=0, checkpoint=checkpoint
        )
        with quiet():
            return network.fit(data.X, data.y)

    def with_checkpoints(_: int) -> NeuralClassifier:
        with tempfile.TemporaryDirectory() as folder:
            return fit(folder)

    rounds = options.rounds(alone=5, overview=3)
    actions: dict[str, Any] = {
        "without checkpoints": lambda _: fit(None),
        "with checkpoints": with_checkpoints,
    }
    timed = interleave(actions, rounds, "checkpoints")
    seconds = {name: [each for each, _ in runs] for name, runs in timed.items()}
    rows = [Row(f"MNIST {HIDDEN}", name, str(epochs), values) for name, values in seconds.items()]
    # neighbouring runs, since the machine's speed drifts more than checkpoints cost
    pairs = zip(seconds["with checkpoints"], seconds["without checkpoints"], strict=True)
    rows[1].rate = f"+{100 * (median(after / before for after, before in pairs) - 1):.1f} %"

    network = timed["with checkpoints"][0][1]
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
