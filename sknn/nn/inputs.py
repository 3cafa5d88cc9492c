"""From X, as users have it, to what networks take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

# Pixels that are stored as bytes become floats from 0 to 1.
BYTE_MAXIMUM = 255


class CastRows(nn.Module):
    """Rows in the type of a network.

    Shapes
    ------
    (n, n_features) -> (n, n_features)
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, X: Tensor) -> Tensor:
        """Cast."""
        return X.to(self.dtype)


class ArrangeImages(nn.Module):
    """Images or flat rows, with the channels first; pixels of the types `divided` are divided.

    Shapes
    ------
    (n, height, width[, channels]), (n, channels, height, width) with `channels_first`, or
    (n, pixels) -> (n, channels, height, width)
    """

    def __init__(
        self,
        dtype: torch.dtype,
        image_shape: tuple[int, int, int],  # height, width, channels
        channels_first: bool,
        divided: Sequence[torch.dtype] = (torch.uint8,),
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.image_shape = image_shape
        self.channels_first = channels_first
        self.divided = divided

    def forward(self, X: Tensor) -> Tensor:
        """Arrange, cast and divide."""
        height, width, channels = self.image_shape
        if self.channels_first:
            images = X.reshape(-1, channels, height, width)
        else:
            images = X.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        images = images.to(self.dtype)
        return images / BYTE_MAXIMUM if X.dtype in self.divided else images


class ArrangeSeries(nn.Module):
    """Series with a dimension for channels, less the `centre` of each, or tokens as int64.

    Shapes
    ------
    (n, steps[, channels]) -> (n, steps, channels); tokens (n, steps) -> (n, steps)
    """

    centre: Tensor | None

    def __init__(
        self, dtype: torch.dtype, tokens: bool, centre: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.tokens = tokens
        numbers = None if centre is None else torch.tensor(centre, dtype=torch.float64)
        self.register_buffer("centre", numbers)

    def forward(self, X: Tensor) -> Tensor:
        """Arrange, subtract in float64, and cast."""
        if self.tokens:
            return X.long()
        series = X if X.ndim == 3 else X.unsqueeze(2)
        if self.centre is not None:
            series = series.double() - self.centre
        return series.to(self.dtype)


class ScaleRows(nn.Module):
    """Samples less a location, divided by a scale, of the shape of a sample.

    Shapes
    ------
    (n, ...) -> (n, ...)
    """

    location: Tensor
    scale: Tensor

    def __init__(self, dtype: torch.dtype, location: np.ndarray, scale: np.ndarray) -> None:
        super().__init__()
        self.dtype = dtype
        self.register_buffer("location", torch.from_numpy(location))
        self.register_buffer("scale", torch.from_numpy(scale))

    def forward(self, X: Tensor) -> Tensor:
        """Subtract and divide in float64, and cast."""
        return ((X.double() - self.location) / self.scale).to(self.dtype)
