"""The forecast's dates go on where those of y end: expected ones are written by hand."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge

import sknn
from sknn.forecasting import RecursiveForecaster
from sknn.forecasting._timeline import BEFORE, BETWEEN, Timeline

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
VALUES = rng.normal(size=60)


def model(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=3, scale="window", **parameters)


def series(index: Any) -> Any:
    # an index made anew has no frequency of its own
    plain = index if isinstance(index, pd.RangeIndex | pd.PeriodIndex) else pd.Index(list(index))
    return pd.Series(VALUES[: len(index)], plain, name="sales")


def dates(start: str, n: int, freq: str, tz: Any = None) -> Any:
    return pd.date_range(start, periods=n, freq=freq, tz=tz)


AHEAD = {
    "month ends": (dates("2019-10-31", 12, "ME"), ["2020-10-31", "2020-11-30", "2020-12-31"]),
    "month starts": (dates("2019-01-01", 13, "MS"), ["2020-02-01", "2020-03-01", "2020-04-01"]),
    "February": (dates("2019-01-31", 13, "ME"), ["2020-02-29", "2020-03-31", "2020-04-30"]),
    "quarters": (dates("2019-01-01", 8, "QS"), ["2021-01-01", "2021-04-01", "2021-07-01"]),
    "quarters from February": (
        dates("2019-02-01", 8, "QS-FEB"),
        ["2021-02-01", "2021-05-01", "2021-08-01"],
    ),
    "years": (dates("2010-12-31", 9, "YE"), ["2019-12-31", "2020-12-31", "2021-12-31"]),
    "business days": (dates("2024-01-01", 10, "B"), ["2024-01-15", "2024-01-16", "2024-01-17"]),
    "over a weekend": (dates("2024-01-01", 9, "B"), ["2024-01-12", "2024-01-15", "2024-01-16"]),
    "Saturdays": (dates("2024-01-06", 8, "W-SAT"), ["2024-03-02", "2024-03-09", "2024-03-16"]),
    "two days": (dates("2024-02-01", 14, "2D"), ["2024-02-29", "2024-03-02", "2024-03-04"]),
    "days": (dates("2024-02-18", 10, "D"), ["2024-02-28", "2024-02-29", "2024-03-01"]),
    "minutes": (
        dates("2024-02-29 22:30", 5, "15min"),
        ["2024-02-29 23:45", "2024-03-01 00:00", "2024-03-01 00:15"],
    ),
    "last business days": (
        dates("2023-06-30", 11, "BME"),
        ["2024-05-31", "2024-06-28", "2024-07-31"],
    ),
}


@pytest.mark.parametrize("name", AHEAD)
def test_dates_go_on(name: str) -> None:
    index, expected = AHEAD[name]
    forecast = model().fit(series(index)).predict(3)
    assert list(forecast.index) == list(pd.DatetimeIndex(expected))
    assert forecast.index.dtype == index.dtype
    assert forecast.name == "sales"
    given = model(freq=index.freqstr).fit(series(index)[::-1]).predict(3)
    pd.testing.assert_series_equal(given, forecast, check_freq=False)


SUMMER = {
    # the clock goes from 2 to 3: local hours in March
    "spring": (
        dates("2024-03-30 14:00", 10, "h", "Europe/Berlin"),
        ["2024-03-31 00:00+01:00", "2024-03-31 01:00+01:00", "2024-03-31 03:00+02:00"],
    ),
    "past spring": (
        dates("2024-03-30 20:00", 10, "h", "Europe/Berlin"),
        ["2024-03-31 07:00+02:00", "2024-03-31 08:00+02:00", "2024-03-31 09:00+02:00"],
    ),
    # from 3 back to 2: the hour comes twice
    "autumn": (
        dates("2024-10-26 16:00", 10, "h", "Europe/Berlin"),
        ["2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00", "2024-10-27 03:00+01:00"],
    ),
    "past autumn": (
        dates("2024-10-26 20:00", 10, "h", "Europe/Berlin"),
        ["2024-10-27 05:00+01:00", "2024-10-27 06:00+01:00", "2024-10-27 07:00+01:00"],
    ),
    "days": (
        dates("2024-03-20", 11, "D", "Europe/Berlin"),
        ["2024-03-31 00:00+01:00", "2024-04-01 00:00+02:00", "2024-04-02 00:00+02:00"],
    ),
    "utc": (
        dates("2024-03-30 16:00", 10, "h", "UTC"),
        ["2024-03-31 02:00+00:00", "2024-03-31 03:00+00:00", "2024-03-31 04:00+00:00"],
    ),
}


@pytest.mark.parametrize("name", SUMMER)
def test_hours_go_on_over_a_change_to_summer_time(name: str) -> None:
    index, expected = SUMMER[name]
    forecast = model().fit(series(index)).predict(3)
    assert [each.isoformat(" ", "minutes") for each in forecast.index] == expected
    assert str(forecast.index.tz) == str(index.tz)


def test_periods_go_on() -> None:
    months = pd.period_range("2019-10", periods=12, freq="M")
    forecast = model().fit(series(months)).predict(3)
    assert forecast.index.tolist() == [pd.Period(t, "M") for t in ("2020-10", "2020-11", "2020-12")]
    halves = pd.period_range("2019-01", periods=8, freq="6M")
    forecast = model().fit(series(halves)).predict(2)
    assert [str(each) for each in forecast.index] == ["2023-01", "2023-07"]
    assert forecast.index.dtype == halves.dtype


def test_whole_numbers_go_on() -> None:
    assert list(model().fit(pd.Series(VALUES)).predict(3).index) == [60, 61, 62]
    years = pd.Index(range(1900, 1960, 2))
    assert list(model().fit(series(years)).predict(3).index) == [1960, 1962, 1964]
    # as statsmodels has the years of the sunspots
    floats = pd.Index(np.arange(1700.0, 1720.0))
    forecast = model().fit(pd.Series(VALUES[:20], floats)).predict(2)
    assert list(forecast.index) == [1720.0, 1721.0]
    assert forecast.index.dtype == float


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_dates_stays(unit: str) -> None:
    index = dates("2024-01-01", 10, "D").as_unit(unit)
    forecast = model().fit(pd.Series(VALUES[:10], index)).predict(1).index
    assert forecast.dtype == f"datetime64[{unit}]"
    assert forecast[0] == pd.Timestamp("2024-01-11")


@pytest.mark.parametrize("name", ["business days", "month ends"])
def test_any_order_is_that_of_the_dates(name: str) -> None:
    y = series(dates("2019-10-31", 50, {"business days": "B", "month ends": "ME"}[name]))
    expected = model().fit(y).predict(4)
    for other in (y[::-1], y.sample(frac=1, random_state=0)):
        pd.testing.assert_series_equal(model().fit(other).predict(4), expected)
    assert_array_equal(expected, model().fit(y.to_numpy()).predict(4))


# ------------------------------------------------------------------------------------ frequencies


@pytest.mark.parametrize("freq", ["B", "D", "h", "W-WED", "MS", "ME", "QS-JAN", "YS-JAN", "15min"])
def test_the_frequency_is_found_beside_gaps(freq: str) -> None:
    whole = dates("2020-01-01", 60, freq)
    index = pd.DatetimeIndex(list(whole.delete([7, 8, 30, 47])))
    assert list(Timeline.learn(index, None, "y").dates(0, 60)) == list(whole)


def test_no_grid_of_seconds_is_laid_over_years() -> None:
    """It would take gigabytes: three dates that follow by a second are no rule for the others."""
    some = pd.DatetimeIndex(["2024-01-03 00:00:00", "2024-01-03 00:00:01", "2024-01-03 00:00:02"])
    index = some.append(some + pd.DateOffset(years=70)).append(some + pd.DateOffset(years=30))
    with pytest.raises(ValueError, match="no frequency can be inferred from the 9 dates"):
        model().fit(pd.Series(VALUES[:9], index))
    with pytest.raises(ValueError, match="freq='s' makes 2[0-9]+ steps from 2024-01-03 to 2094"):
        model(freq="s", fill="previous").fit(pd.Series(VALUES[:9], index))
    numbers = pd.Index([0, 1, 2, 3, 10**12])
    for fill in (None, "previous"):
        with pytest.raises(ValueError, match="y misses 4 and 999999999995 more"):
            model(fill=fill).fit(pd.Series(VALUES[:5], numbers))


def test_dates_without_a_rule_need_a_frequency() -> None:
    some = pd.DatetimeIndex(["2024-01-03", "2024-02-11", "2024-02-12", "2024-07-01", "2024-09-09"])
    with pytest.raises(ValueError, match=r"no frequency .* 5 dates of y \(2024-01-03, .*set freq"):
        model().fit(pd.Series(VALUES[:5], some))
    with pytest.raises(ValueError, match="y has the date 2024-01-03.*steps of 'MS'"):
        model(freq="MS").fit(pd.Series(VALUES[:5], some))
    two = pd.DatetimeIndex(["2024-01-01", "2024-01-02"])
    assert Timeline.learn(two, "D", "y").text(2) == "2024-01-03"


@pytest.mark.parametrize(
    ("index", "freq", "message"),
    [
        (pd.RangeIndex(20), "D", "index of y holds whole numbers: freq is then the step"),
        (pd.RangeIndex(20), 0, "freq=0"),
        (pd.period_range("2020-01", periods=20, freq="M"), "D", "have the frequency 'M'"),
        (dates("2020-01-01", 20, "D"), "BLUE", "BLUE"),
    ],
)
def test_frequencies_that_do_not_fit(index: Any, freq: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(freq=freq).fit(series(index))


def test_a_frequency_that_dates_do_not_have() -> None:
    with pytest.raises(ValueError, match="y has the date 2024-01-06 00:00:00, .*steps of 'B'"):
        model(freq="B").fit(series(dates("2024-01-01", 20, "D")))
    # a grid that is finer than the dates has gaps
    with pytest.raises(ValueError, match="y misses 2024-01-02"):
        model(freq="D").fit(series(dates("2024-01-01", 20, "2D")))


def test_a_frequency_without_a_name_is_kept_as_it_is() -> None:
    trading = pd.offsets.CustomBusinessDay(holidays=["2024-01-15"])
    index = pd.date_range("2024-01-01", periods=10, freq=trading)
    forecast = pickle.loads(pickle.dumps(model(freq=trading).fit(series(index)))).predict(2)
    assert list(forecast.index) == [pd.Timestamp("2024-01-16"), pd.Timestamp("2024-01-17")]


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.Index(["2024-01-01", "2024-01-02"] * 5), r"y.index = pd.to_datetime\(y.index\)"),
        (pd.Index(["a"] * 10, dtype=object), r"pd.to_datetime\(y.index\)"),
        (
            pd.DatetimeIndex([*dates("2024-01-01", 8, "D"), pd.NaT, pd.NaT]),
            "the dates of y contain NaT: the first is that of row 8",
        ),
        (pd.Index(np.arange(10) / 2), "numbers that are not whole"),
        (pd.timedelta_range("1h", periods=10, freq="h"), "is no DatetimeIndex"),
        (pd.CategoricalIndex(list("abcdefghij")), "is no DatetimeIndex"),
    ],
    ids=["texts", "objects", "NaT", "halves", "timedeltas", "categories"],
)
def test_an_index_without_dates(index: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model().fit(pd.Series(VALUES[:10], index))


def test_positions_say_which_dates_are_before_and_between() -> None:
    days = Timeline.learn(dates("2024-01-01", 10, "B"), None, "y")
    index = pd.DatetimeIndex(["2024-01-08", "2023-12-29", "2024-01-06", "2024-01-01"])
    assert_array_equal(days.positions(index), [5, BEFORE, BETWEEN, 0])
    months = Timeline.learn(pd.period_range("2020-01", periods=9, freq="3M"), None, "y")
    index = pd.PeriodIndex(["2020-07", "2019-10", "2020-05"], freq="3M")
    assert_array_equal(months.positions(index), [2, BEFORE, BETWEEN])
    years = Timeline.learn(pd.Index([1900, 1910, 1920]), None, "y")
    assert_array_equal(years.positions(pd.Index([1930, 1890, 1915])), [3, BEFORE, BETWEEN])


# ------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("tz", [None, "UTC", "Europe/Berlin", "+03:00"])
def test_dates_come_back_from_a_file(tz: Any, tmp_path: Path) -> None:
    network = sknn.NeuralRegressor(
        hidden_layer_sizes=(3,), learning_rate="cosine", max_iter=2, random_state=0
    )
    y = series(dates("2024-03-30", 40, "h", tz))
    fitted = RecursiveForecaster(network, past=3, scale="window").fit(y)
    sknn.save(fitted, tmp_path / "model.sknn")
    assert sknn.file_info(tmp_path / "model.sknn").untrusted == []
    loaded = sknn.load(tmp_path / "model.sknn")
    pd.testing.assert_series_equal(loaded.predict(4), fitted.predict(4))
    pd.testing.assert_series_equal(
        loaded.update(fitted.predict(2)).predict(2), fitted.predict(4)[2:]
    )
