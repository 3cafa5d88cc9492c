"""Outputs of a fitted network."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import Ragged, Rows, with_lengths
from sknn.nn import LabelDecoder, own_defaults
from sknn.nn.host import remember, send
from sknn.nn.parts import step_positions

from ._steps import autocast_for, forward
from ._training import Training

# Rows that go through a network at once, at most. Each chunk waits for all threads several times,
# which is dear where other work has the cores, so predictions go in large ones; scoring in
# training goes in small ones, which keep the memory of a fit small.
PREDICTION_ROWS = 16384
SCORING_ROWS = 1024

# Series of different lengths that go through a network at once, at most.
RAGGED_ROWS = 256

# Numbers that the largest layer may return for one chunk: 64 MiB of float32 on a CPU.
CHUNK_NUMBERS = {"cpu": 2**24}
CHUNK_NUMBERS_ON_ACCELERATORS = 2**28


def rows_at_once(layer_size: int, device: torch.device, *, training: bool = False) -> int:
    """Return how many rows predictions, or scores between epochs, put through a network at once."""
    numbers = CHUNK_NUMBERS.get(device.type, CHUNK_NUMBERS_ON_ACCELERATORS)
    most = SCORING_ROWS if training and device.type == "cpu" else PREDICTION_ROWS
    return max(1, min(most, numbers // max(layer_size, 1)))


@torch.inference_mode()
def predict_outputs(
    module: nn.Module, rows: Rows, compute_dtype: torch.dtype, chunk_rows: int = PREDICTION_ROWS
) -> Tensor:
    """Return outputs (n, n_outputs); (sum of lengths, n_outputs) where each step has an answer."""
    n = len(rows)
    if rows.lengths is not None:
        return _predict_series(module, rows, compute_dtype, chunk_rows)
    if n <= chunk_rows:
        return forward(module, rows.slice(0, n), compute_dtype)
    starts = range(0, n, chunk_rows)
    parts = (rows.slice(start, min(start + chunk_rows, n)) for start in starts)
    return join_outputs(n, chunk_rows, (forward(module, part, compute_dtype) for part in parts))


def join_outputs(n_rows: int, chunk_rows: int, chunks: Iterable[Tensor]) -> Tensor:
    """Return the outputs of chunks of rows one after the other; rows have equally many, if several.

    Not a list that is joined at the end: small tensors that outlive their chunk keep the large ones
    that were freed around them from being used again.
    """
    joined: Tensor | None = None
    start = 0
    for chunk in chunks:
        if joined is None:
            if chunk_rows >= n_rows:
                return chunk
            joined = chunk.new_empty((len(chunk) // chunk_rows * n_rows, *chunk.shape[1:]))
        joined[start : start + len(chunk)] = chunk
        start += len(chunk)
    assert joined is not None  # there are rows
    return joined


def held_out_outputs(training: Training) -> Tensor:
    """Return a trained network's outputs (n, n_outputs) for the validation samples, in order."""
    samples, dtype = training.validation, training.settings.compute_dtype
    assert samples is not None
    n_rows = rows_at_once(training.settings.work.layer_size, samples.device, training=True)
    # the defaults are without inference mode
    with own_defaults(keeps_float64=training.settings.runs_user_code), torch.inference_mode():
        outputs = (forward(training.module, batch.X, dtype) for batch in samples.batches(n_rows))
        return join_outputs(len(samples), n_rows, outputs)


@torch.inference_mode()
def write_labels(
    module: LabelDecoder, rows: Rows, compute_dtype: torch.dtype, n_steps: int, chunk_rows: int
) -> Ragged:
    """Return the labels, at most `n_steps` a series, that a decoder in evaluation mode writes."""
    lengths = np.ones(len(rows), np.int64) if rows.lengths is None else rows.lengths
    written: list[np.ndarray] = [np.empty(0, np.int64)] * len(rows)
    for chunk in chunks_of(lengths, chunk_rows):
        series = with_lengths(rows.take(_index(chunk, rows.device)))
        with autocast_for(rows.device, compute_dtype):
            labels, ends = module.write(*series, n_steps=n_steps)
        for i, row, end in zip(chunk, labels.cpu().numpy(), ends.tolist(), strict=True):
            written[i] = row[:end]
    return Ragged.from_list(written)


def chunks_of(lengths: np.ndarray, chunk_rows: int) -> list[np.ndarray]:
    """Return the numbers of the series that go through a network at once, short ones first.

    With their padding they have no more steps than `chunk_rows` of the longest, of lengths (n,).
    """
    most_steps = chunk_rows * int(lengths.max())
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order]
    chunks, start = [], 0
    while start < len(order):
        ahead = sorted_lengths[start : start + RAGGED_ROWS]
        padded = ahead * np.arange(1, len(ahead) + 1)  # ascending
        stop = start + max(1, int(np.searchsorted(padded, most_steps, side="right")))
        chunks.append(order[start:stop])
        start = stop
    return chunks


def _predict_series(
    module: nn.Module, rows: Rows, compute_dtype: torch.dtype, chunk_rows: int
) -> Tensor:
    """Run over series of different lengths, those of similar length together."""
    lengths = rows.lengths
    assert lengths is not None
    parts = chunks_of(lengths, chunk_rows)
    order = np.concatenate(parts)
    chunks = [
        forward(module, rows.take(_index(part, rows.device)), compute_dtype) for part in parts
    ]
    outputs = torch.cat(chunks)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    if len(outputs) != len(order):  # outputs of each step
        places = step_positions(lengths[order], places)
    return outputs.index_select(0, torch.from_numpy(places).to(outputs.device))


def _index(numbers: np.ndarray, device: torch.device) -> Tensor:
    """Return numbers of rows (n,) on a device."""
    return remember(send(torch.from_numpy(numbers), device), numbers)
