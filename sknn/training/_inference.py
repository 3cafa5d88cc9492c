"""Outputs of a fitted network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._batches import Rows
from ._steps import forward

# Rows that go through a network at once. Each chunk waits for all threads several times, which
# is dear where other work has the cores, so predictions go in large ones; scoring in training
# goes in small ones, which keep the memory of a fit small.
PREDICTION_ROWS = 16384


def scoring_rows(device: torch.device) -> int:
    """Rows that are scored at once while a network is trained.

    Parameters
    ----------
    device : torch.device
        Where the network is.

    Returns
    -------
    int
    """
    return 1024 if device.type == "cpu" else PREDICTION_ROWS


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
    n, size = len(rows), PREDICTION_ROWS
    if n <= size:
        return forward(module, rows.slice(0, n), compute_dtype)
    chunks = [
        forward(module, rows.slice(start, min(start + size, n)), compute_dtype)
        for start in range(0, n, size)
    ]
    return torch.cat(chunks)
