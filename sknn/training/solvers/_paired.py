"""Two optimizers as one."""

from __future__ import annotations

from typing import Any

import torch

from ._fused import _plain_step


class PairedOptimizer(torch.optim.Optimizer):
    """Two optimizers of different parameters, each with its rate; a schedule changes both.

    A parameter without a gradient stays as it is.
    """

    def __init__(self, first: torch.optim.Optimizer, second: torch.optim.Optimizer) -> None:
        self.optimizers = (first, second)
        super().__init__([*first.param_groups, *second.param_groups], {})
        # the second rate in terms of the first, which is that of the schedule
        rates = [group["lr"] for group in self.param_groups]
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["rate_factor"] = rate / rates[0]
        first.state = second.state = self.state

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the tensors that a parameter's state consists of, where that is known."""
        return getattr(self.optimizers[0], "state_names", ())

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Append a group, which stays that of the optimizer that it belongs to."""
        self.param_groups.append(param_group)

    @_plain_step
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the parameters from their gradients."""
        for optimizer in self.optimizers:
            optimizer.step()
