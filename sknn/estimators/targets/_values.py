"""Targets that are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from sknn.data import narrowed
from sknn.nn import CallableLoss, Loss, RegressionLoss, make_regression_loss
from sknn.training import r2

from ._base import Targets
from ._labels import check_columns


@dataclass
class ValueTargets(Targets):
    """Values of one or several columns, encoded as floats of shape (n, n_columns)."""

    n_columns: int

    score = staticmethod(r2)
    task = "regression"

    @staticmethod
    def check(y: Any, X: Any, name: str) -> np.ndarray:
        """Return values of shape (n,) or (n, n_columns)."""
        return check_columns(y, X, name, numeric=True)

    @classmethod
    def learn(cls, y: Any, classes: Any = None) -> ValueTargets:
        """Count the columns."""
        return cls(1 if y.ndim == 1 else y.shape[1])

    @classmethod
    def of_earlier_version(cls, state: dict[str, Any]) -> ValueTargets:
        """Take the number of outputs."""
        return cls(state["n_outputs_"])

    @property
    def n_outputs(self) -> int:
        """Number of network outputs."""
        return self.n_columns

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return floats (n, n_columns)."""
        targets = y.reshape(-1, 1) if y.ndim == 1 else y
        if targets.dtype.kind != "f":
            targets = targets.astype(np.float64)
        targets = narrowed(targets, "y")
        if targets.shape[1] != self.n_columns:
            raise ValueError(
                f"y has {targets.shape[1]} target(s), but the regressor was fitted with "
                f"{self.n_columns}."
            )
        return targets

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the regression loss that the parameters name."""
        return make_regression_loss(
            parameters.loss, quantile=parameters.quantile, weighted=weighted
        )

    def check_loss(self, loss: Loss, encoded: np.ndarray) -> None:
        """Refuse targets that the loss is not defined for."""
        if isinstance(loss, RegressionLoss):
            loss.check_targets(encoded)

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return values (n, n_columns)."""
        return loss.activate(outputs)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return values (n,) of one column, else (n, n_columns)."""
        return decisions[:, 0] if decisions.shape[1] == 1 else decisions

    def scales_outputs(self, loss: Loss) -> bool:
        """Say whether outputs are in the unit of y; what a callable does is unknown."""
        return loss.is_in_units_of_targets and not isinstance(loss, CallableLoss)
