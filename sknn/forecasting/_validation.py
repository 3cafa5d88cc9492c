"""Cross-validation of forecasts from rolling origins."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    root_mean_squared_error,
)
from sklearn.utils._param_validation import HasMethods, StrOptions

from sknn._validation import POSITIVE_INTEGER, validated
from sknn.data import threads_for
from sknn.training import ended_by, in_threads, raise_if

from ._forms import Columns, read_target
from ._metrics import mase, smape
from ._one_by_one import check_comparable, columns_of, columns_of_forecast, series_of
from ._rolling import Origin, Timed, distinct, rolling_origins_of
from ._scoring import Outcome, Task, fit_and_score, move_on
from ._seasons import suggested_periods
from ._timeline import Timeline, date_text, has_dates, is_pandas

CPU = torch.device("cpu")

METRICS: dict[str, Callable[..., Any]] = {
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mase": mase,
    "rmse": root_mean_squared_error,
    "smape": smape,
}


@validated(
    {
        "forecaster": [HasMethods(["fit", "predict"])],
        "horizon": [POSITIVE_INTEGER],
        "n_origins": [POSITIVE_INTEGER],
        "step": [POSITIVE_INTEGER, None],
        "window": [POSITIVE_INTEGER, None],
        "refit": ["boolean"],
        "season": [POSITIVE_INTEGER, StrOptions({"auto"})],
        "scoring": [StrOptions(set(METRICS)), "array-like", dict, callable],
        "return_forecasts": ["boolean"],
        "verbose": ["verbose"],
        "error_score": [StrOptions({"raise"}), Real],
    }
)
def cross_validate(
    forecaster: Any,
    y: Any,
    X: Any = None,
    *,
    horizon: int,
    n_origins: int = 5,
    step: int | None = None,
    window: int | None = None,
    refit: bool = True,
    season: int | str = "auto",
    scoring: Any = ("mase", "smape"),
    static: Any = None,
    return_forecasts: bool = False,
    n_jobs: int | None = None,
    verbose: int | bool = False,
    error_score: float | str = np.nan,
) -> Any:
    """Forecast from several moments of the past, and compare with what came.

    Each origin is a moment: the forecaster learns from what was known then, and forecasts the
    `horizon` steps that follow. The last origin is `horizon` steps before the end, each earlier
    one `step` steps before the next.

    Parameters
    ----------
    forecaster : forecaster
        A forecaster of this module, which is cloned, or an estimator that is fitted and predicts
        like one.
    y : array-like, Series or DataFrame
        One or several series, in any form that `fit` takes.
    X : array-like or DataFrame, default=None
        Covariates that are known in advance, in the form of `fit`. Each forecast gets those of
        its steps.
    horizon : int
        Steps that each forecast is long.
    n_origins : int, default=5
        How many origins.
    step : int, default=None
        Steps from one origin to the next. None is `horizon`: no step is forecast twice.
    window : int, default=None
        Steps before each origin that are learned from. None takes all.
    refit : bool, default=True
        Whether each origin has a clone that is fitted anew. If not, one clone is fitted to what
        is before the first origin, and `update` brings it to the others.
    season : int or "auto", default="auto"
        Steps of a season, which "mase" compares with. "auto" takes the shortest one that the dates
        suggest (12 for months, 24 for hours, 7 for days, and so on), and 1, the last value
        repeated, without dates or if no more than a season is known at the first origin.
    scoring : str, callable, dict or sequence of str or callable, default=("mase", "smape")
        One or several of "mae", "mape", "mase", "rmse" and "smape", or functions of true and
        forecast values, such as those of :mod:`sklearn.metrics`. The keys of a dict are names.
        If the forecaster has intervals, there are their coverage and pinball loss as well.
    static : DataFrame, default=None
        What does not change with time, passed on to `fit`.
    return_forecasts : bool, default=False
        Whether the forecasts are returned as well.
    n_jobs : int, default=None
        Origins that are computed at the same time, in threads. Used with `refit` only.
    verbose : int or bool, default=False
        Whether a line is printed when an origin is done.
    error_score : "raise" or float, default=nan
        Score of an origin whose fit or forecast raises an error, and of a score that is not
        defined, with a warning. "raise" raises the error.

    Returns
    -------
    scores : DataFrame
        A row an origin, or, of several series, an origin and series: the levels of the index are
        "origin", the last known time, and "series". A column a score, "fit_seconds" and
        "predict_seconds"; the seconds of an origin are those of all series together.
    forecasts : DataFrame
        Only with ``return_forecasts=True``. A row a forecast step; the levels of the index are
        "origin", "series" if there are several, and "time". The columns are "step" (1 is the
        first after the origin), "actual", "forecast" and, if the forecaster has intervals,
        their bounds, such as "lower_80" and "upper_80".

    Raises
    ------
    ValueError
        If y is too short for so many origins, a parameter's value is not allowed, or all origins
        fail: then the first one's error is raised.
    ImportError
        If pandas is not installed.

    See Also
    --------
    sklearn.model_selection.cross_val_score : With TimeSeriesSplit, a score of arrays by any of
        scikit-learn's scorers; searches take forecasters in the same way.

    Notes
    -----
    A score compares the steps of the horizon whose value is known. Series that end before an
    origin, or begin after it, have no row there.

    The interval of 80 % has the columns "coverage_80", the share of steps within it, and
    "pinball_80", the mean of the pinball losses of both bounds, in the unit of the series.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import Ridge
    >>> from sknn.forecasting import DirectForecaster, cross_validate
    >>> months = pd.period_range("2015-01", periods=96, freq="M")
    >>> noise = np.random.default_rng(0).normal(size=96)
    >>> y = pd.Series(5 * np.sin(np.arange(96) / 6 * np.pi) + noise, months)
    >>> scores = cross_validate(
    ...     DirectForecaster(Ridge(10)), y, horizon=12, n_origins=3, season=12, scoring="mase"
    ... )
    >>> list(scores)
    ['mase', 'fit_seconds', 'predict_seconds']
    >>> scores[["mase"]].round(2)
             mase
    origin
    2019-12  0.94
    2020-12  0.66
    2021-12  0.78
    """
    _check_pandas()
    columns = columns_of(forecaster)
    y = y if is_pandas(y) else np.asarray(y)
    form = read_target(y, columns).form
    rows = Timed.of(y, columns)
    origins = rolling_origins_of(
        distinct(rows.times),
        horizon=horizon,
        n_origins=n_origins,
        step=horizon if step is None else step,
        window=window,
    )
    scorers = _scorers(scoring)
    if season == "auto":
        n_known = window or int((distinct(rows.times) <= origins[0].last).sum())
        season = _season_of(forecaster, rows.times, n_known) if mase in scorers.values() else 1
    task = Task(
        y=rows,
        X=None if X is None else _covariates(X, y, rows, columns),
        series=series_of(y, columns, rows.times),
        columns=columns,
        answer=columns_of_forecast(clone(forecaster), y),
        horizon=horizon,
        season=int(season),
        scorers=scorers,
        fit_arguments={} if static is None else {"static": static},
        error_score=error_score,
        n_printed=n_origins if verbose else None,
    )
    if refit:
        outcomes = _each_by_itself(task, forecaster, origins, n_jobs)
    else:
        outcomes = move_on(task, clone(forecaster), origins)
    _warn_of_failures(task, outcomes)
    levels = ["origin"] if form.ids == [None] else ["origin", "series"]
    scores = _table([row for outcome in outcomes for row in outcome.scores], levels)
    if not return_forecasts:
        return scores
    steps = [columns for outcome in outcomes for columns in _columns_of_steps(outcome)]
    return scores, _table(steps, [*levels, "time"])


def _season_of(forecaster: Any, times: Any, n_known: int) -> int:
    """Return the shortest period that dates suggest, if `n_known` steps have it; else 1."""
    if not has_dates(times):
        return 1
    timeline = Timeline.learn(times, getattr(forecaster, "freq", None), "y")
    periods = suggested_periods(timeline.dates(0, 2)) or (1,)
    return periods[0] if periods[0] < n_known else 1


def _each_by_itself(
    task: Task, forecaster: Any, origins: Sequence[Origin], n_jobs: int | None
) -> list[Outcome]:
    """Fit a clone for each origin, in threads of this process if `n_jobs` asks for several."""
    stop = threading.Event()

    def work(origin: Origin) -> Outcome:
        with ended_by(stop.is_set), threads_for(0, CPU):  # a thread of torch's each
            raise_if(stop.is_set)
            return fit_and_score(task, clone(forecaster), origin)

    n_threads = min(effective_n_jobs(n_jobs), len(origins))
    if n_threads == 1:
        return [fit_and_score(task, clone(forecaster), origin) for origin in origins]
    # filters of warnings belong to the process: threads that change them may leave them changed
    with warnings.catch_warnings():
        return in_threads(work, origins, n_threads, stop.set)


def _covariates(X: Any, y: Any, rows: Timed, columns: Columns) -> Timed:
    """Return X with the times of its rows, which are those of y's rows if X is an array."""
    if not is_pandas(X) and is_pandas(y) and not columns.given:
        import pandas as pd

        X = np.asarray(X)
        if X.ndim != 2 or len(X) != len(y):
            raise ValueError(
                f"X has the shape {X.shape}, but y has {len(y)} rows, and an array has a row of "
                "covariates for each. A DataFrame is matched with y by its dates."
            )
        X = pd.DataFrame(X, y.index)
    timed = Timed.of(X, columns)
    check_comparable(
        rows.times, timed.times, "X and y", "Give X the dates of y: X.index = y.index."
    )
    return timed


