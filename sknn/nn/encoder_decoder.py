"""Encoder and decoder: from a series to a sequence of another length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import sinusoidal_positions
from .host import on_host, remember
from .layers import Dropout, Embedding, Linear
from .parts import Part, in_order, steps_in_order, take_part
from .recurrent import CELLS
from .series import SeriesEncoder, Stem, join_steps, valid_steps

# Offsets between a decoder's and an encoder's step that are told apart, in both directions.
REACH = 4
# Products of a decoder's and an encoder's steps that are held at once.
PRODUCTS_AT_ONCE = 2**20
# A number by which the learned offsets count, so that some hundred small steps of an optimizer
# suffice to point to one place.
OFFSET_SCALE = 10.0


class CrossAttention(nn.Module):
    """What a decoder reads from the encoder's states.

    The weights follow from contents, as usual, and from two offsets, each with a learned number a
    head: between the decoder's step and the distance from the series' beginning, and between the
    decoder's step and the distance from its end. Copying and reversing then work for lengths that
    were not trained on. (Relative positions: Shaw et al., 2018, arXiv:1803.02155; in the form of
    Raffel et al., 2020, arXiv:1910.10683.)

    Shapes
    ------
    states : (n, steps, width), memory : (n, memory_steps, memory_width), lengths : (n,)
        -> (n, steps, width)
        `lengths` are those of the memory; `first_step` is the number of the first of the states.
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
        batch, n_steps, width = states.shape
        n_memory = memory.shape[1]
        query = self.query(states).view(batch, n_steps, self.n_heads, -1).transpose(1, 2)
        key, value = (
            self.key_value(memory).view(batch, n_memory, 2, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        )
        at_once = max(1, PRODUCTS_AT_ONCE // max(batch * self.n_heads * n_memory, 1))
        blocks = query.split(at_once, 2)
        offsets = self.from_start, self.from_end
        if len(blocks) == 1:
            read = read_memory(query, key, value, *offsets, lengths, first_step)
        else:
            steps = range(first_step, first_step + n_steps, at_once)
            found = [
                ReadMemory.apply(block, key, value, *offsets, lengths, step)
                for block, step in zip(blocks, steps, strict=True)
            ]
            read = torch.cat(found, 2)
        return read.transpose(1, 2).reshape(batch, n_steps, width)


def read_memory(
    query: Tensor,  # (n, heads, steps, width / heads)
    key: Tensor,  # (n, heads, memory_steps, width / heads), and so is value
    value: Tensor,
    from_start: Tensor,  # (heads, 2 REACH + 1), and so is from_end
    from_end: Tensor,
    lengths: Tensor,
    first_step: int,
) -> Tensor:
    """Return what queries read by contents and offsets, (n, heads, steps, width / heads)."""
    n_steps, n_memory, device = query.shape[2], key.shape[2], lengths.device
    step = torch.arange(first_step, first_step + n_steps, device=device)[:, None]
    place = torch.arange(n_memory, device=device)
    since_start = (place - step).clamp(-REACH, REACH) + REACH  # (steps, memory)
    to_end = lengths[:, None] - 1 - place  # (batch, memory)
    until_end = (to_end[:, None] - step).clamp(-REACH, REACH) + REACH
    bias = from_start[:, since_start] + from_end[:, until_end].transpose(0, 1)
    padding = ~valid_steps(lengths, n_memory)[:, None, None]
    bias = (OFFSET_SCALE * bias).masked_fill(padding, -math.inf)  # (n, heads, steps, memory)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))


class ReadMemory(torch.autograd.Function):
    """:func:`read_memory`, computed again in the backward pass, so that no product is kept.

    (:func:`torch.utils.checkpoint.checkpoint` does so too, but its first call imports torch's
    compiler for seconds.)
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        """Keep the arguments alone."""
        *tensors, ctx.first_step = arguments
        ctx.save_for_backward(*tensors)
        return read_memory(*arguments)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Read again, with gradients."""
        *tensors, lengths = ctx.saved_tensors
        with torch.enable_grad():
            inputs = [each.detach().requires_grad_() for each in tensors]
            read = read_memory(*inputs, lengths, ctx.first_step)  # type: ignore[call-arg]
        return *torch.autograd.grad(read, inputs, gradients), None, None


class EncoderDecoder(SeriesEncoder):
    """Base class: an encoder, and a recurrent decoder that attends to its states.

    The series' beginning and end are marked by a step each, which the decoder can attend to as
    well: what it reads there tells it that there is nothing left to read.
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
        super().__init__(input_layer, channels, encoder, stem, activation, normalization)
        self.width = width
        channels = stem.filters[-1] if stem.filters else channels
        self.marks = Embedding(2, channels)
        self.decoder = CELLS[cell](width, width, batch_first=True)
        self.attention = CrossAttention(width, self.encoder.width + channels, n_heads)
        self.mix = Linear(2 * width, width)
        self.dropout = Dropout(dropout)
        self.output = Linear(width, n_outputs)

    def remember(self, series: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what is attended to, (n, memory_steps, memory_width), and its lengths, (n,)."""
        (part,) = self.prepare(series, lengths)
        return self.mark(*part)

    def mark(self, series: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return that of what the stem has returned, (n, steps, channels)."""
        if lengths is None:
            lengths = torch.full((len(series),), series.shape[1], device=series.device)
        lengths = lengths + 2
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
        """Map the states of the decoder's cell, (n, steps, width), to vectors of the same shape."""
        read = self.attention(states, memory, lengths, first_step)
        return self.dropout(torch.tanh(self.mix(torch.cat([states, read], 2))))


class LabelDecoder(EncoderDecoder):
    """Writes labels, and reads what it has written so far.

    The last of the `n_outputs` labels ends a sequence; label ``n_outputs`` stands for nothing yet.

    Shapes
    ------
    series : (n, steps, channels) or (n, steps), lengths : (n,), written : (n, written_steps),
        written_lengths : (n,) -> (sum of written_lengths, n_outputs)
        `written` has the label before each step.
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
        known = on_host(lengths) + on_host(written_lengths)  # what a pair costs
        numbers = self.cut(remember(lengths + written_lengths, known))
        labels = [Part(written, written_lengths)]
        if numbers is not None:
            labels = [take_part(written, written_lengths, each) for each in numbers]
        decoded = []
        parts = self.prepare(series, lengths, numbers)
        for part, (before, n_steps) in zip(parts, labels, strict=True):
            states, _ = self.decoder(self.written(before))
            decoded.append(join_steps(self.decode(states, *self.mark(*part)), n_steps))
        return self.output(steps_in_order(decoded, numbers, written_lengths))

    def write(
        self, series: Tensor, lengths: Tensor | None, *, n_steps: int
    ) -> tuple[Tensor, Tensor]:
        """Write the likeliest label at each step until all series have ended, at most `n_steps`.

        Returns labels (n, steps), behind a sequence's end anything, and how many come before it,
        (n,).
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

    Shapes
    ------
    series : (n, steps, channels) or (n, steps), lengths : (n,) -> (n, n_steps * n_outputs)
    """

    def __init__(
        self,
        input_layer: nn.Module,
        channels: int,
        encoder: Callable[[int], Any],
        n_outputs: int,
        *,
        n_steps: int,
        **options: Any,
    ) -> None:
        super().__init__(input_layer, channels, encoder, n_outputs, **options)
        self.n_steps = n_steps

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        numbers = self.cut(lengths)
        decoded = []
        for part in self.prepare(series, lengths, numbers):
            memory, memory_lengths = self.mark(*part)
            positions = sinusoidal_positions(self.n_steps, self.width, like=memory)
            states, _ = self.decoder(positions.expand(len(memory), -1, -1))
            decoded.append(self.decode(states, memory, memory_lengths))
        outputs = self.output(in_order(decoded, numbers)).flatten(1)
        # networks that version 0.1 has stored scale their outputs themselves
        scale = self._modules.get("output_layer")
        return outputs if scale is None else scale(outputs)
