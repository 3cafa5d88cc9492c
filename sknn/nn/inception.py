"""Convolutional encoders over series: InceptionTime and LITE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import find_activation
from .layers import Conv2d, Linear
from .series import StepNorm, mask_padding, valid_steps

KERNEL_SIZES = (40, 20, 10)
# Each third Inception module has a shortcut around it and the two before it.
MODULES_A_SHORTCUT = 3
# Steps that the hand-crafted filters of LITE compare.
TREND_SIZES = (2, 4, 8, 16, 32, 64)


def as_images(series: Tensor) -> Tensor:
    """Return series as images of height 1, (n, steps, channels) -> (n, channels, 1, steps)."""
    # a view in channels_last memory: what oneDNN is fastest with, forward and backward
    return series.transpose(1, 2).unsqueeze(2)


def as_series(images: Tensor) -> Tensor:
    """Return images of height 1 as series, (n, channels, 1, steps) -> (n, steps, channels)."""
    return images.squeeze(2).transpose(1, 2)


class StepFilters(Conv2d):
    """Convolution that leaves as many steps: zeros stand around the series, the odd one behind it.

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, filters)
    """

    def __init__(self, channels: int, filters: int, kernel_size: int) -> None:
        padding = (0, kernel_size // 2)
        super().__init__(channels, filters, (1, kernel_size), padding=padding, bias=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, series: Tensor) -> Tensor:
        surplus = 1 - self.kernel_size[1] % 2  # equal zeros on both sides are one more
        return as_series(super().forward(as_images(series)))[:, surplus:]


class _FilterChannels(torch.autograd.Function):
    """A filter for each channel, whose gradient takes an eighth of the time of oneDNN's.

    Shapes
    ------
    padded : (n, steps + zeros, channels), weight : (channels, 1, 1, kernel_size)
        -> (n, steps, channels)
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(padded, weight)
        ctx.dilation = dilation
        return _filter_channels(padded, weight, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:
        (of_output,) = gradients
        padded, weight = ctx.saved_tensors
        n_steps, size = of_output.shape[1], weight.shape[3]
        of_padded = None
        if ctx.needs_input_grad[0]:
            zeros = ctx.dilation * (size - 1)
            around = F.pad(of_output, (0, 0, zeros, zeros))
            of_padded = _filter_channels(around, weight.flip(3), ctx.dilation)
        taps = [padded[:, i * ctx.dilation :][:, :n_steps] for i in range(size)]
        of_weight = torch.stack([(tap * of_output).sum((0, 1)) for tap in taps], 1)
        return of_padded, of_weight[:, None, None], None


def _filter_channels(padded: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Filter each channel, (n, steps + zeros, channels) -> (n, steps, channels)."""
    images = as_images(padded)
    return as_series(F.conv2d(images, weight, dilation=(1, dilation), groups=len(weight)))


class ChannelFilters(Conv2d):
    """A filter for each channel that leaves as many steps, as :class:`StepFilters`.

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, channels)
    """

    def __init__(self, channels: int, kernel_size: int, dilation: int = 1) -> None:
        size = (1, kernel_size)
        super().__init__(
            channels, channels, size, dilation=(1, dilation), groups=channels, bias=False
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, series: Tensor) -> Tensor:
        dilation = self.dilation[1]
        zeros = dilation * (self.kernel_size[1] - 1)
        padded = F.pad(series, (0, 0, zeros // 2, zeros - zeros // 2))
        if not self.training:  # also what is exported
            return _filter_channels(padded, self.weight, dilation)
        filtered: Tensor = _FilterChannels.apply(padded, self.weight, dilation)
        return filtered


class SeparableFilters(nn.Sequential):
    """A filter for each channel, and what mixes them (Chollet, 2017, arXiv:1610.02357).

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, filters)
    """

    def __init__(self, channels: int, filters: int, kernel_size: int, dilation: int = 1) -> None:
        super().__init__(
            ChannelFilters(channels, kernel_size, dilation), Linear(channels, filters, bias=False)
        )


class InceptionModule(nn.Module):
    """Filters of several lengths side by side, beside the maximum of three neighbours.

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,)
        -> (n, steps, filters * (number of kernels + 1))
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel_sizes: Sequence[int],
        bottleneck: int,
        activation: Any,
        normalization: str,
    ) -> None:
        super().__init__()
        # one channel is narrow enough
        self.bottleneck = (
            nn.Identity() if channels == 1 else Linear(channels, bottleneck, bias=False)
        )
        narrow = 1 if channels == 1 else bottleneck
        self.filters = nn.ModuleList(StepFilters(narrow, filters, size) for size in kernel_sizes)
        self.of_maximum = Linear(channels, filters, bias=False)
        self.norm = StepNorm(normalization, filters * (len(kernel_sizes) + 1))
        self.activation = find_activation(activation).module()

    def forward(self, series: Tensor, lengths: Tensor | None) -> Tensor:
        narrow = self.bottleneck(series)
        branches = [layer(narrow) for layer in self.filters]
        branches.append(self.of_maximum(neighbours_maximum(series, lengths)))
        states = self.norm(torch.cat(branches, 2), lengths)
        return mask_padding(self.activation(states), lengths)


