"""The two ways from a regressor to a forecast: step by step, or all steps at once."""

from __future__ import annotations

from typing import Any

from sknn._documentation import composed
from sknn._parameters import declares_parameters, parameter
from sknn._validation import POSITIVE_INTEGER

from ._base import Forecaster
from ._intervals import quantile_regressor

with_shared_texts = composed(
    fitted="""\
estimator_ : estimator
    The fitted regressor.
season_ : list of int
    Steps of the seasons that forecasts use; empty if there are none, or `scale` is not "auto".
n_features_in_ : int
    Number of covariates that are used.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, if X is a DataFrame whose column names are all strings.""",
    windows="""\
With ``scale="auto"`` a forecast has three parts. An autoregression on the last `past` steps, and
on steps one to three seasons before, forecasts the next step: the average of ridge regressions
that are shrunk towards the mean, the last step and the last season, each with the penalty of the
least leave-one-out error. The regressor learns what that leaves, from the same lags, as deviations
from the last step, and from the covariates of the steps to forecast. The last season repeated is
the third. How much each part counts follows from the errors of a model that is fitted to all but
the last steps, and forecasts these. A forecast that goes farther beyond the range of the series
than that range is wide (and farther in proportion to the steps ahead) is kept at this end, with a
warning.

With another `scale`, and where the tags of a regressor say that it takes arrays of three
dimensions, it gets whole windows. Several series and covariates are the channels of a window: a
regressor of three dimensions gets them in the shape (past, n_channels), series first; any other
gets them flattened, step by step.""",
    coverage="""\
Forecasts of the same distance, from overlapping windows, have errors that resemble each other. The
coverage that conformal prediction guarantees for independent samples therefore holds only nearly.\
""",
)


@declares_parameters
@with_shared_texts
class RecursiveForecaster(Forecaster):
    """Forecast a series step by step, with a regressor that is fed with its own forecasts.

    The regressor learns the step that follows a window. For the step after that, the window moves
    on by one and takes its own forecast in. So a forecast of any length needs a single regressor
    of a single step, but errors go on from step to step.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {fitted}

    See Also
    --------
    DirectForecaster : One regressor of all steps ahead.
    WindowTransformer : The windows alone.

    Notes
    -----
    {windows}

    The channels of covariates are one step ahead, so that the last row of a window holds those of
    the step to forecast. A regressor that has only one output is wrapped in a
    :class:`sklearn.multioutput.MultiOutputRegressor` where there are several series.

    With ``scale="auto"``, intervals are as wide as the errors on the last steps were, of a model
    that had not seen them: the errors of each distance ahead are divided by what is usual there,
    and have one quantile. So short series have intervals too. With another `scale`, intervals are
    split conformal [1]_: a regressor fitted to the first part of the series
    forecasts from every step of the last part, and the quantiles of its absolute errors, for each
    step ahead and in units of the window's scale, are the half widths.

    {coverage}

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", Journal of the American Statistical Association
       113(523), 2018, arXiv:1604.04173.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sknn.forecasting import RecursiveForecaster
    >>> months = pd.date_range("2024-01", periods=10, freq="MS")
    >>> y = pd.Series([1, 1, 2, 3, 5, 8, 13, 21, 34, 55], months, name="rabbits")
    >>> fibonacci = RecursiveForecaster(LinearRegression(), past=2, scale=None).fit(y)
    >>> fibonacci.predict(3).round(6)
    2024-11-01     89.0
    2024-12-01    144.0
    2025-01-01    233.0
    Freq: MS, Name: rabbits, dtype: float64
    >>> later = pd.Series([89, 144], pd.to_datetime(["2024-11-01", "2024-12-01"]))
    >>> fibonacci.update(later).predict(1).round(6)
    2025-01-01    233.0
    Freq: MS, Name: rabbits, dtype: float64
    """

    interval_steps: int = parameter(
        default=12,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Steps ahead up to which intervals are calibrated. Used with `interval` only; `predict`
        goes as far as it is asked to.""",
    )

    _reach = "interval_steps"

    @property
    def _horizon(self) -> int:
        return 1

    def _bound_estimators(self, estimator: Any, coverage: float) -> tuple[Any, ...]:
        return ()


@declares_parameters
@with_shared_texts
class DirectForecaster(Forecaster):
    """Forecast all steps of a horizon at once, with a regressor of several outputs.

    Each step ahead is an output of its own, so that errors do not go on from one to the next.
    Asked for more steps than `horizon`, the forecaster goes on block by block from its own
    forecasts.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {fitted}

    See Also
    --------
    RecursiveForecaster : A regressor of one step, fed with its own forecasts.
    WindowTransformer : The windows alone.

    Notes
    -----
    {windows}

    The channels of covariates are `horizon` steps ahead, so that the last `horizon` rows of a
    window hold those of the steps to forecast; `past` must be `horizon` or more then. Where a
    forecast ends within a block, the last row of X stands for those that are missing. A regressor
    that has only one output is wrapped in a :class:`sklearn.multioutput.MultiOutputRegressor`.

    With ``scale="auto"``, intervals are those of :class:`RecursiveForecaster`. With another `scale`
    they are those of conformalized quantile regression [1]_: clones of the regressor with
    ``loss="quantile"``, one for each bound, are fitted to the first part of the series. How far
    the last part lies outside of their bounds, for each step ahead and in units of the window's
    scale, says by how much the bounds of two clones that are fitted to the whole series are
    widened. This takes four more fits.

    {coverage}

    References
    ----------
    .. [1] Y. Romano, E. Patterson and E. J. Candes, "Conformalized quantile regression",
       NeurIPS 2019, arXiv:1905.03222.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import TimeSeriesSplit, cross_val_score
    >>> from sknn.forecasting import DirectForecaster
    >>> months = pd.period_range("2015-01", periods=120, freq="M")
    >>> step = np.arange(120)
    >>> y = pd.Series(0.1 * step + np.sin(2 * np.pi * step / 12), months)
    >>> forecaster = DirectForecaster(LinearRegression(), past=24, horizon=6)
    >>> forecaster.fit(y).predict(3).round(3)
    2025-01    12.000
    2025-02    12.600
    2025-03    13.066
    Freq: M, dtype: float64
    >>> cv = TimeSeriesSplit(n_splits=3, test_size=6)
    >>> cross_val_score(forecaster, y.to_frame()[[]], y, cv=cv).round(6)
    array([1., 1., 1.])
    """

    horizon: int = parameter(
        default=12,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Steps that the regressor forecasts at once, and up to which intervals are calibrated.""",
    )

    _reach = "horizon"

    @property
    def _horizon(self) -> int:
        return self.horizon

    def _bound_estimators(self, estimator: Any, coverage: float) -> tuple[Any, ...]:
        tail = (1 - coverage) / 2
        return quantile_regressor(estimator, tail), quantile_regressor(estimator, 1 - tail)
