"""The units in which an autoencoder sees samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sknn.estimators._scaled_format import ScaledFormat


def scaled(
    found: ScaledFormat, X: Any, sample_weight: np.ndarray | None, kind: str | None
) -> tuple[ScaledFormat, float]:
    """Return the format with scales of training samples, and the variance of what they become.

    "columns" are divided by their own standard deviations, "whole" samples by one for all. The
    variance is summed over columns.
    """
    mean, variance = found.moments(X, sample_weight)
    total = float(variance.sum())
    if kind is None:
        return found, total or 1.0
    if kind == "columns":
        scale = np.sqrt(variance)
        scale[scale == 0] = 1.0  # reconstructions of constants are learned too
        shared = float(np.count_nonzero(variance))
    else:
        deviation = math.sqrt(total / variance.size) or 1.0
        scale = np.full_like(variance, deviation)
        shared = float(variance.size) if total else 0.0
    return found._replace(location=mean, scale=scale), shared or 1.0
