"""The scalers of scikit-learn as torch modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from torch import Tensor, nn

Operation = tuple[Callable[[Tensor, Tensor], Tensor], Any]


class Arithmetic(nn.Module):
    """One operation between each row and a vector, (n_features,), in the rows' own type."""

    vector: Tensor

    def __init__(self, operation: Callable[[Tensor, Tensor], Tensor], vector: Any) -> None:
        super().__init__()
        self.operation = operation
        self.register_buffer("vector", torch.as_tensor(vector, dtype=torch.float64))

    def forward(self, X: Tensor) -> Tensor:
        """Map (batch, n_features) to the same shape."""
        return self.operation(X, self.vector.to(X.dtype))


class Floating(nn.Module):
    """Cast integers to float64, as scikit-learn's scalers do."""

    def forward(self, X: Tensor) -> Tensor:
        """Return the rows in a float type."""
        return X if X.is_floating_point() else X.double()


def scaling_layers(scaler: Any) -> list[nn.Module]:
    """Return a fitted scaler as torch modules."""
    return [Floating(), *(Arithmetic(*each) for each in SCALERS[type(scaler)](scaler))]


def _standard(scaler: StandardScaler) -> list[Operation]:
    centering = [(torch.sub, scaler.mean_)] if scaler.with_mean else []
    return centering + ([(torch.div, scaler.scale_)] if scaler.with_std else [])


def _robust(scaler: RobustScaler) -> list[Operation]:
    centering = [(torch.sub, scaler.center_)] if scaler.with_centering else []
    return centering + ([(torch.div, scaler.scale_)] if scaler.with_scaling else [])


def _min_max(scaler: MinMaxScaler) -> list[Operation]:
    affine: list[Operation] = [(torch.mul, scaler.scale_), (torch.add, scaler.min_)]
    return affine + (_clipped(*scaler.feature_range) if scaler.clip else [])


def _max_abs(scaler: MaxAbsScaler) -> list[Operation]:
    return [(torch.div, scaler.scale_)] + (_clipped(-1, 1) if scaler.clip else [])


def _clipped(low: float, high: float) -> list[Operation]:
    return [(torch.maximum, low), (torch.minimum, high)]


SCALERS: dict[type, Callable[[Any], list[Operation]]] = {
    StandardScaler: _standard,
    MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
    RobustScaler: _robust,
}
