"""Recurrent layers over series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .layers import DrawsNoWeights, Dropout
from .series import reverse_steps


class RNN(DrawsNoWeights, nn.RNN):
    """``h' = tanh(W x + b + U h + c)`` (Elman, 1990)."""


class GRU(DrawsNoWeights, nn.GRU):
    """Gated recurrent unit (Cho et al., 2014, arXiv:1406.1078)."""


class LSTM(DrawsNoWeights, nn.LSTM):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997)."""


CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


class RecurrentEncoder(nn.Module):
    """Recurrent layers, one above the other, in one or in both directions.

    Forward layers see a series before its padding and so need no mask; for backward layers each
    series is turned round by its own length.

    Parameters
    ----------
    channels : int
        Channels that come in.
    hidden_size : int
        Width of the state, in each direction.
    n_layers : int, default=1
        Number of layers.
    cell : {"rnn", "gru", "lstm"}, default="gru"
        The cell.
    bidirectional : bool, default=False
        Whether a second layer runs backwards beside each.
    dropout : float, default=0.0
        Dropout between the layers.

    Examples
    --------
    >>> import torch
    >>> from sknn.nn import RecurrentEncoder
    >>> encoder = RecurrentEncoder(3, 8, n_layers=2, bidirectional=True)
    >>> encoder(torch.zeros(5, 20, 3)).shape
    torch.Size([5, 20, 16])
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
        """Read further steps of series that were begun before, forwards.

        Parameters
        ----------
        series : Tensor of shape (batch, steps, channels)
            The next steps.
        states : list or None
            What the last call returned; None at the beginning.

        Returns
        -------
        Tensor of shape (batch, steps, width)
            The states at these steps.
        list
            Where each layer has come to.
        """
        ends = []
        for i, layer in enumerate(self.forward_layers):
            series, end = layer(series, None if states is None else states[i])
            ends.append(end)
        return series, ends

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map (batch, steps, channels) to states of shape (batch, steps, width)."""
        for i, layer in enumerate(self.forward_layers):
            if i:
                series = self.dropout(series)
            states, _ = layer(series)
            if self.backward_layers:
                backward, _ = self.backward_layers[i](reverse_steps(series, lengths))
                states = torch.cat([states, reverse_steps(backward, lengths)], 2)
            series = states
        return series
