"""When to stop, and which weights were best."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Plateau:
    """Counts the epochs in a row that did not improve a loss or a score by `tol`.

    Parameters
    ----------
    maximize : bool
        True for a score, False for a loss.
    best : float or None, default=None
        The best value so far.
    count : int, default=0
        Epochs without an improvement.

    Examples
    --------
    >>> from sknn.training import Plateau
    >>> plateau = Plateau(maximize=False)
    >>> [plateau.update(loss, tol=0.1) for loss in (1.0, 0.5, 0.45, 0.6)]
    [True, True, True, False]
    >>> plateau.count, plateau.best
    (2, 0.45)
    """

    maximize: bool
    best: float = math.nan
    count: int = 0

    def __post_init__(self) -> None:
        if math.isnan(self.best):
            self.best = -math.inf if self.maximize else math.inf

    def update(self, value: float, tol: float) -> bool:
        """Take in an epoch's value and say whether it is the best so far.

        Parameters
        ----------
        value : float
            Loss or score; NaN never improves.
        tol : float
            What an improvement has to exceed to reset the count.

        Returns
        -------
        bool
        """
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
