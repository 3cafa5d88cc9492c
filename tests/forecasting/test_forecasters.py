import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_param_validation, parametrize_with_checks

from sknn import NeuralRegressor
from sknn.forecasting import DirectForecaster, RecursiveForecaster

PAIR = [RecursiveForecaster, DirectForecaster]
REPEATED = "a row that is repeated is a further time step"
IN_TIME = "rows are time steps, and predict forecasts those that follow the training data"

rng = np.random.default_rng(0)
NOISE = rng.normal(size=80)
PERIODIC = np.sin(2 * np.pi * np.arange(80) / 12) + 0.1 * NOISE
COVARIATES = rng.normal(size=(92, 2))


class Recorder(RegressorMixin, BaseEstimator):
    """Remember what comes in, and predict zeros."""

    def __init__(self, takes_channels: bool = False) -> None:
        self.takes_channels = takes_channels

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Recorder":
        self.X_, self.y_ = X, y
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros((len(X), *self.y_.shape[1:]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = self.takes_channels
        tags.target_tags.multi_output = True
        return tags


def least_squares(X: list[list[float]], Y: list[list[float]]) -> np.ndarray:
    """Return the coefficients, intercept last, of the solution of least norm."""
    X, Y = np.array(X), np.array(Y)
    slopes = np.linalg.lstsq(X - X.mean(0), Y - Y.mean(0))[0]
    return np.vstack([slopes, Y.mean(0) - X.mean(0) @ slopes])


def forecast_by_hand(
    y: np.ndarray,
    covariates: np.ndarray | None,
    *,
    past: int,
    horizon: int,
    n_steps: int,
    scale: str | None,
) -> np.ndarray:
    """Forecast with linear regression, one number after the other."""
    y = list(y)
    n = len(y)
    training_mean, training_std = np.mean(y), np.std(y)
    typical = 0.1 * np.median([np.std(y[i : i + past]) for i in range(n - past + 1)])

    def centre_and_divisor(window: list[float]) -> tuple[float, float]:
        if scale == "window":
            return np.mean(window), max(np.std(window), typical)
        return (training_mean, training_std) if scale == "standard" else (0, 1)

    def sample(now: int) -> list[float]:
        """Return the input of a forecast of the steps from `now` on."""
        window = y[now - past : now]
        centre, divisor = centre_and_divisor(window)
        values = []
        for i, value in enumerate(window):
            values.append((value - centre) / divisor)
            if covariates is not None:
                values += list(covariates[now - past + i + horizon])
        return values

    X, Y = [], []
    for now in range(past, n - horizon + 1):
        centre, divisor = centre_and_divisor(y[now - past : now])
        X.append(sample(now))
        Y.append([(y[now + k] - centre) / divisor for k in range(horizon)])
    coefficients = least_squares(X, Y)
    while len(y) < n + n_steps:
        centre, divisor = centre_and_divisor(y[-past:])
        y += list(np.array([*sample(len(y)), 1]) @ coefficients * divisor + centre)
    return np.array(y[n : n + n_steps])


# ------------------------------------------------------------------------------------- forecasts


@pytest.mark.parametrize("scale", ["window", "standard", None])
@pytest.mark.parametrize("with_covariates", [False, True])
@pytest.mark.parametrize("horizon", [None, 1, 4])
def test_forecasts_equal_those_made_by_hand(
    scale: str | None, with_covariates: bool, horizon: int | None
) -> None:
    X, X_future = (
        (COVARIATES[:80], COVARIATES[80:]) if with_covariates else (None, np.empty((12, 0)))
    )
    if horizon is None:
        forecaster = RecursiveForecaster(LinearRegression(), past=7, scale=scale)
    else:
        forecaster = DirectForecaster(LinearRegression(), past=7, horizon=horizon, scale=scale)
    expected = forecast_by_hand(
        PERIODIC,
        COVARIATES if with_covariates else None,
        past=7,
        horizon=horizon or 1,
        n_steps=12,
        scale=scale,
    )
    assert_allclose(forecaster.fit(X, PERIODIC).predict(X_future), expected, rtol=1e-8)


@pytest.mark.parametrize("forecaster", PAIR)
def test_a_linear_recursion_is_continued_exactly(forecaster: Any) -> None:
    y = [1.0, 2.0]
    for _ in range(80):
        y.append(1.5 * y[-1] - 0.9 * y[-2] + 1)
    model = forecaster(LinearRegression(), past=4, scale=None).fit(None, y[:60])
    assert_allclose(model.forecast(22), y[60:], rtol=1e-6)


@pytest.mark.parametrize("forecaster", PAIR)
def test_windows_scaled_by_themselves_follow_a_trend_out_of_the_training_range(
    forecaster: Any,
) -> None:
    """A network on standardised values has seen nothing of the kind; on scaled windows it has."""
    y = 5.0 * np.arange(100) + 10 * np.sin(2 * np.pi * np.arange(100) / 12)
    error = {
        scale: np.abs(
            forecaster(scale=scale, random_state=0).fit(None, y[:76]).forecast(24) - y[76:]
        ).mean()
        for scale in ("window", "standard")
    }
    assert error["window"] < 5
    assert error["window"] < error["standard"] / 2


@pytest.mark.parametrize("scale", ["window", "standard"])
@pytest.mark.parametrize("forecaster", PAIR)
def test_forecasts_do_not_depend_on_the_unit(forecaster: Any, scale: str) -> None:
    model = forecaster(scale=scale, past=6, random_state=0, interval=0.5, calibration_fraction=0.4)
    in_one = clone(model).fit(None, PERIODIC)
    in_another = clone(model).fit(None, 1000 * PERIODIC - 500)
    assert_allclose(in_another.forecast(12), 1000 * in_one.forecast(12) - 500, rtol=1e-4)
    expected = 1000 * in_one.forecast_interval(12) - 500
    assert_allclose(in_another.forecast_interval(12), expected, rtol=1e-4, atol=0.01)


@pytest.mark.parametrize("forecaster", PAIR)
def test_a_constant_series_stays_constant(forecaster: Any) -> None:
    model = forecaster(past=5, random_state=0).fit(None, np.full(40, 0.1))
    assert_allclose(model.forecast(15), 0.1)
    # what varies later is seen in its own scale
    model.observe(None, 1000 * PERIODIC)
    assert np.abs(model.forecast(3)).max() < 10_000


# ------------------------------------------------------------------------------------ covariates


@pytest.mark.parametrize("n_steps", [1, 5, 12])
@pytest.mark.parametrize("forecaster", PAIR)
def test_covariates_reach_the_very_step_that_they_belong_to(forecaster: Any, n_steps: int) -> None:
    """A series that follows its covariate at the same step alone is forecast exactly."""
    y = 3 * COVARIATES[:, 0] + 1
    parameters = {"horizon": 4} if forecaster is DirectForecaster else {}
    model = forecaster(LinearRegression(), past=5, scale=None, **parameters)
    model.fit(COVARIATES[:80], y[:80])
    assert_allclose(model.predict(COVARIATES[80 : 80 + n_steps]), y[80 : 80 + n_steps])
    model.observe(COVARIATES[80:83], y[80:83])
    assert_allclose(model.predict(COVARIATES[83:91]), y[83:91])


@pytest.mark.parametrize("X", [np.arange(80), PERIODIC, [["a"]] * 80, np.full((80, 3), np.nan)])
def test_an_ignored_x_only_tells_the_number_of_steps(X: Any) -> None:
    model = DirectForecaster(Ridge(), past=6, horizon=4, covariates="ignore").fit(X, PERIODIC)
    assert model.n_features_in_ == 0
    expected = DirectForecaster(Ridge(), past=6, horizon=4).fit(None, PERIODIC).forecast(5)
    assert_array_equal(model.predict(X[:5]), expected)
    assert_array_equal(model.forecast(5), expected)
    assert_array_equal(model.predict(np.empty((5, 0))), expected)


def test_no_column_is_no_covariate() -> None:
    empty = np.empty((80, 0))
    model = RecursiveForecaster(Ridge(), past=6).fit(empty, PERIODIC)
    expected = RecursiveForecaster(Ridge(), past=6).fit(None, PERIODIC).forecast(5)
    assert_array_equal(model.predict(empty[:5]), expected)


def test_column_names_are_kept_and_checked() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(COVARIATES, columns=["price", "holiday"])
    model = RecursiveForecaster(Ridge(), past=6).fit(frame[:80], pd.Series(PERIODIC))
    assert list(model.feature_names_in_) == ["price", "holiday"]
    assert model.n_features_in_ == 2
    expected = RecursiveForecaster(Ridge(), past=6).fit(COVARIATES[:80], PERIODIC)
    assert_array_equal(model.predict(frame[80:]), expected.predict(COVARIATES[80:]))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["holiday", "price"]][80:])


