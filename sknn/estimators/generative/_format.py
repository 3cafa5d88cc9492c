"""Rows or images, scaled to what networks make easily, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sknn.data import Rows, row_parts
from sknn.estimators._inputs import count_dimensions
from sknn.estimators.dense._format import DenseFormat
from sknn.estimators.images._format import ImageFormat
from sknn.nn.inputs import BYTE_MAXIMUM


class ScaledFormat(NamedTuple):
    """Rows and columns, or images, of which networks see ``(x - location) / scale``.

    Images and bytes come to lie between -1 and 1, by their range, and so do the columns of other
    rows for ``architecture="dense"``; else columns have a mean of 0 and a variance of 1.
    """

    data: Any  # DenseFormat or ImageFormat
    location: np.ndarray  # float64, () or (n_features,), of the numbers that `data` gives networks
    scale: np.ndarray  # as the location; 0 where all numbers are equal
    is_bounded: bool  # whether networks see numbers from -1 to 1

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[ScaledFormat, Any]:
        """Find out whether X holds images, and their range, or the locations of columns."""
        if sparse.issparse(X):
            raise TypeError(
                "X is sparse, but samples are dense rows, and the discriminator compares them with "
                "those of X: use '.toarray()'."
            )
        is_image = estimator.image_shape is not None or count_dimensions(X) > 2
        data, X = (ImageFormat if is_image else DenseFormat).learn(X, estimator)
        if len(X) < 2:
            raise ValueError(
                f"Found array with 1 sample(s) (shape={X.shape}) while a minimum of 2 is required: "
                "one row says nothing about others."
            )
        is_bounded = is_image or X.dtype == np.uint8 or estimator.architecture == "dense"
        if X.dtype == np.uint8:
            middle = np.array(BYTE_MAXIMUM / 2)
            units = middle / BYTE_MAXIMUM if is_image else middle
            location = scale = units
        elif isinstance(data, ImageFormat):
            location, scale = _middle(np.array(data.low), np.array(data.high))
        elif is_bounded:
            parts = [(part.min(0), part.max(0)) for part in row_parts(X)]
            lows, highs = (np.array(each, np.float64) for each in zip(*parts, strict=True))
            location, scale = _middle(lows.min(0), highs.max(0))
        else:
            location, scale = _moments(X)
        location, scale = np.asarray(location), np.asarray(scale)
        return cls(data, location, scale, is_bounded), X

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: not here, where it would cost too much."""
        return False

    @property
    def may_vary_in_length(self) -> bool:
        """Never."""
        return False

    def check(self, X: Any, estimator: Any) -> Any:
        """Return a validated X like the training data."""
        return self.data.check(X, estimator)

    def rows(self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module) -> Rows:
        """Wrap X so that batches of it are scaled."""
        exact = dtype
        if isinstance(self.data, DenseFormat) and X.dtype.kind != "u" and device.type != "mps":
            exact = torch.float64  # locations may be much larger than scales
        rows = self.data.rows(X, device, exact, module)
        return ScaledRows(rows, self.location, self.scale, dtype)

    def restore(self, scaled: np.ndarray, estimator: Any) -> Any:
        """Return samples (n, ...), as networks make them, in the form of X."""
        values = scaled.astype(np.float64) * self.scale + self.location
        return self.data.restore(values, estimator)

    def module_arguments(self) -> dict[str, Any]:
        """Return what module factories of the user's may ask for, by name."""
        return self.data.module_arguments()

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return a sample of zeros as a batch."""
        return self.data.empty_batch(device, dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return the shape of one sample of X."""
        return self.data.sample_shape(fewest_steps)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that scales as :meth:`rows` does."""
        return nn.Sequential(
            self.data.input_module(dtype), Scale(self.location, self.scale).to(dtype)
        )


class ScaledRows:
    """Batches of other rows, scaled: ``(x - location) / scale``."""

    lengths: np.ndarray | None = None

    def __init__(
        self, rows: Rows, location: np.ndarray, scale: np.ndarray, dtype: torch.dtype
    ) -> None:
        self.inner = rows
        self.device = rows.device
        self.dtype = dtype
        exact = rows.dtype
        self.location = torch.from_numpy(location).to(rows.device, exact)
        self.scale = torch.from_numpy(divisors(scale)).to(rows.device, exact)

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, index: Tensor) -> Tensor:
        """Return the rows with these numbers, (n,) -> (n, ...)."""
        return self._scaled(self.inner.take(index))

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows, (stop - start, ...)."""
        return self._scaled(self.inner.slice(start, stop))

    def _scaled(self, batch: Any) -> Tensor:
        return ((batch - self.location) / self.scale).to(self.dtype)


class Scale(nn.Module):
    """``(x - location) / scale``, of all numbers or of each column."""

    location: Tensor
    scale: Tensor

    def __init__(self, location: np.ndarray, scale: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("location", torch.from_numpy(location))
        self.register_buffer("scale", torch.from_numpy(divisors(scale)))

    def forward(self, X: Tensor) -> Tensor:
        return (X - self.location) / self.scale


def divisors(scale: np.ndarray) -> np.ndarray:
    """Return what numbers of a scale (...) are divided by: 1 where they are all equal."""
    return np.where(scale > 0, scale, 1.0)


def _middle(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return middle and half the width of ranges, (...) each."""
    half = high / 2 - low / 2  # which does not overflow
    return low + half, half


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of columns, float64 (n_features,) each."""
    first = X[0].astype(np.float64)
    total = np.zeros_like(first)
    for part in row_parts(X):
        total += (part - first).sum(0)  # exactly 0 where a column is constant
    shift = total / len(X)
    squares = sum(((part - first - shift) ** 2).sum(0) for part in row_parts(X))
    return first + shift, np.sqrt(squares / len(X))
