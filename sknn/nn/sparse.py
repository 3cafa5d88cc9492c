"""Sparse matrices on a GPU without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


def transposed_csr(matrix: Tensor) -> Tensor:
    """Return the transpose of a CSR matrix, (n, m) -> (m, n), in CSR.

    torch would come to it by way of a layout whose size the host has to ask the device for.
    """
    n, m = matrix.shape
    columns, values = matrix.col_indices(), matrix.values()
    rows = torch.arange(n, device=matrix.device)
    rows = rows.repeat_interleave(matrix.crow_indices().diff(), output_size=len(values))
    columns, order = columns.sort(stable=True)
    starts = torch.searchsorted(columns, torch.arange(m + 1, device=matrix.device))
    return torch.sparse_csr_tensor(
        starts, rows[order], values[order], (m, n), check_invariants=False
    )
