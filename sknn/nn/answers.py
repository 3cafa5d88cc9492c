"""From the outputs of a network to predicted values, for exported programs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .losses import Loss


class ValueLayer(nn.Module):
    """What a loss makes of outputs, in the units of y: ``location + scale * value``, within bounds.

    The sums are done in float64, whatever the network computes in. `shift`, of shape
    (n_columns, n_levels), is added to quantiles. None stands for a shift and a location of 0, a
    scale of 1 and no bounds.

    Shapes
    ------
    outputs : (n, n_outputs) -> (n, n_columns, ...)
    """

    shift: Tensor | None
    location: Tensor | None
    scale: Tensor | None
    low: Tensor | None
    high: Tensor | None

    def __init__(
        self,
        loss: Loss,
        shift: np.ndarray | None,
        location: np.ndarray | None,
        scale: np.ndarray | None,
        bounds: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        super().__init__()
        self.loss = loss
        low, high = bounds or (None, None)
        for name, numbers in (
            ("shift", shift), ("location", location), ("scale", scale), ("low", low), ("high", high)
        ):  # fmt: skip
            self.register_buffer(name, None if numbers is None else torch.from_numpy(numbers))

    def forward(self, outputs: Tensor) -> Tensor:
        values = answers = self.loss.activate(outputs)
        if self.shift is not None:
            values = (values + self.shift.to(values.dtype)).sort(2).values
        column = (-1, *[1] * (values.ndim - 2))
        if self.scale is not None:
            values = values.double() * self.scale.view(column)
            if self.location is not None:
                values = values + self.location.view(column)
        if self.low is not None and self.high is not None:
            values = torch.clamp(values.double(), self.low.view(column), self.high.view(column))
        return values.to(answers.dtype)
