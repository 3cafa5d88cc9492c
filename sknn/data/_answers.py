"""Targets and weights on the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ._numbers import as_tensor
from ._ragged import Ragged


class Answers:
    """Targets (n, ...) and weights (n,) or None, one of each a row."""

    def __init__(
        self,
        targets: np.ndarray,
        sample_weight: np.ndarray | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        dtype_of_targets = dtype if targets.dtype.kind == "f" else None
        self.targets = as_tensor(targets, dtype_of_targets, "y").to(device, dtype_of_targets)
        self.sample_weight = None
        if sample_weight is not None:
            weights = as_tensor(sample_weight, dtype, "sample_weight")
            self.sample_weight = weights.to(device, dtype)
        # what each row counts in sums of weights, (n,); None is 1
        self.row_weight = sample_weight

    def count(self, rows: np.ndarray | None) -> int:
        """Return how many answers some rows have; None is all rows."""
        return len(self.targets if rows is None else rows)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of the rows with these numbers."""
        weight = self.sample_weight
        return (
            self.targets.index_select(0, index),
            None if weight is None else weight.index_select(0, index),
        )

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of consecutive rows."""
        weight = self.sample_weight
        return self.targets[start:stop], None if weight is None else weight[start:stop]


class StepAnswers(Answers):
    """Targets and weights (sum of lengths, ...) of series that have an answer for each step.

    A batch's targets are those of its first series, then those of the second, and so on.
    """

    def __init__(
        self,
        targets: Ragged,
        sample_weight: np.ndarray | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(targets.values, sample_weight, device, dtype)
        self.ragged = targets
        self.row_weight = targets.lengths.astype(float)
        if sample_weight is not None:
            self.row_weight = np.add.reduceat(sample_weight, targets.starts)

    def count(self, rows: np.ndarray | None) -> int:
        """Return how many steps some series have; None is all series."""
        lengths = self.ragged.lengths
        return int(lengths.sum() if rows is None else lengths[rows].sum())

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of all steps of the series with these numbers."""
        steps = self.ragged.positions(index.cpu().numpy())
        return super().take(torch.from_numpy(steps).to(index.device))

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of all steps of consecutive series."""
        ends = np.append(self.ragged.starts, len(self.ragged.values))
        return super().slice(int(ends[start]), int(ends[stop]))
