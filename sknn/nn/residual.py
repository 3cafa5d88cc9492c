"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .activations import find_activation
from .images import GlobalPool, ImageShape, StagedNetwork
from .layers import Conv2d, NetworkBuilder, normalization_2d


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, to whose output the input is added (He et al., 2016, arXiv:1512.03385).

    Shapes
    ------
    images : (n, channels, height, width) -> (n, filters, height / stride, width / stride)
    """

    def __init__(
        self, channels: int, filters: int, stride: int, activation: Any, normalization: str | None
    ) -> None:
        super().__init__()
        has_bias = normalization is None
        self.conv1 = Conv2d(channels, filters, 3, stride=stride, padding=1, bias=has_bias)
        self.norm1 = normalization_2d(normalization, filters)
        self.activation1 = find_activation(activation).module()
        self.conv2 = Conv2d(filters, filters, 3, padding=1, bias=has_bias)
        self.norm2 = normalization_2d(normalization, filters)
        self.activation2 = find_activation(activation).module()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != filters:
            self.shortcut = nn.Sequential(
                Conv2d(channels, filters, 1, stride=stride, bias=has_bias),
                normalization_2d(normalization, filters),
            )

    def forward(self, images: Tensor) -> Tensor:
        z = self.activation1(self.norm1(self.conv1(images)))
        return self.activation2(self.norm2(self.conv2(z)) + self.shortcut(images))


class ResidualNetwork(StagedNetwork):
    """Residual network: a convolution, stages of two blocks each, the mean over the image.

    Each stage but the first halves the image. With filters (64, 128, 256, 512) it is ResNet-18
    without the first pooling, as is usual for small images (He et al., 2016, arXiv:1512.03385).

    Shapes
    ------
    images : (n, channels, height, width) -> (n, n_outputs)
    """

    def add_stages(
        self,
        builder: NetworkBuilder,
        image_shape: ImageShape,
        filters: Sequence[int],
        activation: Any,
        normalization: str | None,
    ) -> None:
        """Append the convolution, stages and the mean."""
        channels, has_bias = filters[0], normalization is None
        builder.add("conv", Conv2d(image_shape[2], channels, 3, padding=1, bias=has_bias))
        builder.add("norm", normalization_2d(normalization, channels))
        builder.add("activation", find_activation(activation).module())
        for stage, n_filters in enumerate(filters):
            for block in range(2):
                stride = 2 if stage and not block else 1
                layer = ResidualBlock(channels, n_filters, stride, activation, normalization)
                builder.add(f"stage{stage + 1}_block{block + 1}", layer)
                channels = n_filters
        builder.add("mean", GlobalPool("average"))
