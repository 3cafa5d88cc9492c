"""How good the default networks for images are, from 20 images to 10,000."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from sknn import ConvClassifier

from ._data import Data, image_sets
from ._measure import Options, interleave, quiet, report
from ._report import Row

# Parameters of ConvClassifier; what is not named here is the default.
CANDIDATES: dict[str, dict[str, Any]] = {
    "default": {},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "hidden layer": {"hidden_layer_sizes": (64,)},
    "plain": {  # as the tutorials have it: no normalization, a small rate, ten epochs
        "hidden_layer_sizes": (64,),
        "normalization": None,
        "solver": "adam",
        "alpha": 1e-4,
        "learning_rate_init": 0.003,
        "max_iter": 10,
    },
}
SIZES = {
    "digits": (20, 50, 100, 200, 500, 1000),
    "MNIST": (20, 100, 500, 2_000, 10_000),
    "CIFAR-10": (500, 2_000, 5_000, 10_000),
    "CIFAR-10 in grey": (500, 2_000, 5_000, 10_000),
}
SIZES_QUICK = {name: sizes[:2] for name, sizes in SIZES.items()}


def _digits() -> Data:
    X, y = load_digits(return_X_y=True)
    images = X.reshape(-1, 8, 8) / 16
    return Data(images[:1000], y[:1000], images[1000:], y[1000:])


def _data_sets() -> dict[str, Data]:
    sets = {"digits": _digits(), **image_sets()}
    if "CIFAR-10" in sets:
        colour = sets["CIFAR-10"]
        X, X_test = (part.mean(3).astype(np.uint8) for part in (colour.X, colour.X_test))
        sets["CIFAR-10 in grey"] = replace(colour, X=X, X_test=X_test)
    return sets


def _part(name: str, data: Data, size: int, seed: int) -> Data:
    """Take some images of each class; of the few digits, all others are for the test."""
    X, y = data.X, data.y
    if name == "digits":
        X, y = np.concatenate([X, data.X_test]), np.concatenate([y, data.y_test])
    X, X_rest, y, y_rest = train_test_split(X, y, train_size=size, random_state=seed, stratify=y)
    if name == "digits":
        return Data(X, y, X_rest, y_rest)
    return replace(data, X=X, y=y)


def _accuracy(part: Data, parameters: dict[str, Any], seed: int) -> float:
    model = ConvClassifier(**parameters, random_state=seed).fit(part.X, part.y)
    return float(model.score(part.X_test, part.y_test))


def _svc_accuracy(part: Data) -> float:
    flat = (part.X.reshape(len(part.X), -1), part.X_test.reshape(len(part.X_test), -1))
    return float(SVC().fit(flat[0], part.y).score(flat[1], part.y_test))


def _rows(name: str, data: Data, size: int, seeds: int) -> list[Row]:
    parts = [_part(name, data, size, seed) for seed in range(seeds)]
    actions: dict[str, Callable[[int], float]] = {
        candidate: (lambda seed, given=given: _accuracy(parts[seed], given, seed))
        for candidate, given in CANDIDATES.items()
    }
    if name == "digits":  # support vector machines take long on many large images
        actions["SVC"] = lambda seed: _svc_accuracy(parts[seed])
    task = f"{name}, {size:,} images, test accuracy of {seeds} seeds"
    with quiet():
        timed = interleave(actions, seeds, task)
    return [
        report(
            Row(
                task,
                candidate,
                seconds=[seconds for seconds, _ in runs],
                score=f"acc {mean(accuracy for _, accuracy in runs):.4f}",
            )
        )
        for candidate, runs in timed.items()
    ]


def run_image_defaults(options: Options) -> list[Row]:
    """The defaults of ConvClassifier beside others, from 20 images to 10,000.

    In full it takes about an hour on two cores; the seconds include the predictions.
    """
    short = options.quick or options.overview
    sizes = SIZES_QUICK if short else SIZES
    return [
        row
        for name, data in _data_sets().items()
        for size in sizes[name]
        for row in _rows(name, data, size, 1 if short else options.seeds)
    ]
