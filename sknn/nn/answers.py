"""From the outputs of a network to predicted values, for exported programs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .losses import Loss


class ValueLayer(nn.Module):
    """What a loss makes of outputs, in the units of y: ``location + scale * value``, within bounds.

    The sums are done in float64, whatever the network computes in. None stands for a location of 0,
    a scale of 1 and no bounds.

    Shapes
    ------
    outputs : (n, n_outputs) -> (n, n_columns)
    """

    location: Tensor | None
    scale: Tensor | None
    low: Tensor | None
    high: Tensor | None

    def __init__(
        self,
        loss: Loss,
        location: np.ndarray | None,
        scale: np.ndarray | None,
        bounds: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        super().__init__()
        self.loss = loss
        low, high = bounds or (None, None)
        for name, numbers in (
            ("location", location), ("scale", scale), ("low", low), ("high", high)
        ):  # fmt: skip
            self.register_buffer(name, None if numbers is None else torch.from_numpy(numbers))

    def forward(self, outputs: Tensor) -> Tensor:
        values = answers = self.loss.activate(outputs)
        if self.scale is not None:
            values = values.double() * self.scale
            if self.location is not None:
                values = values + self.location
        if self.low is not None:
            values = torch.clamp(values.double(), self.low, self.high)
        return values.to(answers.dtype)
