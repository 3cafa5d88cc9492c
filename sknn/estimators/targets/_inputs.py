"""Inputs that are their own targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from sknn.data import OwnInputs
from sknn.nn import Loss, make_regression_loss
from sknn.training import explained

from ._base import Targets


@dataclass
class InputTargets(Targets):
    """Each sample is its own target, flattened, as the network gets it; y is not looked at.

    No copy of X is made: batches take their targets from what is read, before it is augmented.
    """

    n_columns: int
    # mean square of a training sample's deviation from the mean, summed over its columns
    variance: float = 1.0

    task = "regression"

    @staticmethod
    def check(y: Any, X: Any, name: str) -> OwnInputs:
        """Count rows and columns of a validated X."""
        return OwnInputs(X.shape[0], math.prod(X.shape[1:]))

    @classmethod
    def learn(cls, y: OwnInputs, classes: Any = None) -> InputTargets:
        """Take the number of columns."""
        return cls(y.n_columns)

    @property
    def n_outputs(self) -> int:
        """Number of network outputs."""
        return self.n_columns

    def encode(self, y: OwnInputs) -> OwnInputs:
        """Leave it to the batches."""
        return y

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the regression loss that the parameters name."""
        return make_regression_loss(parameters.loss, weighted=weighted)

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return reconstructions (n, n_columns)."""
        return loss.point(outputs)

    def measure(self, outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
        """Return squared errors (n,), summed over columns."""
        return (self.decide(outputs, loss) - targets).square().sum(1)

    def score(self, errors: Tensor, targets: Tensor, sample_weight: Tensor | None) -> float:
        """Return the share of the training samples' variance that is explained."""
        return explained(errors, self.variance, sample_weight)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return reconstructions (n, n_columns) as they are."""
        return decisions