# -------------------------------------------------------------------- what the regressor is given


@pytest.mark.parametrize("takes_channels", [False, True])
def test_several_channels_are_kept_for_regressors_that_take_them(takes_channels: bool) -> None:
    y = np.column_stack([np.arange(20.0), -np.arange(20.0)])
    X = 100 + np.arange(20.0)[:, None]
    model = DirectForecaster(
        Recorder(takes_channels), past=3, horizon=2, scale=None, model="joint"
    ).fit(X, y)
    # two series, and the covariate of two steps later
    first = [[0, 0, 102], [1, -1, 103], [2, -2, 104]]
    expected = first if takes_channels else np.ravel(first)
    assert_array_equal(model.estimator_.X_[0], expected)
    assert_array_equal(model.estimator_.y_[0], [3, -3, 4, -4])
    assert len(model.estimator_.X_) == 16


@pytest.mark.parametrize("takes_channels", [False, True])
def test_one_channel_is_a_plain_row(takes_channels: bool) -> None:
    model = RecursiveForecaster(Recorder(takes_channels), past=3, scale=None)
    model.fit(None, np.arange(10.0))
    assert_array_equal(model.estimator_.X_[:2], [[0, 1, 2], [1, 2, 3]])
    assert_array_equal(model.estimator_.y_[:2], [3, 4])


