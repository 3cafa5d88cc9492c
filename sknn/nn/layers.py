"""What the networks of all families are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .randomness import generator_on, lent_generators


class DrawsNoWeights:
    """Leaves a layer's initial weights to be drawn by the network.

    Stands before torch's class among a layer's bases. (:func:`torch.nn.utils.skip_init` does so
    too, but its first call imports SymPy for a second.)
    """

    def reset_parameters(self) -> None:
        """Draw no numbers."""


class Linear(DrawsNoWeights, nn.Linear):
    """A linear layer that leaves its weights to be drawn by the network."""


class Embedding(DrawsNoWeights, nn.Embedding):
    """An embedding that leaves its weights to be drawn by the network."""


class Conv2d(DrawsNoWeights, nn.Conv2d):
    """A convolution that leaves its weights to be drawn by the network.

    With a kernel of one pixel and a stride, it takes the pixels that count and convolves these
    without a stride. The result is the same; but oneDNN's own such convolution of few channels
    in channels_last memory writes beyond its memory, which may crash the process (seen with
    torch 2.13 on CPUs with AVX-512).
    """

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, filters, height', width')."""
        if self.kernel_size != (1, 1) or self.stride == (1, 1) or isinstance(self.padding, str):
            return super().forward(images)
        rows, columns = self.padding
        down, right = self.stride
        images = F.pad(images, (columns, columns, rows, rows))[:, :, ::down, ::right]
        return F.conv2d(images, self.weight, self.bias)


class Dropout(nn.Dropout):
    """Dropout whose masks cost little on a CPU.

    torch draws a mask there number by number, which can take longer than the layers around it.
    Here four numbers are cut from each random word, so that the rate is a multiple of 2^-16.
    Other devices do as torch does.
    """

    def forward(self, X: Tensor) -> Tensor:
        """Set a share of the numbers to zero in training, and scale the others up."""
        if not self.training:
            return super().forward(X)
        if X.device.type != "cpu":
            with lent_generators():
                return super().forward(X)
        return X * dropout_factors(X, self.p)


DROPOUT_LEVELS = 2**16


def dropout_factors(X: Tensor, rate: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw what dropout multiplies a tensor by: 0 with probability `rate`, else 1 / (1 - rate).

    On the CPU four numbers are cut from each random word, so that the rate is a multiple of
    2^-16.

    Parameters
    ----------
    X : Tensor
        Gives shape, memory layout, type and device; its numbers are stored without gaps.
    rate : float
        Probability of 0, below 1.
    generator : torch.Generator or None, default=None
        Draws the numbers; None is that of the training in this thread, else torch's global one.

    Returns
    -------
    Tensor
    """
    generator = generator or generator_on(X.device)
    factors = torch.empty_like(X, memory_format=torch.preserve_format)
    if X.device.type != "cpu":
        return factors.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    n = X.numel()
    n_dropped = min(round(rate * DROPOUT_LEVELS), DROPOUT_LEVELS - 1)
    if not n_dropped:
        return factors.fill_(1.0)
    words = torch.empty(-(-n // 4), dtype=torch.int64, device="cpu")
    words.random_(-(2**63), None, generator=generator)
    kept = words.view(torch.int16)[:n] >= n_dropped - DROPOUT_LEVELS // 2
    # in the order in which X lies in memory, whatever that is
    scale = DROPOUT_LEVELS / (DROPOUT_LEVELS - n_dropped)
    factors.as_strided((n,), (1,)).copy_(kept).mul_(scale)
    return factors


def per_layer(name: str, value: Any, n_layers: int, layers: str = "hidden layers") -> list[Any]:
    """Return one value a layer; a single value holds for all layers.

    Parameters
    ----------
    name : str
        The parameter's name, for the error message.
    value : object or sequence
        One value, or a sequence with one value a layer (strings count as one value).
    n_layers : int
        The number of layers.
    layers : str, default="hidden layers"
        What the layers are, for the error message.

    Returns
    -------
    list of length n_layers

    Raises
    ------
    ValueError
        If a sequence has another length.

    Examples
    --------
    >>> from sknn.nn import per_layer
    >>> per_layer("dropout", 0.5, 2)
    [0.5, 0.5]
    """
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        if len(value) != n_layers:
            raise ValueError(
                f"{name} has {len(value)} values for {n_layers} {layers}; give one value, or a "
                "sequence with one for each."
            )
        return list(value)
    return [value] * n_layers


def normalization_2d(kind: str | None, channels: int) -> nn.Module:
    """Return a normalization of images: over the batch, or over all of each image.

    Parameters
    ----------
    kind : {"batch", "layer"} or None
        None is the identity.
    channels : int
        Channels of the images.

    Returns
    -------
    torch.nn.Module
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # one group is layer normalization over channels, height and width
    return nn.GroupNorm(1, channels) if kind == "layer" else nn.Identity()


def normalization_1d(kind: str | None, width: int, dtype: torch.dtype | None = None) -> nn.Module:
    """Return a normalization of vectors.

    Parameters
    ----------
    kind : {"batch", "layer"} or None
        None is the identity.
    width : int
        Length of the vectors.
    dtype : torch.dtype or None, default=None
        Type of the parameters; None is torch's default.

    Returns
    -------
    torch.nn.Module
    """
    if kind == "batch":
        return nn.BatchNorm1d(width, dtype=dtype)
    return nn.LayerNorm(width, dtype=dtype) if kind == "layer" else nn.Identity()
