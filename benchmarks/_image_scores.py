"""How good convolutional networks are after how many seconds."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean
from typing import Any

from sknn import ConvClassifier

from ._data import Data, image_sets
from ._measure import Options, interleave, quiet, report
from ._report import Row

# Parameters of ConvClassifier; what is not named here is the default.
# Those of examples/mnist.py and examples/cifar10.py.
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "MNIST": {
        "small": {
            "filters": (10, 16),
            "kernel_size": 5,
            "padding": 2,
            "hidden_layer_sizes": (),
            "normalization": None,
            "solver": "adam",
            "alpha": 1e-4,
            "learning_rate_init": 0.003,
            "batch_size": 100,
            "max_iter": 4,
        },
        "fast": {
            "architecture": "airbench",
            "filters": (12, 24, 48),
            "solver": "adamw",
            "alpha": 0.01,
            "learning_rate_init": 0.01,
            "label_smoothing": 0.1,
            "batch_size": 128,
            "max_iter": 2,
        },
        "accurate": {
            "architecture": "airbench",
            "filters": (16, 32, 64),
            "solver": "adamw",
            "alpha": 0.01,
            "learning_rate_init": 0.01,
            "label_smoothing": 0.1,
            "augment": {"shift": 1, "rotate": 10},
            "batch_size": 128,
            "max_iter": 5,
        },
    },
    "CIFAR-10": {
        "tutorial": {
            "filters": (32, 64, 64),
            "padding": "valid",
            "pooling": ("max", "max", None),
            "hidden_layer_sizes": (64,),
            "normalization": None,
            "solver": "adam",
            "alpha": 1e-4,
            "learning_rate_init": 0.003,
            "batch_size": 32,
            "max_iter": 10,
        },
        "airbench": {
            "architecture": "airbench",
            "filters": (32, 128, 128),
            "solver": "adamw",
            "alpha": 0.05,
            "learning_rate_init": 0.008,
            "label_smoothing": 0.1,
            "augment": {"flip": 0.5, "shift": 2},
            "test_time_augment": "flip_shift",
            "batch_size": 250,
            "max_iter": 6,
        },
    },
}

N_IMAGES_QUICK = 2_000


def _rows(
    data_set: str, data: Data, recipes: dict[str, dict[str, Any]], options: Options, seeds: int
) -> list[Row]:
    def fit(parameters: dict[str, Any], seed: int) -> ConvClassifier:
        return ConvClassifier(**parameters, random_state=seed).fit(data.X, data.y)

    if options.epochs is not None:
        recipes = {name: recipe | {"max_iter": options.epochs} for name, recipe in recipes.items()}
    task = f"{data_set}, {len(data.y):,} images, test accuracy of {seeds} seeds"
    actions = {
        name: (lambda seed, recipe=recipe: fit(recipe, seed)) for name, recipe in recipes.items()
    }
    with quiet():
        for recipe in recipes.values():  # imports (kornia's too), thread pools, kernels
            ConvClassifier(**recipe | {"max_iter": 1}).fit(data.X[:500], data.y[:500])
        timed = interleave(actions, seeds, task)
    rows = []
    for name, runs in timed.items():
        scores = [model.score(data.X_test, data.y_test) for _, model in runs]
        described = ", ".join(f"{key}={value!r}" for key, value in recipes[name].items())
        print(f"   {name}: ConvClassifier({described})")
        print(f"   {name}: accuracies {' '.join(f'{score:.4f}' for score in scores)}")
        rows.append(
            Row(
                task,
                name,
                epochs=str(runs[0][1].n_iter_),
                seconds=[seconds for seconds, _ in runs],
                score=f"acc {mean(scores):.4f}",
            )
        )
        report(rows[-1])
    return rows


def run_image_scores(options: Options) -> list[Row]:
    """MNIST and CIFAR-10 by the recipes of this module, which are printed.

    Shortened they get a few images only, and their scores say no more than that they run. In
    full some take minutes a fit.
    """
    short = options.quick or options.overview
    rows = []
    for name, data in image_sets().items():
        if short:
            data = replace(data, X=data.X[:N_IMAGES_QUICK], y=data.y[:N_IMAGES_QUICK])
        rows += _rows(name, data, RECIPES[name], options, 1 if short else options.seeds)
    return rows