@pytest.mark.parametrize("forecaster", PAIR)
def test_several_series_are_forecast_from_the_past_of_all(forecaster: Any) -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    y = [np.array([1.0, 0.0])]
    for _ in range(59):
        y.append(turn @ y[-1])
    y = np.array(y)
    model = forecaster(LinearRegression(), past=1, scale=None, model="joint").fit(None, y[:40])
    assert_allclose(model.forecast(20), y[40:], atol=1e-8)
    model.observe(None, y[40:43])
    assert_allclose(model.forecast(17), y[43:], atol=1e-8)


def test_a_series_in_a_column_stays_in_a_column() -> None:
    model = RecursiveForecaster(Ridge(), past=6, interval=0.5).fit(None, PERIODIC[:, None])
    assert model.forecast(3).shape == (3, 1)
    assert model.forecast_interval(3).shape == (3, 1, 2)


def test_regressors_of_one_output_get_one_each() -> None:
    boosting = HistGradientBoostingRegressor(max_iter=5)
    model = DirectForecaster(boosting, past=6, horizon=3).fit(None, PERIODIC)
    assert isinstance(model.estimator_, MultiOutputRegressor)
    expected = DirectForecaster(MultiOutputRegressor(boosting), past=6, horizon=3)
    assert_array_equal(model.forecast(7), expected.fit(None, PERIODIC).forecast(7))
    alone = RecursiveForecaster(boosting, past=6).fit(None, PERIODIC).estimator_
    assert isinstance(alone, HistGradientBoostingRegressor)


@pytest.mark.parametrize("scale", ["window", "standard", None])
@pytest.mark.parametrize("forecaster", PAIR)
def test_single_precision_is_kept(forecaster: Any, scale: str | None) -> None:
    model = forecaster(Recorder(), past=6, scale=scale, interval=None)
    model.fit(COVARIATES[:80] if forecaster is RecursiveForecaster else None, PERIODIC.astype("f4"))
    assert model.estimator_.X_.dtype == model.estimator_.y_.dtype == np.float32
    X = COVARIATES[80:] if forecaster is RecursiveForecaster else np.empty((12, 0))
    assert model.predict(X).dtype == np.float32


# --------------------------------------------------------------------------------------- observe


@pytest.mark.parametrize("forecaster", PAIR)
def test_observed_steps_move_the_forecast_on(forecaster: Any) -> None:
    model = forecaster(LinearRegression(), past=6, scale=None).fit(None, PERIODIC[:60])
    weights = model.estimator_.coef_.copy()
    window = PERIODIC[66:72].reshape(1, -1)
    expected = model.estimator_.predict(window).ravel()[0]
    in_parts = clone(model).fit(None, PERIODIC[:60])
    in_parts.observe(None, PERIODIC[60:62]).observe(None, PERIODIC[62:72])
    model.observe(None, PERIODIC[60:72])
    assert model.forecast(1)[0] == pytest.approx(expected)
    assert_array_equal(model.forecast(5), in_parts.forecast(5))
    assert_array_equal(model.estimator_.coef_, weights)


def test_what_was_fitted_does_not_change_with_the_array() -> None:
    y = PERIODIC.copy()
    model = RecursiveForecaster(Ridge(), past=6).fit(None, y)
    before = model.forecast(3)
    y[:] = 0
    assert_array_equal(model.forecast(3), before)


