"""Columns of dates, and forecasts that need them."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression

from sknn.forecasting import DirectForecaster, RecursiveForecaster
from sknn.forecasting._calendar import calendar_columns, calendar_names
from sknn.forecasting._timeline import Timeline

pd = pytest.importorskip("pandas")


def test_columns_say_where_in_its_cycle_a_date_lies() -> None:
    index = pd.DatetimeIndex(["2024-01-01 06:00", "2024-04-13 18:30"])  # a Monday, a Saturday
    columns = calendar_columns(index, ["hour", "weekend", "weekday"])
    turn = 2 * np.pi * np.array([6 / 24, 18.5 / 24])
    week = 2 * np.pi * np.array([0, 5 / 7])
    expected = [np.sin(turn), np.cos(turn), [0, 1], np.sin(week), np.cos(week)]
    assert_allclose(columns, np.transpose(expected), atol=1e-12)
    months = pd.PeriodIndex(["2024-01", "2024-04", "2024-10"], freq="M")
    assert_allclose(calendar_columns(months, ["month"])[:, 0], [0, 1, -1], atol=1e-12)
    # the hour is that of the clock on the wall
    local = pd.DatetimeIndex(["2024-07-01 04:00"], tz="UTC").tz_convert("Europe/Berlin")
    assert_allclose(calendar_columns(local, ["hour"]), [[1, 0]], atol=1e-12)


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("h", ["hour", "weekday", "month"]),
        ("D", ["weekday", "month"]),
        ("B", ["weekday", "month"]),
        ("W-SUN", ["month"]),
        ("MS", ["month"]),
        ("YE", []),
    ],
)
def test_true_takes_cycles_of_several_steps(freq: str, expected: list[str]) -> None:
    index = pd.date_range("2020-01-01", periods=9, freq=freq)
    assert calendar_names(True, Timeline.learn(index, None, "y")) == expected


@pytest.mark.parametrize("kind", [RecursiveForecaster, DirectForecaster])
def test_a_week_is_foretold_by_its_days_alone(kind: Any) -> None:
    """A window of one step does not say which day of the week comes next; its date does."""
    index = pd.date_range("2024-01-01", periods=70, freq="D")
    weekend = np.asarray(index.day_of_week >= 5, dtype=float)
    y = pd.Series(10 + 5 * weekend, index)
    parameters = {"horizon": 1} if kind is DirectForecaster else {}
    forecaster = kind(
        LinearRegression(), past=1, scale=None, calendar="weekend", bounds=None, **parameters
    ).fit(y[:56])
    assert_allclose(forecaster.predict(14), y[56:])
    assert_allclose(forecaster.update(y[56:58]).predict(12), y[58:])
    assert forecaster.n_features_in_ == 0


def test_beside_covariates_and_of_several_series() -> None:
    index = pd.date_range("2024-01-01", periods=70, freq="D")
    X = pd.DataFrame({"price": np.random.default_rng(0).normal(size=70)}, index)
    y = 3 * X["price"] + 5 * (index.day_of_week >= 5)
    wide = pd.DataFrame({"a": y, "b": 2 * y + 1})
    forecaster = RecursiveForecaster(
        LinearRegression(), past=1, scale="standard", calendar=["weekend"]
    ).fit(y=wide[:56], X=X)
    assert_allclose(forecaster.predict(X), wide[56:])
    alone = RecursiveForecaster(LinearRegression(), past=1, scale=None, calendar=["weekend"])
    assert_allclose(alone.fit(y[:56], X).predict(X), y[56:])


@pytest.mark.parametrize(
    ("calendar", "y", "message"),
    [
        (True, np.arange(30.0), "calendar=True needs dates, but y has none"),
        (True, pd.Series(np.arange(30.0)), "needs dates, but y has whole numbers as its index"),
        (["moon"], None, "different names among hour, weekday"),
        (["hour", "hour"], None, "different names among"),
    ],
)
def test_refused_calendars(calendar: Any, y: Any, message: str) -> None:
    if y is None:
        y = pd.Series(np.arange(30.0), pd.date_range("2024-01-01", periods=30, freq="D"))
    with pytest.raises(ValueError, match=message):
        RecursiveForecaster(LinearRegression(), past=2, calendar=calendar).fit(y)
