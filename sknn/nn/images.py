"""What the networks for images have in common.

Images are tensors of shape (batch, channels, height, width) in channels_last memory, in which
oneDNN and cuDNN are fastest and in which arrays of images, channels last, need not be copied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .layers import NetworkBuilder, draw_glorot

# height, width, channels
ImageShape = tuple[int, int, int]

INITIALIZATIONS = ("glorot", "he", "dirac")

REMEDY = (
    "Use padding='same', a smaller kernel, stride or pool, pooling=None for some layers, or fewer "
    "filters."
)


def output_size(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """Return the size that a convolution or pooling leaves, ``floor((n + p - k) / s + 1)``.

    `padding` p is that of both sides together; the result is 0 or less where the kernel does not
    fit.
    """
    return (size + padding - kernel_size) // stride + 1


def shrink(
    layer: str,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Sequence[int] = (0, 0),
) -> tuple[int, int]:
    """Return the (height, width) that a convolution leaves; errors call it `layer`."""
    height, width = (
        output_size(n, k, s, p) for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )
    if height < 1 or width < 1:
        raise ValueError(
            f"{layer} leaves nothing of images that are {size[0]}x{size[1]} pixels where it "
            f"begins. {REMEDY}"
        )
    return height, width


def as_pair(value: Any) -> tuple[int, int]:
    """Return a (height, width); a single number is both."""
    if isinstance(value, Sequence | np.ndarray):
        height, width = value
        return int(height), int(width)
    return int(value), int(value)


def pool_of(pool_size: int | tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of the pool for an image of a size: at most all of it."""
    pool = as_pair(pool_size)
    return min(pool[0], size[0]), min(pool[1], size[1])


class GlobalPool(nn.Module):
    """Pool each channel to one number, its "max" or "average".

    Shapes
    ------
    images : (n, channels, height, width) -> (n, channels)
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def extra_repr(self) -> str:
        return self.kind

    def forward(self, images: Tensor) -> Tensor:
        return images.amax((2, 3)) if self.kind == "max" else images.mean((2, 3))


class ImageNetwork(nn.Module):
    """Base class of the built-in networks for images.

    Shapes
    ------
    images : (n, channels, height, width) -> (n, n_outputs)
    """

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)

    @torch.no_grad()
    def initialize(self, random_state: np.random.RandomState, initialization: str) -> None:
        """Draw the initial weights; biases become zero, and the output layer is always "glorot".

        "glorot" is uniform in plus or minus ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio,
        2010); "he" is normal with variance ``2 / fan_in`` (He et al., 2015, arXiv:1502.01852);
        "dirac" is "he", but the first filters of each convolution pass one channel on as it is
        (Zagoruyko and Komodakis, 2017, arXiv:1706.00388).
        """
        linear = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for layer in linear:
            weight = layer.weight
            if initialization == "glorot" or layer is linear[-1]:
                draw_glorot(weight, random_state)
            else:
                scale = math.sqrt(2 / weight[0].numel())
                weight.copy_(torch.from_numpy(random_state.normal(0, scale, weight.shape)))
            if initialization == "dirac" and weight.ndim == 4:
                nn.init.dirac_(weight[: weight.shape[1]])
            if layer.bias is not None:
                layer.bias.zero_()


class StagedNetwork(ImageNetwork):
    """Base class of the networks of stages, whose layers are all alike, and a dense part."""

    def __init__(
        self,
        image_shape: ImageShape,
        filters: Sequence[int],  # of each stage
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        normalization: str | None = "batch",
    ) -> None:
        builder = NetworkBuilder()
        self.add_stages(builder, image_shape, filters, activation, normalization)
        width = filters[-1]
        builder.add_head(width, hidden_layer_sizes, n_outputs, activation, dropout, normalization)
        super().__init__(builder.layers)

    def add_stages(
        self,
        builder: NetworkBuilder,
        image_shape: ImageShape,
        filters: Sequence[int],
        activation: Any,
        normalization: str | None,
    ) -> None:
        """Append all layers as far as one number a filter, (n, filters[-1])."""
        raise NotImplementedError
