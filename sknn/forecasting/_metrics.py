"""Errors of forecasts that series of different sizes share, and the coverage of intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sknn._documentation import composed
from sknn._validation import POSITIVE_INTEGER, validated
from sknn.data import check_numbers

MULTIOUTPUT = [StrOptions({"raw_values", "uniform_average"}), "array-like"]

with_shared_texts = composed(
    y_true="""\
y_true : array-like of shape (n_timesteps,) or (n_timesteps, n_series), Series or DataFrame
    What came. A Series with an index of several levels holds the series of a panel, one below
    the other; the last level is the time.""",
    multioutput="""\
multioutput : {"raw_values", "uniform_average"} or array-like, default="uniform_average"
    What is returned of several series: a value each, their mean, or their mean with a weight
    each.""",
    returned="""\
float or ndarray of shape (n_series,)
    The value; of several series as `multioutput` says.""",
)


class Columns(NamedTuple):
    """Series, each of any length."""

    labels: list[Any]  # names of columns, or ids of a panel
    values: list[np.ndarray]  # (n_timesteps_i,) each


@validated({"season": [POSITIVE_INTEGER], "multioutput": MULTIOUTPUT})
@with_shared_texts
def mase(
    y_true: Any,
    y_pred: Any,
    *,
    y_train: Any,
    season: int = 1,
    multioutput: str | Sequence[float] = "uniform_average",
) -> float | np.ndarray:
    """Mean absolute scaled error: how many errors of the seasonal naive forecast an error is.

    The scale is the mean absolute difference between steps of the training series that are a
    season apart [1]_: what the forecast "as a season ago" is off by, one season ahead. It has the
    unit of the series, so series of different sizes can be compared and averaged. Below 1, the
    forecast is better than that.

    Parameters
    ----------
    {y_true}
    y_pred : array-like, Series or DataFrame
        The forecast, in the form of `y_true`.
    y_train : array-like, Series or DataFrame
        The series before it, of any length. Pairs with a missing value are left out.
    season : int, default=1
        Steps of a season: 12 for months. 1 compares with the last value repeated.
    {multioutput}

    Returns
    -------
    {returned}

    Raises
    ------
    ValueError
        If a series does not have more steps than a season, or repeats itself exactly, so that
        the scale is 0; if the indices of `y_true` and `y_pred` differ, or values are not finite.

    See Also
    --------
    smape : An error relative to the values, which needs no training series.
    sklearn.metrics.mean_pinball_loss : The loss of a quantile, such as a bound of an interval.

    References
    ----------
    .. [1] R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy",
       International Journal of Forecasting 22(4), 2006, pages 679-688.

    Examples
    --------
    >>> from sknn.forecasting import mase
    >>> mase([5, 7], [6, 5], y_train=[1, 4, 3, 6], season=2)
    0.75
    """
    true, predicted = _pair(y_true, y_pred, "y_pred")
    train = _columns("y_train", _in_order(y_train), allow_nan=True)
    scales = _scales(true, train, season)
    errors = [
        scaled_error(y, forecast, scale)
        for y, forecast, scale in zip(true.values, predicted.values, scales, strict=True)
    ]
    return _average(errors, multioutput)


@validated({"multioutput": MULTIOUTPUT})
@with_shared_texts
def smape(
    y_true: Any, y_pred: Any, *, multioutput: str | Sequence[float] = "uniform_average"
) -> float | np.ndarray:
    """Symmetric mean absolute percentage error: errors relative to forecast and value alike.

    The mean of ``2 * |y - forecast| / (|y| + |forecast|)``, as in the M4 competition [1]_, as a
    fraction: 0.1 is 10 %, and 2 is the largest. A forecast of 0 for a value of 0 has no error.
    For series that are positive; around 0 it says little.

    Parameters
    ----------
    {y_true}
    y_pred : array-like, Series or DataFrame
        The forecast, in the form of `y_true`.
    {multioutput}

    Returns
    -------
    {returned}

    Raises
    ------
    ValueError
        If the indices of `y_true` and `y_pred` differ, or values are not finite.

    See Also
    --------
    mase : An error relative to that of the seasonal naive forecast, for series of any sign.

    References
    ----------
    .. [1] S. Makridakis, E. Spiliotis and V. Assimakopoulos, "The M4 Competition: 100,000 time
       series and 61 forecasting methods", International Journal of Forecasting 36(1), 2020,
       pages 54-74.

    Examples
    --------
    >>> from sknn.forecasting import smape
    >>> smape([100, 50], [100, 150])
    0.5
    """
    true, predicted = _pair(y_true, y_pred, "y_pred")
    errors = [
        relative_error(y, forecast)
        for y, forecast in zip(true.values, predicted.values, strict=True)
    ]
    return _average(errors, multioutput)


@validated({"multioutput": MULTIOUTPUT})
@with_shared_texts
def coverage(
    y_true: Any,
    lower: Any,
    upper: Any,
    *,
    multioutput: str | Sequence[float] = "uniform_average",
) -> float | np.ndarray:
    """Share of the steps that lie within an interval, its bounds included.

    An interval of 80 % is well calibrated if this is about 0.8 over many forecasts. How narrow it
    is, coverage does not say; the pinball loss of both bounds does.

    Parameters
    ----------
    {y_true}
    lower, upper : array-like, Series or DataFrame
        The bounds, each in the form of `y_true`.
    {multioutput}

    Returns
    -------
    {returned}

    Raises
    ------
    ValueError
        If the indices differ, values are not finite, or a lower bound lies above the upper one.

    See Also
    --------
    sklearn.metrics.mean_pinball_loss : The loss of one bound: that of an interval of 80 % with
        ``alpha=0.1`` and ``alpha=0.9``.

    Examples
    --------
    >>> from sknn.forecasting import coverage
    >>> coverage([1, 2, 3, 4], lower=[0, 0, 0, 0], upper=[3, 3, 3, 3])
    0.75
    """
    true, below = _pair(y_true, lower, "lower")
    _, above = _pair(y_true, upper, "upper")
    shares = [
        share_inside(*each) for each in zip(true.values, below.values, above.values, strict=True)
    ]
    return _average(shares, multioutput)


# ------------------------------------------------------------ of one series, (n_timesteps,) each


def scaled_error(y: np.ndarray, forecast: np.ndarray, scale: float) -> float:
    """Return the mean absolute error in units of a scale."""
    return float(np.abs(y - forecast).mean() / scale)


def relative_error(y: np.ndarray, forecast: np.ndarray) -> float:
    """Return the symmetric mean absolute percentage error, a fraction."""
    size = np.abs(y) + np.abs(forecast)
    return float(np.mean(2 * np.abs(y - forecast) / np.where(size > 0, size, 1)))


def share_inside(y: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Return the share of steps between two bounds; raise ValueError if these are crossed."""
    crossed = lower > upper
    if crossed.any():
        step = int(np.argmax(crossed))
        raise ValueError(
            f"lower lies above upper at position {step}: {lower[step]:g} > {upper[step]:g}."
        )
    return float(np.mean((lower <= y) & (y <= upper)))


