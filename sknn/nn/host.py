"""Numbers that the device and the host both need, without one waiting for the other.

The host learns what a GPU holds only by waiting for all that the GPU was given to do. Row numbers
and lengths of series begin on the host: there they are remembered beside the tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def send(values: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor (...) of the CPU to a device, where the host need not wait for the copy."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def remember(tensor: Tensor, values: np.ndarray) -> Tensor:
    """Keep with a tensor (n,) its values on the host, for :func:`on_host`; return the tensor."""
    known: Any = tensor
    known.on_host = values
    return tensor


def on_host(tensor: Tensor) -> np.ndarray:
    """Return the values (n,) of a tensor of integers, remembered or fetched from its device."""
    values = getattr(tensor, "on_host", None)
    return tensor.cpu().numpy() if values is None else values
