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

from .activations import find_activation
from .builder import NetworkBuilder
from .layers import Conv2d

POOLINGS = ("last", "mean", "max")


def valid_steps(lengths: Tensor, n_steps: int) -> Tensor:
    """Say which steps of a padded batch belong to the series.

    Parameters
    ----------
    lengths : Tensor of int and shape (batch,)
        Steps of each series.
    n_steps : int
        Steps of the padded batch.

    Returns
    -------
    Tensor of bool and shape (batch, n_steps)

    Examples
    --------
    >>> import torch
    >>> from sknn.nn import valid_steps
    >>> valid_steps(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


def mask_padding(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Set what lies behind the end of each series to zero.

    Parameters
    ----------
    series : Tensor of shape (batch, steps, channels)
        A padded batch.
    lengths : Tensor of shape (batch,) or None
        Steps of each series; None where all have all.

    Returns
    -------
    Tensor of shape (batch, steps, channels)
    """
    if lengths is None:
        return series
    return series.masked_fill(~valid_steps(lengths, series.shape[1])[..., None], 0.0)


def join_steps(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Put the steps of all series one after the other, without padding.

    Parameters
    ----------
    series : Tensor of shape (batch, steps, channels)
        A padded batch.
    lengths : Tensor of shape (batch,) or None
        Steps of each series; None where all have all.

    Returns
    -------
    Tensor of shape (sum of lengths, channels)
    """
    if lengths is None:
        return series.flatten(0, 1)
    return series[valid_steps(lengths, series.shape[1])]


def reverse_steps(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn each series round, and leave its padding behind it.

    Parameters
    ----------
    series : Tensor of shape (batch, steps, channels)
        A padded batch.
    lengths : Tensor of shape (batch,) or None
        Steps of each series; None where all have all.

    Returns
    -------
    Tensor of shape (batch, steps, channels)
    """
    if lengths is None:
        return series.flip(1)
    steps = torch.arange(series.shape[1], device=series.device)
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)
    return series.gather(1, index[..., None].expand_as(series))


class Standardize(nn.Module):
    """Subtract a mean and divide by a scale, one a channel, which training does not change.

    Parameters
    ----------
    mean, scale : Tensor of shape (n_channels,)
        What is subtracted, and what is divided by.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    @torch.no_grad()
    def set(self, mean: np.ndarray, scale: np.ndarray) -> None:
        """Replace both numbers of each channel."""
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def forward(self, series: Tensor) -> Tensor:
        """Standardize (batch, steps, channels)."""
        return (series - self.mean) / self.scale


class Unstandardize(Standardize):
    """The inverse of :class:`Standardize`, for a network's outputs."""

    def forward(self, outputs: Tensor) -> Tensor:
        """Scale (batch, n_outputs) up and move it."""
        return outputs * self.scale + self.mean


class StepNorm(nn.Module):
    """Normalization of each channel over all steps of a batch, or of each step over its channels.

    Parameters
    ----------
    kind : {"batch", "layer"}
        The statistics: batch normalization takes them from steps of the series alone, not from
        their padding.
    channels : int
        Channels of the series.
    """

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels) if kind == "batch" else nn.LayerNorm(channels)

    def forward(self, series: Tensor, lengths: Tensor | None) -> Tensor:
        """Normalize (batch, steps, channels)."""
        if isinstance(self.norm, nn.LayerNorm):
            return self.norm(series)
        if lengths is None or not self.training:  # a fixed affine map needs no mask
            return self.norm(series.flatten(0, 1)).view_as(series)
        valid = valid_steps(lengths, series.shape[1])
        normalized = torch.zeros_like(series)
        normalized[valid] = self.norm(series[valid]).to(series.dtype)
        return normalized


