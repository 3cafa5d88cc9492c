"""Forms of y, and forecasts in the same form."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, Ridge

from sknn.forecasting import RecursiveForecaster

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
DATES = pd.date_range("2020-01-31", periods=40, freq="ME", name="month")
WIDE = pd.DataFrame(rng.normal(size=(40, 2)) * [1, 50] + [0, 100], DATES, ["north", "south"])
AHEAD = [pd.Timestamp("2023-05-31"), pd.Timestamp("2023-06-30")]
LONG = WIDE.melt(var_name="shop", value_name="sales", ignore_index=False).reset_index()
NAMES = {"id_column": "shop", "time_column": "month", "target_column": "sales"}
PANEL = LONG.set_index(["shop", "month"])["sales"]


def model(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=3, scale="window", interval_steps=3, **parameters)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """Forecast two steps of both series, (2, 2), by one regression over the windows of both."""
    windows, targets = [], []
    for column in WIDE.to_numpy().T:
        floor = 0.1 * np.median([column[i : i + 3].std() for i in range(38)])
        for i in range(37):
            window = column[i : i + 3]
            divisor = max(window.std(), floor)
            windows.append((window - window.mean()) / divisor)
            targets.append((column[i + 3] - window.mean()) / divisor)
    regression = Ridge().fit(windows, targets)
    forecasts = []
    for column in WIDE.to_numpy().T:
        floor = 0.1 * np.median([column[i : i + 3].std() for i in range(38)])
        values = list(column)
        for _ in range(2):
            window = np.array(values[-3:])
            divisor = max(window.std(), floor)
            step = regression.predict([(window - window.mean()) / divisor])[0]
            values.append(step * divisor + window.mean())
        forecasts.append(values[-2:])
    return np.array(forecasts).T


# ---------------------------------------------------------------------------------------- forms


def test_an_array_of_two_dimensions(expected: np.ndarray) -> None:
    forecast = model().fit(WIDE.to_numpy()).predict(2)
    assert isinstance(forecast, np.ndarray)
    assert_allclose(forecast, expected)


def test_a_wide_frame(expected: np.ndarray) -> None:
    index = pd.DatetimeIndex(AHEAD, name="month")
    frame = pd.DataFrame(expected, index, WIDE.columns)
    pd.testing.assert_frame_equal(model().fit(WIDE).predict(2), frame, check_freq=False)


def test_the_name_of_columns_stays() -> None:
    named = WIDE.rename_axis("shop", axis=1)
    assert model().fit(named).predict(1).columns.name == "shop"
    bounds = model(interval=0.5).fit(named).predict_interval(1)
    assert bounds.columns.names == ["shop", None]


def test_a_long_frame(expected: np.ndarray) -> None:
    forecast = model(**NAMES).fit(LONG.sample(frac=1, random_state=0)).predict(2)
    assert list(forecast.columns) == ["shop", "month", "sales"]
    assert list(forecast.index) == [0, 1, 2, 3]
    forecast = forecast.sort_values(["shop", "month"])
    assert list(forecast["shop"]) == ["north", "north", "south", "south"]
    assert list(forecast["month"]) == AHEAD * 2
    assert_allclose(forecast["sales"], expected.T.ravel())


def test_a_multiindex(expected: np.ndarray) -> None:
    forecast = model().fit(PANEL).predict(2)
    index = pd.MultiIndex.from_product([["north", "south"], AHEAD], names=["shop", "month"])
    pd.testing.assert_series_equal(forecast, pd.Series(expected.T.ravel(), index, name="sales"))
    frame = model().fit(PANEL.to_frame()).predict(2)
    pd.testing.assert_frame_equal(frame, forecast.to_frame())


def test_ids_of_several_levels(expected: np.ndarray) -> None:
    y = pd.concat({"country": PANEL}, names=["region"])
    forecast = model().fit(y).predict(2)
    assert forecast.index.names == ["region", "shop", "month"]
    assert_allclose(forecast.loc["country", "south"], expected[:, 1])


def test_a_long_frame_of_one_series() -> None:
    one = LONG[LONG["shop"] == "north"][["month", "sales"]]
    names = {"time_column": "month", "target_column": "sales"}
    forecast = model(**names).fit(one).predict(2)
    assert list(forecast.columns) == ["month", "sales"]
    assert_array_equal(forecast["sales"], model().fit(WIDE["north"]).predict(2))
    # the only column that is left is the series
    alone = model(time_column="month").fit(one).predict(2)
    pd.testing.assert_frame_equal(alone, forecast)


def test_a_long_frame_with_dates_in_its_index() -> None:
    expected = model(**NAMES).fit(LONG).predict(2).set_index("month")
    indexed = model(id_column="shop").fit(LONG.set_index("month")).predict(2)
    pd.testing.assert_frame_equal(indexed, expected)
    unnamed = model(id_column="shop").fit(LONG.set_index("month").rename_axis(None))
    pd.testing.assert_frame_equal(unnamed.predict(2), expected.rename_axis(None))


def test_the_target_column_of_a_frame_with_a_multiindex() -> None:
    frame = PANEL.to_frame().assign(price=1.0)
    forecast = model(target_column="sales").fit(frame).predict(2)
    pd.testing.assert_frame_equal(forecast, model().fit(PANEL.to_frame()).predict(2))


def test_each_forecast_is_that_of_the_series_alone_with_a_model_of_its_own() -> None:
    """A linear recursion that both series follow is found by one regression over both."""
    y = np.zeros((40, 2))
    y[:2] = [[1.0, 3.0], [2.0, -1.0]]
    for t in range(2, 40):
        y[t] = 1.5 * y[t - 1] - 0.9 * y[t - 2] + 1
    fitted = RecursiveForecaster(LinearRegression(), past=2, scale=None).fit(y[:30])
    assert_allclose(fitted.predict(10), y[30:], rtol=1e-6)
    assert fitted.estimator_.n_features_in_ == 2  # its own past, not that of all


def test_the_order_of_rows_says_nothing() -> None:
    """Not even to a network, whose batches are drawn from windows in the order of series."""
    y = pd.concat({k: WIDE["north"] * k for k in (3, 1, 2)}, names=["shop"])
    forecast = RecursiveForecaster(past=4, random_state=0).fit(y).predict(2)
    assert list(forecast.index.get_level_values(0)) == [1, 1, 2, 2, 3, 3]
    shuffled = y.sample(frac=1, random_state=0)
    other = RecursiveForecaster(past=4, random_state=0).fit(shuffled).predict(2)
    pd.testing.assert_series_equal(other, forecast)
    # ids that cannot be compared
    mixed = pd.concat({"a": WIDE["north"], 1: WIDE["south"]})
    assert len(model().fit(mixed).predict(1)) == 2


# ------------------------------------------------------------------------------- different lengths


def test_series_of_different_lengths_end_at_their_own_dates() -> None:
    y = pd.concat([PANEL.loc[["north"]].iloc[10:], PANEL.loc[["south"]].iloc[:-3]])
    forecast = model().fit(y).predict(2)
    assert list(forecast.loc["north"].index) == AHEAD
    assert list(forecast.loc["south"].index) == [
        pd.Timestamp("2023-02-28"),
        pd.Timestamp("2023-03-31"),
    ]
    # until a common date: of unequal numbers of steps
    until = model().fit(y).predict(DATES.append(pd.DatetimeIndex(AHEAD)))
    assert list(until.groupby(level=0).size()) == [2, 5]
    assert_array_equal(until.groupby(level=0).head(2), forecast)


def test_columns_of_different_lengths_are_forecast_for_the_same_dates() -> None:
    y = WIDE.copy()
    y.iloc[:10, 0] = np.nan
    y.iloc[-3:, 1] = np.nan
    forecast = model().fit(y).predict(2)
    assert list(forecast.index) == AHEAD
    panel = model().fit(y.stack().swaplevel().dropna())
    assert_allclose(forecast["north"], panel.predict(2).loc["north"])
    assert_allclose(forecast["south"], panel.predict(5).loc["south"].iloc[3:])
    inner = y.copy()
    inner.iloc[20, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN: .* 2021-09-30 of series 'north'"):
        model().fit(inner)


def test_a_series_that_is_too_short_is_named() -> None:
    y = pd.concat([PANEL.loc[["north"]], PANEL.loc[["south"]].iloc[:3]])
    with pytest.raises(ValueError, match="series 'south' of y is too short: n_samples=3"):
        model().fit(y)
    y = WIDE.assign(south=np.nan)
    with pytest.raises(ValueError, match="y has no value of series 'south'"):
        model().fit(y)


def test_joint_series_need_the_same_dates() -> None:
    y = pd.concat([PANEL.loc[["north"]], PANEL.loc[["south"]].iloc[:-3]])
    with pytest.raises(ValueError, match="model='joint' needs the same dates.*2023-01-31 of.*sou"):
        model(model="joint").fit(y)
    joint = model(model="joint").fit(PANEL).predict(3).unstack(0)
    assert_allclose(joint, model(model="joint").fit(WIDE.to_numpy()).predict(3))


# -------------------------------------------------------------------------------------- intervals


def test_intervals_of_one_series() -> None:
    fitted = model(interval=[0.5, 0.8]).fit(WIDE["north"])
    bounds = fitted.predict_interval(3)
    assert list(bounds.columns) == ["lower_50", "upper_50", "lower_80", "upper_80"]
    assert list(bounds.index) == list(fitted.predict(3).index)
    array = model(interval=[0.5, 0.8]).fit(WIDE["north"].to_numpy()).predict_interval(3)
    assert array.shape == (3, 2, 2)
    assert_array_equal(bounds, array.reshape(3, 4))
    for k, level in enumerate([0.5, 0.8]):
        alone = model(interval=level).fit(WIDE["north"].to_numpy())
        assert_array_equal(alone.predict_interval(3), array[:, k])
    assert list(
        model(interval=0.975, calibration_fraction=0.6)
        .fit(pd.Series(rng.normal(size=200)))
        .predict_interval(1)
    ) == ["lower_97.5", "upper_97.5"]


def test_intervals_of_several_series() -> None:
    array = model(interval=[0.5, 0.8]).fit(WIDE.to_numpy()).predict_interval(3)
    assert array.shape == (3, 2, 2, 2)
    wide = model(interval=[0.5, 0.8]).fit(WIDE).predict_interval(3)
    assert_array_equal(wide["south"][["lower_80", "upper_80"]], array[:, 1, 1])
    panel = model(interval=[0.5, 0.8]).fit(PANEL).predict_interval(3)
    assert_array_equal(panel.loc["south"][["lower_50", "upper_50"]], array[:, 1, 0])
    long = model(interval=0.8, **NAMES).fit(LONG).predict_interval(3)
    assert list(long.columns) == ["shop", "month", "lower_80", "upper_80"]
    assert_array_equal(long[["lower_80", "upper_80"]].iloc[3:], array[:, 1, 1])
    assert model(interval=0.8).fit(WIDE.to_numpy()).predict_interval(3).shape == (3, 2, 2)


def test_margins_are_those_of_the_errors_of_all_series() -> None:
    """Series that never err, and as many that do: the pooled quantile lies in between."""
    flat = np.zeros(60)
    noisy = np.where(np.arange(60) % 2, 1.0, -1.0) * np.arange(60)
    y = np.column_stack([flat, flat, noisy])
    fitted = RecursiveForecaster(
        LinearRegression(), past=1, scale=None, interval=0.6, interval_steps=1, bounds=None
    ).fit(y)
    lower, upper = fitted.predict_interval(1)[0].T
    assert_allclose((upper - lower)[0], (upper - lower)[2])  # one width for all


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ([], "has to be a number between 0 and 1, or a list"),
        ([0.5, 1.0], "has to be a number between 0 and 1, or a list"),
        (["wide"], "has to be a number between 0 and 1, or a list"),
        ([0.5, 0.5], "has a level twice"),
    ],
)
def test_levels_are_shares(interval: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(interval=interval).fit(WIDE)


# -------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("y", "parameters", "message"),
    [
        (LONG, {}, "column 'month' of type .* long frame.*id_column"),
        (LONG.drop(columns="month"), {}, "column 'shop' of type .*id_column"),
        (LONG, {"id_column": "store"}, "id_column='store' is no column of y"),
        (LONG, {"time_column": "month"}, r"\['shop', 'sales'\]: target_column says which"),
        (LONG.assign(price=1.0), NAMES, "further column 'price'.*X=y.drop"),
        (LONG.replace("south", None), NAMES, "the id of row 40 of y is missing"),
        (LONG["sales"], NAMES, "y is a Series, but id_column"),
        (WIDE.to_numpy(), NAMES, "y is of type ndarray, but id_column"),
        (PANEL.swaplevel(), {}, r"first level .* holds the dates.*y.swaplevel\(\)"),
        (PANEL.to_frame().assign(price=1.0), {}, r"MultiIndex and 2 columns: .*y\['name'\]"),
        (WIDE.set_axis(["north", "north"], axis=1), {}, "has the column 'north' twice"),
        (pd.concat({"a": WIDE}, axis=1), {}, "columns of y are a MultiIndex"),
        (DATES, {}, "y is of type DatetimeIndex"),
        (LONG.assign(month=LONG["month"].astype(str)), NAMES, "pd.to_datetime"),
    ],
)
def test_refused_forms(y: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**parameters).fit(y=y)


def test_tables_of_other_libraries() -> None:
    class Frame:
        """As much of polars' DataFrame as tells it from an array."""

        shape = (40, 2)

        def __dataframe__(self) -> None:
            raise AssertionError

    with pytest.raises(ValueError, match=r"y is of type Frame: .*to_pandas\(\)"):
        model().fit(y=Frame())
    with pytest.raises(ValueError, match=r"X is of type Frame, whose rows have no index"):
        model().fit(y=WIDE["north"], X=Frame())


