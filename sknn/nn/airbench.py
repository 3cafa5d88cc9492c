"""The network of the fastest CIFAR-10 trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import find_activation
from .images import GlobalPool, ImageShape, StagedNetwork, pool_of
from .layers import Conv2d, NetworkBuilder, normalization_2d


class WhiteningConv(nn.Module):
    """A fixed convolution with uncorrelated outputs of variance one; only its bias is trained.

    The filters are the eigenvectors of the covariance of small patches of training images, divided
    by the square roots of the eigenvalues, and their negatives, so that nothing is lost in the
    activation that follows. Networks learn much faster behind it (Page, How to train your ResNet
    8, 2019; Jordan, 2024, arXiv:2404.00498).

    Shapes
    ------
    images : (n, channels, height, width) -> (n, 2 * numbers of a patch, height', width')
    """

    # added to the eigenvalues, so that noise is not blown up (for pixels from 0 to 1)
    EPSILON = 5e-4

    IMAGES_AT_ONCE = 100

    weight: Tensor

    def __init__(self, channels: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        n_numbers = channels * kernel_size[0] * kernel_size[1]
        weight = torch.zeros(2 * n_numbers, channels, *kernel_size)
        self.register_buffer("weight", weight)
        self.bias = nn.Parameter(torch.zeros(2 * n_numbers))

    def extra_repr(self) -> str:
        filters, channels = self.weight.shape[:2]
        return f"{channels}, {filters}, kernel_size={self.kernel_size}"

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the filters by some training images (n, channels, height, width)."""
        n_patches, sums, products = 0, torch.zeros(()), torch.zeros(())
        for part in images.split(self.IMAGES_AT_ONCE):
            # (n, channels * area, positions)
            patches = F.unfold(part.double(), self.kernel_size)
            n_patches += len(patches) * patches.shape[2]
            sums = sums + patches.sum((0, 2))
            products = products + (patches @ patches.mT).sum(0)
        mean = sums / n_patches
        covariance = products / n_patches - torch.outer(mean, mean)
        variances, directions = torch.linalg.eigh(covariance)
        # the largest variance first; constant directions have no variance to be divided by
        filters = (directions / (variances.clamp(min=0) + self.EPSILON).sqrt()).T.flip(0)
        offset = -filters @ mean
        self.weight.copy_(torch.cat([filters, -filters]).view_as(self.weight))
        self.bias.copy_(torch.cat([offset, -offset]))

    def forward(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.weight, self.bias)


class AirbenchNetwork(StagedNetwork):
    """The network of the fastest CIFAR-10 trainings: whitening, stages, a maximum over the image.

    A stage is convolution, pooling, normalization, activation, then convolution, normalization,
    activation; it halves the image where there is something to halve. With filters (64, 256, 256)
    and GELU it is airbench94 (Jordan, 2024, arXiv:2404.00498).

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
        """Append whitening, stages and the maximum."""
        height, width, channels = image_shape
        patch = (min(2, height), min(2, width))  # a strip stays a strip
        whitening = WhiteningConv(channels, patch)
        builder.add("whitening", whitening)
        builder.add("activation", find_activation(activation).module())
        size = (height - patch[0] + 1, width - patch[1] + 1)
        channels, has_bias = len(whitening.bias), normalization is None
        for i, n_filters in enumerate(filters, start=1):
            pool = pool_of(2, size)
            size = (size[0] // pool[0], size[1] // pool[1])
            for half in ("a", "b"):
                name = f"{i}{half}"
                conv = Conv2d(channels, n_filters, 3, padding=1, bias=has_bias)
                builder.add(f"conv{name}", conv)
                if half == "a":
                    builder.add(f"pool{name}", nn.MaxPool2d(pool))
                builder.add(f"norm{name}", normalization_2d(normalization, n_filters))
                builder.add(f"activation{name}", find_activation(activation).module())
                channels = n_filters
        builder.add("max", GlobalPool("max"))
