"""Calls that are refused leave a forecaster as it was, with the same forecasts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge

from sknn import NeuralRegressor, forecasting
from sknn.forecasting import DirectForecaster, RecursiveForecaster, WindowTransformer

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
Y = np.sin(np.arange(80.0)) + 0.1 * rng.normal(size=80)
X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["price", "month"])
LATER = pd.DataFrame(rng.normal(size=(4, 2)), columns=["price", "month"])

NETWORK = NeuralRegressor(
    hidden_layer_sizes=(3,), learning_rate="cosine", max_iter=2, random_state=0
)
FORECASTERS = {
    "recursive": RecursiveForecaster(
        Ridge(), past=6, scale="window", interval=0.8, interval_steps=4
    ),
    "direct": DirectForecaster(QuantileRegressor(alpha=0), past=6, scale="window", horizon=4),
    "intervals": DirectForecaster(NETWORK, past=6, scale="window", horizon=4, interval=0.8),
}


class Interrupted(RegressorMixin, BaseEstimator):
    """Is interrupted while it is fitted, after `n` other fits."""

    n_fits = 0

    def __init__(self, n: int = 0, loss: str = "mean", quantile: float = 0.5) -> None:
        self.n = n
        self.loss = loss
        self.quantile = quantile

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Interrupted":
        type(self).n_fits += 1
        if type(self).n_fits > self.n:
            raise KeyboardInterrupt
        self.y_ = y
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros((len(X), *self.y_.shape[1:]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def with_nan(values: Any) -> np.ndarray:
    values = np.array(values)
    values[40] = np.nan
    return values


# arguments of `fit`, and parameters, each of which is refused
REFUSED_DATA = {
    "short": (None, Y[:5]),
    "too short to calibrate": (None, Y[:18]),
    "nan in y": (None, with_nan(Y)),
    "dimensions of y": (None, np.zeros((80, 2, 2))),
    "no y": (X, None),
    "texts in y": (None, ["a"] * 80),
    "nan in X": (with_nan(X), Y),
    "rows of X": (X[:79], Y),
    "dimension of X": (np.arange(80.0), Y),
    "dimensions of X": (np.zeros((80, 2, 2)), Y),
}
REFUSED_PARAMETERS: dict[str, dict[str, Any]] = {
    "past": {"past": 0},
    "no window": {"past": 79},
    "scale": {"scale": "windows"},
    "covariates": {"covariates": "drop"},
    "interval": {"interval": 1.5},
    "too few scores": {"interval": 0.999},
    "calibration": {"interval": 0.8, "calibration_fraction": 0.95},
    "seed": {"random_state": "one"},
    "no regressor": {"estimator": LogisticRegression()},
    "a class": {"estimator": Ridge},
    "interrupted": {"estimator": Interrupted()},
    "interrupted later": {"estimator": Interrupted(1), "interval": 0.8},
}


def assert_unchanged(model: Any, answers: Callable[[], list[Any]], call: Callable[[], Any]) -> None:
    before, expected = dict(vars(model)), answers()
    with pytest.raises((ValueError, TypeError, KeyboardInterrupt)):
        call()
    assert list(vars(model)) == list(before)
    assert all(vars(model)[name] is value for name, value in before.items())
    for answer, value in zip(answers(), expected, strict=True):
        np.testing.assert_array_equal(answer, value)


def forecasts_of(model: Any) -> list[Any]:
    if not hasattr(model, "estimator_"):
        return []
    return [model.predict(LATER), *([model.predict_interval(LATER)] if model._intervals else [])]


@pytest.fixture(params=FORECASTERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {name: clone(model).fit(X, Y) for name, model in FORECASTERS.items()}


def test_all_forecasters_are_here() -> None:
    tested = {type(model) for model in FORECASTERS.values()} | {WindowTransformer}
    public = (getattr(forecasting, name) for name in forecasting.__all__)
    assert tested == {each for each in public if isinstance(each, type)}


@pytest.mark.parametrize("refused", REFUSED_DATA)
def test_refused_data(name: str, refused: str, fitted: dict[str, Any]) -> None:
    for model in (clone(FORECASTERS[name]), fitted[name]):
        model = model.set_params(interval=0.8)
        assert_unchanged(
            model,
            lambda: forecasts_of(model),  # noqa: B023
            lambda: model.fit(*REFUSED_DATA[refused]),  # noqa: B023
        )


@pytest.mark.parametrize("refused", REFUSED_PARAMETERS)
def test_refused_parameters(name: str, refused: str) -> None:
    for model in (clone(FORECASTERS[name]), clone(FORECASTERS[name]).fit(X, Y)):
        Interrupted.n_fits = 0
        model.set_params(**REFUSED_PARAMETERS[refused])
        assert_unchanged(
            model,
            lambda: forecasts_of(model),  # noqa: B023
            lambda: model.fit(None, Y),  # noqa: B023
        )


def test_refused_horizons() -> None:
    model = clone(FORECASTERS["direct"]).fit(X, Y)
    for horizon in (0, 7, 80):
        model.set_params(horizon=horizon)
        assert_unchanged(model, lambda: forecasts_of(model), lambda: model.fit(X, Y))


REFUSED_STEPS = {
    "nan": (LATER, [0.0, 1.0, np.nan, 2.0]),
    "no y": (LATER, None),
    "rows": (LATER[:3], Y[:4]),
    "no covariates": (None, Y[:4]),
    "columns": (LATER[["price"]], Y[:4]),
    "names": (LATER.rename(columns={"price": "cost"}), Y[:4]),
    "series": (LATER, np.zeros((4, 2))),
}


@pytest.mark.parametrize("refused", REFUSED_STEPS)
def test_refused_steps(name: str, refused: str, fitted: dict[str, Any]) -> None:
    model = fitted[name]
    answers = lambda: forecasts_of(model)  # noqa: E731
    assert_unchanged(model, answers, lambda: model.observe(*REFUSED_STEPS[refused]))


def test_refused_forecasts(name: str, fitted: dict[str, Any]) -> None:
    model = fitted[name]
    answers = lambda: forecasts_of(model)  # noqa: E731
    for call in (
        lambda: model.predict(None),
        lambda: model.predict(LATER[["price"]]),
        lambda: model.forecast(4),
        lambda: model.forecast_interval(0),
        lambda: model.predict_interval(X[:5]),
    ):
        assert_unchanged(model, answers, call)


@pytest.mark.parametrize(
    ("parameters", "series"),
    [
        ({}, with_nan(Y)),
        ({}, np.zeros((80, 2, 2))),
        ({}, Y[:2]),
        ({}, X[:2]),
        ({"past": 0}, Y),
        ({"past": 90}, Y),
        ({"stride": 0}, Y),
    ],
    ids=["nan", "dimensions", "short", "short table", "past", "long past", "stride"],
)
def test_refused_windows(parameters: dict[str, Any], series: Any) -> None:
    for model in (WindowTransformer(past=3), WindowTransformer(past=3).fit(X)):
        names = list(getattr(model, "feature_names_in_", []))
        model.set_params(**parameters)
        assert_unchanged(
            model,
            lambda: [list(getattr(model, "feature_names_in_", []))],  # noqa: B023
            lambda: model.fit(series),  # noqa: B023
        )
        assert list(getattr(model, "feature_names_in_", [])) == names


def test_a_fit_forgets_the_names_of_an_earlier_one() -> None:
    windows = WindowTransformer(past=3).fit(X).fit(Y)
    assert windows.n_features_in_ == 1
    assert not hasattr(windows, "feature_names_in_")
    forecaster = RecursiveForecaster(Ridge(), past=3).fit(X, Y).fit(None, Y)
    assert forecaster.n_features_in_ == 0
    assert not hasattr(forecaster, "feature_names_in_")


DATES = pd.date_range("2020-01-01", periods=84, freq="MS")
DATED = pd.Series(Y, DATES[:80])
KNOWN = pd.DataFrame(rng.normal(size=(84, 2)), DATES, ["price", "month"])
PAIR = pd.DataFrame({"a": DATED, "b": -DATED})
REFUSED_DATES: dict[str, Callable[[Any], Any]] = {
    "twice": lambda model: model.fit(y=pd.concat([DATED, DATED]), X=KNOWN),
    "missing": lambda model: model.fit(y=DATED.drop(DATES[7]), X=KNOWN),
    "missing in X": lambda model: model.fit(y=DATED, X=KNOWN.drop(DATES[7])),
    "texts": lambda model: model.fit(DATED.set_axis(DATES[:80].astype(str))),
    "two tables": lambda model: model.fit(PAIR, KNOWN),
    "static": lambda model: model.fit(PAIR, static=pd.DataFrame({"size": [1.0]}, ["a"])),
    "weights": lambda model: model.fit(DATED, sample_weight=np.ones(3)),
    "fill": lambda model: model.set_params(fill="nan").fit(DATED),
    "level": lambda model: model.set_params(interval=[0.8, 2]).fit(DATED),
    "bounds": lambda model: model.set_params(bounds=(0, 1)).fit(DATED),
    "freq": lambda model: model.set_params(freq="D").fit(DATED),
    "joint": lambda model: model.set_params(model="joint").fit(PAIR.mask(PAIR.index == DATES[0])),
    "column": lambda model: model.set_params(id_column="shop").fit(PAIR),
}


@pytest.mark.parametrize("refused", REFUSED_DATES)
def test_refused_dates(refused: str) -> None:
    unfitted = RecursiveForecaster(Ridge(), past=6)
    fitted = clone(unfitted).fit(y=DATED, X=KNOWN)
    for model, answers in ((unfitted, list), (fitted, lambda: [fitted.predict(KNOWN)])):
        before = {k: v for k, v in vars(model).items() if k not in model.get_params()}
        expected = answers()
        with pytest.raises(ValueError, match="."):
            REFUSED_DATES[refused](model)
        after = {k: v for k, v in vars(model).items() if k not in model.get_params()}
        assert after == before
        model.set_params(**clone(unfitted).get_params(deep=False))
        for answer, value in zip(answers(), expected, strict=True):
            pd.testing.assert_series_equal(answer, value)
