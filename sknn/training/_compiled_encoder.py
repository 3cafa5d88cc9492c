"""What compiled functions know of the encoder before the first layer of a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sknn.compiled import places as at
from sknn.nn import DenseBackprop, FeatureEncoder

PARAMETERS = {
    "table": at.TABLE,
    "frequencies": at.FREQUENCIES,
    "projections": at.PROJECTIONS,
    "phases": at.PHASES,
    "shifts": at.SHIFTS,
}


def make_plan(backprop: DenseBackprop) -> np.ndarray:
    """Return where the encoder of a network has what, int64 (rows, most columns)."""
    encoder = backprop.encoder
    assert encoder is not None
    bins = np.bincount(encoder.bin_columns.numpy(), minlength=encoder.n_numbers)
    indicated, n_bins = encoder.indicated.numpy(), int(bins.sum())
    first_indicator = encoder.n_learned + encoder.n_numbers
    first_hot = first_indicator + len(indicated)
    hot, starts = np.unique(encoder.hot_columns.numpy(), return_index=True)
    embedded = encoder.embedded_columns.numpy()
    first_bins = np.cumsum(bins) - bins
    indicators = np.full(encoder.n_numbers, -1)
    indicators[indicated] = first_indicator + np.arange(len(indicated))
    n_waves, n_periodic = encoder.projections.shape[1:] if encoder.is_periodic else (0, 0)
    rows: dict[int, Any] = {
        at.SIZES: [
            encoder.n_numbers, encoder.clips, encoder.n_learned, n_bins, len(hot), len(embedded),
            encoder.embedding_size, encoder.n_levels_embedded, n_waves, n_periodic,
        ],
        at.PARAMETERS: _places_of_parameters(backprop, encoder),
        at.FIRST_BIN: first_bins,
        at.BIN_COUNT: bins,
        at.BIN_OUTPUT: first_hot + len(encoder.hot_columns) + first_bins,
        at.INDICATOR: indicators,
        at.HOT_COLUMN: hot,
        at.HOT_OUTPUT: first_hot + starts,
        at.EMBEDDED_COLUMN: embedded,
        at.TABLE_OFFSET: encoder.table_offsets.numpy(),
    }  # fmt: skip
    plan = np.zeros((at.TABLE_OFFSET + 1, max(10, *map(len, rows.values()))), np.int64)
    for row, values in rows.items():
        plan[row, : len(values)] = values
    return plan


def _places_of_parameters(backprop: DenseBackprop, encoder: FeatureEncoder) -> list[int]:
    """Return where the encoder's parameters begin in the flat tensor."""
    sizes = [math.prod(shape) for shape in backprop.shapes]
    starts = np.cumsum(sizes) - sizes
    places = [0] * len(PARAMETERS)
    names = [name for name, _ in encoder.named_parameters()]
    for name, place in zip(names, backprop.places_of_encoder, strict=True):
        places[PARAMETERS[name]] = int(starts[place])
    return places


def encoder_constants(encoder: FeatureEncoder) -> np.ndarray:
    """Return what is fixed: centers and factors of numbers; factors, offsets, edges of bins."""
    factors, offsets = encoder.bin_factors.numpy(), encoder.bin_offsets.numpy()
    return np.concatenate(
        [encoder.centers.numpy(), encoder.factors.numpy(), factors, offsets, -offsets / factors]
    )


def place_memory(plan: np.ndarray, start: int, n_rows: int, widths: np.ndarray) -> int:
    """Say where the encoder's matrices are in a memory, from `start` on; return where that ends.

    `widths` are those of what it returns, and of the layer behind it.
    """
    width, n_units = (int(each) for each in widths)
    p, n_bins = plan[at.SIZES, at.N_NUMBERS], plan[at.SIZES, at.N_BINS]
    n_waves = n_rows * p * plan[at.SIZES, at.N_WAVES]
    sizes = [
        n_rows * plan[at.SIZES, at.N_LEARNED], n_waves, n_waves, n_rows * p,
        n_rows * p * plan[at.SIZES, at.N_PERIODIC],
        *[width * n_units, n_bins * n_units] * 2,
    ]  # fmt: skip
    ends = start + np.cumsum(sizes)
    plan[at.MEMORY, : len(sizes)] = ends - sizes
    return int(ends[-1])
