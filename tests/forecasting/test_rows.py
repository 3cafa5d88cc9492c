"""Rows of y: twice, missing, NaN, and what fills gaps."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

from sknn.forecasting import RecursiveForecaster

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
MONTHS = pd.date_range("2019-12-31", periods=40, freq="ME")
Y = pd.Series(rng.normal(size=40), MONTHS)
BOOSTING = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=2)


class Recorder(RegressorMixin, BaseEstimator):
    """Remember what comes in, and predict zeros."""

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> "Recorder":
        self.X_, self.y_, self.weights_ = X, y, sample_weight
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros(len(X))


class RecorderOfGaps(Recorder):
    """Take NaN too."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def model(estimator: Any = None, **parameters: Any) -> RecursiveForecaster:
    estimator = Ridge() if estimator is None else estimator
    return RecursiveForecaster(estimator, **({"past": 3, "scale": "window"} | parameters))


# ----------------------------------------------------------------------------------------- twice


def test_the_first_date_that_comes_twice_is_named() -> None:
    twice = pd.concat([Y, Y[5:7]]).sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match="y has several rows for 2020-05-31.*MultiIndex.*id_col"):
        model().fit(twice)
    with pytest.raises(ValueError, match="y has several rows for 3"):
        model().fit(pd.Series(np.arange(9.0), [0, 1, 2, 3, 3, 4, 5, 6, 7]))


def test_one_series_below_another_is_no_series() -> None:
    with pytest.raises(ValueError, match="several rows for 2019-12-31.*several series one below"):
        model().fit(pd.concat([Y, -Y]))
    with pytest.raises(ValueError, match="several rows for 0.*several series"):
        model().fit(pd.concat([pd.Series(np.arange(30.0)), pd.Series(np.arange(30.0))]))


