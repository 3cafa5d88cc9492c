"""A checked series, as models see it: numbers, what is known in advance, and their dates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Series(NamedTuple):
    """A checked series and what belongs to its steps; several channels are forecast together."""

    # (n_steps, n_channels), floats; NaN only where the regressor takes it
    values: np.ndarray
    # (n_steps, n_covariates), known in advance; None if there are none
    covariates: np.ndarray | None
    # (n_steps,), not negative; None if all steps count the same
    sample_weight: np.ndarray | None = None
    # the steps' dates as a pandas index; None for arrays
    index: Any = None

    def part(self, start: int | None, stop: int | None = None) -> Series:
        """Return a copy of the steps from `start` to `stop`."""

        def cut(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[start:stop].copy()

        index = None if self.index is None else self.index[start:stop]
        values = self.values[start:stop].copy()
        return Series(values, cut(self.covariates), cut(self.sample_weight), index)

    def followed_by(self, other: Series) -> Series:
        """Return both, one after the other, with what both have."""

        def join(mine: np.ndarray | None, theirs: np.ndarray | None) -> np.ndarray | None:
            return None if mine is None or theirs is None else np.concatenate([mine, theirs])

        has_index = self.index is not None and other.index is not None
        return Series(
            np.concatenate([self.values, other.values]),
            join(self.covariates, other.covariates),
            join(self.sample_weight, other.sample_weight),
            self.index.append(other.index) if has_index else None,
        )
