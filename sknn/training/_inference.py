"""Outputs of a fitted network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._batches import Rows
from ._steps import forward

# Rows that go through the network at once: bounds the memory of the hidden layers.
CHUNK_ROWS = 2048


@torch.inference_mode()
def predict_outputs(
    module: nn.Module, rows: Rows, compute_dtype: torch.dtype, chunk_rows: int = CHUNK_ROWS
) -> Tensor:
    """Run a network in evaluation mode over all rows.

    Parameters
    ----------
    module : torch.nn.Module
        The network, in evaluation mode.
    rows : Rows
        The inputs.
    compute_dtype : torch.dtype
        Type of the matrix products.
    chunk_rows : int, default=2048
        Rows at once.

    Returns
    -------
    Tensor of shape (n_samples, n_outputs)
        On the network's device.
    """
    n = len(rows)
    if n <= chunk_rows:
        return forward(module, rows.slice(0, n), compute_dtype)
    chunks = [
        forward(module, rows.slice(start, min(start + chunk_rows, n)), compute_dtype)
        for start in range(0, n, chunk_rows)
    ]
    return torch.cat(chunks)
