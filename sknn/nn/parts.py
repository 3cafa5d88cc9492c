"""A batch in parts: series of similar length, so that padding costs no more than their own steps.

One long series among short ones would have all of them padded to its length. Layers that take
each series by itself get the parts one after the other; what looks at the whole batch (batch
normalization, dense layers, the loss) sees all of them, so that a batch learns the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .host import on_host, remember, send

# Padding up to so many steps, or up to the steps of the series themselves, is left as it is.
FREE_PADDING = 4096
# What a part costs beside its series: as much as so many more, since its steps are calls of their
# own.
ROWS_OF_A_PART = 16


class Part(NamedTuple):
    """Some series of a batch, (n, steps, ...), and their lengths, (n,); None if all are equal."""

    series: Tensor
    lengths: Tensor | None


def similar_lengths(lengths: np.ndarray) -> list[np.ndarray] | None:
    """Return the numbers of the series of each part, of lengths (n,); None if there is one."""
    n_steps = int(lengths.sum())
    if len(lengths) * int(lengths.max(initial=0)) - n_steps <= max(n_steps, FREE_PADDING):
        return None
    order = np.argsort(lengths, kind="stable")
    return [np.sort(order[part]) for part in _cut(lengths[order], 0)]


def _cut(lengths: np.ndarray, start: int) -> list[slice]:
    """Cut ascending lengths (n,) in two where that saves most, as long as it saves anything."""
    n, longest = len(lengths), int(lengths[-1])
    n_below = np.arange(1, n)
    # each series is as dear as the longest of its part
    cut = lengths[:-1] * (n_below + ROWS_OF_A_PART) + longest * (n - n_below + ROWS_OF_A_PART)
    if n == 1 or cut.min() >= longest * (n + ROWS_OF_A_PART):
        return [slice(start, start + n)]
    place = int(cut.argmin()) + 1
    return _cut(lengths[:place], start) + _cut(lengths[place:], start + place)


def take_part(series: Tensor, lengths: Tensor, numbers: np.ndarray) -> Part:
    """Return the series with these numbers, (n, steps, ...), no longer than the longest of them."""
    known = on_host(lengths)[numbers]
    longest = int(known.max())
    index = send(torch.from_numpy(numbers), series.device)
    chosen = series[:, :longest].index_select(0, index)
    if bool((known == longest).all()):
        return Part(chosen, None)
    return Part(chosen, remember(lengths.index_select(0, index), known))


def step_positions(lengths: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return where the steps of some series are, if all series lie one after the other."""
    starts = np.cumsum(lengths) - lengths
    chosen = lengths[index]
    ends = np.cumsum(chosen)
    within = np.arange(chosen.sum()) - np.repeat(ends - chosen, chosen)
    return np.repeat(starts[index], chosen) + within


def in_order(rows: Sequence[Tensor], parts: Sequence[np.ndarray] | None) -> Tensor:
    """Join a row a series (n, ...), of each part, and put them into the order of the batch."""
    if parts is None:
        return rows[0]
    places = np.argsort(np.concatenate(parts))
    return torch.cat(list(rows)).index_select(0, send(torch.from_numpy(places), rows[0].device))


def steps_in_order(
    steps: Sequence[Tensor], parts: Sequence[np.ndarray] | None, lengths: Tensor | None
) -> Tensor:
    """Join the steps of all series (sum of lengths, ...), of each part, likewise.

    `lengths` (n,) are those of the batch.
    """
    if parts is None or lengths is None:
        return steps[0]
    order = np.concatenate(parts)
    index = step_positions(on_host(lengths)[order], np.argsort(order))
    return torch.cat(list(steps)).index_select(0, send(torch.from_numpy(index), steps[0].device))
