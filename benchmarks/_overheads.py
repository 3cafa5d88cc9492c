"""What a call costs beside its arithmetic: fits of one epoch, small batches, single rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_iris
from sklearn.neural_network import MLPClassifier

from sknn import NeuralClassifier

from ._measure import Options, interleaved_latency, quiet, report
from ._report import Row, format_duration

CLASSES = {"MLPClassifier": MLPClassifier, "NeuralClassifier": NeuralClassifier}

# Rows of a batch of a stream, and of a call of `predict`.
STREAM_ROWS = 10
FEW_ROWS = (1, 10, 100)


def run_overheads(options: Options) -> list[Row]:
    """Compare a fit of one epoch, `partial_fit` of ten rows, and predictions of a few rows."""
    X, y = load_iris(return_X_y=True)
    digits, labels = load_digits(return_X_y=True)
    digits = digits / 16
    rounds = options.rounds(alone=9, overview=5, quick=3)
    calls = 5 if options.quick else 20
    with quiet():
        rows = _compare(
            "fit, 1 epoch, iris",
            {
                name: partial(lambda cls: cls(max_iter=1, random_state=0).fit(X, y), cls)
                for name, cls in CLASSES.items()
            },
            rounds,
            calls,
        )
        streams = {
            name: cls(random_state=0).partial_fit(digits, labels, classes=np.arange(10))
            for name, cls in CLASSES.items()
        }
        batch = digits[:STREAM_ROWS], labels[:STREAM_ROWS]
        rows += _compare(
            f"partial_fit, {STREAM_ROWS} x 64",
            {name: partial(stream.partial_fit, *batch) for name, stream in streams.items()},
            rounds,
            2 * calls,
        )
        fitted = {name: cls(max_iter=20).fit(X, y) for name, cls in CLASSES.items()}
    for method in ("predict", "predict_proba"):
        for n_rows in FEW_ROWS:
            actions = {
                name: partial(getattr(model, method), X[:n_rows]) for name, model in fitted.items()
            }
            rows += _compare(f"{method}, {n_rows} x 4", actions, rounds, 10 * calls)
    return rows


def _compare(
    task: str, actions: dict[str, Callable[[], Any]], rounds: int, calls: int
) -> list[Row]:
    seconds = interleaved_latency(actions, rounds, calls, task)
    reference, *_ = seconds
    return [
        report(
            Row(
                task,
                name,
                vs_sklearn=seconds[reference] / seconds[name],
                latency=format_duration(seconds[name]),
            )
        )
        for name in seconds
    ]
