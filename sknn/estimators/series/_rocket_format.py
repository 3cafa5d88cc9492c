"""X as series of which a network gets fixed features."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import DenseRows
from sknn.preprocessing import Rocket

from ._format import SeriesFormat


class RocketFormat(NamedTuple):
    """Series, whose features are computed once: a validated X is float32 (n, n_features)."""

    series: SeriesFormat
    rocket: Rocket
    n_series: int  # that were trained on

    @property
    def channels(self) -> int:
        """Numbers a step."""
        return self.series.channels

    @property
    def longest(self) -> int:
        """Steps of the longest training series."""
        return self.series.longest

    @property
    def n_steps(self) -> int | None:
        """Where X had a row a series: the length of the rows."""
        return self.series.n_steps

    @property
    def n_tokens(self) -> None:
        """None: these are numbers."""
        return

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: never, which would cost too much."""
        return False

    @property
    def may_vary_in_length(self) -> bool:
        """Whether X was no table, whose width is fixed."""
        return self.series.may_vary_in_length

    def check(self, X: Any, estimator: Any) -> np.ndarray:
        """Return the features of validated series."""
        return self.rocket.features(self.series.check(X, estimator))

    def rows(
        self, X: np.ndarray, device: torch.device, dtype: torch.dtype, module: nn.Module
    ) -> DenseRows:
        """Wrap the features."""
        return DenseRows(X, device, dtype)

    def module_arguments(self) -> dict[str, Any]:
        """Return the number of features."""
        return {"n_features_in": self.rocket.n_features}

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return zeros (1, n_features)."""
        return torch.zeros(1, self.rocket.n_features, device=device, dtype=dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return (steps,) or (steps, channels)."""
        return self.series.sample_shape(fewest_steps)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module from series to their features."""
        return self.rocket.module(dtype)
