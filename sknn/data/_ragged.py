"""Series of different lengths, as one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class Ragged:
    """Series of different lengths, one after the other in one array.

    Parameters
    ----------
    values : ndarray of shape (sum of lengths, ...)
        The steps of all series.
    lengths : ndarray of int and shape (n_series,)
        Steps of each series.

    Attributes
    ----------
    starts : ndarray of int and shape (n_series,)
        Where each series begins.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.data import Ragged
    >>> series = Ragged(np.arange(5), np.array([2, 3]))
    >>> [each.tolist() for each in series]
    [[0, 1], [2, 3, 4]]
    """

    def __init__(self, values: np.ndarray, lengths: np.ndarray) -> None:
        self.values = values
        self.lengths = lengths
        self.starts = np.cumsum(lengths) - lengths

    @classmethod
    def from_list(cls, series: Any) -> Ragged:
        """Join a sequence of arrays.

        Parameters
        ----------
        series : sequence of ndarray of shape (n_steps_i, ...)
            At least one.

        Returns
        -------
        Ragged
        """
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
        """Return the series as a one-dimensional object array, as scikit-learn indexes them.

        Returns
        -------
        ndarray of object and shape (n_series,)
        """
        objects = np.empty(len(self), dtype=object)
        objects[:] = list(self)
        return objects


def step_positions(lengths: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return where the steps of some series are, if all series lie one after the other.

    Parameters
    ----------
    lengths : ndarray of int and shape (n_series,)
        Steps of each series.
    index : ndarray of int
        Numbers of series.

    Returns
    -------
    ndarray of int
        Of the length of the chosen series together.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.data import step_positions
    >>> step_positions(np.array([2, 1, 3]), np.array([2, 0]))
    array([3, 4, 5, 0, 1])
    """
    starts = np.cumsum(lengths) - lengths
    chosen = lengths[index]
    ends = np.cumsum(chosen)
    within = np.arange(chosen.sum()) - np.repeat(ends - chosen, chosen)
    return np.repeat(starts[index], chosen) + within
