"""Past, forecast and intervals of series."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import HasMethods

from sknn._optional import require
from sknn._validation import POSITIVE_INTEGER, validated
from sknn.forecasting import (
    bounds_of,
    check_comparable,
    columns_of,
    columns_of_forecast,
    coverages_of,
    forecasts_of,
    known_of,
    series_of,
    steps_to_predict,
)

from ._axes import given_axes, new_axes

PAST, FORECAST = "0.35", "C0"
# As many series are shown unless the user names them.
MOST_SERIES = 9
# Opacity of a band; narrower ones lie on wider ones, and look darker.
BAND = 0.2
INTERVAL = "interval of"


class Panel(NamedTuple):
    """What is drawn of one series; pandas Series of dates or positions."""

    past: Any
    future: Any  # what came; without rows if that is not known
    forecast: Any
    bounds: Mapping[str, np.ndarray]  # by names such as lower_80


@validated(
    {
        "forecaster": [HasMethods(["predict"])],
        "n_past": [POSITIVE_INTEGER, None],
        "series": ["array-like", str, None],
    }
)
def plot_forecast(
    forecaster: Any,
    horizon: Any,
    X: Any = None,
    *,
    y: Any = None,
    n_past: int | None = None,
    series: str | Sequence[Hashable] | None = None,
    axes: Any = None,
) -> np.ndarray:
    """Show the past of a series, its forecast, and the intervals around it.

    Several series have an Axes each. Intervals are shown if the forecaster has them; of several
    levels, the narrower ones lie on the wider ones.

    Parameters
    ----------
    forecaster : forecaster
        A fitted forecaster of :mod:`sknn.forecasting`, or an estimator around one, such as a
        pipeline.
    horizon : int, or as `predict` takes it
        Steps to forecast, or their covariates.
    X : array-like or DataFrame, default=None
        Covariates of these steps, beside a number of them.
    y : array-like, Series or DataFrame, default=None
        The series, in the form of `fit`, from the past to beyond the forecast: what came is shown
        beside it. None shows the past that the forecaster knows.
    n_past : int, default=None
        Steps of the past to show. None is four times as many as are forecast, and 40 at least.
    series : str or sequence of names, default=None
        Which of several series are shown: columns of a wide y, ids of a panel. None shows the
        first ones, nine at most.
    axes : Axes or array-like of Axes, default=None
        Where to draw, one for each series. None makes a figure.

    Returns
    -------
    ndarray of shape (n_shown,)
        The Axes, one for each series.

    Raises
    ------
    ImportError
        If matplotlib or pandas is not installed.
    ValueError
        If the forecaster does not have one of `series`, or as in `predict` and
        `predict_interval`.
    sklearn.exceptions.NotFittedError
        If the forecaster is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from sknn.forecasting import RecursiveForecaster
    >>> from sknn.inspection import plot_forecast
    >>> months = pd.period_range("2015-01", periods=120, freq="M")
    >>> noise = np.random.default_rng(0).normal(size=120)
    >>> y = pd.Series(np.arange(120) % 12 + noise, months, name="sales")
    >>> forecaster = RecursiveForecaster(Ridge(), interval=[0.5, 0.8]).fit(y[:108])
    >>> (ax,) = plot_forecast(forecaster, 12, y=y)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['past', 'interval of 80 %', 'interval of 50 %', 'forecast', 'what came']
    """
    panels = _panels(forecaster, steps_to_predict(forecaster, horizon, X), y)
    names = (
        list(panels)[:MOST_SERIES]
        if series is None
        else [series]
        if isinstance(series, str)
        else list(series)
    )
    for name in names:
        if name not in panels:
            raise ValueError(f"series has {name!r}, but the forecast has {list(panels)[:20]}.")
    chosen = _new_axes(len(names)) if axes is None else given_axes(axes, len(names))
    for name, ax in zip(names, chosen, strict=True):
        _draw(ax, panels[name], coverages_of(forecaster), n_past)
        if name is not None:
            ax.set_title(str(name))
        if hasattr(y, "name") and y.name is not None:
            ax.set_ylabel(str(y.name))
    _add_legend(chosen, outside=axes is None and len(names) > 1)
    return chosen


def _new_axes(n: int) -> np.ndarray:
    """Make a figure with a wide Axes a series."""
    n_columns = 1 if n <= 3 else 2 if n <= 6 else 3
    n_rows = math.ceil(n / n_columns)
    size = (9.0, 3.6) if n == 1 else (max(9.0, 4.5 * n_columns), 2.4 * n_rows)
    grid = new_axes(n_rows, n_columns, size)
    for unused in grid[n:]:
        unused.set_axis_off()
    return grid[:n]


def _panels(forecaster: Any, arguments: tuple[Any, ...], y: Any) -> dict[Hashable, Panel]:
    """Forecast, and put what there is of each series together."""
    pd = require("pandas", extra="plot")
    columns = columns_of_forecast(forecaster, y)
    predicted = forecaster.predict(*arguments)
    known = known_of(forecaster)
    n_known = max(map(len, known.values()), default=0)
    if y is not None:
        told = series_of(y, columns_of(forecaster), pd.RangeIndex(len(y)))
        known = {name: told[name].sort_index() for name in told}
        n_known = n_known or len(y)
    ahead = pd.RangeIndex(n_known, n_known + len(predicted))
    forecasts = forecasts_of(predicted, list(known), columns, ahead)
    levels = coverages_of(forecaster)
    bounds: Mapping[Hashable, Mapping[str, np.ndarray]] = {}
    if levels:
        interval = forecaster.predict_interval(*arguments)
        bounds = bounds_of(interval, list(forecasts), list(levels), columns, ahead)
    panels = {}
    for name, forecast in forecasts.items():
        if y is not None and name not in known:
            raise ValueError(
                f"y has the series {list(known)[:20]}, but {name!r} is forecast: pass y in the "
                "form of fit."
            )
        whole = known.get(name, forecast[:0])
        check_comparable(
            forecast.index, whole.index, "y and the forecast", "Pass y in the form of fit."
        )
        first, last = forecast.index[0], forecast.index[-1]
        panels[name] = Panel(
            whole[whole.index < first],
            whole[(whole.index >= first) & (whole.index <= last)],
            forecast,
            bounds.get(name, {}),
        )
    return panels


def _draw(ax: Any, panel: Panel, levels: Mapping[str, float], n_past: int | None) -> None:
    """Draw one series."""
    forecast = panel.forecast
    n_past = max(40, 4 * len(forecast)) if n_past is None else n_past
    if len(panel.past):
        _line(ax, panel.past[-n_past:], color=PAST, label="past")
    for label in sorted(levels, key=lambda label: -levels[label]):
        lower, upper = panel.bounds[f"lower_{label}"], panel.bounds[f"upper_{label}"]
        _band(ax, _places(forecast.index), lower, upper, label=f"{INTERVAL} {label} %")
    _line(ax, forecast, color=FORECAST, linewidth=2, label="forecast")
    if panel.future.notna().any():
        _line(ax, panel.future, color=PAST, linestyle=":", marker=".", label="what came")
    _mark_dates(ax, forecast.index)
    ax.grid(alpha=0.3)


def _add_legend(axes: np.ndarray, *, outside: bool) -> None:
    """Name what the first Axes shows, in it or below the figure."""
    handles, labels = axes[0].get_legend_handles_labels()
    patches = require("matplotlib.patches", extra="plot")
    n_bands = 0
    for i, label in enumerate(labels):
        if label.startswith(INTERVAL):  # as dark as the bands that lie on each other there
            n_bands += 1
            opacity = 1 - (1 - BAND) ** n_bands
            handles[i] = patches.Patch(color=FORECAST, alpha=opacity, linewidth=0)
    if outside:
        axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    else:
        axes[0].legend(handles, labels)


def _line(ax: Any, values: Any, **style: Any) -> None:
    if len(values) == 1:  # a line of one point would not be seen
        style["marker"] = "o"
    ax.plot(_places(values.index), values.to_numpy(), **style)


def _band(ax: Any, places: np.ndarray, lower: np.ndarray, upper: np.ndarray, label: str) -> None:
    """Fill what is between two bounds, (n_steps,) each."""
    if len(places) == 1:
        ax.vlines(places, lower, upper, color=FORECAST, alpha=BAND, linewidth=8, label=label)
    else:
        ax.fill_between(places, lower, upper, color=FORECAST, alpha=BAND, linewidth=0, label=label)


def _places(index: Any) -> np.ndarray:
    """Return where dates, the starts of periods, or numbers lie on the axis, (n,)."""
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp()
    if not hasattr(index, "tz"):
        return index.to_numpy()
    dates = require("matplotlib.dates", extra="plot")
    moments = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return dates.date2num(moments.to_numpy())


def _mark_dates(ax: Any, index: Any) -> None:
    """Set ticks at dates, in their time zone, or at whole numbers."""
    if hasattr(index, "to_timestamp") or hasattr(index, "tz"):
        dates = require("matplotlib.dates", extra="plot")
        zone = getattr(index, "tz", None)
        locator = dates.AutoDateLocator(tz=zone)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
    else:
        ticker = require("matplotlib.ticker", extra="plot")
        ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
