"""Series of y, of forecasts and of bounds, one by one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np

from ._forms import Columns, read_target
from ._panel import Panel
from ._timeline import is_pandas


def columns_of(forecaster: Any) -> Columns:
    """Return the columns of long frames that a forecaster names."""
    return Columns(*(getattr(forecaster, f"{name}_column", None) for name in Columns._fields))


def columns_of_forecast(forecaster: Any, y: Any = None) -> Columns:
    """Return the columns of a long frame's forecast: those of y, given or found."""
    columns = columns_of(forecaster)
    if not columns.given:
        return columns
    panel = getattr(forecaster, "_panel", None)
    form = panel.form if isinstance(panel, Panel) else read_target(y, columns).form
    return Columns(columns.id, None if form.dates_in_index else form.time, form.target)


def known_of(forecaster: Any) -> dict[Hashable, Any]:
    """Return what a fitted forecaster knows of each series; nothing of another estimator."""
    import pandas as pd

    panel = getattr(forecaster, "_panel", None)
    known = {}
    if isinstance(panel, Panel):
        for name, series, end in zip(panel.form.ids, panel.series, panel.ends, strict=True):
            start = end - len(series.values)
            if panel.timeline is None:
                times = pd.RangeIndex(start, end)
            else:
                times = panel.timeline.dates(start, end)
            known[name] = pd.Series(series.values[:, 0], times)
    return known


def coverages_of(forecaster: Any) -> dict[str, float]:
    """Return the levels of a fitted forecaster's intervals by the names of their columns."""
    interval = getattr(forecaster, "interval", None)
    if interval is None or not hasattr(forecaster, "predict_interval"):
        return {}
    return {f"{100 * level:g}": float(level) for level in np.atleast_1d(interval)}


def steps_to_predict(forecaster: Any, horizon: Any, X: Any) -> tuple[Any, ...]:
    """Return the arguments of `predict`: those of a forecaster, or of an estimator around one."""
    if "horizon" in signature(forecaster.predict).parameters:
        return horizon, X
    if X is None:  # rows without columns say how many steps
        X = np.empty((horizon, 0)) if isinstance(horizon, Integral) else horizon
    return (X,)


def check_comparable(times: Any, others: Any, names: str, hint: str) -> None:
    """Raise ValueError if the times of one object cannot come before those of another."""
    if len(times) and len(others):
        try:
            times[0] < others[0]  # noqa: B015
        except TypeError as error:
            raise ValueError(
                f"the times of {names} cannot be compared: {others[0]} beside {times[0]}. {hint}"
            ) from error


def series_of(data: Any, columns: Columns, times: Any) -> dict[Hashable, Any]:
    """Return each series by its name as a pandas Series; `times` are those of an array."""
    import pandas as pd

    if columns.time not in getattr(data, "columns", ()):  # the dates of a long frame's index
        columns = columns._replace(time=None)
    target = read_target(data, columns)
    index = times if target.index is None else target.index
    names = target.form.ids
    if target.codes is None:
        return {
            name: pd.Series(values, index)
            for name, values in zip(names, target.values.T, strict=True)
        }
    values = pd.Series(target.values[:, 0], index)
    return {name: values[target.codes == code] for code, name in enumerate(names)}


def forecasts_of(
    values: Any, names: Sequence[Hashable], columns: Columns, times: Any
) -> dict[Hashable, Any]:
    """Return the forecast of each series by its name in y, where an array has none."""
    found = series_of(values, columns, times)
    if is_pandas(values) or len(names) != len(found):
        return found
    return dict(zip(names, found.values(), strict=True))


def bounds_of(
    interval: Any, names: Sequence[Hashable], labels: Sequence[str], columns: Columns, times: Any
) -> dict[Hashable, dict[str, np.ndarray]]:
    """Return the bounds of each series, (n_steps,) each, by names such as lower_80."""
    bounds = [f"{side}_{label}" for label in labels for side in ("lower", "upper")]
    if is_pandas(interval) and interval.columns.nlevels == 1:
        found: dict[Hashable, dict[str, np.ndarray]] = {}
        for bound in bounds:
            one = interval.drop(columns=set(bounds) - {bound})
            named = columns._replace(target=bound) if columns.given else columns
            alone = one if columns.given or one.index.nlevels > 1 else one[bound]
            for name, values in series_of(alone, named, times).items():
                found.setdefault(name, {})[bound] = values.to_numpy()
        return found
    if is_pandas(interval):  # a wide frame
        names = interval.columns.get_level_values(0).unique().tolist()
    # (n_steps[, n_series][, n_levels], 2)
    stacked = np.reshape(interval, (len(interval), len(names), len(bounds)))
    return {name: dict(zip(bounds, stacked[:, i].T, strict=True)) for i, name in enumerate(names)}
