"""The scale in which a regressor sees the windows of a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._windows import sliding_windows

# Windows that vary less than this part of the typical window are divided by that part instead.
SMALLEST_DEVIATION = 0.1


@dataclass(frozen=True)
class Scaling:
    """What is subtracted from a window and its target, and what they are divided by.

    Attributes
    ----------
    by_window : bool
        Whether these are mean and standard deviation of the window.
    centre : ndarray of shape (n_series,)
        What is subtracted from all windows, if not.
    divisor : ndarray of shape (n_series,)
        What all windows are divided by, if not; else the least that any is divided by.
    """

    by_window: bool
    centre: np.ndarray
    divisor: np.ndarray

    @classmethod
    def fit(cls, mode: str | None, series: np.ndarray, past: int) -> Scaling:
        """Measure a training series.

        Parameters
        ----------
        mode : {"window", "standard"} or None
            Whether windows are scaled by themselves, by the training series, or not at all.
        series : ndarray of shape (n_steps, n_series)
            The training series.
        past : int
            Steps a window.
        """
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
        """Return centre and divisor of windows of shape (n_windows, past, n_series).

        Both have the shape (n_windows or 1, 1, n_series).
        """
        if not self.by_window:
            return self.centre[None, None], self.divisor[None, None]
        centre = windows.mean(axis=1, keepdims=True)
        return centre, np.maximum(windows.std(axis=1, keepdims=True), self.divisor)


def _smallest_divisor(deviations: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return for each series the least that a window is divided by.

    A window that is constant, or nearly so, tells nothing of the size of what follows: divided
    by its own deviation, a jump after it would outweigh all other targets.
    """
    columns = [column[column > least] for column, least in zip(deviations.T, rounding, strict=True)]
    typical = [np.median(column) if len(column) else 0 for column in columns]
    return SMALLEST_DEVIATION * np.asarray(typical)
