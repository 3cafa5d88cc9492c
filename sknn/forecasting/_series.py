"""A series and its covariates, step by step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Series(NamedTuple):
    """A checked series and its covariates."""

    values: np.ndarray  # (n_steps, n_series)
    covariates: np.ndarray | None  # (n_steps, n_covariates); None if there are none

    def part(self, start: int | None, stop: int | None = None) -> Series:
        """Return a copy of the steps from `start` to `stop`."""
        covariates = None if self.covariates is None else self.covariates[start:stop].copy()
        return Series(self.values[start:stop].copy(), covariates)

    def followed_by(self, other: Series) -> Series:
        """Return both, one after the other."""
        values = np.concatenate([self.values, other.values])
        if self.covariates is None or other.covariates is None:
            return Series(values, None)
        return Series(values, np.concatenate([self.covariates, other.covariates]))
