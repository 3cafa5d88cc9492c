"""What a forecaster does at an origin, and how good it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import mean_pinball_loss

from sknn.training import Interrupted

from ._forms import Columns
from ._metrics import mase, relative_error, scale_of, scaled_error, share_inside, smape
from ._one_by_one import bounds_of, coverages_of, forecasts_of, steps_to_predict
from ._rolling import Origin, Timed
from ._timeline import date_text


class Task(NamedTuple):
    """What all origins of a cross-validation have in common."""

    y: Timed
    X: Timed | None
    series: Mapping[Hashable, Any]  # pandas Series of y, by their names
    columns: Columns  # of long frames of the user's
    answer: Columns  # of long frames of forecasts
    horizon: int
    season: int
    scorers: Mapping[str, Callable[..., Any]]
    fit_arguments: Mapping[str, Any]
    error_score: float | str
    n_printed: int | None  # number of origins, if a line is printed for each


class Steps(NamedTuple):
    """The steps of one series after an origin, (n_steps,) each."""

    name: Hashable
    times: Any  # pandas Index
    numbers: np.ndarray  # 1 for the first step of a forecast
    actual: np.ndarray  # NaN where it is not known
    forecast: np.ndarray
    bounds: Mapping[str, np.ndarray]  # by names such as lower_80

    def part(self, chosen: np.ndarray) -> Steps:
        """Return some of the steps."""
        bounds = {bound: values[chosen] for bound, values in self.bounds.items()}
        times, numbers, actual, forecast = (each[chosen] for each in self[1:5])
        return Steps(self.name, times, numbers, actual, forecast, bounds)


class Outcome(NamedTuple):
    """What has come of an origin."""

    origin: Origin
    scores: list[dict[str, Any]]  # a row a series
    steps: list[Steps]  # of each series
    failure: Exception | None = None  # of fit or predict
    undefined: Sequence[str] = ()  # scores that could not be computed, and why


def fit_and_score(task: Task, forecaster: Any, origin: Origin) -> Outcome:
    """Fit a forecaster to what is known at an origin, and score its forecast."""
    X = None if task.X is None else task.X.between(origin.after, origin.last)
    y = task.y.between(origin.after, origin.last)
    return _score(task, forecaster, origin, lambda: forecaster.fit(X=X, y=y, **task.fit_arguments))


def move_on(task: Task, forecaster: Any, origins: Sequence[Origin]) -> list[Outcome]:
    """Fit a forecaster at the first origin, and bring it to the others by `update`."""
    outcomes = [fit_and_score(task, forecaster, origins[0])]
    for before, origin in pairwise(origins):
        if outcomes[-1].failure is not None:
            outcomes.append(_failed(task, origin, outcomes[-1].failure))
            continue
        y = task.y.between(before.last, origin.last)
        X = None if task.X is None else task.X.between(before.last, origin.last)
        update = partial(forecaster.update, y, X, refit=False)
        outcomes.append(_score(task, forecaster, origin, update))
    return outcomes


def _score(task: Task, forecaster: Any, origin: Origin, learn: Callable[[], Any]) -> Outcome:
    """Bring a forecaster to an origin by `learn`, and compare its forecast with what came."""
    start = time.perf_counter()
    try:
        learn()
        fitted = time.perf_counter()
        levels = coverages_of(forecaster)
        forecasts = _forecast(task, forecaster, origin, levels)
    except Interrupted:
        raise
    except Exception as error:
        return _failed(task, origin, error)
    seconds = {
        "fit_seconds": fitted - start,
        "predict_seconds": time.perf_counter() - fitted,
    }
    scores: list[dict[str, Any]] = []
    undefined: list[str] = []
    for steps in forecasts:
        is_known = ~np.isnan(steps.actual)
        if is_known.any():
            row = {"origin": origin.last, "series": steps.name}
            values, problems = _scores_of(task, origin, steps.part(is_known), levels)
            scores.append(row | values | seconds)
            undefined += problems
    _report(task, origin, scores)
    return Outcome(origin, scores, forecasts, None, undefined)


def _scores_of(
    task: Task, origin: Origin, steps: Steps, levels: Mapping[str, float]
) -> tuple[dict[str, Any], list[str]]:
    """Return the scores of one series, and those that are not defined, with the reason."""
    series = task.series[steps.name]
    past = Timed(series, series.index).between(origin.after, origin.last).sort_index().to_numpy()
    actual, forecast = steps.actual, steps.forecast
    calls: dict[str, Callable[[], Any]] = {}
    for metric, function in task.scorers.items():
        calls[metric] = partial(function, actual, forecast)
        if function is mase:
            calls[metric] = partial(_scaled, actual, forecast, past, task.season)
        elif function is smape:
            calls[metric] = partial(relative_error, actual, forecast)
    for label, level in levels.items():
        bounds = steps.bounds[f"lower_{label}"], steps.bounds[f"upper_{label}"]
        calls[f"coverage_{label}"] = partial(share_inside, actual, *bounds)
        calls[f"pinball_{label}"] = partial(_pinball, actual, *bounds, level)
    values: dict[str, Any] = {}
    undefined = []
    for metric, call in calls.items():
        try:
            values[metric] = float(call())
        except ValueError as error:
            if task.error_score == "raise":
                raise
            values[metric] = task.error_score
            which = "" if len(task.series) == 1 else f" of series {steps.name!r}"
            undefined.append(f"{metric}{which} at {date_text(origin.last)}: {error}")
    return values, undefined


def _scaled(y: np.ndarray, forecast: np.ndarray, past: np.ndarray, season: int) -> float:
    """Return the mean absolute scaled error, as `mase` does, of (n_steps,) arrays."""
    return scaled_error(y, forecast, scale_of(past, season))


def _pinball(y: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float) -> float:
    """Return the mean pinball loss of both bounds of an interval, (n_steps,) each."""
    tail = (1 - level) / 2
    losses = mean_pinball_loss(y, lower, alpha=tail), mean_pinball_loss(y, upper, alpha=1 - tail)
    return sum(losses) / 2


def _failed(task: Task, origin: Origin, failure: Exception | None) -> Outcome:
    """Return the outcome of an origin whose fit or forecast has raised an error."""
    scores, forecasts = [], []
    for name, series in task.series.items():
        ahead = Timed(series, series.index).ahead(origin.last, task.horizon).sort_index()
        if ahead.notna().any():
            row: dict[str, Any] = {"origin": origin.last, "series": name}
            scores.append(row | dict.fromkeys(task.scorers, task.error_score))
            numbers, unknown = np.arange(1, len(ahead) + 1), np.full(len(ahead), np.nan)
            forecasts.append(Steps(name, ahead.index, numbers, ahead.to_numpy(), unknown, {}))
    return Outcome(origin, scores, forecasts, failure)


def _report(task: Task, origin: Origin, scores: Sequence[Mapping[str, Any]]) -> None:
    """Print a line on an origin, with the means of all series."""
    if task.n_printed is None or not scores:
        return
    columns = {name: np.array([row[name] for row in scores]) for name in task.scorers}
    defined = {name: column[~np.isnan(column)] for name, column in columns.items()}
    values = ", ".join(
        f"{name} {column.mean():.3g}" for name, column in defined.items() if len(column)
    )
    seconds = scores[0]["fit_seconds"] + scores[0]["predict_seconds"]
    where = f"origin {origin.number + 1} of {task.n_printed}, {date_text(origin.last)}"
    print(f"{where}: {values} ({seconds:.1f} s)", flush=True)


# ----------------------------------------------------------------------------------- forecasts


def _forecast(
    task: Task, forecaster: Any, origin: Origin, levels: Mapping[str, float]
) -> list[Steps]:
    """Return the forecast of each series, with what came."""
    X = None
    if task.X is not None:
        # series that end before the others are forecast from there on
        last = task.X.times_ahead(origin.last, task.horizon).max()
        X = task.X.between(min(origin.last, *_ends(task, origin)), last)
    arguments = steps_to_predict(forecaster, task.horizon, X)
    times = task.y.times_ahead(origin.last, task.horizon)
    names = list(task.series)
    forecasts = forecasts_of(forecaster.predict(*arguments), names, task.answer, times)
    bounds: dict[Hashable, dict[str, np.ndarray]] = {}
    if levels:
        interval = forecaster.predict_interval(*arguments)
        bounds = bounds_of(interval, names, list(levels), task.answer, times)
    found = []
    for name, forecast in forecasts.items():
        actual = task.series[name].reindex(forecast.index).to_numpy()
        numbers = np.arange(1, len(forecast) + 1)
        steps = Steps(
            name, forecast.index, numbers, actual, forecast.to_numpy(), bounds.get(name, {})
        )
        # a series that ended before the origin is forecast from its own end
        found.append(steps.part(np.asarray(forecast.index > origin.last)))
    return found


def _ends(task: Task, origin: Origin) -> list[Any]:
    """Return the last time of each series that is known at an origin."""
    known = (
        Timed(each, each.index).between(origin.after, origin.last) for each in task.series.values()
    )
    return [each.index.max() for each in known if len(each)]
