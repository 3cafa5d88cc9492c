"""What the networks for series have in common.

Series are tensors of shape (batch, steps, channels); tokens are integers of shape (batch, steps).
Where a batch holds series of different lengths, `lengths` comes along, and what lies behind a
series' end (the padding) is zero. Every layer here gives a series the same whatever stands beside
it in its batch: padding is masked, never packed, since torch's packed recurrent layers take up to
four times as long on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from .activations import find_activation
from .host import on_host, remember
from .layers import Conv2d, Embedding, NetworkBuilder, TokenEmbedding, draw_glorot
from .parts import Part, in_order, similar_lengths, steps_in_order, take_part
from .randomness import generator_on

# Standard deviation of trained vectors of a tokenizer's tokens where a text has one answer.
WORD_SCALE = 0.1
SERIES_POOLINGS = ("last", "mean", "max")


def valid_steps(lengths: Tensor, n_steps: int) -> Tensor:
    """Return which steps of a padded batch are the series', lengths (n,) -> (n, n_steps)."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


def mask_padding(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Set what lies behind the end of each series to zero, (n, steps, channels) -> the same."""
    if lengths is None:
        return series
    return series.masked_fill(~valid_steps(lengths, series.shape[1])[..., None], 0.0)


def step_places(lengths: Tensor, n_steps: int) -> Tensor:
    """Return where the series' steps are among all steps, lengths (n,) -> (sum of lengths,)."""
    # the sum is known on the host; a mask would have to be counted on the device
    n_all = int(on_host(lengths).sum())
    series = torch.arange(len(lengths), device=lengths.device)
    ends = lengths.cumsum(0)
    padding_before = series * n_steps - (ends - lengths)
    moved = padding_before.repeat_interleave(lengths, output_size=n_all)
    return moved + torch.arange(n_all, device=lengths.device)


def join_steps(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Put all steps one after the other, (n, steps, channels) -> (sum of lengths, channels)."""
    steps = series.flatten(0, 1)
    if lengths is None:
        return steps
    return steps.index_select(0, step_places(lengths, series.shape[1]))


def part_steps(steps: Tensor, like: Tensor, lengths: Tensor | None) -> Tensor:
    """Undo :func:`join_steps`, (sum of lengths, channels) -> (n, steps, channels)."""
    if lengths is None:
        return steps.view_as(like)
    places = step_places(lengths, like.shape[1])
    return torch.zeros_like(like.flatten(0, 1)).index_copy(0, places, steps).view_as(like)


def reverse_steps(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn each series round, and leave its padding behind it, (n, steps, channels) -> the same."""
    if lengths is None:
        return series.flip(1)
    steps = torch.arange(series.shape[1], device=series.device)
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)
    return series.gather(1, index[..., None].expand_as(series))


class Standardize(nn.Module):
    """Subtract a mean and divide by a scale, one a channel, which training does not change.

    Shapes
    ------
    series : (n, steps, channels) -> the same
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, series: Tensor) -> Tensor:
        return (series - self.mean) / self.scale


class Noise(nn.Module):
    """Normal noise that training adds to its series, which makes up for few of them.

    (Bishop, 1995: training with noise is Tikhonov regularization.)

    Shapes
    ------
    series : (n, steps, channels) -> the same
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def extra_repr(self) -> str:
        return f"{self.scale}"

    def forward(self, series: Tensor) -> Tensor:
        if not self.training:
            return series
        drawn = torch.empty_like(series).normal_(generator=generator_on(series.device))
        return series + self.scale * drawn


class Unstandardize(Standardize):
    """The inverse of :class:`Standardize`, for outputs, in networks that version 0.1 has stored.

    Shapes
    ------
    outputs : (n, n_outputs) -> the same
    """

    def forward(self, outputs: Tensor) -> Tensor:
        return outputs * self.scale + self.mean


class StepNorm(nn.Module):
    """Normalization of each channel over all steps of a batch, or of each step over its channels.

    The statistics of "batch" are of steps of the series alone, not of their padding.

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) -> (n, steps, channels)
    """

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels) if kind == "batch" else nn.LayerNorm(channels)

    def forward(self, series: Tensor, lengths: Tensor | None) -> Tensor:
        if isinstance(self.norm, nn.LayerNorm):
            return self.norm(series)
        if lengths is None or not self.training:  # a fixed affine map needs no mask
            return self.norm(series.flatten(0, 1)).view_as(series)
        return self.of_parts([Part(series, lengths)])[0]

    def of_parts(self, parts: Sequence[Part]) -> list[Tensor]:
        """Return the series of each part, whose statistics are those of all parts together."""
        if isinstance(self.norm, nn.LayerNorm) or not self.training:
            return [self(*part) for part in parts]
        joined = [join_steps(*part) for part in parts]
        normalized = self.norm(torch.cat(joined) if len(joined) > 1 else joined[0])
        found = normalized.to(parts[0].series.dtype).split([len(each) for each in joined])
        return [part_steps(each, *part) for each, part in zip(found, parts, strict=True)]


