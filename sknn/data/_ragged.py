"""Series of different lengths, as one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sknn.nn.parts import step_positions


class Ragged:
    """Series of different lengths (n_series,), as one array of values (sum of lengths, ...).

    `starts` (n_series,) says where each begins.
    """

    def __init__(self, values: np.ndarray, lengths: np.ndarray) -> None:
        self.values = values
        self.lengths = lengths
        self.starts = np.cumsum(lengths) - lengths

    @classmethod
    def from_list(cls, series: Any) -> Ragged:
        """Join arrays (n_steps_i, ...), at least one."""
        return cls(np.concatenate(series), np.array([len(each) for each in series], np.int64))

    @property
    def shape(self) -> tuple[int]:
        """The number of series, as a tuple."""
        return (len(self.lengths),)

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """Return one series, or those that an index array, a mask or a slice chooses."""
        if np.ndim(index) == 0 and not isinstance(index, slice):
            start = self.starts[index]
            return self.values[start : start + self.lengths[index]]
        chosen = np.arange(len(self))[index]
        return Ragged(self.values[self.positions(chosen)], self.lengths[chosen])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Let NumPy see an object array, for callbacks that ask for one."""
        return self.to_objects()

    def positions(self, index: np.ndarray) -> np.ndarray:
        """Return where in `values` the steps of some series are, see :func:`step_positions`."""
        return step_positions(self.lengths, index)

    def to_objects(self) -> np.ndarray:
        """Return the series as an object array (n_series,), as scikit-learn indexes them."""
        objects = np.empty(len(self), dtype=object)
        objects[:] = list(self)
        return objects
