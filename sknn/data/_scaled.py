"""Rows in units in which their numbers are about 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ._rows import Inputs, Rows, dense_rows

# Rows that are looked at together.
ROWS_AT_ONCE = 4096


class ScaledRows:
    """Rows of others, dense, less a `location` and divided by a `scale`, batch by batch.

    Both are float64, of the shape of a row; the others are best float64, so that no digit of a
    large offset is lost before it is subtracted.
    """

    lengths: np.ndarray | None = None

    def __init__(
        self, rows: Rows, location: np.ndarray, scale: np.ndarray, dtype: torch.dtype
    ) -> None:
        self.rows = rows
        self.device, self.dtype = rows.device, dtype
        self._location = torch.from_numpy(location).to(rows.device, rows.dtype)
        self._scale = torch.from_numpy(scale).to(rows.device, rows.dtype)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor) -> Tensor:
        """Return the rows with these numbers."""
        return self._scaled(self.rows.take(index))

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows."""
        return self._scaled(self.rows.slice(start, stop))

    def _scaled(self, X: Inputs) -> Tensor:
        return dense_rows(X).sub(self._location).div_(self._scale).to(self.dtype)


def moments(rows: Rows, sample_weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each number of a row, float64, (...) each; exactly."""
    counts = np.ones(len(rows)) if sample_weight is None else sample_weight
    counted = torch.from_numpy(np.flatnonzero(counts))
    weights = torch.from_numpy(counts / counts.sum())[counted]
    origin = dense_rows(rows.take(counted[:1]))  # a constant is exactly 0 from here
    total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
    for chosen, shares in zip(
        counted.split(ROWS_AT_ONCE), weights.split(ROWS_AT_ONCE), strict=True
    ):
        shifted = dense_rows(rows.take(chosen)) - origin
        total += torch.tensordot(shares, shifted, 1)
        squares += torch.tensordot(shares, shifted.square_(), 1)
    variance = (squares - total.square()).clamp_(min=0)
    # what rounding leaves of a column that is constant but for an offset
    variance[variance < 1e-14 * squares] = 0
    if not torch.isfinite(variance).all():
        raise ValueError(
            "X has numbers so large that their squares overflow in float64 (above about 1e154). "
            "Divide X by a number of its size."
        )
    return (origin + total)[0].numpy(), variance[0].numpy()
