"""Rolling origins: what is known at each, and what follows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._forms import Columns
from ._timeline import is_pandas


class Timed(NamedTuple):
    """An object of the user's, and the time of each of its rows."""

    data: Any
    times: Any  # pandas Index, (n_rows,); positions where there are no dates

    @classmethod
    def of(cls, data: Any, columns: Columns) -> Timed:
        """Find the times of an object: a column, the last level of an index, or positions."""
        import pandas as pd

        if not is_pandas(data):
            data = np.asarray(data)
            return cls(data, pd.RangeIndex(len(data)))
        if columns.time is not None and columns.time in getattr(data, "columns", ()):
            return cls(data, pd.Index(data[columns.time]))
        index = data if is_pandas(data, "Index") else data.index
        return cls(data, index.get_level_values(-1))

    def between(self, after: Any, until: Any) -> Any:
        """Return the rows later than `after` (None: from the first on), `until` included."""
        chosen = self.times <= until
        return self.data[chosen if after is None else chosen & (self.times > after)]

    def ahead(self, origin: Any, n_steps: int) -> Any:
        """Return the rows of the first `n_steps` times after an origin."""
        times = self.times_ahead(origin, n_steps)
        return self.data[np.asarray(self.times.isin(times))]

    def times_ahead(self, origin: Any, n_steps: int) -> Any:
        """Return the first `n_steps` times after an origin."""
        return distinct(self.times[self.times > origin])[:n_steps]


class Origin(NamedTuple):
    """A moment at which a forecast starts."""

    number: int
    after: Any  # the time before the first that is learned from; None learns from all
    last: Any  # the last known time


def rolling_origins_of(
    times: Any, *, horizon: int, n_origins: int, step: int, window: int | None
) -> list[Origin]:
    """Return the origins, the last one `horizon` steps before the end; times are distinct."""
    known = len(times) - horizon - step * (n_origins - 1)  # steps before the first forecast
    needed = window or 1
    if known < needed:
        wanted = f"horizon={horizon}, n_origins={n_origins} and step={step}"
        raise ValueError(
            f"y has {len(times)} time steps, but {wanted} leave {max(known, 0)} before the first "
            f"forecast, and at least {needed} are needed. Lower n_origins, step"
            f"{' or horizon' if window is None else ', horizon or window'}."
        )
    origins = []
    for number in range(n_origins):
        last = known + number * step - 1
        start = -1 if window is None else last - window
        origins.append(Origin(number, None if start < 0 else times[start], times[last]))
    return origins


def distinct(times: Any) -> Any:
    """Return each time once, in order."""
    return times.unique().sort_values()