def test_an_hour_that_comes_twice_when_the_clock_is_put_back() -> None:
    local = pd.date_range("2024-10-26", periods=40, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(ValueError, match=r"for 2024-10-27 02:00:00\..*tz_localize"):
        model().fit(pd.Series(np.arange(40.0), local))


# --------------------------------------------------------------------------------------- missing


@pytest.mark.parametrize("order", [1, -1])
def test_the_first_missing_date_is_named(order: int) -> None:
    with pytest.raises(ValueError, match="y misses 2020-05-31 and 2 more: .* of 'ME'.*fill="):
        model().fit(Y.drop(Y.index[[5, 6, 20]])[::order])
    with pytest.raises(ValueError, match="y misses 4: "):
        model().fit(pd.Series(np.arange(20.0)).drop(4))
    business = pd.Series(np.arange(30.0), pd.bdate_range("2024-01-01", periods=30))
    with pytest.raises(ValueError, match="y misses 2024-01-15: .* of 'B'"):
        model().fit(business.drop(pd.Timestamp("2024-01-15")))


def test_two_series_one_after_the_other_have_a_gap_between_them() -> None:
    later = Y.set_axis(Y.index + pd.DateOffset(years=20))
    with pytest.raises(ValueError, match="y misses 2023-04-30 and 199 more: .* of 'ME'"):
        model().fit(pd.concat([Y, later]))


def test_an_hour_that_the_clock_leaves_out() -> None:
    local = pd.date_range("2024-03-30", periods=40, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(ValueError, match="y misses 2024-03-31 02:00:00: .*tz_localize"):
        model().fit(pd.Series(np.arange(40.0), local))


FILLED = {
    "interpolate": [1.0, 2, 3, 4, 6, 8, 8],
    "previous": [1.0, 1, 1, 4, 4, 8, 8],
}


@pytest.mark.parametrize("fill", FILLED)
def test_gaps_are_filled(fill: str) -> None:
    days = pd.date_range("2024-01-01", periods=7, freq="D")
    values = pd.Series([1.0, np.nan, np.nan, 4, np.nan, 8, np.nan], days)
    for y in (values, values.drop(days[[1, 4]])):
        fitted = RecursiveForecaster(Recorder(), past=2, scale=None, fill=fill, freq="D").fit(y)
        assert_array_equal(fitted.estimator_.X_[:, 0], FILLED[fill][:-2])
        assert_array_equal(fitted.estimator_.y_, FILLED[fill][2:])
        assert fitted.predict(1).index[0] == pd.Timestamp("2024-01-08")


def test_what_is_before_the_first_value_is_left_out() -> None:
    y = Y.copy()
    y[:4] = np.nan
    pd.testing.assert_series_equal(
        model(fill="previous").fit(y).predict(3), model().fit(Y[4:]).predict(3)
    )


def test_nan_goes_to_regressors_that_take_it() -> None:
    y = Y.copy()
    y.iloc[[7, 20]] = np.nan
    fitted = model(RecorderOfGaps(), scale=None).fit(y)
    assert np.isnan(fitted.estimator_.X_).sum() == 2 * 3
    assert len(fitted.estimator_.y_) == 40 - 3 - 2
    assert np.isfinite(fitted.estimator_.y_).all()
    # missing dates are asked for
    with pytest.raises(ValueError, match="y misses 2020-07-31"):
        model(BOOSTING).fit(y.drop(y.index[7]))
    forecast = model(BOOSTING, fill="nan", interval=0.5, interval_steps=2).fit(y.drop(y.index[7]))
    expected = model(BOOSTING, interval=0.5, interval_steps=2).fit(y)
    pd.testing.assert_series_equal(forecast.predict(3), expected.predict(3))
    assert np.isfinite(expected.predict_interval(2)).all(axis=None)


def test_nan_is_refused_by_name() -> None:
    y = Y.copy()
    y.iloc[[7, 20]] = np.nan
    with pytest.raises(ValueError, match="y contains NaN: the first is that of 2020-07-31.*fill="):
        model().fit(y)
    with pytest.raises(ValueError, match="y contains NaN: the first is that of step 7"):
        model().fit(y.to_numpy())
    with pytest.raises(ValueError, match="fill='nan' needs an estimator that takes NaN"):
        model(fill="nan").fit(y)
    with pytest.raises(ValueError, match="Input y contains infinity"):
        model(BOOSTING).fit(Y.replace(Y.iloc[3], np.inf))


def test_nothing_but_nan() -> None:
    for parameters in ({}, {"fill": "interpolate"}):
        with pytest.raises(ValueError, match="y contains NaN: the first is that of 2019-12-31"):
            model(**parameters).fit(Y * np.nan)


def test_types_of_pandas_with_gaps() -> None:
    y = pd.Series([1, 2, None, 4, 5, 6, 7, 9], dtype="Int64")
    with pytest.raises(ValueError, match="y contains NaN: the first is that of 2"):
        model().fit(y)
    fitted = RecursiveForecaster(Recorder(), past=1, scale=None, fill="previous").fit(y)
    assert_array_equal(fitted.estimator_.X_[:, 0], [1, 2, 2, 4, 5, 6, 7])


# --------------------------------------------------------------------------------------- weights


def test_weights_belong_to_dates() -> None:
    weights = pd.Series(np.arange(40.0), MONTHS)
    expected = model(Recorder()).fit(Y, sample_weight=np.arange(40.0)).estimator_.weights_
    assert_array_equal(expected, np.arange(3.0, 40))
    for y, weight in (
        (Y, weights),
        (Y[::-1], weights),
        (Y[::-1], weights.to_numpy()[::-1]),
        (Y, weights.sample(frac=1, random_state=0)),
    ):
        fitted = model(Recorder()).fit(y, sample_weight=weight)
        assert_array_equal(fitted.estimator_.weights_, expected)


def test_weights_of_several_series() -> None:
    wide = pd.DataFrame({"a": Y, "b": -Y})
    weights = np.arange(40.0)
    fitted = model(Recorder()).fit(wide, sample_weight=weights)
    assert_array_equal(fitted.estimator_.weights_, np.r_[weights[3:], weights[3:]])
    order = rng.permutation(80)
    panel = wide.stack().swaplevel().sort_index()
    rows = pd.Series(np.arange(80.0), panel.index)
    for y, weight in (
        (panel.iloc[order], rows.to_numpy()[order]),
        (panel.iloc[order], rows),
    ):
        found = model(Recorder()).fit(y, sample_weight=weight)
        names = found.predict(1).index.get_level_values(0)
        expected = {"a": np.arange(3.0, 40), "b": np.arange(43.0, 80)}
        assert_array_equal(found.estimator_.weights_, np.concatenate([expected[n] for n in names]))


def test_gaps_of_each_series_are_filled_by_themselves() -> None:
    wide = pd.DataFrame({"a": Y, "b": 100 + Y})
    gaps = wide.stack().swaplevel().drop([("a", MONTHS[5]), ("b", MONTHS[0]), ("b", MONTHS[9])])
    filled = wide.copy()
    filled.loc[MONTHS[5], "a"] = Y.iloc[4]
    filled.loc[MONTHS[9], "b"] = 100 + Y.iloc[8]
    expected = model().fit(filled.stack().swaplevel().drop([("b", MONTHS[0])]))
    assert_allclose(model(fill="previous").fit(gaps).predict(3), expected.predict(3))
    with pytest.raises(ValueError, match="y misses 2020-05-31 of series 'a'"):
        model().fit(gaps)


def test_filled_steps_weigh_nothing() -> None:
    y = Y.drop(MONTHS[5]).copy()
    y.iloc[10] = np.nan
    fitted = model(Recorder(), fill="previous").fit(y, sample_weight=np.full(39, 2.0))
    expected = np.full(40, 2.0)
    expected[[5, 11]] = 0
    assert_array_equal(fitted.estimator_.weights_, expected[3:])


def test_weights_change_the_forecast_as_leaving_out_does() -> None:
    """Pairs without weight are as if they were not there."""
    y = np.r_[rng.normal(size=20), np.arange(20.0)]
    weights = np.r_[np.zeros(23), np.ones(17)]
    weighted = RecursiveForecaster(Ridge(), past=3, scale=None).fit(y, sample_weight=weights)
    alone = RecursiveForecaster(Ridge(), past=3, scale=None).fit(y[20:])
    assert_allclose(weighted.predict(5), alone.predict(5))


@pytest.mark.parametrize(
    ("estimator", "weights", "message"),
    [
        (KNeighborsRegressor(), np.ones(40), "sample_weight needs an estimator whose fit takes it"),
        (Ridge(), np.ones(39), "sample_weight.shape"),
        (Ridge(), -np.ones(40), "Negative"),
        (Ridge(), pd.Series(np.ones(39), MONTHS[1:]), "sample_weight misses 2019-12-31"),
    ],
    ids=["estimator", "length", "negative", "dates"],
)
def test_refused_weights(estimator: Any, weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(estimator).fit(Y, sample_weight=weights)
