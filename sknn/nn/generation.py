"""Generators and discriminators of adversarial networks: dense ones, and convolutional ones.

Generators map noise (n, latent_size) to samples of a shape, (n, *shape); discriminators map rows
or samples to logits (n, 1). Both take labels (n,) from 0 to `n_classes` - 1 beside, if there are
classes: the generator as columns of zeros and a one next to the noise, the discriminator by a
product of its last hidden layer with a vector of each class (Miyato and Koyama, 2018,
arXiv:1802.05637).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Conv2d, ConvTranspose2d, Embedding, Linear, draw_glorot

LEAK = 0.2  # slope of leaky ReLU below 0

# Channels of convolutional networks at full resolution; each half of it has twice as many. More
# make better images, and take three times as long.
FILTERS, MOST_FILTERS = 16, 256
SMALLEST_HALVED = 8  # pixels


def with_labels(noise: Tensor, labels: Tensor | None, n_classes: int) -> Tensor:
    """Append labels as columns of zeros and a one, (n, d) and (n,) -> (n, d + n_classes)."""
    if labels is None:
        return noise
    return torch.cat([noise, F.one_hot(labels, n_classes).to(noise.dtype)], 1)


class LabelledLayers(nn.Module):
    """Layers that see labels as further columns, or as further channels of images.

    Shapes
    ------
    inputs : (n, d, ...), labels : (n,) -> that of the layers for (n, d + n_classes, ...)
    """

    def __init__(self, layers: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.n_classes = n_classes

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        columns = F.one_hot(labels, self.n_classes).to(inputs.dtype)
        columns = columns.reshape(*columns.shape, *[1] * (inputs.ndim - 2))
        columns = columns.expand(-1, -1, *inputs.shape[2:])
        return self.layers(torch.cat([inputs, columns], 1))


class DenseGenerator(nn.Module):
    """Dense layers from noise to samples."""

    def __init__(
        self,
        latent_size: int,
        hidden_layer_sizes: Sequence[int],
        shape: Sequence[int],  # of a sample
        n_classes: int = 0,
        *,
        course: bool,  # leaky ReLU, then batch normalization; else batch normalization, then ReLU
        squashed: bool,  # between -1 and 1
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.n_classes = n_classes
        layers: list[nn.Module] = []
        width = latent_size + n_classes
        for size in hidden_layer_sizes:
            layers.append(Linear(width, size))
            if course:  # with Keras' epsilon, and its momentum of 0.8
                layers += [nn.LeakyReLU(LEAK), nn.BatchNorm1d(size, eps=1e-3, momentum=0.2)]
            else:
                layers += [nn.BatchNorm1d(size), nn.ReLU()]
            width = size
        layers.append(Linear(width, math.prod(self.shape)))
        if squashed:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        samples = self.layers(with_labels(noise, labels, self.n_classes))
        return samples.reshape(-1, *self.shape)


class Judgement(nn.Module):
    """From features (n, d), and labels (n,) where there are classes, to logits (n, 1)."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.output = Linear(n_features, 1)
        self.classes = Embedding(n_classes, n_features) if n_classes else None

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        logits = self.output(features)
        if self.classes is None:
            return logits
        return logits + (self.classes(labels) * features).sum(1, keepdim=True)


class DenseDiscriminator(nn.Module):
    """Dense layers from rows, of whatever shape, to logits."""

    def __init__(
        self, hidden_layer_sizes: Sequence[int], shape: Sequence[int], n_classes: int = 0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = math.prod(shape)
        for size in hidden_layer_sizes:
            layers += [Linear(width, size), nn.LeakyReLU(LEAK)]
            width = size
        self.layers = nn.Sequential(*layers)
        self.judgement = Judgement(width, n_classes)

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.judgement(self.layers(X.flatten(1)), labels)


def halvings(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes that images go through, each half of the one before, rounded up."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= SMALLEST_HALVED:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def widths_of(n_sizes: int) -> list[int]:
    """Return the channels of maps at so many sizes, the largest size first."""
    return [min(FILTERS * 2**i, MOST_FILTERS) for i in range(n_sizes)]


class ConvGenerator(nn.Module):
    """From noise to small maps, which transposed convolutions double until they are images."""

    def __init__(
        self,
        latent_size: int,
        shape: Sequence[int],  # channels, height, width
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.n_classes = n_classes
        self.sizes = halvings(height, width)[::-1]
        widths = widths_of(len(self.sizes))[::-1]
        self.first = (widths[0], *self.sizes[0])
        self.dense = Linear(latent_size + n_classes, math.prod(self.first))
        self.norm = nn.BatchNorm2d(widths[0])
        self.stages = nn.ModuleList(
            nn.Sequential(
                ConvTranspose2d(before, after, 4, stride=2, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in pairwise(widths)
        )
        self.output = Conv2d(widths[-1], channels, 3, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        maps = self.dense(with_labels(noise, labels, self.n_classes)).reshape(-1, *self.first)
        maps = self.norm(maps.contiguous(memory_format=torch.channels_last)).relu()
        for (height, width), stage in zip(self.sizes[1:], self.stages, strict=True):
            maps = stage(maps)[:, :, :height, :width]  # an odd size was rounded up
        return torch.tanh(self.output(maps))


class ConvDiscriminator(nn.Module):
    """Convolutions that halve images until they are small, and a dense layer."""

    def __init__(self, shape: Sequence[int], n_classes: int = 0) -> None:
        super().__init__()
        channels, height, width = shape
        n_sizes = len(halvings(height, width))
        layers: list[nn.Module] = []
        if n_sizes == 1:  # images too small to be halved
            layers += [Conv2d(channels, FILTERS, 3, padding=1), nn.LeakyReLU(LEAK)]
        widths = [channels, *widths_of(n_sizes)[1:]]
        for before, after in pairwise(widths):
            layers += [Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(LEAK)]
            height, width = height // 2, width // 2
        self.layers = nn.Sequential(*layers)
        self.judgement = Judgement(
            (widths[-1] if n_sizes > 1 else FILTERS) * height * width, n_classes
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, X: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.judgement(self.layers(X).flatten(1), labels)


@torch.no_grad()
def initialize(
    network: nn.Module, random_state: np.random.RandomState, *, draws_biases: bool = False
) -> None:
    """Draw initial weights of the built-in networks, uniform as Glorot's; biases become zero.

    With `draws_biases` weights and biases of dense layers are uniform in plus or minus
    ``1 / sqrt(fan_in)``, as torch draws them: of few inputs, features then differ in where they
    bend.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and draws_biases:
            bound = 1 / math.sqrt(layer.in_features)
            for weight in (layer.weight, layer.bias):
                weight.copy_(torch.from_numpy(random_state.uniform(-bound, bound, weight.shape)))
        elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            draw_glorot(layer.weight, random_state)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.Embedding):
            layer.weight.zero_()