class SeriesConvolution(nn.Module):
    """Convolution along the steps, normalization and activation.

    It runs as a convolution of images of height 1 in channels_last memory, which series of this
    layout need not be copied for.

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) -> (n, ceil(steps / stride), filters), (n,)
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel_size: int,
        stride: int,
        activation: Any,
        normalization: str | None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        has_bias = normalization is None  # normalization has a shift of its own
        conv = Conv2d(channels, filters, (1, kernel_size), stride=(1, stride), bias=has_bias)
        self.conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.norm = None if normalization is None else StepNorm(normalization, filters)
        self.activation = find_activation(activation).module()

    def forward(self, series: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.of_parts([Part(series, lengths)])[0]

    def of_parts(self, parts: Sequence[Part]) -> list[Part]:
        """Return what each part becomes; a batch normalization is over all of them."""
        parts = [self._filter(*part) for part in parts]
        if self.norm is not None:
            one = len(parts) == 1  # which hooks of the user's may see
            normalized = [self.norm(*parts[0])] if one else self.norm.of_parts(parts)
            parts = [Part(each, part.lengths) for each, part in zip(normalized, parts, strict=True)]
        return [
            Part(mask_padding(self.activation(series), lengths), lengths)
            for series, lengths in parts
        ]

    def _filter(self, series: Tensor, lengths: Tensor | None) -> Part:
        # zeros before the first step do not depend on the length, so padding changes nothing
        before = max(self.kernel_size - self.stride, 0) // 2
        # with kernel_size - 1 zeros in all, ceil(steps / stride) positions fit
        after = self.kernel_size - 1 - before
        padded = F.pad(series, (0, 0, before, after))
        # (batch, steps, channels) -> (batch, channels, 1, steps), a view
        filtered = self.conv(padded.transpose(1, 2).unsqueeze(2))
        series = filtered.squeeze(2).transpose(1, 2)
        if lengths is not None:
            on_the_host = -(-on_host(lengths) // self.stride)
            lengths = remember((lengths + self.stride - 1) // self.stride, on_the_host)
        return Part(series, lengths)


class Pooling(nn.Module):
    """Turn the states at all steps into one vector a series: the last, mean or max.

    Shapes
    ------
    states : (n, steps, channels), lengths : (n,) -> (n, channels)
        The last `n_backward` channels run backwards: their last state is at the first step.
    """

    def __init__(self, kind: str, n_backward: int = 0) -> None:
        super().__init__()
        self.kind = kind
        self.n_backward = n_backward

    def extra_repr(self) -> str:
        return self.kind

    def forward(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        if self.kind == "last":
            return self._last(states, lengths)
        if lengths is None:
            return states.mean(1) if self.kind == "mean" else states.amax(1)
        if self.kind == "mean":
            return mask_padding(states, lengths).sum(1) / lengths[:, None]
        padding = ~valid_steps(lengths, states.shape[1])[..., None]
        return states.masked_fill(padding, -math.inf).amax(1)

    def _last(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            last = states[:, -1]
        else:
            last = states[torch.arange(len(states), device=states.device), lengths - 1]
        if not self.n_backward:
            return last
        n_forward = states.shape[2] - self.n_backward
        return torch.cat([last[:, :n_forward], states[:, 0, n_forward:]], 1)


class Stem(NamedTuple):
    """Convolutions before the encoder, one number a layer; sizes and strides are in steps."""

    filters: Sequence[int] = ()
    kernel_size: Sequence[int] = ()
    stride: Sequence[int] = ()


class SeriesEncoder(nn.Module):
    """Base class: input layer, convolutional stem, and encoder.

    Shapes
    ------
    input_layer : (n, steps, ...) -> (n, steps, channels)
        :class:`Standardize`, an embedding, or an identity.
    encoder(channels) : (n, steps, channels), lengths : (n,) -> (n, steps, width)
        Has the attributes `width` and `n_backward`, how many of the channels run backwards.
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        stem: Stem,
        activation: Any,
        normalization: str | None,
    ) -> None:
        super().__init__()
        self.input = input_layer
        self.stem = nn.ModuleList()
        for filters, kernel_size, stride in zip(*stem, strict=True):
            self.stem.append(
                SeriesConvolution(channels, filters, kernel_size, stride, activation, normalization)
            )
            channels = filters
        self.encoder = encoder(channels)

    def cut(self, lengths: Tensor | None) -> list[np.ndarray] | None:
        """Return the numbers of the series of each part, of what a series costs, (n,)."""
        if lengths is None or (self.training and normalizes_batches(self.encoder)):
            return None
        return similar_lengths(on_host(lengths))

    def prepare(
        self,
        series: Tensor,
        lengths: Tensor | None = None,
        numbers: list[np.ndarray] | None = None,  # of the series of each part
    ) -> list[Part]:
        """Return what the encoder gets, (n, steps, channels), and its lengths, in parts."""
        parts = [Part(series, lengths)]
        if numbers is not None and lengths is not None:
            parts = [take_part(series, lengths, each) for each in numbers]
        parts = [Part(mask_padding(self.input(x), n), n) for x, n in parts]
        for convolution in self.stem:
            parts = convolution.of_parts(parts)  # type: ignore[operator]
        return parts

    def initialize(self, random_state: np.random.RandomState) -> None:
        """Draw the initial weights.

        They are uniform in plus or minus ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio,
        2010), embeddings standard normal, weights from state to state orthogonal (Saxe et al.,
        2014, arXiv:1312.6120), biases zero but for the forget gates of an LSTM, which start at 1
        (Jozefowicz et al., 2015).
        """
        initialize_weights(self, random_state)