def _check_pandas() -> None:
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "cross_validate returns a DataFrame and needs pandas. Install it by pip install "
            "pandas, or use cross_val_score of scikit-learn with TimeSeriesSplit for arrays."
        ) from error


def _scorers(scoring: Any) -> dict[str, Callable[..., Any]]:
    """Return functions by the names of their columns."""
    if isinstance(scoring, Mapping):
        named = dict(scoring)
    else:
        several = [scoring] if isinstance(scoring, str) or callable(scoring) else list(scoring)
        named = {
            one if isinstance(one, str) else getattr(one, "__name__", ""): one for one in several
        }
    for name, one in named.items():
        if not name or not (callable(one) or (isinstance(one, str) and one in METRICS)):
            raise ValueError(
                f"scoring has {one!r}, but a score is one of {sorted(METRICS)}, or a function of "
                "true and forecast values that has a name; the keys of a dict are names."
            )
    return {name: METRICS[one] if isinstance(one, str) else one for name, one in named.items()}


def _columns_of_steps(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the columns of the steps of an origin, a dict a series."""
    return [
        {
            "origin": outcome.origin.last,
            "series": [steps.name] * len(steps.times),  # which may be a tuple
            "time": steps.times,
            "step": steps.numbers,
            "actual": steps.actual,
            "forecast": steps.forecast,
        }
        | dict(steps.bounds)
        for steps in outcome.steps
    ]


def _table(rows: list[dict[str, Any]], levels: list[str]) -> Any:
    """Return rows, or columns of several rows, as a DataFrame with these levels as its index."""
    import pandas as pd

    if rows and "time" in rows[0]:
        frame = pd.concat([pd.DataFrame(columns) for columns in rows], ignore_index=True)
    else:
        frame = pd.DataFrame(rows)
    return frame.set_index(levels).drop(columns="series", errors="ignore")


def _warn_of_failures(task: Task, outcomes: Sequence[Outcome]) -> None:
    """Raise the first error if all origins have failed, or `error_score` says so; else warn."""
    failed = [outcome for outcome in outcomes if outcome.failure is not None]
    if failed:
        first = failed[0].failure
        assert first is not None
        if task.error_score == "raise" or len(failed) == len(outcomes):
            raise first
        warnings.warn(
            f"{len(failed)} of {len(outcomes)} origins failed, and their scores are "
            f"{task.error_score}. The first one is {date_text(failed[0].origin.last)}, with "
            f"{type(first).__name__}: {first}",
            FitFailedWarning,
            stacklevel=3,
        )
    undefined = [text for outcome in outcomes for text in outcome.undefined]
    if undefined:
        warnings.warn(
            f"scores that are not defined are set to {task.error_score}: {len(undefined)} in all. "
            f"The first one is {undefined[0]}",
            stacklevel=3,
        )
