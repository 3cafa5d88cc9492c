"""The scale in which a regressor sees the windows of a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._windows import sliding_windows

# Windows that vary less than this part of the typical window are divided by that part instead.
SMALLEST_DEVIATION = 0.1


@dataclass(frozen=True)
class Scaling:
    """Centre and divisor of windows and their targets."""

    by_window: bool  # by mean and standard deviation of each window
    centre: np.ndarray  # (n_series,), of all windows if not
    divisor: np.ndarray  # (n_series,), of all windows if not; else the least of any

    @classmethod
    def fit(cls, mode: str | None, series: np.ndarray, past: int) -> Scaling:
        """Measure a training series, (n_steps, n_series)."""
        centre, divisor = np.zeros_like(series[0]), np.ones_like(series[0])
        # a deviation of this size comes from the rounding of equal values
        info = np.finfo(series.dtype)
        rounding = np.maximum(10 * info.eps * np.abs(series).max(axis=0), info.tiny)
        if mode == "window":
            deviations = sliding_windows(series, past).std(axis=1)
            divisor = np.maximum(_smallest_divisor(deviations, rounding), rounding)
        elif mode == "standard":
            # in double precision, since sums over a long series lose digits
            centre, deviation = (f(series, axis=0, dtype=np.float64) for f in (np.mean, np.std))
            divisor = np.where(deviation > rounding, deviation, 1)
        dtype = series.dtype
        return cls(mode == "window", centre.astype(dtype), divisor.astype(dtype))

    def of(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return centre and divisor, (n or 1, 1, n_series), of windows, (n, past, n_series)."""
        if not self.by_window:
            return self.centre[None, None], self.divisor[None, None]
        centre = windows.mean(axis=1, keepdims=True)
        return centre, np.maximum(windows.std(axis=1, keepdims=True), self.divisor)


def _smallest_divisor(deviations: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return the least that a window of each series is divided by, (n_series,)."""
    # A window that is constant, or nearly so, tells nothing of the size of what follows: divided
    # by its own deviation, a jump after it would outweigh all other targets.
    columns = [column[column > least] for column, least in zip(deviations.T, rounding, strict=True)]
    typical = [np.median(column) if len(column) else 0 for column in columns]
    return SMALLEST_DEVIATION * np.asarray(typical)