# --------------------------------------------------------------------------------------- bounds


def test_counts_stay_at_or_above_zero() -> None:
    counts = pd.Series(np.maximum(30 - np.arange(32), 0))
    fitted = RecursiveForecaster(
        LinearRegression(), past=2, scale=None, interval=0.5, interval_steps=4
    )
    free = fitted.set_params(bounds=None).fit(counts[:30]).predict(4)
    assert free.min() < -1
    forecast = fitted.set_params(bounds="auto").fit(counts[:30]).predict(4)
    assert_allclose(forecast, np.maximum(free, 0))
    assert (fitted.predict_interval(4) >= 0).all(axis=None)
    # of several series only those that are counts
    both = pd.DataFrame({"counts": counts[:30], "floats": counts[:30] + 0.5})
    forecast = fitted.fit(both).predict(6)
    assert forecast["counts"].min() == 0
    assert forecast["floats"].min() < 0


def test_counts_that_turn_out_to_be_none_are_free() -> None:
    fitted = RecursiveForecaster(LinearRegression(), past=2, scale=None)
    fitted.fit(np.maximum(30 - np.arange(32), 0)[:30])
    assert fitted.predict(4).min() == 0
    assert fitted.update([0, -1]).predict(4).min() < -1
    with pytest.raises(ValueError, match="value -2, which is outside of bounds"):
        fitted.set_params(bounds=(0, None)).fit(np.arange(30)).update([-2])


def test_bounds_that_are_given() -> None:
    share = np.clip(0.5 + 0.02 * np.arange(30), 0, 1)[:24]
    fitted = RecursiveForecaster(LinearRegression(), past=2, scale=None, bounds=(0, 1)).fit(share)
    assert fitted.predict(10).max() == 1
    fitted = RecursiveForecaster(LinearRegression(), past=2, scale=None, bounds=[None, 1])
    assert fitted.fit(share - 5).predict(3).max() < 0


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1, 0), "lower one has to be below"),
        ((0, "a"), "has to be 'auto', None, or"),
        ((0, 1, 2), "has to be 'auto', None, or"),
        ((0, 1), "y has the value -?[0-9.]+, which is outside of bounds"),
    ],
)
def test_refused_bounds(bounds: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(bounds=bounds).fit(WIDE["south"])