def neighbours_maximum(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the maximum of each step and the two beside it, (n, steps, channels) -> the same."""
    if lengths is not None:  # padding is no neighbour
        padding = ~valid_steps(lengths, series.shape[1])[..., None]
        series = series.masked_fill(padding, -torch.inf)
    maximum = as_series(F.max_pool2d(as_images(series), (1, 3), stride=1, padding=(0, 1)))
    return mask_padding(maximum, lengths)


class Shortcut(nn.Module):
    """Adds what a linear layer makes of an earlier state, (n, steps, ...) of both.

    Shapes
    ------
    earlier : (n, steps, channels), states : (n, steps, width), lengths : (n,)
        -> (n, steps, width)
    """

    def __init__(self, channels: int, width: int, activation: Any, normalization: str) -> None:
        super().__init__()
        self.linear = Linear(channels, width, bias=False)
        self.norm = StepNorm(normalization, width)
        self.activation = find_activation(activation).module()

    def forward(self, earlier: Tensor, states: Tensor, lengths: Tensor | None) -> Tensor:
        states = states + self.norm(self.linear(earlier), lengths)
        return mask_padding(self.activation(states), lengths)


class InceptionEncoder(nn.Module):
    """InceptionTime (Ismail Fawaz et al., 2020, arXiv:1909.04939).

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) -> (n, steps, width)
        What lies behind the end of a series is zero, here as there.
    """

    n_backward = 0

    def __init__(
        self,
        channels: int,
        filters: int = 32,
        *,
        depth: int = 6,
        kernel_sizes: Sequence[int] = KERNEL_SIZES,
        bottleneck: int = 32,
        activation: Any = "relu",
        normalization: str = "batch",
    ) -> None:
        super().__init__()
        self.width = filters * (len(kernel_sizes) + 1)
        common = activation, normalization
        widths = [channels] + [self.width] * depth
        self.blocks = nn.ModuleList(
            InceptionModule(widths[i], filters, kernel_sizes, bottleneck, *common)
            for i in range(depth)
        )
        self.shortcuts = nn.ModuleList(
            Shortcut(widths[i], self.width, *common)
            for i in range(0, depth - MODULES_A_SHORTCUT + 1, MODULES_A_SHORTCUT)
        )

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        states = earlier = series
        for i, block in enumerate(self.blocks, 1):
            states = block(states, lengths)
            if i % MODULES_A_SHORTCUT == 0:
                states = self.shortcuts[i // MODULES_A_SHORTCUT - 1](earlier, states, lengths)
                earlier = states
        return states


def hand_crafted_filters() -> np.ndarray:
    """Return LITE's filters for rises, falls and peaks, each centred, (17, 96)."""
    rises = [np.resize([-1.0, 1.0], size) for size in TREND_SIZES]
    peaks = []
    for size in TREND_SIZES[1:]:
        rise = np.linspace(0, 1, size // 4 + 1)[1:] ** 2
        hill = np.concatenate([rise, rise[::-1]])
        peaks.append(np.concatenate([-hill, 2 * hill, -hill]))
    filters = [*rises, *(-rise for rise in rises), *peaks]
    longest = max(map(len, filters))
    rows = np.zeros((len(filters), longest))
    for row, values in zip(rows, filters, strict=True):
        start = (longest - 1) // 2 - (len(values) - 1) // 2
        row[start : start + len(values)] = values
    return rows


class HandCraftedFilters(nn.Module):
    """Rises, falls and peaks of each channel, by filters that training leaves as they are.

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, 17 * channels)
    """

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        filters = torch.from_numpy(hand_crafted_filters()).float()
        self.register_buffer("weight", filters[:, None])
        self.n_filters = len(filters)

    def forward(self, series: Tensor) -> Tensor:
        n, n_steps, channels = series.shape
        n_after = self.weight.shape[2] // 2
        rows = series.transpose(1, 2).reshape(n * channels, 1, n_steps)
        found = F.conv1d(rows, self.weight, padding=n_after)[..., -n_steps:].relu()
        return found.reshape(n, channels * self.n_filters, n_steps).transpose(1, 2)


class LiteEncoder(nn.Module):
    """LITE, Inception's small sister (Ismail-Fawaz et al., 2024, arXiv:2409.02869).

    Filters of several lengths beside hand-crafted ones, and two dilated separable convolutions.
    Several channels are filtered one by one before they are mixed, as in the paper's LITEMV.

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) -> (n, steps, filters)
        What lies behind the end of a series is zero, here as there.
    """

    n_backward = 0

    def __init__(
        self,
        channels: int,
        filters: int = 32,
        *,
        kernel_sizes: Sequence[int] = KERNEL_SIZES,
        activation: Any = "relu",
        normalization: str = "batch",
    ) -> None:
        super().__init__()
        self.width = filters
        kind: Any = StepFilters if channels == 1 else SeparableFilters
        self.filters = nn.ModuleList(kind(channels, filters, size) for size in kernel_sizes)
        self.hand_crafted = HandCraftedFilters()
        width = filters * len(kernel_sizes) + channels * self.hand_crafted.n_filters
        self.separable = nn.ModuleList(
            [
                SeparableFilters(width, filters, kernel_sizes[0] // 2, dilation=2),
                SeparableFilters(filters, filters, kernel_sizes[0] // 4, dilation=4),
            ]
        )
        self.norms = nn.ModuleList(
            StepNorm(normalization, size) for size in (width, filters, filters)
        )
        self.activation = find_activation(activation).module()

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        branches = [layer(series) for layer in (*self.filters, self.hand_crafted)]
        states = self._normalize(0, torch.cat(branches, 2), lengths)
        for i, layer in enumerate(self.separable, 1):
            states = self._normalize(i, layer(states), lengths)
        return states

    def _normalize(self, i: int, states: Tensor, lengths: Tensor | None) -> Tensor:
        return mask_padding(self.activation(self.norms[i](states, lengths)), lengths)
