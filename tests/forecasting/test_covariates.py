"""X beside y: by date, by series, by name; and static features."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge

from sknn.forecasting import DirectForecaster, RecursiveForecaster

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
DATES = pd.date_range("2020-01-01", periods=52, freq="MS")
X = pd.DataFrame(rng.normal(size=(52, 2)), DATES, ["price", "event"])
# y follows the price of the same month alone, so that forecasts are right or plainly wrong
Y = pd.Series(3 * X["price"].to_numpy()[:40] + 1, DATES[:40], name="sales")
LATER = 3 * X["price"][40:] + 1


def model(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(LinearRegression(), past=2, scale=None, **parameters)


# --------------------------------------------------------------------------------------- by date


@pytest.mark.parametrize("kind", [RecursiveForecaster, DirectForecaster])
def test_rows_belong_to_their_dates(kind: Any) -> None:
    parameters = {"horizon": 4} if kind is DirectForecaster else {}
    fitted = kind(LinearRegression(), past=4, scale=None, **parameters)
    fitted.fit(y=Y.sample(frac=1, random_state=1), X=X.sample(frac=1, random_state=2))
    for rows in (X, X[40:], X.sample(frac=1, random_state=3), X[38:]):
        assert_allclose(fitted.predict(rows), LATER)
    assert_allclose(fitted.predict(5, X), LATER[:5])
    assert list(fitted.predict(5, X).index) == list(DATES[40:45])


def test_dates_of_another_unit_or_time_zone_are_the_same_dates() -> None:
    y, covariates = Y.tz_localize("UTC"), X.tz_localize("UTC").tz_convert("Europe/Berlin")
    assert_allclose(model().fit(y, covariates).predict(covariates), LATER)
    coarse = X.set_axis(X.index.as_unit("s"))
    assert_allclose(model().fit(Y, coarse).predict(coarse), LATER)


def test_periods_and_whole_numbers() -> None:
    for index in (DATES.to_period("M"), pd.RangeIndex(52), pd.Index(range(1900, 1952))):
        y, covariates = Y.set_axis(index[:40]), X.set_axis(index)
        fitted = model().fit(y[::-1], covariates)
        assert_allclose(fitted.predict(covariates[40:]), LATER)
        assert_allclose(fitted.predict(covariates[30:]), LATER)


def test_the_first_missing_date_is_named() -> None:
    with pytest.raises(ValueError, match="X misses 2020-06-01 and 1 more"):
        model().fit(Y, X.drop(DATES[[5, 7]]))
    with pytest.raises(ValueError, match=r"X misses 2023-01-01 and 3 more.*fit\(X=..., y=...\)"):
        model().fit(Y, X[:36])
    fitted = model().fit(Y, X)
    with pytest.raises(ValueError, match="X misses 2023-05-01"):
        fitted.predict(X[41:])
    with pytest.raises(ValueError, match="X misses 2023-07-01"):
        fitted.predict(X.drop(DATES[42]))
    with pytest.raises(ValueError, match="X misses 2024-05-01 and 7 more"):
        fitted.predict(20, X)
    with pytest.raises(ValueError, match="X has no step after 2023-04-01, where y ends"):
        fitted.predict(X[:40])
    with pytest.raises(ValueError, match="X has several rows for 2023-06-01"):
        fitted.predict(pd.concat([X, X[41:42]]))
    with pytest.raises(ValueError, match="X is None, but .* fitted with 2 covariates"):
        fitted.predict(3)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.RangeIndex(52), "X has whole numbers as its index, but y has dates"),
        (DATES.to_period("M"), "X has periods as its index, but y has dates"),
        (DATES.tz_localize("UTC"), "dates of X have a time zone, those of y have no"),
        (DATES.astype(str), r"index of X is no DatetimeIndex.*pd.to_datetime\(X.index\)"),
    ],
    ids=["numbers", "periods", "time zone", "texts"],
)
def test_dates_of_another_kind(index: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model().fit(Y, X.set_axis(index))
    with pytest.raises(ValueError, match=message):
        model().fit(Y, X).predict(X.set_axis(index))


def test_an_array_follows_y_row_by_row() -> None:
    order = rng.permutation(40)
    fitted = model().fit(y=Y.iloc[order], X=X.to_numpy()[:40][order])
    assert_allclose(fitted.predict(X.to_numpy()[40:]), LATER)
    with pytest.raises(ValueError, match="X has 52 rows, but y has 40 time steps"):
        model().fit(Y, X.to_numpy())


def test_an_array_y_has_the_dates_of_x() -> None:
    fitted = model().fit(X[:40][::-1], Y.to_numpy()[::-1])
    forecast = fitted.predict(X)
    assert isinstance(forecast, np.ndarray)
    assert_allclose(forecast, LATER)
    with pytest.raises(ValueError, match="X has 52 rows, but y has 40"):
        model().fit(X, Y.to_numpy())
    # later dates beside a y that has none cannot be matched
    undated = model().fit(X[:40].to_numpy(), Y.to_numpy())
    with pytest.raises(ValueError, match="X has dates, but y of fit had none"):
        undated.predict(X.rename(columns={"price": 0, "event": 1})[40:])


def test_the_default_index_of_a_new_frame_counts_rows() -> None:
    y, covariates = Y.reset_index(drop=True), X.reset_index(drop=True)
    fitted = model().fit(y, covariates)
    assert_allclose(fitted.predict(covariates[40:]), LATER)
    assert_allclose(fitted.predict(covariates[40:].reset_index(drop=True)), LATER)
    with pytest.raises(ValueError, match=r"X counts its rows from 0 to 51.*X.loc\[39 \+ 1:\]"):
        fitted.predict(covariates)


# --------------------------------------------------------------------------- dates without columns


def test_dates_alone_say_which_steps_to_forecast() -> None:
    fitted = RecursiveForecaster(Ridge(), past=3).fit(Y)
    expected = fitted.predict(12)
    for dates in (DATES[40:], DATES, X[[]], X[40:][[]]):
        pd.testing.assert_series_equal(fitted.predict(dates), expected)
    pd.testing.assert_series_equal(fitted.predict(2, DATES), expected[:2])
    with pytest.raises(ValueError, match="X misses 2023-05-01"):
        fitted.predict(DATES[42:])
    with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 0"):
        fitted.predict(X[40:].to_numpy())


def test_x_without_columns_has_a_row_for_each_step_too() -> None:
    with pytest.raises(ValueError, match="X has 39 rows, but y has 40 time steps"):
        model().fit(np.empty((39, 0)), Y)
    with pytest.raises(ValueError, match="X misses 2023-04-01"):
        model().fit(Y, DATES[:39])


def test_ignored_covariates_leave_the_dates() -> None:
    fitted = RecursiveForecaster(Ridge(), past=3, covariates="ignore").fit(Y, X)
    expected = RecursiveForecaster(Ridge(), past=3).fit(Y).predict(12)
    pd.testing.assert_series_equal(fitted.predict(X), expected)
    assert fitted.n_features_in_ == 0


# ----------------------------------------------------------------------------------------- by name


def test_columns_go_by_their_names() -> None:
    fitted = model().fit(Y, X)
    assert list(fitted.feature_names_in_) == ["price", "event"]
    with pytest.raises(ValueError, match="same order as they were in fit"):
        fitted.predict(X[["event", "price"]])
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- cost"):
        fitted.predict(X.rename(columns={"price": "cost"}))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (DATES, "column 'more' of type datetime64.*index of X, or set time_column"),
        (["a", "b"] * 26, "column 'more' of type .*get_dummies.*OneHotEncoder.*id_column"),
        (pd.Categorical(["a", "b"] * 26), "column 'more' of type category.*get_dummies"),
    ],
    ids=["dates", "texts", "categories"],
)
def test_columns_without_numbers(column: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model().fit(Y, X.assign(more=column))


def test_dates_alone_are_no_covariates() -> None:
    fitted = model().fit(Y, X)
    for dates in (DATES, X[[]]):
        with pytest.raises(ValueError, match="X holds dates alone, but .* with 2 covariates"):
            fitted.predict(dates)


def test_a_column_that_comes_twice() -> None:
    with pytest.raises(ValueError, match="X has the column 'price' twice"):
        model().fit(Y, pd.concat([X, X], axis=1))


# -------------------------------------------------------------------------------------------- gaps


def test_gaps_of_x_are_filled_up_to_the_end_of_y() -> None:
    y = pd.Series(np.arange(40.0) ** 2, DATES[:40])
    covariates = pd.DataFrame({"step": np.arange(52.0)}, DATES)
    gaps = covariates.drop(DATES[5])
    gaps.iloc[9] = np.nan
    expected = model().fit(y, covariates).predict(covariates)
    assert_allclose(model(fill="interpolate").fit(y, gaps).predict(gaps), expected)
    with pytest.raises(ValueError, match="X misses 2023-06-01"):
        model(fill="interpolate").fit(y, gaps).predict(gaps.drop(DATES[41]))
    with pytest.raises(ValueError, match="X contains NaN"):
        model().fit(y, covariates.mask(covariates == 9))
    boosting = HistGradientBoostingRegressor(max_iter=2)
    forecast = (
        RecursiveForecaster(boosting, past=2, scale="window", fill="nan")
        .fit(y, gaps)
        .predict(gaps[39:])
    )
    assert len(forecast) == 12


def test_gaps_of_x_before_its_first_row_stay_an_error() -> None:
    with pytest.raises(ValueError, match="X contains NaN: the first is that of 2020-01-01"):
        model(fill="previous").fit(Y, X[1:])


# ----------------------------------------------------------------------------------------- panels

LONG = pd.concat(
    [
        pd.DataFrame({"shop": "north", "month": DATES, "price": X["price"].to_numpy()}),
        pd.DataFrame({"shop": "south", "month": DATES, "price": X["event"].to_numpy()}),
    ]
)
LONG["sales"] = 3 * LONG["price"] + 1
NAMES = {"id_column": "shop", "time_column": "month", "target_column": "sales"}
KNOWN = LONG.groupby("shop").head(40).sample(frac=1, random_state=0)


def test_covariates_of_each_series() -> None:
    prices = LONG.drop(columns="sales").sample(frac=1, random_state=1)
    fitted = model(**NAMES).fit(y=KNOWN.drop(columns="price"), X=prices)
    forecast = fitted.predict(prices).sort_values(["shop", "month"])
    expected = LONG.groupby("shop").tail(12)
    assert_allclose(forecast["sales"], expected["sales"])
    assert list(forecast["shop"]) == list(expected["shop"])
    # of one series alone
    south = fitted.predict(prices[prices["shop"] == "south"])
    assert set(south["shop"]) == {"south"}
    assert_allclose(south["sales"], expected["sales"][expected["shop"] == "south"])


def test_covariates_of_each_series_in_a_multiindex() -> None:
    y = KNOWN.set_index(["shop", "month"])["sales"]
    prices = LONG.set_index(["shop", "month"])[["price"]]
    forecast = model().fit(y, prices).predict(prices)
    expected = LONG.groupby("shop").tail(12).set_index(["shop", "month"])["sales"]
    assert_allclose(forecast.sort_index(), expected)
    dates = prices.index
    pd.testing.assert_series_equal(
        RecursiveForecaster(Ridge(), past=2).fit(y).predict(dates),
        RecursiveForecaster(Ridge(), past=2).fit(y).predict(12),
    )


def test_covariates_that_all_series_share() -> None:
    wide = pd.DataFrame({"a": Y, "b": 2 * Y - 7})
    fitted = RecursiveForecaster(LinearRegression(), past=2, scale="standard").fit(y=wide, X=X)
    assert_allclose(fitted.predict(X), np.column_stack([LATER, 2 * LATER - 7]))
    stacked = wide.stack().swaplevel().rename("y")
    fitted = RecursiveForecaster(LinearRegression(), past=2, scale="standard").fit(stacked, X)
    assert_allclose(fitted.predict(X).unstack(0), np.column_stack([LATER, 2 * LATER - 7]))


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (LONG.drop(columns="sales").iloc[:-20], "X misses 2023-05-01 of series 'south'"),
        (LONG, "X has the column 'sales', which is y"),
        (
            LONG.drop(columns="sales").replace("south", "west"),
            "X has the series 'west', which y of fit has not",
        ),
    ],
    ids=["dates", "target", "id"],
)
def test_refused_covariates_of_panels(prices: Any, message: str) -> None:
    fitted = model(**NAMES).fit(y=KNOWN.drop(columns="price"), X=LONG.drop(columns="sales"))
    with pytest.raises(ValueError, match=message):
        fitted.predict(1, prices)


def test_an_array_belongs_to_no_series_of_a_panel() -> None:
    y = KNOWN.set_index(["shop", "month"])
    prices = y[["price"]].to_numpy()
    fitted = model().fit(y["sales"], prices)
    with pytest.raises(ValueError, match="rows belong to no series and no date"):
        fitted.predict(prices[:3])
    assert len(model().fit(y["sales"]).predict(np.empty((3, 0)))) == 6


def test_some_series_of_a_wide_form() -> None:
    wide = pd.DataFrame({"a": Y, "b": 2 * Y})
    fitted = RecursiveForecaster(Ridge(), past=2).fit(wide)
    expected = fitted.predict(2)
    ahead = pd.MultiIndex.from_product([["b"], DATES[40:42]])
    pd.testing.assert_frame_equal(fitted.predict(ahead), expected[["b"]])
    uneven = ahead.append(pd.MultiIndex.from_tuples([("a", DATES[40])]))
    with pytest.raises(ValueError, match="X ends at other dates for some series"):
        fitted.predict(uneven)


def test_a_series_alone_has_no_ids() -> None:
    with pytest.raises(ValueError, match="X has ids of series, but y is one alone"):
        model().fit(Y, LONG.set_index(["shop", "month"])[["price"]])


# ---------------------------------------------------------------------------------- static features


def test_static_features_tell_series_apart() -> None:
    """Series that are constants which only their static feature foretells."""
    dates = DATES[:20]
    y = pd.concat(
        {f"s{k}": pd.Series(np.full(20, 5.0 * k) + rng.normal(size=20), dates) for k in range(4)}
    )
    size = pd.DataFrame({"size": [3.0, 1.0, 0.0, 2.0]}, ["s3", "s1", "s0", "s2"])
    fitted = RecursiveForecaster(LinearRegression(), past=1, scale=None).fit(y, static=size)
    # by hand: the last value, and the size in the order of the series
    values = y.to_numpy().reshape(4, 20)
    inputs = np.column_stack([values[:, :-1].ravel(), np.repeat([0.0, 1, 2, 3], 19)])
    regression = LinearRegression().fit(inputs, values[:, 1:].ravel())
    expected = regression.predict(np.column_stack([values[:, -1], [0, 1, 2, 3]]))
    assert_allclose(fitted.predict(1), expected)
    assert fitted.n_features_in_ == 0
    as_column = size.rename_axis("id").reset_index()
    long = y.rename_axis(["id", "date"]).rename("y").reset_index()
    fitted = RecursiveForecaster(
        LinearRegression(), past=1, scale=None, id_column="id", time_column="date"
    ).fit(long, static=as_column)
    assert_allclose(fitted.predict(1)["y"], expected)


@pytest.mark.parametrize(
    ("static", "message"),
    [
        (pd.DataFrame({"kind": ["x", "y"]}, ["a", "b"]), "column 'kind' .*get_dummies"),
        (pd.DataFrame({"size": [1.0]}, ["a"]), "static misses the series 'b'"),
        (pd.DataFrame({"size": [1.0, np.nan]}, ["a", "b"]), "no finite 'size' of series 'b'"),
        (pd.DataFrame({"size": [1.0, 2, 3]}, ["a", "b", "a"]), "several rows for 'a'"),
        (np.ones((2, 1)), "static is of type ndarray"),
    ],
    ids=["texts", "missing", "nan", "twice", "array"],
)
def test_refused_static_features(static: Any, message: str) -> None:
    wide = pd.DataFrame({"a": Y, "b": Y})
    with pytest.raises(ValueError, match=message):
        model().fit(wide, static=static)
    with pytest.raises(ValueError, match="static features tell series apart, but y is one alone"):
        model().fit(Y, static=pd.DataFrame({"size": [1.0]}))


def test_joint_forecasts_take_covariates_of_all_only() -> None:
    y = KNOWN.drop(columns="price")
    with pytest.raises(ValueError, match="model='joint' forecasts all series at once"):
        model(model="joint", **NAMES).fit(y=y, X=LONG.drop(columns="sales"))
    static = pd.DataFrame({"size": [1.0, 2]}, ["north", "south"])
    with pytest.raises(ValueError, match="there are no static features"):
        model(model="joint", **NAMES).fit(y=y, static=static)
    shared = X.rename_axis("month").reset_index()
    assert len(model(model="joint", **NAMES).fit(y=y, X=shared).predict(shared)) == 24
    forecast = model(model="joint", **NAMES).fit(y=y).predict(2)
    assert_array_equal(forecast["shop"], ["north", "north", "south", "south"])
