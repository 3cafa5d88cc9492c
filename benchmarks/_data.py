"""Data sets of the benchmarks."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from sknn.datasets import (
    fetch_cifar10,
    fetch_mnist,
    fetch_series,
    fetch_supernova,
    fetch_wine_quality,
)


@dataclass(frozen=True)
class Data:
    """Training and test samples; classes are 0, 1, ..., regression targets have unit variance."""

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray

    @property
    def kind(self) -> Literal["binary", "multiclass", "regression"]:
        """What sort of problem this is."""
        if self.y.dtype.kind == "f":
            return "regression"
        return "binary" if self.y.max() == 1 else "multiclass"

    @property
    def n_outputs(self) -> int:
        """Outputs that a network needs."""
        return int(self.y.max()) + 1 if self.kind == "multiclass" else 1

    def head(self, n_samples: int) -> Data:
        """Return the first samples, for warming up."""
        return Data(
            self.X[:n_samples], self.y[:n_samples], self.X_test[:n_samples], self.y_test[:n_samples]
        )

    def astype(self, dtype: str) -> Data:
        """Return the same data with X of another type."""
        return replace(
            self,
            X=self.X.astype(dtype, copy=False),
            X_test=self.X_test.astype(dtype, copy=False),
        )


def fetch(name: str, fetcher: Callable[..., Any], **options: Any) -> Any | None:
    """Call a fetcher; say so and return None where the data cannot be had."""
    try:
        return fetcher(**options)
    except (OSError, ImportError) as error:
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        print(f"{name} is not at hand, its parts are left out: {reason}", file=sys.stderr)
        return None


@cache
def mnist_bytes() -> Data | None:
    """MNIST with pixels from 0 to 255 as uint8."""
    train = fetch("MNIST", fetch_mnist, subset="train", return_X_y=True)
    test = train and fetch("MNIST", fetch_mnist, subset="test", return_X_y=True)
    if test is None:
        return None
    return Data(train[0], train[1].astype(np.int64), test[0], test[1].astype(np.int64))


@cache
def cifar10_bytes() -> Data | None:
    """CIFAR-10 as uint8 images of shape (32, 32, 3)."""
    train = fetch("CIFAR-10", fetch_cifar10, subset="train", return_X_y=True)
    test = train and fetch("CIFAR-10", fetch_cifar10, subset="test", return_X_y=True)
    if test is None:
        return None
    return Data(train[0], train[1].astype(np.int64), test[0], test[1].astype(np.int64))


def mnist_images() -> Data | None:
    """MNIST as uint8 images of shape (28, 28, 1)."""
    data = mnist_bytes()
    if data is None:
        return None
    return replace(data, X=data.X.reshape(-1, 28, 28, 1), X_test=data.X_test.reshape(-1, 28, 28, 1))


def image_sets() -> dict[str, Data]:
    """Return those of MNIST and CIFAR-10 that are at hand, as uint8 images."""
    sets = {"MNIST": mnist_images(), "CIFAR-10": cifar10_bytes()}
    return {name: data for name, data in sets.items() if data is not None}


def series_sets() -> dict[str, Data]:
    """Return those sets of the time series archives that are at hand; none is downloaded."""
    sets = {}
    for name in ("GunPoint", "ItalyPowerDemand", "JapaneseVowels"):
        with suppress(OSError):
            splits = [
                fetch_series(name, subset=subset, download_if_missing=False, return_X_y=True)
                for subset in ("train", "test")
            ]
            sets[name] = Data(*splits[0], *splits[1])
    return sets


def mnist(n_samples: int | None = None, dtype: str = "float32") -> Data | None:
    """MNIST with pixels from 0 to 1."""
    data = mnist_bytes()
    if data is None:
        return None
    scaled = replace(
        data,
        X=data.X[:n_samples].astype(dtype) / np.dtype(dtype).type(255),
        y=data.y[:n_samples],
        X_test=data.X_test.astype(dtype) / np.dtype(dtype).type(255),
    )
    return scaled


def small_classification() -> dict[str, Data]:
    """Return scikit-learn's own data sets, standardized; the training data are the test data."""
    loaders = {
        "iris": load_iris,
        "wine": load_wine,
        "breast cancer": load_breast_cancer,
        "digits": load_digits,
    }
    problems = {}
    for name, loader in loaders.items():
        X, y = loader(return_X_y=True)
        X, y = StandardScaler().fit_transform(X), y.astype(np.int64)
        problems[name] = Data(X, y, X, y)
    return problems


def small_regression() -> dict[str, Data]:
    """Diabetes and, if it is at hand, white wine; X and y standardized."""
    tables = {"diabetes": load_diabetes(return_X_y=True)}
    white_wine = fetch("white wine", fetch_wine_quality, color="white", return_X_y=True)
    if white_wine is not None:
        tables["white wine"] = white_wine
    problems = {}
    for name, (X, y) in tables.items():
        X, y = StandardScaler().fit_transform(X), y.astype(np.float64)
        y = (y - y.mean()) / y.std()
        problems[name] = Data(X, y, X, y)
    return problems


def white_wine() -> tuple[np.ndarray, np.ndarray] | None:
    """White wine's measurements and quality."""
    table = fetch("white wine", fetch_wine_quality, color="white", return_X_y=True)
    return None if table is None else (table[0], table[1].astype(np.float64))


def supernovae() -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Redshift, distance modulus, and the weights 1 / sigma^2."""
    table = fetch("supernovae", fetch_supernova)
    return None if table is None else (table.data, table.target, 1 / table.mu_error**2)
