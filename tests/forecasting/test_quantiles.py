from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralRegressor
from sknn.forecasting import DirectForecaster, RecursiveForecaster
from sknn.forecasting._intervals import quantile_regressor

ESTIMATORS = {
    "network": NeuralRegressor(
        hidden_layer_sizes=(),
        learning_rate_init=0.01,
        max_iter=300,
        learning_rate="cosine",
        random_state=0,
    ),
    "boosting": GradientBoostingRegressor(n_estimators=20, random_state=0),
    "histogram boosting": HistGradientBoostingRegressor(max_iter=20),
    "linear": QuantileRegressor(alpha=0),
    "pipeline": make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=20)),
    "meta": TransformedTargetRegressor(HistGradientBoostingRegressor(max_iter=20)),
}


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize("level", [0.1, 0.7])
def test_the_clone_estimates_the_quantile(estimator: Any, level: float) -> None:
    """Where X says nothing, the quantile of y is that of the uniform distribution."""
    y = np.random.default_rng(0).permutation(np.linspace(0, 1, 400))
    X = np.zeros((400, 1))
    before = repr(estimator)
    regressor = quantile_regressor(estimator, level)
    assert regressor.fit(X, y).predict(X[:1])[0] == pytest.approx(level, abs=0.05)
    assert repr(estimator) == before


def test_the_outermost_regressor_is_asked() -> None:
    estimator = MultiOutputRegressor(GradientBoostingRegressor(init=NeuralRegressor()))
    inner = quantile_regressor(estimator, 0.3).estimator
    assert (inner.loss, inner.alpha) == ("quantile", 0.3)
    assert inner.init.loss == "squared_error"


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), MLPRegressor(), make_pipeline(StandardScaler())], ids=str
)
def test_others_are_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match="interval needs an estimator for quantiles"):
        quantile_regressor(estimator, 0.1)


def test_several_quantiles_give_way_to_the_bounds_of_intervals() -> None:
    estimator = NeuralRegressor(loss="quantile", quantiles=(0.1, 0.9))
    assert quantile_regressor(estimator, 0.3).quantiles is None
    assert quantile_regressor(estimator, 0.3).quantile == 0.3


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: make_pipeline(each)])
@pytest.mark.parametrize("kind", [DirectForecaster, RecursiveForecaster])
def test_forecasts_are_no_quantiles(kind: Any, wrap: Any) -> None:
    estimator = wrap(NeuralRegressor(loss="quantile", quantiles=(0.1, 0.9)))
    forecaster = kind(estimator, past=3)
    with pytest.raises(ValueError, match="estimator predicts several quantiles"):
        forecaster.fit(None, np.arange(50.0))
