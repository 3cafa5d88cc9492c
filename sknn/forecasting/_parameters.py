"""The parameters that both forecasters share."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sknn._parameters import ExplainedParameters, declares_parameters, parameter
from sknn._validation import POSITIVE_INTEGER


@declares_parameters
class ForecasterParameters(ExplainedParameters):
    """Declares the parameters of the forecasters."""

    estimator: Any = parameter(
        default=None,
        constraints=[HasMethods(["fit", "predict"]), None],
        doc="""estimator or None
        A regressor, which is cloned. None is a :class:`~sknn.NeuralRegressor` with a small hidden
        layer and ``alpha=1``: three networks with 16 units for ``scale="auto"``, else one with
        64.""",
        kw_only=False,
    )
    past: Any = parameter(
        default="auto",
        constraints=[POSITIVE_INTEGER, StrOptions({"auto"})],
        doc="""int or "auto"
        The last time steps that a forecast starts from. "auto" takes the shortest season and a
        step, or 9 steps without a season (24 with another `scale` than "auto").""",
    )
    season: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER, tuple, list, None],
        doc="""int, list of int, "auto" or None
        Steps a season, or several seasons, such as ``[24, 168]`` for hours. "auto" looks for
        those that the dates suggest (months 12, quarters 4, days 7, business days 5, weeks 52,
        hours 24 and 168, and so on), and without dates for a clear period, in the autocorrelation
        of the steps' differences. Used with ``scale="auto"`` only.""",
    )
    scale: str | None = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "window", "standard"}), None],
        doc="""{"auto", "window", "standard"} or None
        What the regressor sees. With "auto", series whose variation grows with their level are
        forecast in logarithms, an autoregression with lags of the seasons forecasts the next step,
        and the regressor learns what it leaves (see Notes). Regressors of series get "window"
        instead. With "window", each window and its target are centred by the
        window's mean and divided by its standard deviation; windows that vary by less than a tenth
        of what is usual (the median) are divided by that tenth. "standard" uses mean and standard
        deviation of each training series, None the values as they are. Covariates are scaled with
        "auto" only.""",
    )
    model: str = parameter(
        default="global",
        constraints=[StrOptions({"global", "joint"})],
        doc="""{"global", "joint"}
        What several series are to each other. "global": one regressor learns from the windows of
        all, and each is forecast from its own past. "joint": all are forecast together, each from
        the past of all; they need the same dates.""",
    )
    freq: Any = parameter(
        default=None,
        constraints=[str, int, HasMethods(["is_on_offset"]), None],
        doc="""str, int, pandas offset or None
        Step from one date of y to the next, in pandas' words, such as "MS" or "15min"; for an
        index of whole numbers an int. None finds it in the dates. `sknn.save` stores names, but no
        offsets.""",
    )
    fill: str | None = parameter(
        default=None,
        constraints=[StrOptions({"interpolate", "previous", "nan"}), None],
        doc="""{"interpolate", "previous", "nan"} or None
        What takes the place of dates that y or X lack, and of NaN: values on a straight line, the
        one before, or NaN for regressors that take it. With `sample_weight`, such steps of y
        weigh nothing. None refuses missing dates, and NaN if the regressor does not take it.""",
    )
    bounds: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), tuple, list, None],
        doc=""""auto", (lower, upper) or None
        Limits that no forecast and no interval exceeds; None in place of one leaves a side open.
        "auto" keeps series of counts, which are whole numbers of 0 or more, at 0 or more.""",
    )
    covariates: str = parameter(
        default="use",
        constraints=[StrOptions({"use", "ignore"})],
        doc="""{"use", "ignore"}
        Whether the columns of X are covariates known in advance, or X only tells the steps to
        forecast, by its dates or its length. Ignored, X may be anything that has one of them.""",
    )
    calendar: Any = parameter(
        default=None,
        constraints=["boolean", str, list, tuple, None],
        doc="""bool, str, list of str or None
        Covariates that the dates of y give: "hour", "weekday", "day" (of the month) and "month",
        each as sine and cosine of its cycle, and "weekend". True takes hour, weekday and month,
        those of them whose cycle has several steps.""",
    )
    interval: Any = parameter(
        default=None,
        constraints=[Interval(Real, 0, 1, closed="neither"), tuple, list, None],
        doc="""float, list of floats or None
        Share of the future that `predict_interval` is to cover, between 0 and 1, or several of
        them; None fits no intervals.""",
    )
    calibration_fraction: float = parameter(
        default=0.2,
        constraints=[Interval(Real, 0, 1, closed="neither")],
        doc="""float
        Share of the time steps, the last ones of each series, that a regressor fitted to those
        before forecasts: on them intervals are calibrated, and with ``scale="auto"`` it is learned
        how much each part of the forecast counts. Short series take up to a third there.""",
    )
    id_column: Any = parameter(
        default=None,
        constraints=[str, int, None],
        doc="""str, int or None
        Column of a long DataFrame that says which series a row belongs to.""",
    )
    time_column: Any = parameter(
        default=None,
        constraints=[str, int, None],
        doc="""str, int or None
        Column of a long DataFrame that holds the dates; None takes its index.""",
    )
    target_column: Any = parameter(
        default=None,
        constraints=[str, int, None],
        doc="""str, int or None
        Column of a long DataFrame that holds the series; None takes the one that is left.""",
    )
    random_state: int | np.random.RandomState | None = parameter(
        default=None,
        constraints=["random_state"],
        doc="""int, RandomState instance or None
        Seed of the default regressor. One that is passed as `estimator` has its own.""",
    )


def levels_of(interval: Any) -> list[float]:
    """Return the coverages of a value of `interval`; raise ValueError if one is not allowed."""
    if interval is None:
        return []
    levels = [interval] if isinstance(interval, Real) else list(interval)
    if not levels or not all(isinstance(each, Real) and 0 < float(each) < 1 for each in levels):
        raise ValueError(
            f"interval={interval!r} has to be a number between 0 and 1, or a list of such numbers."
        )
    if len(set(levels)) < len(levels):
        raise ValueError(f"interval={interval!r} has a level twice.")
    return [float(each) for each in levels]


def limits_of(bounds: Any, series: list[np.ndarray]) -> np.ndarray | None:
    """Return lower and upper limits of each series, (n_series, 2); None if there are none."""
    if bounds is None:
        return None
    if bounds == "auto":
        are_counts = [_are_counts(values) for values in series]
        limits = np.where(np.array(are_counts)[:, None], [0.0, np.inf], [-np.inf, np.inf])
        return limits if any(are_counts) else None
    if len(bounds) != 2 or not all(each is None or isinstance(each, Real) for each in bounds):
        raise ValueError(f"bounds={bounds!r} has to be 'auto', None, or (lower, upper).")
    lower, upper = (
        infinite if each is None else float(each)
        for each, infinite in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    if not lower < upper:
        raise ValueError(f"bounds={bounds!r}: the lower one has to be below the upper one.")
    for values in series:
        outside = values[(values < lower) | (values > upper)]
        if len(outside):
            raise ValueError(
                f"y has the value {outside[0]:g}, which is outside of bounds={bounds}."
            )
    return np.tile([[lower, upper]], (len(series), 1))


def _are_counts(values: np.ndarray) -> bool:
    """Say whether values, NaN aside, are whole numbers of 0 or more."""
    known = values[~np.isnan(values)]
    return bool(len(known) and (known >= 0).all() and (known == np.round(known)).all())
