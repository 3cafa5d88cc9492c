"""Forecasts of time series with any regressor, in scikit-learn's terms.

One or many series, of pandas with their dates, or arrays whose rows are in the order of time. What
a forecaster is fitted on ends where its forecast begins. How good it is tells `cross_validate`, and
for arrays ``cross_val_score(forecaster, X, y, cv=TimeSeriesSplit())``.
"""

from ._forecasters import DirectForecaster, RecursiveForecaster
from ._metrics import coverage, mase, smape
from ._one_by_one import (
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
from ._validation import cross_validate
from ._windows import WindowTransformer

__all__ = [
    "DirectForecaster",
    "RecursiveForecaster",
    "WindowTransformer",
    "coverage",
    "cross_validate",
    "mase",
    "smape",
]
