"""Images on the device, as convolutions take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sknn.nn.host import on_host, send
from sknn.nn.inputs import BYTE_MAXIMUM

from ._numbers import as_tensor, check_range

# Types of arrays whose rows torch can gather.
GATHERED_TYPES = frozenset("?bBhilqefd")


class ImageRows:
    """Images as tensors (n, channels, height, width); pixels keep their type until they arrive.

    X has the shape (n, height, width), (n, height, width, channels), with `channels_first` (n,
    channels, height, width), or flat rows of these. It is copied as a whole to devices other than
    the CPU, but for memory-mapped files, which stay on the disk, and for what torch cannot gather
    rows of (unsigned integers of several bytes, other byte orders, negative strides).
    """

    lengths: np.ndarray | None = None

    def __init__(
        self,
        X: np.ndarray,
        device: torch.device,
        dtype: torch.dtype,
        *,
        image_shape: tuple[int, int, int],
        channels_first: bool = False,
        memory_format: torch.memory_format = torch.channels_last,  # of the images that come out
        is_divided: bool | None = None,  # by 255; None is bytes alone
    ) -> None:
        self.array = X
        self.tensor: Tensor | None = None
        if _can_be_gathered(X):
            tensor = as_tensor(X, dtype)
            self.tensor = tensor if _is_memmap(X) else tensor.to(device)
        else:
            check_range(X, dtype)
        self.device = device
        self.dtype = dtype
        self.image_shape = image_shape
        self.channels_first = channels_first
        self.memory_format = memory_format
        self.is_divided = X.dtype == np.uint8 if is_divided is None else is_divided

    def __len__(self) -> int:
        return len(self.array)

    def take(self, index: Tensor) -> Tensor:
        """Return the images with these numbers, (n,) -> (n, channels, height, width)."""
        if self.tensor is None:
            return self._images(_native(self.array[on_host(index)]))
        if self.tensor.device != index.device:  # a file on the disk
            index = torch.from_numpy(on_host(index))
        return self._images(self.tensor.index_select(0, index))

    def slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive images, (stop - start, channels, height, width)."""
        if self.tensor is None:
            return self._images(_native(self.array[start:stop]))
        return self._images(self.tensor[start:stop])

    def _images(self, pixels: Tensor) -> Tensor:
        height, width, channels = self.image_shape
        if self.channels_first:
            pixels = pixels.reshape(len(pixels), channels, height, width)
        else:
            pixels = pixels.reshape(len(pixels), height, width, channels).permute(0, 3, 1, 2)
        images = send(pixels, self.device) if pixels.device.type == "cpu" else pixels
        images = images.to(self.dtype, memory_format=self.memory_format)
        # a new tensor, since the type has changed
        return images.div_(BYTE_MAXIMUM) if self.is_divided else images


def _can_be_gathered(X: np.ndarray) -> bool:
    """Say whether torch can take rows of an array as it lies in memory."""
    is_known = X.dtype.isnative and X.dtype.char in GATHERED_TYPES
    return is_known and all(stride >= 0 for stride in X.strides)


def _native(batch: np.ndarray) -> Tensor:
    """Return a batch in a type that torch converts."""
    if batch.dtype.kind == "u":  # 64 bits as float64, since int64 holds half of them
        batch = batch.astype(np.int64 if batch.dtype.itemsize < 8 else np.float64)
    return as_tensor(np.ascontiguousarray(batch, batch.dtype.newbyteorder("=")))


def _is_memmap(X: Any) -> bool:
    """Say whether an array, or what it is a view of, is on the disk."""
    return X is not None and (isinstance(X, np.memmap) or _is_memmap(getattr(X, "base", None)))
