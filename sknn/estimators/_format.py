"""What X is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import Rows


class Format(Protocol):
    """What X is: learned from training data, it checks a later X and brings it to the network.

    Plain data. `estimator` has the parameters that X is read by, and the number and names of
    columns that scikit-learn compares; in a fit it is the draft. A validated X has `shape`, `dtype`
    and a length, and its items are arrays; what is neither an array, a CSR matrix nor a
    :class:`sknn.data.Ragged` is best an object array of arrays.
    """

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[Format, Any]:
        """Return the format of training samples, and the samples validated."""

    @property
    def may_be_float64(self) -> bool:
        """Whether ``precision="auto"`` may be float64, see :func:`sknn.data.resolve_precision`."""

    @property
    def may_vary_in_length(self) -> bool:
        """Whether samples of X may have any number of steps."""

    def check(self, X: Any, estimator: Any) -> Any:
        """Return a validated X, or refuse one that is not as the training data."""

    def rows(self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module) -> Rows:
        """Wrap a validated X so that a module gets batches of it."""

    def module_arguments(self) -> dict[str, Any]:
        """Return what a module factory of the user's may ask for, by name."""

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return a sample of zeros as a batch; a series is the longest."""

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return the shape of one sample of X, a series of at least so many steps."""

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that does what :meth:`rows` does, from a tensor of X."""


class RestoringFormat(Format, Protocol):
    """What X is, where a network makes such values."""

    def restore(self, values: np.ndarray, estimator: Any, index: Any = None) -> Any:
        """Return values as the network gets them, (n, ...) or flattened, in the form of X.

        Bytes and integers are the nearest, within their range. What was a table is one of the same
        library, with the columns of X, and with this index where it is of pandas.
        """
