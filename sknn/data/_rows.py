"""Rows of an input on their way to a device.

An array becomes a tensor once; a batch is a slice or an `index_select` of it, cast to the
network's type on the device, so that bytes stay bytes until they are needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sknn.nn.host import on_host, send

from ._numbers import as_tensor, check_range
from ._ragged import Ragged

# What a module is called with: one tensor, or several as positional arguments.
Inputs = Tensor | tuple[Tensor, ...]


class Rows(Protocol):
    """Rows of an input that can be taken by number."""

    device: torch.device
    dtype: torch.dtype
    # where rows are series of different lengths: batches of similar lengths cost least
    lengths: np.ndarray | None

    def take(self, index: Tensor) -> Inputs:
        """Return the rows with these numbers."""

    def slice(self, start: int, stop: int) -> Inputs:
        """Return consecutive rows."""

    def __len__(self) -> int: ...


class DenseRows:
    """Rows of an array (n_samples, ...), which may be a memmap: on a CPU it is not copied.

    Other devices get a copy of all of it in its own type.
    """

    lengths: np.ndarray | None = None

    def __init__(self, X: np.ndarray, device: torch.device, dtype: torch.dtype) -> None:
        self.tensor = as_tensor(X, dtype).to(device)
        self.device = device
        self.dtype = dtype

    def __len__(self) -> int:
        return self.tensor.shape[0]

    def take(self, index: Tensor) -> Tensor:
        """Return the rows with these numbers, (n,) -> (n, ...)."""
        return self.tensor.index_select(0, index).to(self.dtype)

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows, (stop - start, ...)."""
        return self.tensor[start:stop].to(self.dtype)


class SparseRows:
    """Rows of a CSR matrix, which stays on the CPU, as sparse CSR tensors (n, n_features)."""

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
        """Return the rows with these numbers, (n,) -> (n, n_features)."""
        return self._tensor(self.matrix[on_host(index)])

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows, (stop - start, n_features)."""
        return self._tensor(self.matrix[start:stop])

    def _tensor(self, batch: Any) -> Tensor:
        return _csr_tensor(batch, self.device, self.dtype)


def _csr_tensor(matrix: Any, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.sparse_csr_tensor(
        send(torch.from_numpy(matrix.indptr.astype(np.int64)), device),
        send(torch.from_numpy(matrix.indices.astype(np.int64)), device),
        send(as_tensor(matrix.data).to(dtype), device),
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


def in_parts(X: Any, n_rows: int) -> Iterator[Any]:
    """Cut an array or a matrix into parts of so many rows, if it has more; series of a list not."""
    if isinstance(X, Ragged) or X.shape[0] <= n_rows:
        yield X
        return
    for start in range(0, X.shape[0], n_rows):
        yield X[start : start + n_rows]


def make_rows(X: Any, device: torch.device, dtype: torch.dtype) -> Rows:
    """Wrap an array or CSR matrix."""
    kind = SparseRows if sparse.issparse(X) else DenseRows
    return kind(X, device, dtype)


def dense_rows(X: Inputs) -> Tensor:
    """Return a batch (n, ...) of one tensor as a dense one."""
    assert isinstance(X, Tensor)
    return X if X.layout == torch.strided else X.to_dense()