# -------------------------------------------------------------------------------------- series


def _pair(y_true: Any, other: Any, name: str) -> tuple[Columns, Columns]:
    """Return y_true and what is compared with it, as series of the same lengths."""
    true, compared = _columns("y_true", y_true), _columns(name, other)
    lengths = [[len(column) for column in each.values] for each in (true, compared)]
    if lengths[0] != lengths[1]:
        raise ValueError(f"y_true has the shape {np.shape(y_true)}, {name} {np.shape(other)}.")
    if not (_is_pandas(y_true) and _is_pandas(other)):
        return true, compared
    kinds = [("index", y_true.index, other.index)]
    if np.ndim(y_true) == np.ndim(other) == 2:
        kinds.append(("columns", y_true.columns, other.columns))
    for kind, expected, found in kinds:
        # compared one by one, since the same moments may be told in different time zones
        pairs = enumerate(zip(expected, found, strict=True))
        first = next((i for i, (a, b) in pairs if a != b), None)
        if first is not None and not expected.equals(found):
            raise ValueError(
                f"y_true and {name} have a different {kind}: {expected[first]} beside "
                f"{found[first]} at position {first}."
            )
    return true, compared


def _columns(name: str, values: Any, *, allow_nan: bool = False) -> Columns:
    """Return the series of an array, of columns, or of an index of several levels."""
    array = check_numbers(
        values,
        ensure_2d=False,
        dtype=np.float64,
        ensure_all_finite="allow-nan" if allow_nan else True,
        name=name,
    )
    array = array.reshape(len(array), -1)
    if _is_pandas(values) and values.index.nlevels > 1:
        if array.shape[1] > 1:
            raise ValueError(
                f"{name} has an index of several levels and {array.shape[1]} columns: the series "
                "of a panel are one column, and the levels before the last one tell them apart."
            )
        codes, labels = values.index.droplevel(-1).factorize()
        return Columns(list(labels), [array[codes == code, 0] for code in range(len(labels))])
    labels = list(getattr(values, "columns", range(array.shape[1])))
    return Columns(labels, list(array.T))


def _in_order(values: Any) -> Any:
    """Return a pandas object in the order of its index; anything else as it is."""
    if not _is_pandas(values) or values.index.is_monotonic_increasing:
        return values
    return values.sort_index()


def _is_pandas(values: Any) -> bool:
    return hasattr(values, "iloc")


def _scales(true: Columns, train: Columns, season: int) -> list[float]:
    """Return the mean absolute seasonal difference of each series."""
    if len(train.values) == len(true.values) == 1:
        order = [0]
    elif missing := [label for label in true.labels if label not in train.labels]:
        raise ValueError(f"y_train lacks the series {missing[0]!r}, which y_true has.")
    else:
        order = [train.labels.index(label) for label in true.labels]
    return [scale_of(train.values[i], season, _which(train, i)) for i in order]


def _which(train: Columns, i: int) -> str:
    return "" if len(train.values) == 1 else f", series {train.labels[i]!r},"


def scale_of(train: np.ndarray, season: int, which: str = "") -> float:
    """Return the mean absolute seasonal difference of a training series, (n_timesteps,)."""
    if len(train) <= season:
        raise ValueError(
            f"y_train{which} has {len(train)} steps, but season={season} needs at least "
            f"{season + 1}."
        )
    differences = np.abs(train[season:] - train[:-season])
    known = differences[~np.isnan(differences)]
    if not len(known):
        raise ValueError(f"y_train{which} has no two known values that are season={season} apart.")
    scale = float(known.mean())
    if scale == 0:
        raise ValueError(
            f"y_train{which} repeats itself exactly after season={season} steps, so that the "
            "error of the seasonal naive forecast, by which MASE divides, is 0. Use a metric "
            "that is not scaled, say mean_absolute_error of scikit-learn."
        )
    return scale


def _average(values: list[Any], multioutput: str | Sequence[float]) -> float | np.ndarray:
    """Return one value of all series, or (n_series,)."""
    raw = np.asarray(values, dtype=np.float64)
    if isinstance(multioutput, str):
        return raw if multioutput == "raw_values" else float(raw.mean())
    weights = np.asarray(multioutput, dtype=np.float64)
    if weights.shape != raw.shape:
        raise ValueError(
            f"multioutput has the shape {weights.shape}, but there are {len(raw)} series."
        )
    return float(np.average(raw, weights=weights))
