"""The units in which a generator makes rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknn.data import number_range, row_parts
from sknn.estimators._scaled_format import ScaledFormat
from sknn.nn.inputs import BYTE_MAXIMUM


def find_scale(
    found: ScaledFormat, X: np.ndarray, sample_weight: np.ndarray | None, *, is_bounded: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return location and scale of X, of which networks see numbers from -1 to 1 if bounded.

    Else columns have a mean of 0 and a variance of 1. A range is that of its type for bytes, and
    else of the rows that count: of all pixels, or of each column.
    """
    if not is_bounded:
        mean, variance = found.moments(X, sample_weight)
        return mean, np.sqrt(variance)
    low: Any
    high: Any
    if found.has_bytes:
        low, high = 0.0, 1.0 if found.has_images else float(BYTE_MAXIMUM)
    else:
        if sample_weight is not None and not sample_weight.all():
            X = X[sample_weight > 0]
        if found.has_images:
            low, high = number_range(X)
        else:
            ranges = [(part.min(0), part.max(0)) for part in row_parts(X)]
            lows, highs = (np.array(each, np.float64) for each in zip(*ranges, strict=True))
            low, high = lows.min(0), highs.max(0)
    half = np.asarray(high / 2 - low / 2)  # which does not overflow
    return np.asarray(low + half), half
