"""The units in which a model of many series sees them: logarithms or not, centre and divisor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Deviations that grow with the level to a power above this are those of logarithms.
GROWS = 0.5
# A level that doubles less than this is no evidence.
VARIES = 1.5


@dataclass(frozen=True)
class Units:
    """Units of each series and channel; arrays are (n_series, n_channels)."""

    is_log: np.ndarray
    least: np.ndarray  # smallest value that has a logarithm here
    centre: np.ndarray
    divisor: np.ndarray
    lower: np.ndarray  # smallest and largest value, in its own units
    upper: np.ndarray
    n_steps: np.ndarray  # (n_series, 1)

    @classmethod
    def learn(cls, series: Sequence[np.ndarray], period: int) -> Units:
        """Measure training series, each (n_steps, n_channels), with a season of `period` steps."""
        columns = [[_measured(column, period) for column in each.T] for each in series]
        is_log, least, centre, divisor, lower, upper = np.moveaxis(
            np.array(columns, dtype=np.float64), -1, 0
        )
        n_steps = np.array([[len(each)] for each in series])
        return cls(is_log > 0, least, centre, divisor, lower, upper, n_steps)

    def to(self, values: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return values, (n, n_steps, n_channels), of the series `which`, (n,), in these units."""
        is_log, least, centre, divisor = self._rows(which)
        values = values.astype(np.float64)
        if is_log.any():
            values = np.where(is_log, np.log(np.maximum(values, least)), values)
        return (values - centre) / divisor

    def back(self, values: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return values in these units in their own."""
        is_log, _, centre, divisor = self._rows(which)
        values = values * divisor + centre
        return np.where(is_log, np.exp(np.where(is_log, values, 0)), values)

    def _rows(self, which: np.ndarray) -> list[np.ndarray]:
        fields = (self.is_log, self.least, self.centre, self.divisor)
        return [each[which][:, None] for each in fields]

    def limits(
        self, windows: np.ndarray, which: np.ndarray, n_steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the sane range of so many steps, (n, n_steps, n_channels) each, in these units."""
        # As far beyond what was seen as that reaches, and farther in proportion to the steps ahead.
        lower = np.minimum(self.lower[which], np.nanmin(windows, axis=1))[:, None]
        upper = np.maximum(self.upper[which], np.nanmax(windows, axis=1))[:, None]
        ahead = 1 + np.arange(1, n_steps + 1)[None, :, None] / self.n_steps[which][:, None]
        room = (upper - lower) * ahead
        is_log, least = self.is_log[which][:, None], self.least[which][:, None]
        ratio = np.where(is_log, np.maximum(upper, least) / np.maximum(lower, least), 1) ** -ahead
        below = np.where(is_log, np.maximum(lower, least) * ratio, lower - room)
        is_log = np.broadcast_to(is_log, below.shape)
        _, _, centre, divisor = self._rows(which)
        low = np.where(is_log, np.log(np.where(is_log, below, 1)), below)
        high = np.where(is_log, np.log(np.where(is_log, upper + room, 1)), upper + room)
        return (low - centre) / divisor, (high - centre) / divisor


def _measured(values: np.ndarray, period: int) -> tuple[float, ...]:
    """Return the fields of one series, (n_steps,), in their order."""
    values = values[np.isfinite(values)].astype(np.float64)
    if not len(values):
        return 0.0, 1.0, 0.0, 1.0, 0.0, 0.0
    is_log = grows_with_level(values, period)
    seen = np.log(values) if is_log else values
    # equal values differ by their rounding
    rounding = max(1e-12 * np.abs(seen).max(), np.finfo(np.float64).tiny)
    divisor = next((d for d in (np.diff(seen).std(), seen.std()) if d > rounding), 1.0)
    least = values.min() / 10 if is_log else 1.0
    return float(is_log), least, seen.mean(), divisor, values.min(), values.max()


def grows_with_level(values: np.ndarray, period: int) -> bool:
    """Say whether a series is positive, and varies in proportion to its level."""
    length = max(period, 4)
    n_parts = len(values) // length
    if n_parts < 4 or values.min() <= 0:
        return False
    parts = values[-n_parts * length :].reshape(n_parts, length)
    level, deviation = parts.mean(axis=1), parts.std(axis=1)
    varies = deviation > 1e-9 * level
    if varies.sum() < 4 or level.max() < VARIES * level.min():
        return False
    power = np.polyfit(np.log(level[varies]), np.log(deviation[varies]), 1)[0]
    return bool(power > GROWS)
