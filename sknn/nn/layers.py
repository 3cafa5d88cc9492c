"""What the networks of all families are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import find_activation
from .randomness import generator_on, lent_generators


class DrawsNoWeights:
    """Leaves a layer's initial weights to be drawn by the network; comes before torch's class.

    (:func:`torch.nn.utils.skip_init` does so too, but its first call imports SymPy for a second.)
    """

    def reset_parameters(self) -> None:
        """Draw no numbers."""


class Linear(DrawsNoWeights, nn.Linear):
    """A linear layer that leaves its weights to be drawn by the network.

    Shapes
    ------
    (..., in_features) -> (..., out_features)
    """


class Embedding(DrawsNoWeights, nn.Embedding):
    """An embedding that leaves its weights to be drawn by the network.

    Shapes
    ------
    (...) of int -> (..., embedding_dim)
    """

    begins_with_vectors: bool = False  # else its weights are drawn

    def begin_with(self, vectors: Tensor) -> None:
        """Take initial weights (n_tokens, embedding_dim) that are not to be drawn."""
        self.weight.data = vectors
        self.begins_with_vectors = True


class TokenEmbedding(Embedding):
    """An embedding whose first row stands for unknown tokens, and is trained.

    In training, tokens are taken for unknown ones at their rates. Afterwards those are unknown
    that training has never read and that began with no vector: their rows are as they were drawn.

    Shapes
    ------
    tokens : (...) of int -> (..., embedding_dim)
    """

    rates: Tensor
    is_known: Tensor

    def __init__(self, n_tokens: int, size: int, rates: Tensor | None) -> None:
        super().__init__(n_tokens, size)
        self.register_buffer("rates", torch.zeros(n_tokens) if rates is None else rates.float())
        is_known = torch.zeros(n_tokens, dtype=torch.bool)
        is_known[0] = True
        self.register_buffer("is_known", is_known)

    def begin_with(self, vectors: Tensor) -> None:
        """Take initial weights; a token with a vector is known before training has read it."""
        super().begin_with(vectors)
        self.is_known |= vectors.any(1)

    def forward(self, tokens: Tensor) -> Tensor:
        if not self.training:
            return super().forward(torch.where(self.is_known[tokens], tokens, 0))
        drawn = torch.rand(
            tokens.shape, device=tokens.device, generator=generator_on(tokens.device)
        )
        tokens = torch.where(drawn < self.rates[tokens], 0, tokens)
        self.is_known[tokens.flatten()] = True
        return super().forward(tokens)


class Conv2d(DrawsNoWeights, nn.Conv2d):
    """A convolution that leaves its weights to be drawn by the network.

    Shapes
    ------
    images : (n, channels, height, width) -> (n, filters, height', width')
    """

    def forward(self, images: Tensor) -> Tensor:
        if self.kernel_size != (1, 1) or self.stride == (1, 1) or isinstance(self.padding, str):
            return super().forward(images)
        # A kernel of one pixel and a stride: the pixels that count are taken, and convolved without
        # a stride. oneDNN's own such convolution of few channels in channels_last memory writes
        # beyond its memory, which may crash the process (seen with torch 2.13 and AVX-512).
        rows, columns = self.padding
        down, right = self.stride
        images = F.pad(images, (columns, columns, rows, rows))[:, :, ::down, ::right]
        return F.conv2d(images, self.weight, self.bias)


class ConvTranspose2d(DrawsNoWeights, nn.ConvTranspose2d):
    """A transposed convolution that leaves its weights to be drawn by the network.

    Shapes
    ------
    images : (n, channels, height, width) -> (n, filters, height', width')
    """


class Dropout(nn.Dropout):
    """Dropout whose masks cost little on a CPU, where the rate is a multiple of 2^-16.

    Shapes
    ------
    (...) -> (...)
    """

    def forward(self, X: Tensor) -> Tensor:
        if not self.training:
            return super().forward(X)
        if X.device.type != "cpu":
            with lent_generators():
                return super().forward(X)
        return X * dropout_factors(X, self.p)


DROPOUT_LEVELS = 2**16


def dropped_levels(rate: float) -> int:
    """Return how many of 2^16 equally likely numbers drop a unit at a rate."""
    return min(round(rate * DROPOUT_LEVELS), DROPOUT_LEVELS - 1)


def dropout_factors(X: Tensor, rate: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw what dropout multiplies X by, (...) -> (...): 0 at the `rate`, else 1 / (1 - rate).

    X is stored without gaps. No generator is that of the training in this thread, else torch's
    global one.
    """
    generator = generator or generator_on(X.device)
    # torch draws a CPU's mask number by number, which can take longer than the layers around it;
    # here four numbers are cut from each random word
    factors = torch.empty_like(X, memory_format=torch.preserve_format)
    if X.device.type != "cpu":
        return factors.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    n = X.numel()
    n_dropped = dropped_levels(rate)
    if not n_dropped:
        return factors.fill_(1.0)
    words = torch.empty(-(-n // 4), dtype=torch.int64, device="cpu")
    words.random_(-(2**63), None, generator=generator)
    kept = words.view(torch.int16)[:n] >= n_dropped - DROPOUT_LEVELS // 2
    # in the order in which X lies in memory, whatever that is
    scale = DROPOUT_LEVELS / (DROPOUT_LEVELS - n_dropped)
    factors.as_strided((n,), (1,)).copy_(kept).mul_(scale)
    return factors


def draw_glorot(weight: Tensor, random_state: np.random.RandomState) -> None:
    """Draw weights uniform in plus or minus ``sqrt(6 / (fan_in + fan_out))`` (Glorot, 2010)."""
    # of a convolution: channels and filters, times the kernel's area
    fan_in, fan_out = weight[0].numel(), len(weight) * weight[0, 0].numel()
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight.copy_(torch.from_numpy(random_state.uniform(-bound, bound, weight.shape)))


def per_layer(name: str, value: Any, n_layers: int, layers: str = "hidden layers") -> list[Any]:
    """Return one value a layer: those of a sequence, or a single one (a str, too) for all."""
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != n_layers:
            raise ValueError(
                f"{name} has {len(value)} values for {n_layers} {layers}; give one value, or a "
                "sequence with one for each."
            )
        return list(value)
    return [value] * n_layers


def normalization_2d(kind: str | None, channels: int) -> nn.Module:
    """Return a normalization of images over the batch, or over all of each image; or none."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # one group is layer normalization over channels, height and width
    return nn.GroupNorm(1, channels) if kind == "layer" else nn.Identity()


def normalization_1d(kind: str | None, width: int, dtype: torch.dtype | None = None) -> nn.Module:
    """Return a normalization of vectors (n, width) over the batch or each vector; or none."""
    if kind == "batch":
        return nn.BatchNorm1d(width, dtype=dtype)
    return nn.LayerNorm(width, dtype=dtype) if kind == "layer" else nn.Identity()


class NetworkBuilder:
    """Collects named `layers`, without those that do nothing."""

    def __init__(self) -> None:
        self.layers = nn.Sequential()

    def add(self, name: str, layer: nn.Module) -> None:
        """Append a layer, unless it is an identity."""
        if not isinstance(layer, nn.Identity):
            self.layers.add_module(name, layer)

    def add_dropout(self, name: str, rate: float) -> None:
        """Append dropout, unless its rate is 0."""
        self.add(name, Dropout(rate) if rate else nn.Identity())

    def add_dense_part(
        self,
        width: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        activations: Sequence[Any],
        dropout: Sequence[float],
        normalization: str | None,
    ) -> None:
        """Append hidden dense layers and the linear output, (n, width) -> (n, n_outputs)."""
        widths = [width, *hidden_layer_sizes]
        for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
            self.add(f"dense{i + 1}", Linear(fan_in, fan_out))
            self.add(f"dense_norm{i + 1}", normalization_1d(normalization, fan_out))
            self.add(f"dense_activation{i + 1}", find_activation(activations[i]).module())
            self.add_dropout(f"dense_dropout{i + 1}", dropout[i])
        self.add("output", Linear(widths[-1], n_outputs))

    def add_head(
        self,
        width: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        activation: Any,
        dropout: float,
        normalization: str | None,
    ) -> None:
        """Append dropout and a dense part of equal layers, (n, width) -> (n, n_outputs)."""
        n_hidden = len(hidden_layer_sizes)
        self.add_dropout("dropout", dropout)
        self.add_dense_part(
            width,
            hidden_layer_sizes,
            n_outputs,
            activations=[activation] * n_hidden,
            dropout=[dropout] * n_hidden,
            normalization=normalization,
        )
