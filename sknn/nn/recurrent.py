"""Recurrent layers over series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .layers import DrawsNoWeights, Dropout
from .series import reverse_steps


class RNN(DrawsNoWeights, nn.RNN):
    """``h' = tanh(W x + b + U h + c)`` (Elman, 1990).

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, hidden_size)
    """


class GRU(DrawsNoWeights, nn.GRU):
    """Gated recurrent unit (Cho et al., 2014, arXiv:1406.1078).

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, hidden_size)
    """


class LSTM(DrawsNoWeights, nn.LSTM):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    Shapes
    ------
    series : (n, steps, channels) -> (n, steps, hidden_size)
    """


CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


class RecurrentEncoder(nn.Module):
    """Recurrent layers, one above the other, in one or in both directions.

    Forward layers see a series before its padding and so need no mask; for backward layers each
    series is turned round by its own length.

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) -> (n, steps, width)
        `width` is `hidden_size`, twice that if bidirectional.
    """

    def __init__(
        self,
        channels: int,
        hidden_size: int,
        *,
        n_layers: int = 1,
        cell: str = "gru",
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width = hidden_size * (2 if bidirectional else 1)
        self.n_backward = hidden_size if bidirectional else 0
        widths = [channels] + [self.width] * (n_layers - 1)
        self.forward_layers = nn.ModuleList(
            CELLS[cell](width, hidden_size, batch_first=True) for width in widths
        )
        self.backward_layers = nn.ModuleList(
            CELLS[cell](width, hidden_size, batch_first=True)
            for width in (widths if bidirectional else [])
        )
        self.dropout = Dropout(dropout)

    def go_on(self, series: Tensor, states: list[Any] | None) -> tuple[Tensor, list[Any]]:
        """Read further steps of series forwards, (n, steps, channels) -> (n, steps, width).

        `states` is the other thing that the last call returned, None at the beginning.
        """
        ends = []
        for i, layer in enumerate(self.forward_layers):
            series, end = layer(series, None if states is None else states[i])
            ends.append(end)
        return series, ends

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        for i, layer in enumerate(self.forward_layers):
            if i:
                series = self.dropout(series)
            states, _ = layer(series)
            if self.backward_layers:
                backward, _ = self.backward_layers[i](reverse_steps(series, lengths))
                states = torch.cat([states, reverse_steps(backward, lengths)], 2)
            series = states
        return series
