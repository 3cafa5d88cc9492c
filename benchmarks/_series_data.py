"""Sets of series: files of the archives, and sets that are drawn as their authors have done it.

It knows NumPy alone: peers in an environment of their own read the same sets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SeriesSet:
    """Training and test series: an array (n, steps, channels), or a list of (steps_i, channels)."""

    name: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray

    @property
    def is_regression(self) -> bool:
        """Whether the answers are numbers."""
        return self.y.dtype.kind == "f"

    @property
    def is_ragged(self) -> bool:
        """Whether the series have different lengths."""
        return isinstance(self.X, list) or isinstance(self.X_test, list)

    def padded(self) -> tuple[np.ndarray, np.ndarray]:
        """Return training and test series with zeros behind their ends, (n, steps, channels)."""
        longest = max(len(each) for split in (self.X, self.X_test) for each in split)
        return _pad(self.X, longest), _pad(self.X_test, longest)


def _pad(series: Sequence[np.ndarray], n_steps: int) -> np.ndarray:
    padded = np.zeros((len(series), n_steps, series[0].shape[1]), np.float32)
    for row, values in zip(padded, series, strict=True):
        row[: len(values)] = values
    return padded


def series_sets(folders: Sequence[str], names: Sequence[str] = ()) -> Iterator[SeriesSet]:
    """Yield the sets of the folders, then those that are drawn; all of them, or those named."""
    files = {path.stem: path for folder in folders for path in sorted(Path(folder).glob("*.npz"))}
    for name in names:
        if name not in files and name not in DRAWN:
            known = ", ".join([*files, *DRAWN])
            raise SystemExit(f"no set {name!r}; there are {known}")
    for name in [*files, *(name for name in DRAWN if name not in files)]:
        if not names or name in names:
            yield _read(files[name]) if name in files else draw(name)


def archive_folder() -> str:
    """Return where sknn keeps sets of the archives."""
    return os.path.join(os.environ.get("SKNN_DATA", os.path.expanduser("~/.cache/sknn")), "series")


def _read(path: Path) -> SeriesSet:
    """Read all steps one after the other, the lengths, and the answers of both splits."""
    with np.load(path, allow_pickle=False) as file:
        splits: list[Any] = []
        for split in ("train", "test"):
            values, lengths = (file[f"{split}_{part}"] for part in ("values", "lengths"))
            values = values.astype(np.float32)
            equal = len(np.unique(lengths)) == 1
            splits.append(
                values.reshape(len(lengths), lengths[0], -1)
                if equal
                else np.split(values, np.cumsum(lengths)[:-1])
            )
            splits.append(file[f"{split}_y"])
    return SeriesSet(path.stem, *splits)


# ------------------------------------------------------------------------------------- drawn sets


def draw(name: str) -> SeriesSet:
    """Draw a set, always the same, with the sizes that the UCR archive has; z-normalized."""
    series, n_classes, n_train, n_test = DRAWN[name]
    rng = np.random.default_rng(0)
    splits: list[np.ndarray] = []
    for n in (n_train, n_test):
        y = np.arange(n) % n_classes
        X = np.stack([series(rng, label) for label in y])
        X = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
        splits += [X[..., None].astype(np.float32), y]
    return SeriesSet(name, *splits)


def _cylinder_bell_funnel(rng: np.random.Generator, label: int) -> np.ndarray:
    """Saito (1994): a plateau, a rise or a fall between a and b, in noise."""
    steps = np.arange(1, 129)
    a = rng.integers(16, 33)
    b = a + rng.integers(32, 97)
    shape = [np.ones(128), (steps - a) / (b - a), (b - steps) / (b - a)][label]
    inside = (a <= steps) & (steps <= b)
    return (6 + rng.normal()) * inside * shape + rng.normal(size=128)


def _control_chart(rng: np.random.Generator, label: int) -> np.ndarray:
    """Alcock and Manolopoulos (1999): normal, cyclic, a trend up or down, a shift up or down."""
    steps = np.arange(60)
    y = 30 + 2 * rng.uniform(-3, 3, 60)
    if label == 1:
        y += rng.uniform(10, 15) * np.sin(2 * np.pi * steps / rng.uniform(10, 15))
    elif label in (2, 3):
        y += (1 if label == 2 else -1) * rng.uniform(0.2, 0.5) * steps
    elif label in (4, 5):
        shifted = steps >= rng.uniform(20, 40)
        y += (1 if label == 4 else -1) * rng.uniform(7.5, 20) * shifted
    return y


def _two_patterns(rng: np.random.Generator, label: int) -> np.ndarray:
    """Geurts (2002): an upward or downward step of 5, then another, at random places in noise."""
    y = rng.normal(size=128)
    lengths = rng.integers(16, 49, 2)  # of the steps
    free = 128 - lengths.sum()
    first = rng.integers(0, free + 1)
    second = first + lengths[0] + rng.integers(0, free - first + 1)
    for start, length, falls in zip((first, second), lengths, (label & 1, label >> 1), strict=True):
        half = length // 2
        sign = -1 if falls else 1
        y[start : start + half] = -5 * sign
        y[start + half : start + length] = 5 * sign
    return y


DRAWN: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], int, int, int]] = {
    "CBF": (_cylinder_bell_funnel, 3, 30, 900),
    "SyntheticControl": (_control_chart, 6, 300, 300),
    "TwoPatterns": (_two_patterns, 4, 1000, 4000),
}
