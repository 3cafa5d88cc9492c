"""What a fitted estimator consists of, for the rooms that look into it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sknn.nn import LayerTrace, Loss

from ._base import NeuralEstimator
from ._calibration import Calibration
from ._format import Format
from ._inputs import array_like
from ._modules import portable_copy
from .targets import Targets


@dataclass(frozen=True)
class FittedParts:
    """What a fitted estimator predicts with."""

    estimator: Any
    format: Format
    targets: Targets
    loss: Loss
    network: nn.Module
    predictor: nn.Module  # the network, or an average over changed inputs
    compute_dtype: torch.dtype
    calibration: Calibration | None

    def decide(self, outputs: Tensor) -> Tensor:
        """Turn outputs (n, n_outputs) into decisions or values."""
        return self.targets.decide(outputs, self.loss)

    def check(self, X: Any) -> Any:
        """Return X validated."""
        return self.format.check(array_like(X, "X"), self.estimator)

    def batch(self, X: Any) -> Any:
        """Return all of X, of a single shape, as the network gets it."""
        X = self.check(X)
        parameter = next(self.network.parameters())
        rows = self.format.rows(X, parameter.device, parameter.dtype, self.network)
        return rows.slice(0, len(X))

    def layers(self) -> list[LayerTrace]:
        """Return the network's layers in the order of calls, run on one sample."""
        return self.estimator._trace_layers()

    def empty_batch(self) -> Tensor:
        """Return a sample of zeros as a batch; a series is the longest."""
        parameter = next(self.network.parameters())
        return self.format.empty_batch(parameter.device, parameter.dtype)


def parts_of(estimator: Any) -> FittedParts:
    """Return what a fitted estimator consists of."""
    return FittedParts(
        estimator,
        estimator._format,
        estimator._targets,
        estimator._loss,
        estimator.module_,
        estimator._prediction_module(),
        estimator._compute_dtype,
        estimator._calibration,
    )


def pairs_rows(estimator: NeuralEstimator) -> bool:
    """Say whether each sample has one target, and not a sequence of them."""
    return estimator._targets_kind.pairs_rows


def on_the_cpu(estimator: Any) -> Any:
    """Return a copy that predicts on the CPU, in the type of its weights."""
    copied = copy.copy(estimator)
    copied.module_ = portable_copy(estimator.module_).eval().requires_grad_(False)
    copied._compute_dtype = next(copied.module_.parameters()).dtype
    return copied
