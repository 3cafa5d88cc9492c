"""Rows in units in which their numbers are about 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ._rows import Inputs, Rows, dense_rows


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
