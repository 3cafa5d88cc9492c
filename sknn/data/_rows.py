"""Rows of an input on their way to a device.

An array becomes a tensor once; a batch is a slice or an `index_select` of it, cast to the
network's type on the device, so that bytes stay bytes until they are needed.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from ._numbers import as_tensor, check_range

# What a module is called with: one tensor, or several as positional arguments.
Inputs = Tensor | tuple[Tensor, ...]


class Rows(Protocol):
    """Rows of an input that can be taken by number.

    Attributes
    ----------
    lengths : ndarray of int or None
        Where rows are series of different lengths: how long each is. Batches of similar lengths
        cost least.
    """

    device: torch.device
    dtype: torch.dtype
    lengths: np.ndarray | None

    def take(self, index: Tensor) -> Inputs:
        """Return the rows with these numbers."""

    def slice(self, start: int, stop: int) -> Inputs:
        """Return consecutive rows."""

    def __len__(self) -> int: ...


class DenseRows:
    """Rows of an array of two or more dimensions.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Any real type; neither copied nor cast as a whole on the CPU, so it may be a memmap.
    device : torch.device
        Where the rows go. Other devices than the CPU get a copy of the whole array in its own
        type.
    dtype : torch.dtype
        Type of the rows that come out.
    """

    lengths: np.ndarray | None = None

    def __init__(self, X: np.ndarray, device: torch.device, dtype: torch.dtype) -> None:
        self.tensor = as_tensor(X, dtype).to(device)
        self.device = device
        self.dtype = dtype

    def __len__(self) -> int:
        return self.tensor.shape[0]

    def take(self, index: Tensor) -> Tensor:
        """Return the rows with these numbers."""
        return self.tensor.index_select(0, index).to(self.dtype)

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows."""
        return self.tensor[start:stop].to(self.dtype)


class SparseRows:
    """Rows of a CSR matrix, as sparse CSR tensors.

    Parameters
    ----------
    X : scipy.sparse.csr_array or csr_matrix of shape (n_samples, n_features)
        Stays on the CPU; batches go to the device.
    device : torch.device
        Where the batches go.
    dtype : torch.dtype
        Type of the batches.
    """

    lengths: np.ndarray | None = None

    def __init__(self, X: Any, device: torch.device, dtype: torch.dtype) -> None:
        _silence_sparse_notices()
        check_range(X.data, dtype)  # of all rows, once
        self.matrix = X
        self.device = device
        self.dtype = dtype

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def take(self, index: Tensor) -> Tensor:
        """Return the rows with these numbers."""
        return self._tensor(self.matrix[index.cpu().numpy()])

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows."""
        return self._tensor(self.matrix[start:stop])

    def _tensor(self, batch: Any) -> Tensor:
        return _csr_tensor(batch, self.device, self.dtype)


def _csr_tensor(matrix: Any, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        as_tensor(matrix.data).to(dtype),
        size=matrix.shape,
        device=device,
        check_invariants=False,
    )


@cache
def _silence_sparse_notices() -> None:
    """Take torch's once-a-process notices about sparse CSR tensors, which tell users nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _csr_tensor(sparse.csr_array(np.eye(2)), torch.device("cpu"), torch.float32)


def make_rows(X: Any, device: torch.device, dtype: torch.dtype) -> Rows:
    """Wrap an array or CSR matrix.

    Parameters
    ----------
    X : ndarray or CSR matrix
        The samples.
    device : torch.device
        Where batches go.
    dtype : torch.dtype
        Type of the batches.

    Returns
    -------
    DenseRows or SparseRows
    """
    kind = SparseRows if sparse.issparse(X) else DenseRows
    return kind(X, device, dtype)
