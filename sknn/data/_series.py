"""Series on the device, as batches that are padded no further than they need be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sknn.nn.host import on_host, remember
from sknn.nn.inputs import ArrangeSeries

from ._numbers import as_tensor
from ._ragged import Ragged
from ._rows import Inputs


class SeriesRows:
    """Series as tensors (n, steps, channels), or tokens (n, steps).

    Series of different lengths come out zero behind the end of each, and with their lengths (n,).
    X without a last dimension has one channel. A `centre` (n_channels,) is subtracted in float64.
    """

    def __init__(
        self,
        X: np.ndarray | Ragged,
        device: torch.device,
        dtype: torch.dtype,
        *,
        tokens: bool = False,
        centre: Sequence[float] | None = None,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self._series = ArrangeSeries(dtype, tokens, centre).to(device)
        self.lengths = X.lengths if isinstance(X, Ragged) else None
        if isinstance(X, Ragged):
            values = as_tensor(X.values, dtype)
            # a last step of zeros, which padding points to
            end = torch.zeros(1, *values.shape[1:], dtype=values.dtype)
            self.tensor = torch.cat([values, end]).to(device)
            self._starts = torch.from_numpy(X.starts).to(device)
            self._lengths = torch.from_numpy(X.lengths).to(device)
        else:
            self.tensor = as_tensor(X, dtype).to(device)

    def __len__(self) -> int:
        return len(self.tensor) if self.lengths is None else len(self.lengths)

    def take(self, index: Tensor) -> Inputs:
        """Return the series with these numbers."""
        if self.lengths is None:
            return self._series(self.tensor.index_select(0, index))
        known = self.lengths[on_host(index)]
        starts, lengths = self._starts[index], remember(self._lengths[index], known)
        longest = int(known.max())
        steps = torch.arange(longest, device=self.device)
        end = len(self.tensor) - 1
        where = torch.where(steps < lengths[:, None], starts[:, None] + steps, end)
        padded = self.tensor.index_select(0, where.flatten())
        series = self._series(padded.view(*where.shape, *padded.shape[1:]))
        if self._series.centre is not None:  # zero was not the centre
            series.masked_fill_((where == end)[..., None], 0.0)
        return series, lengths

    def slice(self, start: int, stop: int) -> Inputs:
        """Return consecutive series."""
        if self.lengths is None:
            return self._series(self.tensor[start:stop])
        return self.take(numbers(start, stop, self.device))


class PairedRows:
    """Series, and beside each a sequence of tokens that a decoder reads.

    They come out as series, their lengths (n,), tokens (n, steps), their lengths (n,).
    """

    def __init__(self, series: SeriesRows, tokens: Ragged) -> None:
        self.series = series
        self.device, self.dtype = series.device, series.dtype
        self.tokens = SeriesRows(tokens, series.device, series.dtype, tokens=True)
        # what a pair costs; all of them may have the same
        self.lengths: np.ndarray | None = tokens.lengths
        if series.lengths is not None:
            self.lengths = tokens.lengths + series.lengths

    def __len__(self) -> int:
        return len(self.series)

    def take(self, index: Tensor) -> tuple[Tensor, ...]:
        """Return the pairs with these numbers."""
        return *with_lengths(self.series.take(index)), *with_lengths(self.tokens.take(index))

    def slice(self, start: int, stop: int) -> tuple[Tensor, ...]:
        """Return consecutive pairs."""
        return self.take(numbers(start, stop, self.device))


def numbers(start: int, stop: int, device: torch.device) -> Tensor:
    """Return the numbers of consecutive rows, (stop - start,)."""
    return remember(torch.arange(start, stop, device=device), np.arange(start, stop))


def with_lengths(series: Inputs) -> tuple[Tensor, Tensor]:
    """Return what :class:`SeriesRows` gives with lengths (n,), where all are equal too."""
    if isinstance(series, tuple):
        return series[0], series[1]
    n_series, n_steps = series.shape[:2]
    lengths = torch.full((n_series,), n_steps, device=series.device)
    return series, remember(lengths, np.full(n_series, n_steps))
