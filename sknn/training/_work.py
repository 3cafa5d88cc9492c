"""What one sample costs a network."""

from __future__ import annotations

from typing import NamedTuple


class Work(NamedTuple):
    """What one sample costs a network.

    Attributes
    ----------
    flops : float
        Floating point operations of a step.
    layer_size : int
        Numbers that the largest layer returns.
    """

    flops: float
    layer_size: int
