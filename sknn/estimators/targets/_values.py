"""Targets that are numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from sknn.data import narrowed
from sknn.nn import Loss, RegressionLoss, ValueLayer, make_regression_loss
from sknn.training import r2

from ._base import Targets
from ._labels import check_columns


@dataclass
class ValueTargets(Targets):
    """Values of one or several columns, encoded as floats of shape (n, n_columns).

    In a family that scales its targets, what the network and the loss see is ``(y - location) /
    scale``.
    """

    n_columns: int
    outputs_each: int = field(default=1, kw_only=True)  # of the network for a column
    # for each column, float64 (n_columns,); None is 0 and 1
    location: np.ndarray | None = field(default=None, kw_only=True)
    scale: np.ndarray | None = field(default=None, kw_only=True)
    # between which predictions stay, (n_columns,) each; None is anywhere
    bounds: tuple[np.ndarray, np.ndarray] | None = field(default=None, kw_only=True)

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
        return self.n_columns * self.outputs_each

    @property
    def unit(self) -> str | None:
        """How targets are scaled, as the losses name it."""
        if self.scale is None:
            return None
        return "mean" if self.location is None else "deviation"

    def adapted(
        self,
        encoded: np.ndarray,
        sample_weight: np.ndarray | None,
        loss: Loss,
        *,
        scales: bool,
        clips: bool,
    ) -> ValueTargets:
        """Return targets in the loss's units, of encoded training targets (n, n_columns)."""
        unit = loss.target_unit if scales or loss.is_scaled else None
        clips = clips and loss.predicts_targets
        n_each = loss.outputs_per_target
        if unit is None and not clips and n_each == 1:
            return self
        values = encoded.astype(np.float64, copy=False)
        if sample_weight is not None:  # a weight of 0 is no row
            counted = sample_weight > 0
            values, sample_weight = values[counted], sample_weight[counted]
        changes: dict[str, Any] = {"outputs_each": n_each}
        if unit is not None:
            changes["location"], changes["scale"] = units_of(values, sample_weight, unit)
        if clips:
            changes["bounds"] = values.min(0), values.max(0)
        return replace(self, **changes)

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
        if self.scale is None:
            return targets
        with np.errstate(over="ignore"):  # the loss of what overflows says so
            if self.location is not None:
                targets = np.subtract(targets, self.location, dtype=np.float64)
            return np.divide(targets, self.scale, dtype=np.float64)

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the regression loss that the parameters name."""
        return make_regression_loss(
            parameters.loss,
            quantile=parameters.quantile,
            quantiles=parameters.quantiles,
            weighted=weighted,
        )

    def check_loss(self, loss: Loss, encoded: np.ndarray) -> None:
        """Refuse targets that the loss is not defined for, and another loss in other units."""
        if self.outputs_each != loss.outputs_per_target:
            raise ValueError(
                f"loss needs {loss.outputs_per_target} output(s) for each target, but the network "
                f"with which warm_start and partial_fit go on has {self.outputs_each}. Set "
                "warm_start=False and call fit."
            )
        if self.unit not in (None, loss.target_unit):
            raise ValueError(
                "loss sees y in other units than that of the fit with which warm_start and "
                "partial_fit go on. Set warm_start=False and call fit."
            )
        if isinstance(loss, RegressionLoss):
            loss.check_targets(encoded)

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return values (n, n_columns), scaled as the targets."""
        return loss.point(outputs)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return values (n, ...) of one column, else (n, n_columns, ...).

        They are float64 where they were scaled.
        """
        values = self.restored(decisions)
        return values[:, 0] if values.shape[1] == 1 else values

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Undo the scaling of values (n, n_columns, ...), and keep them within their bounds."""
        column = (-1, *[1] * (values.ndim - 2))
        if self.scale is not None:
            values = np.multiply(values, self.scale.reshape(column), dtype=np.float64)
            if self.location is not None:
                values += self.location.reshape(column)
        if self.bounds is None:
            return values
        if self.scale is None:
            values = values.copy()
        return np.clip(values, *(bound.reshape(column) for bound in self.bounds), out=values)

    def answer(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return what is predicted, (n, n_columns) or (n, n_columns, n_levels), scaled."""
        return loss.activate(outputs)

    def decode_deviations(self, deviations: np.ndarray) -> np.ndarray:
        """Return standard deviations in the units of y, (n,) of one column, else (n, n_columns)."""
        if self.scale is not None:
            deviations = deviations * self.scale
        return deviations[:, 0] if deviations.shape[1] == 1 else deviations

    def output_module(self, loss: Loss, shift: np.ndarray | None) -> nn.Module:
        """Return a module that does what :meth:`answer` and :meth:`restored` do."""
        return ValueLayer(loss, shift, self.location, self.scale, self.bounds)


def units_of(
    values: np.ndarray, sample_weight: np.ndarray | None, unit: str
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return location and scale of the columns of float64 values (n, n_columns), in a unit."""
    # about 1, by a power of two, so that neither squares nor sums leave the range of floats
    exponents = np.frexp(np.abs(values).max(0))[1]
    values = np.ldexp(values, -exponents)
    if sample_weight is not None:
        sample_weight = sample_weight / sample_weight.max()
    if unit == "mean":
        magnitude = np.average(np.abs(values), axis=0, weights=sample_weight)
        return None, np.ldexp(np.where(magnitude > 0, magnitude, 1.0), exponents)
    shifted = values - values[0]  # exactly 0 where a column is constant
    mean = np.average(shifted, axis=0, weights=sample_weight)
    variance = np.average((shifted - mean) ** 2, axis=0, weights=sample_weight)
    deviation = np.sqrt(variance)
    scale = np.where(deviation > 0, np.ldexp(deviation, exponents), 1.0)
    return np.ldexp(values[0] + mean, exponents), scale
