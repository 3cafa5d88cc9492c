"""Outputs of a fitted network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._batches import Rows
from ._steps import forward


def chunk_rows(device: torch.device) -> int:
    """Rows that go through a network at once, which bounds the memory of its hidden layers.

    Parameters
    ----------
    device : torch.device
        A CPU gets chunks that stay in its cache, a GPU chunks that fill it.

    Returns
    -------
    int
    """
    return 512 if device.type == "cpu" else 16384


@torch.inference_mode()
def predict_outputs(module: nn.Module, rows: Rows, compute_dtype: torch.dtype) -> Tensor:
    """Run a network in evaluation mode over all rows.

    Parameters
    ----------
    module : torch.nn.Module
        The network, in evaluation mode.
    rows : Rows
        The inputs.
    compute_dtype : torch.dtype
        Type of the matrix products.

    Returns
    -------
    Tensor of shape (n_samples, n_outputs)
        On the network's device.
    """
    n, size = len(rows), chunk_rows(rows.device)
    if n <= size:
        return forward(module, rows.slice(0, n), compute_dtype)
    chunks = [
        forward(module, rows.slice(start, min(start + size, n)), compute_dtype)
        for start in range(0, n, size)
    ]
    return torch.cat(chunks)