class SeriesNetwork(SeriesEncoder):
    """Encoder, pooling and dense part.

    Shapes
    ------
    series : (n, steps, channels) or tokens : (n, steps), lengths : (n,) -> (n, n_outputs)
        With `pooling` None there is an output for each step, (sum of lengths, n_outputs).
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        n_outputs: int,
        *,
        pooling: str | None,
        stem: Stem = Stem(),  # noqa: B008 (immutable)
        hidden_layer_sizes: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        normalization: str | None = None,
    ) -> None:
        super().__init__(input_layer, channels, encoder, stem, activation, normalization)
        self.pooling = None if pooling is None else Pooling(pooling, self.encoder.n_backward)
        head = NetworkBuilder()
        width = self.encoder.width
        head.add_head(width, hidden_layer_sizes, n_outputs, activation, dropout, normalization)
        self.head = head.layers

    @torch.no_grad()
    def initialize(self, random_state: np.random.RandomState) -> None:
        """Draw the initial weights; the words of a text that has one answer begin a tenth as long.

        The vectors of rare words, which training hardly moves, are noise to such an answer.
        """
        super().initialize(random_state)
        words = self.input
        if self.pooling is None or not isinstance(words, TokenEmbedding):
            return
        if words.weight.requires_grad:
            words.weight.mul_(WORD_SCALE)

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        numbers = self.cut(lengths)
        parts = [
            Part(self.encoder(*part), part.lengths)
            for part in self.prepare(series, lengths, numbers)
        ]
        if self.pooling is not None:
            return self.head(in_order([self.pooling(*part) for part in parts], numbers))
        return self.head(steps_in_order([join_steps(*part) for part in parts], numbers, lengths))


def normalizes_batches(module: nn.Module) -> bool:
    """Say whether a module has batch normalization, which looks at all series of a batch."""
    return any(isinstance(layer, _BatchNorm) for layer in module.modules())


@torch.no_grad()
def initialize_weights(module: nn.Module, random_state: np.random.RandomState) -> None:
    """Draw the initial weights of all layers in a module, see :meth:`SeriesEncoder.initialize`."""
    for layer in module.modules():
        if isinstance(layer, Embedding) and layer.begins_with_vectors:
            continue
        if isinstance(layer, nn.Embedding):
            layer.weight.copy_(torch.from_numpy(random_state.normal(size=layer.weight.shape)))
            if isinstance(layer, TokenEmbedding):
                layer.weight[0] = 0.0  # an unknown word says nothing until it is trained
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            draw_glorot(layer.weight, random_state)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.RNNBase):
            _initialize_recurrent(layer, random_state)


def _initialize_recurrent(layer: nn.RNNBase, random_state: np.random.RandomState) -> None:
    size = layer.hidden_size
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            for gate in parameter.split(size):
                draw_glorot(gate, random_state)
        elif name.startswith("weight_hh"):
            for gate in parameter.split(size):
                q, r = np.linalg.qr(random_state.normal(size=(size, size)))
                # signs that make the distribution uniform over the orthogonal matrices
                gate.copy_(torch.from_numpy(q * np.sign(np.diag(r))))
        else:
            parameter.zero_()
            if layer.mode == "LSTM" and name.startswith("bias_ih"):
                parameter[size : 2 * size] = 1.0
