"""What an autoencoder is told, and what its loss is told of its codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sknn.estimators.targets import InputTargets
from sknn.nn import Loss, ReconstructionLoss


@dataclass
class ReconstructionTargets(InputTargets):
    """The samples themselves; the network's outputs go on with what is told of the code."""

    n_told: int = 0

    @property
    def n_outputs(self) -> int:
        """Number of network outputs."""
        return self.n_columns + self.n_told

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the loss of reconstructions, with what the parameters ask of the code."""
        kind, strength = parameters.code_penalty
        return ReconstructionLoss(parameters.loss, self.n_columns, kind, strength)
