"""Transformer encoders over series."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import find_activation
from .layers import Dropout, Linear
from .series import valid_steps


def sinusoidal_positions(n_steps: int, width: int, like: Tensor) -> Tensor:
    """Return sines, then cosines of the positions, (n_steps, width).

    Their periods go from 2 pi to 10,000 times that (Vaswani et al., 2017, arXiv:1706.03762).
    """
    steps = torch.arange(n_steps, device=like.device, dtype=torch.float32)
    half = torch.arange(0, width, 2, device=like.device, dtype=torch.float32)
    angles = steps[:, None] * torch.exp(half * (-math.log(10_000) / width))
    return torch.cat([angles.sin(), angles.cos()], 1).to(like.dtype)


class AttentionBlock(nn.Module):
    """Self-attention and two dense layers, each behind a normalization and added to its input.

    (Pre-norm: Xiong et al., 2020, arXiv:2002.04745.)

    Shapes
    ------
    states : (n, steps, width), mask : (n, 1, 1, steps) -> (n, steps, width)
        `mask` is true where keys count.
    """

    def __init__(self, width: int, n_heads: int, activation: Any, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = Linear(width, 3 * width)
        self.attention_output = Linear(width, width)
        self.dense_norm = nn.LayerNorm(width)
        self.dense1 = Linear(width, 4 * width)
        self.activation = find_activation(activation).module()
        self.dense2 = Linear(4 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        states = states + self.dropout(self.attend(self.attention_norm(states), mask))
        hidden = self.activation(self.dense1(self.dense_norm(states)))
        return states + self.dropout(self.dense2(hidden))

    def attend(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """Return what each step reads from the others, (n, steps, width)."""
        batch, n_steps, width = states.shape
        shape = (batch, n_steps, 3, self.n_heads, width // self.n_heads)  # also for a batch of 0
        packed = self.query_key_value(states).view(shape)
        query, key, value = packed.permute(2, 0, 3, 1, 4)  # (batch, heads, steps, width / heads)
        # without dropout of the weights: the fused kernels never hold all (steps, steps) of them
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.attention_output(read.transpose(1, 2).reshape(batch, n_steps, width))


class AttentionEncoder(nn.Module):
    """Transformer encoder: positions, attention blocks, and a last normalization.

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) -> (n, steps, hidden_size)
    """

    n_backward = 0

    def __init__(
        self,
        channels: int,
        hidden_size: int,
        *,
        n_layers: int = 2,
        n_heads: int = 4,
        activation: Any = "gelu",
        dropout: float = 0.0,
        positional_encoding: str | None = "sinusoidal",
    ) -> None:
        super().__init__()
        self.width = hidden_size
        self.positional_encoding = positional_encoding
        self.projection = Linear(channels, hidden_size)
        self.blocks = nn.ModuleList(
            AttentionBlock(hidden_size, n_heads, activation, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        states = self.projection(series)
        n_steps = states.shape[1]
        if self.positional_encoding is not None:
            states = states + sinusoidal_positions(n_steps, self.width, like=states)
        mask = None
        if lengths is not None:  # (batch, heads, queries, keys)
            mask = valid_steps(lengths, n_steps)[:, None, None, :]
        for block in self.blocks:
            states = block(states, mask)
        return self.norm(states)