class SeriesConvolution(nn.Module):
    """Convolution along the steps, normalization and activation.

    Of n steps it leaves ``ceil(n / stride)``. It runs as a convolution of images of height 1 in
    channels_last memory, which series of this layout need not be copied for.

    Parameters
    ----------
    channels, filters : int
        Channels that come in and go out.
    kernel_size : int
        Steps that a filter sees.
    stride : int
        Steps from one position of a filter to the next.
    activation : str or callable
        The activation.
    normalization : {"batch", "layer"} or None
        Normalization before the activation.
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
        """Map (batch, steps, channels) to (batch, ceil(steps / stride), filters)."""
        # zeros before the first step do not depend on the length, so padding changes nothing
        before = max(self.kernel_size - self.stride, 0) // 2
        # with kernel_size - 1 zeros in all, ceil(steps / stride) positions fit
        after = self.kernel_size - 1 - before
        padded = F.pad(series, (0, 0, before, after))
        # (batch, steps, channels) -> (batch, channels, 1, steps), a view
        filtered = self.conv(padded.transpose(1, 2).unsqueeze(2))
        series = filtered.squeeze(2).transpose(1, 2)
        if lengths is not None:
            lengths = (lengths + self.stride - 1) // self.stride
        if self.norm is not None:
            series = self.norm(series, lengths)
        return mask_padding(self.activation(series), lengths), lengths


class Pooling(nn.Module):
    """Turn the states at all steps into one vector a series.

    Parameters
    ----------
    kind : {"last", "mean", "max"}
        The state at the last step, or mean or maximum over all steps.
    n_backward : int, default=0
        The last so many channels run backwards: their last state is at the first step.
    """

    def __init__(self, kind: str, n_backward: int = 0) -> None:
        super().__init__()
        self.kind = kind
        self.n_backward = n_backward

    def extra_repr(self) -> str:
        """Name the kind."""
        return self.kind

    def forward(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        """Map (batch, steps, channels) to (batch, channels)."""
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
    """Convolutions before the encoder: one number a layer.

    Attributes
    ----------
    filters, kernel_size, stride : sequence of int
        Filters, the steps that each sees, and the steps from one position to the next.
    """

    filters: Sequence[int] = ()
    kernel_size: Sequence[int] = ()
    stride: Sequence[int] = ()


class SeriesEncoder(nn.Module):
    """Input layer, convolutional stem, and encoder.

    Parameters
    ----------
    input_layer : torch.nn.Module
        From what comes in to series of `channels` channels: :class:`Standardize`, an embedding,
        or an identity.
    channels : int
        Channels that it gives.
    encoder : callable
        Called with the channels that come in, returns the encoder: a module that maps series
        and lengths to states of shape (batch, steps, width), with attributes `width` and
        `n_backward` (how many channels run backwards).
    stem : Stem
        The convolutions before the encoder; empty for none.
    activation : str or callable
        Activation of the stem.
    normalization : {"batch", "layer"} or None
        Normalization in the stem.
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        *,
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

    def prepare(
        self, series: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return what the encoder gets, of shape (batch, steps, channels), and its lengths."""
        series = mask_padding(self.input(series), lengths)
        for convolution in self.stem:
            series, lengths = convolution(series, lengths)
        return series, lengths

    def encode(self, series: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the encoder's states, of shape (batch, steps, width), and their lengths."""
        series, lengths = self.prepare(series, lengths)
        return self.encoder(series, lengths), lengths

    def initialize(self, random_state: np.random.RandomState) -> None:
        """Draw the initial weights.

        Weights are uniform in plus or minus ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio,
        2010), embeddings standard normal, weights from state to state orthogonal (Saxe et al.,
        2014, arXiv:1312.6120), biases zero but for the forget gates of an LSTM, which start at 1
        (Jozefowicz et al., 2015).

        Parameters
        ----------
        random_state : numpy.random.RandomState
            The source of the numbers.
        """
        initialize_weights(self, random_state)


class SeriesNetwork(SeriesEncoder):
    """Encoder, pooling and dense part.

    Parameters
    ----------
    input_layer, channels, encoder, stem, activation, normalization
        As in :class:`SeriesEncoder`; activation and normalization are also those of the dense
        layers.
    n_outputs : int
        Width of the output.
    pooling : {"last", "mean", "max"} or None
        How states become one vector a series. None leaves one output for each step: outputs
        of shape (sum of the lengths, n_outputs), one series after the other.
    hidden_layer_sizes : sequence of int, default=()
        Width of each hidden dense layer behind the pooling.
    dropout : float, default=0.0
        Dropout before each dense layer.
    output_layer : torch.nn.Module or None, default=None
        Follows the last linear layer: :class:`Unstandardize`.
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
        output_layer: nn.Module | None = None,
    ) -> None:
        super().__init__(
            input_layer,
            channels,
            encoder,
            stem=stem,
            activation=activation,
            normalization=normalization,
        )
        self.pooling = None if pooling is None else Pooling(pooling, self.encoder.n_backward)
        head = NetworkBuilder()
        head.add_head(
            self.encoder.width,
            hidden_layer_sizes,
            n_outputs,
            activation=activation,
            dropout=dropout,
            normalization=normalization,
        )
        if output_layer is not None:
            head.add("scale", output_layer)
        self.head = head.layers

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map series (batch, steps, channels) or tokens (batch, steps) to raw outputs."""
        states, lengths = self.encode(series, lengths)
        if self.pooling is not None:
            return self.head(self.pooling(states, lengths))
        return self.head(join_steps(states, lengths))


@torch.no_grad()
def initialize_weights(module: nn.Module, random_state: np.random.RandomState) -> None:
    """Draw the initial weights of all layers in a module, see :meth:`SeriesEncoder.initialize`.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    random_state : numpy.random.RandomState
        The source of the numbers.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Embedding):
            layer.weight.copy_(torch.from_numpy(random_state.normal(size=layer.weight.shape)))
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            _glorot(layer.weight, random_state)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.RNNBase):
            _initialize_recurrent(layer, random_state)


def _glorot(weight: Tensor, random_state: np.random.RandomState) -> None:
    fan_in, fan_out = weight[0].numel(), len(weight) * weight[0, 0].numel()
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight.copy_(torch.from_numpy(random_state.uniform(-bound, bound, weight.shape)))


def _initialize_recurrent(layer: nn.RNNBase, random_state: np.random.RandomState) -> None:
    size = layer.hidden_size
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            for gate in parameter.split(size):
                _glorot(gate, random_state)
        elif name.startswith("weight_hh"):
            for gate in parameter.split(size):
                q, r = np.linalg.qr(random_state.normal(size=(size, size)))
                # signs that make the distribution uniform over the orthogonal matrices
                gate.copy_(torch.from_numpy(q * np.sign(np.diag(r))))
        else:
            parameter.zero_()
            if layer.mode == "LSTM" and name.startswith("bias_ih"):
                parameter[size : 2 * size] = 1.0
