"""Which argument is the series, and which one the number of steps."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn.forecasting import RecursiveForecaster

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
DATES = pd.date_range("2020-01-01", periods=46, freq="MS")
X = pd.DataFrame(rng.normal(size=(46, 2)), DATES, ["price", "event"])
Y = pd.Series(X["price"].to_numpy()[:40] + rng.normal(size=40), DATES[:40], name="sales")
WIDE = pd.DataFrame({"a": Y, "b": 3 * Y + 1})
EXPECTED = RecursiveForecaster(Ridge(), past=4, scale="window").fit(X=X, y=Y).predict(X)


def model(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=4, scale="window", **parameters)


CALLS = {
    "y, X": lambda m: m.fit(Y, X),
    "X, y": lambda m: m.fit(X, Y),
    "y, X=": lambda m: m.fit(Y, X=X),
    "X, y=": lambda m: m.fit(X, y=Y),
    "y=, X=": lambda m: m.fit(y=Y, X=X),
    "array X, y": lambda m: m.fit(X[:40].to_numpy(), Y),
    "y, array X": lambda m: m.fit(Y, X[:40].to_numpy()),
}


@pytest.mark.parametrize("name", CALLS)
def test_series_and_covariates_in_any_order(name: str) -> None:
    fitted = CALLS[name](model())
    later = X[40:].to_numpy() if "array" in name else X
    pd.testing.assert_series_equal(fitted.predict(later), EXPECTED)


ALONE = {
    "y": lambda m: m.fit(Y),
    "y=": lambda m: m.fit(y=Y),
    "None, y": lambda m: m.fit(None, Y),
    "y, None": lambda m: m.fit(Y, None),
    "y, X=None": lambda m: m.fit(Y, X=None),
    "dates, y": lambda m: m.fit(Y.index, Y),
    "y, dates": lambda m: m.fit(Y, Y.index),
    "no columns, y": lambda m: m.fit(Y.to_frame()[[]], Y),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_series_alone(name: str) -> None:
    expected = model().fit(None, Y.to_numpy()).forecast(3)
    assert_array_equal(ALONE[name](model()).predict(3), expected)


def test_lists_and_arrays() -> None:
    y, covariates = Y.tolist(), X[:40].to_numpy().tolist()
    for fitted in (model().fit(y, covariates), model().fit(covariates, y)):
        assert_array_equal(fitted.predict(X[40:].to_numpy()), EXPECTED)
    both = WIDE.to_numpy()
    # two arrays of two dimensions, as scikit-learn passes them
    assert model().fit(X[:40].to_numpy(), both).predict(X[40:].to_numpy()).shape == (6, 2)


def test_two_tables_have_to_be_named() -> None:
    for first, second in ((WIDE, X[:40]), (X[:40], WIDE), (WIDE, X[:40].to_numpy())):
        with pytest.raises(ValueError, match=r"two tables by position.*fit\(y=..., X=...\)"):
            model().fit(first, second)
    assert list(model().fit(y=WIDE, X=X).predict(X).columns) == ["a", "b"]
    # without columns, a table is no series
    assert model().fit(WIDE, WIDE[[]]).predict(2).shape == (2, 2)


def test_a_table_alone_is_the_series_and_a_table_beside_none_is_not() -> None:
    assert list(model().fit(WIDE).predict(2)) == ["a", "b"]
    with pytest.raises(ValueError, match="requires y to be passed"):
        model().fit(X, None)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model().fit(X=X)
    with pytest.raises(TypeError, match=r"RecursiveForecaster.fit\(\) is missing"):
        model().fit()


def test_a_covariate_without_a_column_is_refused() -> None:
    for first, second in ((Y, X["price"]), (X["price"][:40], Y)):
        with pytest.raises(ValueError, match=r"X has one dimension.*to_frame.*fit\(y=..., X=...\)"):
            model().fit(first, second)


def test_the_long_frame_with_the_target_is_the_series() -> None:
    long = WIDE.melt(var_name="id", value_name="y", ignore_index=False).reset_index(names="date")
    covariates = X.reset_index(names="date")
    long_model = model(id_column="id", time_column="date", target_column="y")
    expected = long_model.fit(y=long, X=covariates).predict(covariates)
    for first, second in ((long, covariates), (covariates, long)):
        pd.testing.assert_frame_equal(long_model.fit(first, second).predict(covariates), expected)


def test_the_horizon_is_the_number() -> None:
    fitted = model().fit(Y, X)
    for forecast in (
        fitted.predict(3, X),
        fitted.predict(X, 3),
        fitted.predict(X=X, horizon=3),
        fitted.predict(np.int64(3), X[40:44]),
    ):
        pd.testing.assert_series_equal(forecast, EXPECTED[:3])
    alone = model(interval=0.5, interval_steps=3).fit(Y)
    pd.testing.assert_series_equal(alone.predict(3), alone.forecast(3))
    pd.testing.assert_series_equal(alone.predict(horizon=3), alone.forecast(3))
    pd.testing.assert_frame_equal(alone.predict_interval(3), alone.forecast_interval(3))


@pytest.mark.parametrize("horizon", [0, -1, 2.0, True, "3"])
def test_horizons_are_whole_numbers(horizon: Any) -> None:
    fitted = model().fit(Y)
    with pytest.raises((TypeError, ValueError), match="horizon|X "):
        fitted.predict(horizon)
    with pytest.raises(TypeError, match=r"predict\(\) is missing a required argument: 'horizon'"):
        fitted.predict()


def test_a_horizon_beside_an_array_is_its_length() -> None:
    fitted = model().fit(Y, X[:40].to_numpy())
    with pytest.raises(ValueError, match="X has 6 rows, but horizon is 3"):
        fitted.predict(3, X[40:].to_numpy())


# --------------------------------------------------------------------- scikit-learn's own callers


def test_pipelines_and_cross_validation_pass_x_and_y() -> None:
    pipeline = make_pipeline(StandardScaler(), model())
    pipeline.fit(X[:40], Y)
    scaler = StandardScaler().fit(X[:40])
    scaled = model().fit(scaler.transform(X[:40]), Y).predict(scaler.transform(X[40:]))
    forecast = pipeline.predict(X[40:])
    assert_array_equal(forecast, scaled)
    assert list(forecast.index) == list(DATES[40:])
    # with dates all the way, X may be longer
    framed = make_pipeline(StandardScaler().set_output(transform="pandas"), model())
    pd.testing.assert_series_equal(framed.fit(X[:40], Y).predict(X), forecast)


def test_cross_validation_of_dated_series() -> None:
    cv = TimeSeriesSplit(n_splits=3, test_size=5)
    expected = cross_val_score(model(), X[:40].to_numpy(), Y.to_numpy(), cv=cv)
    assert_array_equal(cross_val_score(model(), X[:40], Y, cv=cv), expected)
    alone = cross_val_score(model(), np.empty((40, 0)), Y.to_numpy(), cv=cv)
    assert_array_equal(cross_val_score(model(), Y.to_frame()[[]], Y, cv=cv), alone)


def test_scores_compare_dates() -> None:
    fitted = model().fit(X[:35], Y[:35])
    expected = r2_score(Y[35:], fitted.predict(X[35:40]))
    assert fitted.score(X[35:40], Y[35:]) == expected
    assert fitted.score(X[35:40][::-1], Y[35:].sample(frac=1, random_state=0)) == expected
    assert fitted.score(X[35:40], Y[35:].to_numpy()) == expected
    weights = np.arange(5.0)
    weighted = r2_score(Y[35:], fitted.predict(X[35:40]), sample_weight=weights)
    assert fitted.score(X[35:40], Y[35:][::-1], weights[::-1]) == pytest.approx(weighted)
    for other in (Y[30:35], Y[34:]):
        with pytest.raises(ValueError, match="y has other dates than the forecast"):
            fitted.score(X[35:40], other)


def test_weights_are_routed() -> None:
    cv = TimeSeriesSplit(n_splits=2, test_size=5)
    weights = np.arange(40.0)
    with config_context(enable_metadata_routing=True):
        routed = model().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        scores = cross_val_score(routed, X[:40], Y, cv=cv, params={"sample_weight": weights})
    expected = [
        model().fit(X[:n], Y[:n], sample_weight=weights[:n]).score(X[n : n + 5], Y[n : n + 5])
        for n in (30, 35)
    ]
    assert_allclose(scores, expected)


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: RecursiveForecaster(lags=3), "Did you mean 'past'"),
        (lambda: RecursiveForecaster(level=0.8), "Did you mean 'interval'"),
        (lambda: model().fit(Y).predict(fh=3), "Did you mean 'horizon'"),
        (lambda: model().fit(Y).predict(h=3), "Did you mean 'horizon'"),
        (lambda: model().fit(Y, weights=np.ones(40)), "Did you mean 'sample_weight'"),
    ],
)
def test_words_of_other_libraries(call: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        call()


def test_a_list_of_steps_is_no_number_of_steps() -> None:
    with pytest.raises(ValueError, match=r"X has one dimension.*asked for by predict\(horizon\)"):
        model().fit(Y).predict([1, 2, 3])
