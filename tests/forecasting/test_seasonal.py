"""Seasons, units, the autoregression, and what the default forecaster makes of them."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from sknn.forecasting import RecursiveForecaster
from sknn.forecasting._autoregression import PENALTIES, lags_of, ridge
from sknn.forecasting._rehearsal import margins_of
from sknn.forecasting._seasons import checked_seasons, found_seasons, suggested_periods
from sknn.forecasting._units import Units, grows_with_level

MONTHS = np.arange(96)
SEASON = np.sin(2 * np.pi * MONTHS / 12)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


# --------------------------------------------------------------------------------------- seasons


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("MS", (12,)),
        ("ME", (12,)),
        ("QS-OCT", (4,)),
        ("D", (7,)),
        ("B", (5,)),
        ("W-SUN", (52,)),
        ("h", (24, 168)),
        ("2h", (12, 84)),
        ("30min", (48, 336)),
        ("YE", ()),
    ],
)
def test_dates_suggest_seasons(freq: str, expected: tuple[int, ...]) -> None:
    pd = pytest.importorskip("pandas")
    assert suggested_periods(pd.date_range("2020-01-01", periods=9, freq=freq)) == expected
    if freq != "2h":
        assert suggested_periods(pd.RangeIndex(9)) is None


def test_periods_of_pandas_suggest_seasons() -> None:
    pd = pytest.importorskip("pandas")
    for freq, expected in [("M", (12,)), ("Q", (4,)), ("Y", ()), ("h", (24, 168))]:
        assert suggested_periods(pd.period_range("2020", periods=9, freq=freq)) == expected


def test_a_clear_season_is_found_without_dates() -> None:
    y = (0.3 * MONTHS + 5 * SEASON + 0.5 * noise(96))[:, None]
    assert found_seasons([y], None) == [12]
    assert found_seasons([noise(96)[:, None].cumsum(axis=0)], None) == []
    assert found_seasons([np.ones((96, 1))], None) == []


def test_a_longer_season_has_to_show() -> None:
    pd = pytest.importorskip("pandas")
    hours = np.arange(24 * 7 * 5)
    index = pd.date_range("2020-01-01", periods=len(hours), freq="h")
    daily = np.sin(2 * np.pi * hours / 24) + 0.1 * noise(len(hours))
    weekly = daily * np.where(hours % 168 < 120, 1, 0.2)
    assert found_seasons([daily[:, None] * 0 + noise(len(hours))[:, None]], index) == [24]
    assert found_seasons([weekly[:, None]], index) == [24, 168]


@pytest.mark.parametrize("season", [1, 0, [12, 1], "monthly", 2.5])
def test_seasons_are_numbers_of_steps(season: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        RecursiveForecaster(Ridge(), season=season).fit(noise(40))


def test_given_seasons() -> None:
    assert checked_seasons("auto") is None
    assert checked_seasons(None) == []
    assert checked_seasons([24, 12]) == [12, 24]
    assert RecursiveForecaster(Ridge(), season=[6, 12]).fit(noise(80)).season_ == [6, 12]


def test_lags_are_the_last_steps_and_those_of_seasons() -> None:
    assert lags_of([], None, 100).tolist() == list(range(1, 10))
    assert lags_of([4], None, 100).tolist() == [1, 2, 3, 4, 5, 8, 9, 12, 13]
    assert lags_of([4, 20], 2, 100).tolist() == [1, 2, 4, 5, 8, 9, 12, 13, 20, 21]
    assert lags_of([4], None, 6).tolist() == [1, 2, 3, 4, 5]


# ----------------------------------------------------------------------------------------- units


def test_logarithms_where_the_variation_grows_with_the_level() -> None:
    growth = np.exp(0.03 * MONTHS)
    assert grows_with_level(growth * (10 + 2 * SEASON), 12)
    assert not grows_with_level(10 + 0.5 * MONTHS + 2 * SEASON, 12)
    assert not grows_with_level(growth * (10 + 2 * SEASON) - 12, 12)  # not positive


@pytest.mark.parametrize("y", [noise(60) + 1e9, np.exp(0.1 * noise(60) + MONTHS[:60] / 20)])
def test_units_lead_back(y: np.ndarray) -> None:
    units, which = Units.learn([y[:, None]], 12), np.zeros(1, int)
    seen = units.to(y[None, :, None], which)
    assert_allclose(units.back(seen, which)[0, :, 0], y)
    assert 0.5 < np.diff(seen[0, :, 0]).std() < 2


def test_the_sane_range_reaches_as_far_again_as_the_values_span() -> None:
    y = np.array([2.0, 4, 3, 2, 4, 3, 2, 4, 3, 2])[:, None]
    units, which = Units.learn([y], 1), np.zeros(1, int)
    low, high = (units.back(each, which) for each in units.limits(y[None], which, 2))
    assert_allclose(low[0, :, 0], [2 - 2 * 1.1, 2 - 2 * 1.2])
    assert_allclose(high[0, :, 0], [4 + 2 * 1.1, 4 + 2 * 1.2])


# --------------------------------------------------------------------------------- autoregression


def test_the_penalty_has_the_least_leave_one_out_error() -> None:
    X = noise(200).reshape(40, 5)
    y = X @ [1, 0.5, 0, 0, 0] + 0.7 * noise(40, 1) + 3
    error, coefficients, intercept = ridge(X, y, np.ones(40))
    errors = {}
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty * 40)
        left_out = cross_val_predict(model, X, y, cv=LeaveOneOut())
        errors[penalty] = np.mean((y - left_out) ** 2)
    best = min(errors, key=lambda each: errors[each])
    expected = Ridge(alpha=best * 40).fit(X, y)
    assert_allclose(error, errors[best])
    assert_allclose(coefficients, expected.coef_)
    assert_allclose(intercept, expected.intercept_)


def test_weights_count_like_repeated_samples() -> None:
    X, y = noise(60).reshape(30, 2), noise(30, 1)
    weights = np.where(np.arange(30) < 10, 3.0, 1.0)
    _, coefficients, intercept = ridge(X, y, weights)
    penalties = [PENALTIES[k] * 30 for k in range(len(PENALTIES))]
    found = [Ridge(alpha=each).fit(X, y, weights) for each in penalties]
    assert any(
        np.allclose(each.coef_, coefficients) and np.isclose(each.intercept_, intercept)
        for each in found
    )


# ----------------------------------------------------------------------------------------- models


@pytest.mark.parametrize("estimator", [None, Ridge(), HistGradientBoostingRegressor(max_iter=20)])
def test_trend_and_season_go_on(estimator: Any) -> None:
    """Also by trees, which know no value beyond those that they were fitted to."""
    y = 50 + 0.5 * MONTHS + 5 * SEASON + 0.3 * noise(96)
    forecast = RecursiveForecaster(estimator, random_state=0).fit(y[:84]).predict(12)
    assert np.abs(forecast - y[84:]).mean() < 0.3 * np.abs(y[72:84] - y[84:]).mean()


@pytest.mark.parametrize("estimator", [None, HistGradientBoostingRegressor(max_iter=20)])
def test_quiet_windows_stay_quiet(estimator: Any) -> None:
    """Hours of the sun: every second half of a day is 0."""
    hours = np.arange(24 * 12)
    y = np.maximum(np.sin(2 * np.pi * hours / 24), 0) * (1 + 0.1 * noise(len(hours)))
    model = RecursiveForecaster(estimator, random_state=0).fit(y[:-24])
    forecast = model.predict(24)
    assert np.abs(forecast - y[-24:]).max() < 0.5


@pytest.mark.parametrize("factor", [1e-6, 1, 1e9])
def test_the_unit_of_y_does_not_matter(factor: float) -> None:
    y = 10 + SEASON + 0.1 * noise(96)
    expected = RecursiveForecaster(random_state=0).fit(y).predict(12)
    forecast = RecursiveForecaster(random_state=0).fit(factor * y).predict(12)
    assert_allclose(forecast, factor * expected, rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_goes_on(value: float) -> None:
    model = RecursiveForecaster(random_state=0, interval=0.8).fit(np.full(40, value))
    assert_allclose(model.predict(5), value, atol=1e-6)
    assert_allclose(model.predict_interval(5), value, atol=1e-6)


def test_covariates_of_the_step_to_forecast_count() -> None:
    event = (noise(120, 3) > 1).astype(float)
    y = noise(120) * 0.1 + 8 * event
    model = RecursiveForecaster(LinearRegression()).fit(event[:100, None], y[:100])
    # also where an event of the past stands among the lags
    assert np.abs(model.predict(event[100:, None]) - y[100:]).mean() < 0.3


def test_growth_without_end_is_kept_in_range_with_a_warning() -> None:
    y = np.exp(0.05 * MONTHS + 0.02 * noise(96))
    model = RecursiveForecaster(Ridge()).fit(y)
    assert_allclose(model.predict(6), np.exp(0.05 * np.arange(96, 102)), rtol=0.1)
    with pytest.warns(UserWarning, match="leaves the sane range of the series from step"):
        forecast = model.predict(96)
    assert forecast.max() <= y.max() + 2 * (y.max() - y.min())


# -------------------------------------------------------------------------------------- intervals


def test_margins_are_quantiles_of_errors_relative_to_their_distance() -> None:
    spread = np.array([1.0, 2, 3])
    errors = np.abs(noise(3000).reshape(1000, 3, 1)) * spread[:, None]
    # the quantile of the absolute value of a normal variable at 0.8, a little more for few
    assert_allclose(margins_of(errors, 0.8, 3)[:, 0] / spread, 1.2816, rtol=0.08)
    longer = margins_of(errors, 0.8, 12)
    assert_allclose(longer[11], longer[2] * 2)  # the square root of 12 / 3


def test_short_series_have_intervals() -> None:
    y = noise(24)
    lower, upper = RecursiveForecaster(interval=0.8, random_state=0).fit(y).predict_interval(12).T
    assert (upper - lower > 0.5).all() and (upper - lower < 10).all()
    with pytest.raises(ValueError, match="y is too short for intervals: n_samples=5"):
        RecursiveForecaster(interval=0.8).fit(y[:5])