# ------------------------------------------------------------------ meta-estimators and validation


@pytest.mark.parametrize("forecaster", PAIR)
def test_cross_validation_scores_forecasts_from_the_training_part_alone(forecaster: Any) -> None:
    model = forecaster(Ridge(), past=6, covariates="ignore")
    cv = TimeSeriesSplit(n_splits=3, test_size=10)
    scores = cross_val_score(model, PERIODIC, PERIODIC, cv=cv)
    expected = []
    for stop in (50, 60, 70):
        forecast = clone(model).fit(None, PERIODIC[:stop]).forecast(10)
        expected.append(r2_score(PERIODIC[stop : stop + 10], forecast))
    assert_allclose(scores, expected)
    with config_context(enable_metadata_routing=True):
        assert_allclose(cross_val_score(model, PERIODIC, PERIODIC, cv=cv), expected)


@pytest.mark.parametrize("forecaster", PAIR)
def test_grid_search_over_the_regressor_and_the_windows(forecaster: Any) -> None:
    grid = {"estimator__alpha": [1e-3, 1e6], "past": [1, 12]}
    search = GridSearchCV(
        forecaster(Ridge(), scale="window"), grid, cv=TimeSeriesSplit(3, test_size=6)
    )
    search.fit(np.empty((80, 0)), PERIODIC)
    assert search.best_params_ == {"estimator__alpha": 1e-3, "past": 12}
    best = forecaster(Ridge(1e-3), past=12, scale="window").fit(None, PERIODIC)
    assert_array_equal(search.predict(np.empty((9, 0))), best.forecast(9))


@pytest.mark.parametrize("forecaster", PAIR)
def test_pipelines_scale_covariates(forecaster: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), forecaster(Ridge(), past=12))
    pipeline.fit(COVARIATES[:80], PERIODIC)
    scaler = StandardScaler().fit(COVARIATES[:80])
    expected = forecaster(Ridge(), past=12).fit(scaler.transform(COVARIATES[:80]), PERIODIC)
    assert_array_equal(
        pipeline.predict(COVARIATES[80:]), expected.predict(scaler.transform(COVARIATES[80:]))
    )


@pytest.mark.parametrize("forecaster", PAIR)
def test_targets_may_be_transformed(forecaster: Any) -> None:
    growing = np.exp(PERIODIC)
    model = TransformedTargetRegressor(
        forecaster(Ridge(), past=6), func=np.log, inverse_func=np.exp
    )
    forecast = model.fit(np.empty((80, 0)), growing).predict(np.empty((12, 0)))
    expected = np.exp(forecaster(Ridge(), past=6).fit(None, PERIODIC).forecast(12))
    assert_allclose(forecast, expected)


# ------------------------------------------------------------------------------------ contract


@parametrize_with_checks(
    [RecursiveForecaster(Ridge(), past=2), DirectForecaster(Ridge(), past=2, horizon=2)],
    expected_failed_checks=lambda _: {
        "check_methods_sample_order_invariance": IN_TIME,
        "check_methods_subset_invariance": IN_TIME,
        "check_sample_weight_equivalence_on_dense_data": REPEATED,
        "check_estimators_empty_data_messages": "X without columns is X without covariates",
    },
)
def test_estimator_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("forecaster", PAIR)
def test_parameters_are_validated(forecaster: Any) -> None:
    check_param_validation(forecaster.__name__, forecaster())


@pytest.mark.parametrize("forecaster", PAIR)
def test_parameters_and_copies(forecaster: Any) -> None:
    model = forecaster(Ridge(2), past=6, interval=0.5, calibration_fraction=0.3)
    if forecaster is DirectForecaster:
        model.set_params(estimator=NeuralRegressor(max_iter=3, learning_rate="cosine"), horizon=3)
        model.set_params(estimator__random_state=0)
    copied = clone(model)
    assert repr(copied.get_params()) == repr(model.get_params())
    assert is_regressor(model)
    model.fit(None, PERIODIC)
    assert not hasattr(copied, "estimator_")
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.forecast(3), model.forecast(3))
    assert_array_equal(loaded.forecast_interval(3), model.forecast_interval(3))
    assert_array_equal(copied.fit(None, PERIODIC).forecast(3), model.forecast(3))


