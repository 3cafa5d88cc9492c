import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, QuantileRegressor, Ridge

from sknn import NeuralRegressor
from sknn.forecasting import DirectForecaster, RecursiveForecaster
from sknn.forecasting._intervals import conformal_margins, least_scores

rng = np.random.default_rng(0)
SERIES = np.sin(2 * np.pi * np.arange(100) / 12) + 0.2 * rng.normal(size=100)


class Marginal(RegressorMixin, BaseEstimator):
    """Predict the quantile of the targets, whatever the window, and remember the targets."""

    targets_of_all_fits: list[np.ndarray] = []

    def __init__(self, loss: str = "mean", quantile: float = 0.5) -> None:
        self.loss = loss
        self.quantile = quantile

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Marginal":
        self.targets_of_all_fits.append(y)
        self.value_ = y.mean(0) if self.loss == "mean" else np.quantile(y, self.quantile, axis=0)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.tile(self.value_, (len(X), 1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


# ---------------------------------------------------------------------------------------- margins


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_the_margin_is_the_conformal_quantile(coverage: float) -> None:
    """The k-th smallest of n scores, with the least k for which k / (n + 1) is the coverage."""
    n = 39
    scores = rng.permutation(np.arange(1.0, n + 1)).reshape(n, 1, 1)
    k = next(k for k in range(1, n + 1) if k / (n + 1) >= coverage - 1e-12)
    assert conformal_margins(scores, coverage) == k


def test_margins_do_not_fall_with_the_distance() -> None:
    scores = np.zeros((9, 4, 1)) + np.array([1.0, 3.0, 2.0, 4.0])[None, :, None]
    assert_allclose(conformal_margins(scores, 0.8)[:, 0], [1, 2.5, 2.5, 4])


@pytest.mark.parametrize(("coverage", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_the_least_number_of_scores(coverage: float, least: int) -> None:
    assert least_scores(coverage) == least
    conformal_margins(np.zeros((least, 1, 1)), coverage)


def test_margins_cover_as_many_new_scores_as_they_promise() -> None:
    """Exchangeable scores: the coverage is at least what was asked for, on average over draws."""
    draws = np.random.default_rng(1).exponential(size=(4000, 20))
    covered = [
        conformal_margins(draw[:19].reshape(19, 1, 1), 0.8)[0, 0] >= draw[19] for draw in draws
    ]
    assert np.mean(covered) == pytest.approx(0.8, abs=0.02)


# ----------------------------------------------------------------------- against hand-made ones


def test_recursive_intervals_equal_those_made_by_hand() -> None:
    walk = np.random.default_rng(3).normal(size=100).cumsum()
    past, n_steps, coverage = 5, 3, 0.75
    model = RecursiveForecaster(
        LinearRegression(), past=past, scale=None, interval=coverage, interval_steps=n_steps
    ).fit(None, walk)
    # calibration: the last 20 of 100 steps, a regression of the 80 before
    X = np.array([walk[i : i + past] for i in range(80 - past)])
    regression = LinearRegression().fit(X, walk[past:80])
    errors = []
    for now in range(80, 100 - n_steps + 1):
        values = list(walk[now - past : now])
        for _ in range(n_steps):
            values.append(regression.predict([values[-past:]])[0])
        errors.append(np.abs(walk[now : now + n_steps] - values[past:]))
    half_widths = np.sort(errors, axis=0)[math.ceil(19 * coverage) - 1]
    assert (np.diff(half_widths) > 0).all()  # so that there is nothing to make monotone
    forecast = model.forecast(n_steps)
    expected = np.column_stack([forecast - half_widths, forecast + half_widths])
    assert_allclose(model.forecast_interval(n_steps), expected)
    assert_allclose(model.forecast_interval(2), expected[:2])


def test_direct_intervals_are_conformalized_quantiles() -> None:
    past, horizon, coverage = 4, 2, 0.6
    Marginal.targets_of_all_fits.clear()
    model = DirectForecaster(
        Marginal(), past=past, horizon=horizon, scale=None, interval=coverage
    ).fit(None, SERIES)

    def targets(first: int, stop: int) -> np.ndarray:
        return np.array([SERIES[now : now + horizon] for now in range(first, stop - horizon + 1)])

    bounds = [np.quantile(targets(past, 80), q, axis=0) for q in (0.2, 0.8)]
    seen_later = targets(80, 100)
    scores = np.maximum(bounds[0] - seen_later, seen_later - bounds[1])
    margins = np.sort(scores, axis=0)[math.ceil(20 * coverage) - 1]
    if margins[0] > margins[1]:
        margins[:] = margins.mean()
    lower, upper = (np.quantile(targets(past, 100), q, axis=0) for q in (0.2, 0.8))
    expected = np.column_stack([lower - margins, upper + margins])
    assert_allclose(model.forecast_interval(horizon), expected)


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_fit_before_calibration_sees_no_step_of_it(horizon: int) -> None:
    Marginal.targets_of_all_fits.clear()
    DirectForecaster(
        Marginal(), past=6, horizon=horizon, scale=None, interval=0.5, calibration_fraction=0.3
    ).fit(None, np.arange(100.0))
    largest = [targets.max() for targets in Marginal.targets_of_all_fits]
    assert largest == [69, 69, 99, 99, 99]  # two bounds, then the forecast and its bounds


def test_bounds_that_cross_are_put_in_order_and_negative_margins_leave_no_less_than_nothing() -> (
    None
):
    """Quantiles of nearly constant targets, far too wide for what follows."""

    class Crossing(Marginal):
        def fit(self, X: np.ndarray, y: np.ndarray) -> "Crossing":
            self.value_ = np.full(y.shape[1:], {0.25: 1.0, 0.75: -1.0}.get(self.quantile, 0.0))
            return self

    y = np.where(np.arange(100) % 2, 0.4, -0.4)
    model = DirectForecaster(Crossing(), past=6, horizon=2, scale=None, interval=0.5).fit(None, y)
    assert_allclose(model.forecast_interval(2), [[-0.4, 0.4]] * 2)
    model.fit(None, np.concatenate([y[:50], np.zeros(50)]))
    assert_allclose(model.forecast_interval(2), [[0, 0]] * 2, atol=1e-12)


def test_intervals_of_several_series_are_those_of_each() -> None:
    both = np.column_stack([SERIES, 1000 * SERIES[::-1]])
    model = DirectForecaster(
        Marginal(), past=6, horizon=2, interval=0.6, scale="standard", model="joint"
    )
    together = model.fit(None, both).forecast_interval(2)
    assert together.shape == (2, 2, 2)
    for k in (0, 1):
        alone = model.fit(None, both[:, k]).forecast_interval(2)
        assert_allclose(together[:, k], alone)


def test_an_interval_holds_those_of_lower_levels() -> None:
    class Fixed:
        margins = np.zeros((1, 1))

        def __init__(self, *bounds: float) -> None:
            self.bounds = np.array(bounds)

        def predict(self, origins: Any, n_steps: int) -> np.ndarray:
            return np.broadcast_to(self.bounds, (1, 1, 1, 2))

    model = RecursiveForecaster(
        Ridge(), past=6, interval=[0.8, 0.5, 0.9], interval_steps=1, calibration_fraction=0.4
    ).fit(SERIES)
    model._intervals = [Fixed(-2, 1), Fixed(-1, 2), Fixed(-1.5, 3)]
    assert_array_equal(model.predict_interval(1)[0], [[-2, 2], [-1, 2], [-2, 3]])


def test_covariates_reach_the_intervals() -> None:
    """A series that follows its covariate exactly leaves nothing uncertain."""
    X = rng.normal(size=(112, 1))
    y = 3 * X[:, 0]
    model = RecursiveForecaster(LinearRegression(), past=3, scale=None, interval=0.8)
    model.fit(X[:100], y[:100])
    assert_allclose(model.predict_interval(X[100:]), np.column_stack([y[100:]] * 2), atol=1e-8)
    model = DirectForecaster(
        QuantileRegressor(alpha=0), past=3, horizon=3, scale=None, interval=0.8
    ).fit(X[:100], y[:100])
    for n_steps in (2, 3):
        expected = np.column_stack([y[100 : 100 + n_steps]] * 2)
        assert_allclose(model.predict_interval(X[100 : 100 + n_steps]), expected, atol=1e-6)


def test_wider_where_the_series_is_wider() -> None:
    """Errors are measured in units of the window's scale, so that intervals grow with a series."""
    y = 100 + SERIES
    model = RecursiveForecaster(
        Ridge(), past=12, scale="window", interval=0.8, interval_steps=1
    ).fit(None, y)
    narrow = np.diff(model.forecast_interval(1))
    wide = np.diff(model.observe(None, 10 * SERIES[:24]).forecast_interval(1))
    assert wide / narrow == pytest.approx(10, rel=0.3)


# -------------------------------------------------------------------------------------- coverage


def seasonal(rng: np.random.Generator) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(162) / 12) + 0.3 * rng.normal(size=162)


def autoregressive(rng: np.random.Generator) -> np.ndarray:
    y = list(rng.normal(size=2))
    for noise in rng.normal(size=200):
        y.append(1.2 * y[-1] - 0.5 * y[-2] + noise)
    return np.array(y[-162:])


@pytest.mark.parametrize("simulate", [seasonal, autoregressive])
@pytest.mark.parametrize(
    "model",
    [
        RecursiveForecaster(Ridge(), interval=0.8, interval_steps=3),
        pytest.param(
            DirectForecaster(
                QuantileRegressor(alpha=0.01), past=12, horizon=3, interval=0.8, scale="standard"
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["recursive", "direct"],
)
def test_coverage_of_simulated_series(
    model: Any, simulate: Callable[[np.random.Generator], np.ndarray]
) -> None:
    n_series, n_steps = 40, 3
    covered = np.zeros((n_series, n_steps))
    for seed in range(n_series):
        y = simulate(np.random.default_rng(seed))
        lower, upper = model.fit(None, y[:150]).forecast_interval(n_steps).T
        future = y[150 : 150 + n_steps]
        covered[seed] = (lower <= future) & (future <= upper)
    # the standard error of the mean over 40 series is about 0.03
    assert 0.7 < covered.mean() < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("forecaster", [RecursiveForecaster, DirectForecaster])
def test_coverage_of_the_airline_series(passengers: np.ndarray, forecaster: Any) -> None:
    """Logarithms, twelve months from each of five moments."""
    y = np.log(passengers)
    covered = []
    for stop in range(96, 133, 9):
        model = forecaster(interval=0.8, calibration_fraction=0.25, random_state=0)
        lower, upper = model.fit(None, y[:stop]).forecast_interval(12).T
        covered.append((lower <= y[stop : stop + 12]) & (y[stop : stop + 12] <= upper))
    # the growth of twelve years ends in 1958, which nothing before foretells
    assert 0.55 < np.mean(covered) < 0.97


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("forecaster", [RecursiveForecaster, DirectForecaster])
def test_intervals_have_to_be_asked_for_before_fit(forecaster: Any) -> None:
    model = forecaster(Ridge(), past=6).fit(None, SERIES)
    with pytest.raises(ValueError, match="was fitted with interval=None: set a coverage"):
        model.forecast_interval(3)


def test_intervals_reach_as_far_as_they_were_calibrated() -> None:
    model = RecursiveForecaster(Ridge(), past=6, interval=0.5, interval_steps=4).fit(None, SERIES)
    assert model.forecast(9).shape == (9,)
    assert model.forecast_interval(4).shape == (4, 2)
    with pytest.raises(ValueError, match="of 5 steps, .* for 4 steps ahead: raise interval_steps"):
        model.forecast_interval(5)
    model = DirectForecaster(Marginal(), past=6, horizon=4, interval=0.5).fit(None, SERIES)
    with pytest.raises(ValueError, match="for 4 steps ahead: raise horizon"):
        model.forecast_interval(5)


def test_direct_intervals_need_a_regressor_of_quantiles() -> None:
    with pytest.raises(ValueError, match=r"interval needs an estimator .* estimator=Ridge\(\)"):
        DirectForecaster(Ridge(), past=6, scale="window", interval=0.8).fit(None, SERIES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"interval": 0.95}, "leaves 20 for calibration, .* interval_steps=12 need at least 30"),
        ({"calibration_fraction": 0.1}, "leaves 10 for calibration, but interval=0.8"),
        ({"calibration_fraction": 0.95}, "leaves 5 for training, but past=6 and horizon=1 need"),
    ],
    ids=["coverage", "little calibration", "little training"],
)
def test_series_too_short_for_calibration(parameters: dict[str, Any], message: str) -> None:
    model = RecursiveForecaster(Ridge(), past=6, scale="window", interval=0.8)
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(None, SERIES)
    least = {"interval": 0.8, "calibration_fraction": 0.15}  # 12 steps ahead four times: 15 steps
    model.set_params(**least).fit(None, SERIES)


def test_a_network_gives_intervals() -> None:
    network = NeuralRegressor(
        hidden_layer_sizes=(16,), learning_rate="cosine", max_iter=30, random_state=0
    )
    model = DirectForecaster(network, past=12, horizon=4, interval=0.8).fit(None, SERIES)
    lower, upper = model.forecast_interval(4).T
    assert (lower < upper).all()
    assert model.estimator_.loss == "squared_error"
    assert_array_equal(model.predict_interval(np.empty((4, 0))), model.forecast_interval(4))
