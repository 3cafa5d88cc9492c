"""When to stop, and which weights were best."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Plateau:
    """Counts the epochs in a row that did not improve a loss or a score by `tol`."""

    maximize: bool
    best: float = math.nan
    count: int = 0

    def __post_init__(self) -> None:
        if math.isnan(self.best):
            self.best = -math.inf if self.maximize else math.inf

    def update(self, value: float, tol: float) -> bool:
        """Take in an epoch's value (NaN never improves) and say whether it is the best so far."""
        if self.maximize:
            # as scikit-learn: an improvement by exactly tol resets the count for scores only
            reached = value >= self.best + tol
            better = value > self.best
        else:
            reached = value <= self.best - tol
            better = value < self.best
        self.count = 0 if reached else self.count + 1
        if better:
            self.best = value
        return better