@pytest.mark.parametrize("forecaster", PAIR)
def test_without_an_estimator_there_is_a_network(forecaster: Any) -> None:
    one, same, other = (
        forecaster(past=6, random_state=seed).fit(None, PERIODIC) for seed in (0, 0, 1)
    )
    assert isinstance(one.estimator_, NeuralRegressor)
    assert one.estimator is None
    assert_array_equal(one.forecast(12), same.forecast(12))
    assert not np.allclose(one.forecast(12), other.forecast(12))


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (None, np.zeros(9), "y is too short: n_samples=9 .* past=6 and horizon=4 need at least 10"),
        (None, np.zeros((20, 2, 2)), r"y has the shape \(20, 2, 2\)"),
        (None, [*PERIODIC, np.nan], "Input y contains NaN"),
        (np.full((80, 1), np.inf), PERIODIC, "Input X contains infinity"),
        (COVARIATES[:79], PERIODIC, "X has 79 rows, but y has 80 time steps"),
        (np.arange(80.0), PERIODIC, 'X has one dimension.*covariates="ignore"'),
        (COVARIATES[:80], None, "requires y to be passed"),
    ],
    ids=["short", "dimensions", "nan", "inf", "rows", "1-D", "no y"],
)
def test_errors_of_fit(X: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirectForecaster(Ridge(), past=6, horizon=4).fit(X, y)


@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge, StandardScaler()], ids=repr)
def test_only_regressors_are_taken(estimator: Any) -> None:
    with pytest.raises(ValueError, match="estimator"):
        RecursiveForecaster(estimator, past=6).fit(None, PERIODIC)


def test_covariates_need_windows_of_the_whole_horizon() -> None:
    model = DirectForecaster(Ridge(), past=6, horizon=7, scale="window")
    with pytest.raises(ValueError, match="past=6 is shorter than horizon=7"):
        model.fit(COVARIATES[:80], PERIODIC)
    assert model.fit(None, PERIODIC).forecast(9).shape == (9,)


@pytest.mark.parametrize("forecaster", PAIR)
def test_errors_of_predict_with_covariates(forecaster: Any) -> None:
    model = forecaster(Ridge(), past=12).fit(COVARIATES[:80], PERIODIC)
    with pytest.raises(ValueError, match="X is None, .* fitted with 2 covariates"):
        model.predict(None)
    with pytest.raises(ValueError, match="X has 1 features, but .* is expecting 2"):
        model.predict(COVARIATES[80:, :1])
    with pytest.raises(ValueError, match="fitted with 2 covariates: pass those .* as X"):
        model.forecast(3)
    with pytest.raises(ValueError, match="X is None"):
        model.observe(None, PERIODIC[:3])
    with pytest.raises(ValueError, match="X has 2 rows, but y has 3 time steps"):
        model.observe(COVARIATES[:2], PERIODIC[:3])


@pytest.mark.parametrize("forecaster", PAIR)
def test_errors_of_predict_without_covariates(forecaster: Any) -> None:
    model = forecaster(Ridge(), past=12).fit(None, PERIODIC)
    with pytest.raises(ValueError, match=r"use forecast\(n_steps\)"):
        model.predict(None)
    with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 0"):
        model.predict(COVARIATES[80:])
    with pytest.raises(ValueError, match="n_steps == 0, must be >= 1"):
        model.forecast(0)
    with pytest.raises(TypeError, match="n_steps must be an instance of"):
        model.forecast(1.5)
    with pytest.raises(ValueError, match="y has 2 series, but .* fitted with 1"):
        model.observe(None, COVARIATES)


def test_a_forecast_that_explodes_is_an_error() -> None:
    y = 2.0 ** np.arange(40)
    model = RecursiveForecaster(LinearRegression(), past=1, scale=None).fit(None, y)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="is not finite from step 98"):
        model.forecast(1000)


# --------------------------------------------------------------------------------- airline series


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize("forecaster", PAIR)
def test_two_years_of_passengers_are_forecast_better_than_by_the_last_year(
    passengers: np.ndarray, forecaster: Any, logarithm: bool, seed: int
) -> None:
    past, future = passengers[:-24], passengers[-24:]
    model = forecaster(random_state=seed)
    if logarithm:
        forecast = np.exp(model.fit(None, np.log(past)).forecast(24))
    else:
        forecast = model.fit(None, past).forecast(24)
    seasonal_naive = np.tile(past[-12:], 2)
    error, naive_error = (
        np.sqrt(np.mean((each - future) ** 2)) for each in (forecast, seasonal_naive)
    )
    assert error < 0.6 * naive_error
