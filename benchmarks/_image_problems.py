"""The networks for images, as each side describes them. This module imports nothing large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# ("conv", filters, kernel), ("pool", size), ("dropout", rate), ("flatten",), ("dense", units),
# ("output", units): convolutions without padding; they and dense layers are followed by ReLU
Layers = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Problem:
    """A network: parameters of ConvClassifier, and layers for the others.

    Without `layers` it is one that the loop takes from sknn.nn, and that Keras does not have.
    """

    title: str
    data_set: str
    parameters: dict[str, Any]
    batch_sizes: tuple[int, ...]
    layers: Layers | None = None


CIFAR_TUTORIAL = Problem(
    "CIFAR-10 tutorial",
    "CIFAR-10",
    {
        "filters": (32, 64, 64),
        "padding": "valid",
        "pooling": ("max", "max", None),
        "hidden_layer_sizes": (64,),
        "normalization": None,
    },
    batch_sizes=(32, 128, 512),
    layers=(
        ("conv", 32, 3),
        ("pool", 2),
        ("conv", 64, 3),
        ("pool", 2),
        ("conv", 64, 3),
        ("flatten",),
        ("dense", 64),
        ("output", 10),
    ),
)
MNIST_TUTORIAL = Problem(
    "MNIST 5x5x32",
    "MNIST",
    {
        "filters": (32,),
        "kernel_size": 5,
        "padding": "valid",
        "dropout": (0.2, 0.0),
        "hidden_layer_sizes": (128,),
        "normalization": None,
    },
    batch_sizes=(200,),
    layers=(
        ("conv", 32, 5),
        ("pool", 2),
        ("dropout", 0.2),
        ("flatten",),
        ("dense", 128),
        ("output", 10),
    ),
)
AIRBENCH = Problem(
    "CIFAR-10 airbench",
    "CIFAR-10",
    {"architecture": "airbench", "filters": (32, 128, 128), "activation": "relu"},
    batch_sizes=(250,),
)
