"""Encoder and decoder: from a series to a sequence of another length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import sinusoidal_positions
from .layers import Dropout, Embedding, Linear
from .recurrent import CELLS
from .series import SeriesEncoder, Stem, join_steps, valid_steps

# Offsets between a decoder's and an encoder's step that are told apart, in both directions.
REACH = 4
# A number by which the learned offsets count, so that some hundred small steps of an optimizer
# suffice to point to one place.
OFFSET_SCALE = 10.0


class CrossAttention(nn.Module):
    """What a decoder reads from the encoder's states.

    The weights follow from contents, as usual, and from two offsets, each with a learned number
    a head: between the decoder's step and the distance from the series' beginning, and between
    the decoder's step and the distance from its end. (Relative positions: Shaw et al., 2018,
    arXiv:1803.02155; in the form of Raffel et al., 2020, arXiv:1910.10683.) Copying and
    reversing then work for lengths that were not trained on.

    Parameters
    ----------
    width : int
        Width of the decoder's states, a multiple of `n_heads`.
    memory_width : int
        Width of the encoder's states.
    n_heads : int
        Number of heads.
    """

    def __init__(self, width: int, memory_width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = Linear(width, width)
        self.key_value = Linear(memory_width, 2 * width)
        self.from_start = nn.Parameter(torch.zeros(n_heads, 2 * REACH + 1))
        self.from_end = nn.Parameter(torch.zeros(n_heads, 2 * REACH + 1))

    def forward(
        self, states: Tensor, memory: Tensor, lengths: Tensor, first_step: int = 0
    ) -> Tensor:
        """Return what each step reads, of shape (batch, steps, width).

        Parameters
        ----------
        states : Tensor of shape (batch, steps, width)
            The decoder's states.
        memory : Tensor of shape (batch, memory_steps, memory_width)
            The encoder's states.
        lengths : Tensor of int and shape (batch,)
            How many of them each series has.
        first_step : int, default=0
            The decoder's step that comes first in `states`.
        """
        batch, n_steps, width = states.shape
        n_memory = memory.shape[1]
        query = self.query(states).view(batch, n_steps, self.n_heads, -1).transpose(1, 2)
        key, value = (
            self.key_value(memory).view(batch, n_memory, 2, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        )
        bias = self._offsets(n_steps, n_memory, lengths, first_step).to(query.dtype)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return read.transpose(1, 2).reshape(batch, n_steps, width)

    def _offsets(self, n_steps: int, n_memory: int, lengths: Tensor, first_step: int) -> Tensor:
        """Numbers that are added to the products, of shape (batch, heads, steps, memory)."""
        device = lengths.device
        step = torch.arange(first_step, first_step + n_steps, device=device)[:, None]
        place = torch.arange(n_memory, device=device)
        from_start = (place - step).clamp(-REACH, REACH) + REACH  # (steps, memory)
        to_end = lengths[:, None] - 1 - place  # (batch, memory)
        from_end = (to_end[:, None] - step).clamp(-REACH, REACH) + REACH
        bias = self.from_start[:, from_start] + self.from_end[:, from_end].transpose(0, 1)
        padding = ~valid_steps(lengths, n_memory)[:, None, None]
        return (OFFSET_SCALE * bias).masked_fill(padding, -math.inf)


class EncoderDecoder(SeriesEncoder):
    """An encoder, and a recurrent decoder that attends to its states.

    The series' beginning and end are marked by a step each, which the decoder can attend to as
    well: what it reads there tells it that there is nothing left to read.

    Parameters
    ----------
    input_layer, channels, encoder, stem, activation, normalization
        As in :class:`SeriesEncoder`.
    n_outputs : int
        Width of the output of each step.
    width : int
        Width of the decoder's states.
    cell : {"rnn", "gru", "lstm"}
        The decoder's cell.
    n_heads : int
        Heads of the attention, of which `width` is a multiple.
    dropout : float, default=0.0
        Dropout before the output.
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        n_outputs: int,
        *,
        stem: Stem = Stem(),  # noqa: B008 (immutable)
        activation: Any = "relu",
        normalization: str | None = None,
        width: int = 64,
        cell: str = "gru",
        n_heads: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            input_layer,
            channels,
            encoder,
            stem=stem,
            activation=activation,
            normalization=normalization,
        )
        self.width = width
        channels = stem.filters[-1] if stem.filters else channels
        self.marks = Embedding(2, channels)
        self.decoder = CELLS[cell](width, width, batch_first=True)
        self.attention = CrossAttention(width, self.encoder.width + channels, n_heads)
        self.mix = Linear(2 * width, width)
        self.dropout = Dropout(dropout)
        self.output = Linear(width, n_outputs)

    def remember(self, series: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what the decoder attends to, and how much of it each series has."""
        if lengths is None:
            lengths = torch.full((len(series),), series.shape[1], device=series.device)
        series, shorter = self.prepare(series, lengths)
        assert shorter is not None
        lengths = shorter + 2
        begin, end = self.marks.weight
        # begin, series, end, padding
        first = begin.expand(len(series), 1, -1)
        marked = torch.cat([first, F.pad(series, (0, 0, 0, 1))], 1)
        place = torch.arange(marked.shape[1], device=series.device)
        is_end = (place == lengths[:, None] - 1)[..., None]
        marked = torch.where(is_end, end, marked)
        return torch.cat([self.encoder(marked, lengths), marked], 2), lengths

    def decode(
        self, states: Tensor, memory: Tensor, lengths: Tensor, first_step: int = 0
    ) -> Tensor:
        """Map the decoder's states (batch, steps, width) to vectors of the same shape.

        Parameters
        ----------
        states : Tensor of shape (batch, steps, width)
            The states of the decoder's cell.
        memory, lengths : Tensor
            What :meth:`remember` returned.
        first_step : int, default=0
            The decoder's step that comes first in `states`.
        """
        read = self.attention(states, memory, lengths, first_step)
        return self.dropout(torch.tanh(self.mix(torch.cat([states, read], 2))))


class LabelDecoder(EncoderDecoder):
    """Writes labels, and reads what it has written so far.

    Parameters
    ----------
    n_outputs : int
        Number of labels, the one that ends a sequence included. Label ``n_outputs`` stands for
        nothing yet.
    input_layer, channels, encoder, **options
        As in :class:`EncoderDecoder`.
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        n_outputs: int,
        **options: Any,
    ) -> None:
        super().__init__(input_layer, channels, encoder, n_outputs, **options)
        self.written = Embedding(n_outputs + 1, self.width)

    def forward(
        self, series: Tensor, lengths: Tensor, written: Tensor, written_lengths: Tensor
    ) -> Tensor:
        """Map series and the label before each step to the outputs of all steps.

        Parameters
        ----------
        series : Tensor of shape (batch, steps, channels) or (batch, steps)
            Series or tokens.
        lengths : Tensor of int and shape (batch,)
            Their lengths.
        written : Tensor of int and shape (batch, written_steps)
            The label before each step.
        written_lengths : Tensor of int and shape (batch,)
            How many steps each series has to write.

        Returns
        -------
        Tensor of shape (sum of written_lengths, n_outputs)
        """
        memory, memory_lengths = self.remember(series, lengths)
        states, _ = self.decoder(self.written(written))
        decoded = self.decode(states, memory, memory_lengths)
        return self.output(join_steps(decoded, written_lengths))

    def write(
        self, series: Tensor, lengths: Tensor | None, *, n_steps: int
    ) -> tuple[Tensor, Tensor]:
        """Write labels, the likeliest at each step, until each series has ended.

        Parameters
        ----------
        series : Tensor of shape (batch, steps, channels) or (batch, steps)
            Series or tokens.
        lengths : Tensor of int and shape (batch,) or None
            Their lengths.
        n_steps : int
            Labels to write at most.

        Returns
        -------
        labels : Tensor of int and shape (batch, at most n_steps)
            Behind the end, anything.
        written_lengths : Tensor of int and shape (batch,)
            How many of them come before the end.
        """
        memory, memory_lengths = self.remember(series, lengths)
        device, n_outputs = memory.device, self.output.out_features
        label = torch.full((len(memory),), n_outputs, device=device)
        written_lengths = torch.full((len(memory),), n_steps, device=device)
        labels = [label[:0].new_zeros(len(memory), 0)]
        state = None
        for step in range(n_steps):
            states, state = self.decoder(self.written(label[:, None]), state)
            decoded = self.decode(states, memory, memory_lengths, step)
            label = self.output(decoded[:, 0]).argmax(1)
            ends_here = (label == n_outputs - 1) & (written_lengths == n_steps)
            written_lengths = written_lengths.masked_fill(ends_here, step)
            if bool((written_lengths < n_steps).all()):
                break
            labels.append(label[:, None])
        return torch.cat(labels, 1), written_lengths


class ValueDecoder(EncoderDecoder):
    """Writes a number of steps that is the same for all series; each is a vector of numbers.

    What it has written is not read again: an expected value follows from the series alone.

    Parameters
    ----------
    n_steps : int
        Steps to write.
    n_outputs : int
        Numbers a step.
    output_layer : torch.nn.Module or None, default=None
        Follows the last linear layer, on vectors of all steps' numbers.
    input_layer, channels, encoder, **options
        As in :class:`EncoderDecoder`.
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        n_outputs: int,
        *,
        n_steps: int,
        output_layer: nn.Module | None = None,
        **options: Any,
    ) -> None:
        super().__init__(input_layer, channels, encoder, n_outputs, **options)
        self.n_steps = n_steps
        self.output_layer = nn.Identity() if output_layer is None else output_layer

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map series (batch, steps, channels) to (batch, n_steps * n_outputs)."""
        memory, memory_lengths = self.remember(series, lengths)
        positions = sinusoidal_positions(self.n_steps, self.width, like=memory)
        states, _ = self.decoder(positions.expand(len(memory), -1, -1))
        decoded = self.decode(states, memory, memory_lengths)
        return self.output_layer(self.output(decoded).flatten(1))
