"""What one sample costs a network."""

from __future__ import annotations

import math
from typing import NamedTuple

# Floating point operations for each multiplication of the forward pass: it goes with an addition,
# and in training there are as many again for the gradients of inputs, and for those of weights.
FORWARD_FLOPS, TRAINING_FLOPS = 2, 6


class Work(NamedTuple):
    """What one sample costs a network in a step of training."""

    flops: float  # that run side by side; infinite, worth all threads, where nobody knows
    layer_size: int  # numbers that the largest layer returns

    @classmethod
    def of_training(cls, multiplications: float | None, layer_size: int) -> Work:
        """Return the work that follows from a forward pass; None where nobody knows it."""
        if multiplications is None:
            return cls(math.inf, layer_size)
        return cls(TRAINING_FLOPS * multiplications, layer_size)

    @property
    def forward_flops(self) -> float:
        """Operations of a prediction."""
        return self.flops * FORWARD_FLOPS / TRAINING_FLOPS
