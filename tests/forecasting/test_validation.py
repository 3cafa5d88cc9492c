import threading
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import max_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralRegressor
from sknn.forecasting import RecursiveForecaster, cross_validate, mase, smape

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(60, 2)) + 10
MONTHS = pd.period_range("2018-01", periods=60, freq="M", name="month")
SERIES = pd.Series(VALUES[:, 0], MONTHS, name="sales")
WIDE = pd.DataFrame(VALUES, MONTHS, columns=["north", "south"])
PANEL = WIDE.T.stack().rename("sales").rename_axis(["shop", "month"])
LONG = PANEL.reset_index()


class LastYear(BaseEstimator):
    """Repeat the last `season` steps, with bounds 1 below and 2 above the forecast."""

    calls: list[dict[str, Any]] = []

    def __init__(
        self, season: int = 12, interval: Any = None, fails_before: int = 0, **columns: Any
    ):
        self.season = season
        self.interval = interval
        self.fails_before = fails_before

    def fit(self, y: Any, X: Any = None) -> "LastYear":
        LastYear.calls.append({"fit": y, "X": X})
        if len(y) < self.fails_before:
            raise ValueError(f"{len(y)} steps are not enough")
        self.y_ = y if isinstance(y, np.ndarray) else y.sort_index()
        return self

    def update(self, y: Any, X: Any = None, *, refit: bool = True) -> None:
        assert not refit
        LastYear.calls.append({"update": y, "X": X})
        self.y_ = (
            np.concatenate([self.y_, y]) if isinstance(y, np.ndarray) else pd.concat([self.y_, y])
        )

    def _ahead(self, horizon: int, y: Any) -> Any:
        values = np.resize(np.asarray(y)[-self.season :], (horizon, *np.shape(y)[1:]))
        if isinstance(y, np.ndarray):
            return values
        index = pd.period_range(y.index[-1] + 1, periods=horizon, freq=y.index.freq, name="month")
        if y.ndim == 2:
            return pd.DataFrame(values, index, columns=y.columns)
        return pd.Series(values, index, name=y.name)

    def predict(self, horizon: int, X: Any = None) -> Any:
        LastYear.calls.append({"predict": horizon, "X": X})
        if isinstance(self.y_, np.ndarray) or self.y_.index.nlevels == 1:
            return self._ahead(horizon, self.y_)
        wide = self._ahead(horizon, self.y_.unstack(level=0))
        return wide.T.stack().rename(self.y_.name)

    def predict_interval(self, horizon: int, X: Any = None) -> Any:
        forecast = self.predict(horizon, X)
        levels = np.atleast_1d(self.interval)
        if isinstance(forecast, np.ndarray):
            bounds = np.stack([forecast - 1, forecast + 2], axis=-1)
            if isinstance(self.interval, float):
                return bounds
            return np.stack([bounds] * len(levels), axis=-2)
        names = [f"{side}_{100 * level:g}" for level in levels for side in ("lower", "upper")]
        if forecast.ndim == 2:
            columns = pd.MultiIndex.from_product([forecast.columns, names])
            values = [
                forecast[column] + shift for column in forecast for _ in levels for shift in (-1, 2)
            ]
            return pd.DataFrame(np.transpose(values), forecast.index, columns)
        shifts = [-1, 2] * len(levels)
        return pd.DataFrame(
            {name: forecast + shift for name, shift in zip(names, shifts, strict=True)}
        )


@pytest.fixture(autouse=True)
def calls() -> list[dict[str, Any]]:
    LastYear.calls.clear()
    return LastYear.calls


def expected(values: np.ndarray, last: int, horizon: int, start: int = 0) -> float:
    """MASE of last year's values from an origin, by the formula."""
    known = values[start:last]
    forecast = known[-12:][np.arange(horizon) % 12]
    scale = np.abs(known[12:] - known[:-12]).mean()
    return float(np.abs(values[last : last + horizon] - forecast).mean() / scale)


def test_scores_of_a_series() -> None:
    scores = cross_validate(LastYear(), SERIES, horizon=6, n_origins=3, season=12)
    # origins 18, 12 and 6 steps before the end
    assert list(scores.index) == [MONTHS[41], MONTHS[47], MONTHS[53]]
    assert scores.index.name == "origin"
    assert list(scores) == ["mase", "smape", "fit_seconds", "predict_seconds"]
    assert_allclose(scores["mase"], [expected(VALUES[:, 0], last, 6) for last in (42, 48, 54)])
    assert (scores[["fit_seconds", "predict_seconds"]] >= 0).all(axis=None)


@pytest.mark.parametrize("data", [WIDE, PANEL], ids=["wide", "panel"])
def test_scores_of_several_series(data: Any) -> None:
    scores = cross_validate(LastYear(), data, horizon=6, n_origins=2, step=3, season=12)
    assert scores.index.names == ["origin", "series"]
    for i, name in enumerate(WIDE):
        assert_allclose(
            scores.xs(name, level="series")["mase"],
            [expected(VALUES[:, i], last, 6) for last in (51, 54)],
        )


@pytest.mark.parametrize(
    ("index", "season"),
    [
        (MONTHS, 12),
        (MONTHS.to_timestamp(), 12),
        (pd.date_range("2024-01-01", periods=60, freq="h"), 24),
        (pd.bdate_range("2024-01-01", periods=60), 5),
        (pd.period_range("1960", periods=60, freq="Y"), 1),
        (pd.date_range("2024-01-01", periods=60, freq="W"), 1),  # 52, of which 48 are known
        (pd.RangeIndex(60), 1),
    ],
)
def test_the_season_of_mase_is_that_of_the_dates(index: Any, season: int) -> None:
    y = pd.Series(VALUES[:, 0], index)
    options: dict[str, Any] = {"horizon": 6, "n_origins": 2}
    scores = cross_validate(ridge(), y, **options)
    expected = cross_validate(ridge(), y, season=season, **options)
    assert_allclose(scores["mase"], expected["mase"])
    other = cross_validate(ridge(), y, season=season + 1, **options)
    assert (scores["mase"] != other["mase"]).all()


def test_arrays_have_positions() -> None:
    scores = cross_validate(LastYear(), VALUES, horizon=6, n_origins=2, season=12)
    assert scores.index.tolist() == [(47, 0), (47, 1), (53, 0), (53, 1)]
    assert scores["mase"].iloc[1] == pytest.approx(expected(VALUES[:, 1], 48, 6))
    alone = cross_validate(LastYear(), list(VALUES[:, 1]), horizon=6, n_origins=2, season=12)
    assert alone.index.tolist() == [47, 53]
    assert_allclose(alone["mase"], scores["mase"].iloc[1::2])


@pytest.mark.parametrize("form", ["sorted", "shuffled"])
def test_only_what_was_known_is_learned_from(form: str, calls: list[dict[str, Any]]) -> None:
    X = pd.DataFrame({"price": np.arange(60.0)}, MONTHS)
    y = SERIES if form == "sorted" else SERIES.sample(frac=1, random_state=0)
    scores = cross_validate(
        LastYear(), y, X.sample(frac=1, random_state=1), horizon=6, n_origins=2, scoring="mae"
    )
    assert len(scores) == 2
    fit, predict = calls[:2]
    assert set(fit["fit"].index) == set(fit["X"].index) == set(MONTHS[:48])
    assert set(predict["X"].index) == set(MONTHS[48:54])
    pd.testing.assert_series_equal(fit["fit"].sort_index(), SERIES[:48], check_freq=False)


def test_covariates_of_arrays_and_of_panels(calls: list[dict[str, Any]]) -> None:
    X = np.arange(60.0)[:, None]
    cross_validate(LastYear(), VALUES[:, 0], X, horizon=6, n_origins=1)
    assert_allclose(calls[0]["X"], X[:54])
    assert_allclose(calls[1]["X"], X[54:])
    calls.clear()
    of_shops = pd.DataFrame({"price": np.arange(120.0)}, PANEL.index)
    cross_validate(LastYear(), PANEL, of_shops, horizon=6, n_origins=2)
    assert calls[1]["X"].index.equals(PANEL.index[[*range(48, 54), *range(108, 114)]])


def test_a_window(calls: list[dict[str, Any]]) -> None:
    scores = cross_validate(LastYear(), SERIES, horizon=6, n_origins=3, window=30, season=12)
    assert [len(call["fit"]) for call in calls if "fit" in call] == [30, 30, 30]
    assert_allclose(
        scores["mase"], [expected(VALUES[:, 0], last, 6, last - 30) for last in (42, 48, 54)]
    )


@pytest.mark.parametrize(
    "data", [SERIES, WIDE, PANEL, VALUES], ids=["series", "wide", "panel", "array"]
)
def test_without_refit_there_is_one_fit(data: Any, calls: list[dict[str, Any]]) -> None:
    options: dict[str, Any] = {"horizon": 6, "n_origins": 3, "season": 12}
    scores = cross_validate(LastYear(), data, refit=False, **options)
    assert [name for call in calls for name in call if name != "X"] == [
        *("fit", "predict"),
        *("update", "predict"),
        *("update", "predict"),
    ]
    again = cross_validate(LastYear(), data, **options)
    pd.testing.assert_frame_equal(scores[["mase", "smape"]], again[["mase", "smape"]])


@pytest.mark.parametrize(
    "data", [SERIES, WIDE, PANEL, VALUES], ids=["series", "wide", "panel", "array"]
)
@pytest.mark.parametrize("interval", [0.8, [0.5, 0.8]])
def test_intervals(data: Any, interval: Any) -> None:
    scores, forecasts = cross_validate(
        LastYear(interval=interval), data, horizon=6, n_origins=2, return_forecasts=True
    )
    assert_allclose(forecasts["lower_80"], forecasts["forecast"] - 1)
    assert_allclose(forecasts["upper_80"], forecasts["forecast"] + 2)
    above = forecasts["actual"] - forecasts["forecast"]
    inside = (above >= -1) & (above <= 2)
    # pinball loss: the distance from the bound, times the level above it, and its rest below
    below, beyond = above + 1, above - 2
    loss = np.where(below > 0, 0.1 * below, -0.9 * below) + np.where(
        beyond > 0, 0.9 * beyond, -0.1 * beyond
    )
    levels = [name for name in forecasts.index.names if name != "time"]
    table = pd.DataFrame({"coverage_80": inside, "pinball_80": loss / 2}).astype(float)
    expected = table.groupby(level=levels, sort=False).mean()
    found = scores[["coverage_80", "pinball_80"]]
    pd.testing.assert_frame_equal(found, expected, check_index_type=False, check_freq=False)
    assert ("coverage_50" in scores) == (interval != 0.8)


def test_forecasts_stand_beside_what_came() -> None:
    _, forecasts = cross_validate(LastYear(), WIDE, horizon=3, n_origins=2, return_forecasts=True)
    assert forecasts.index.names == ["origin", "series", "time"]
    assert list(forecasts) == ["step", "actual", "forecast"]
    for i, name in enumerate(WIDE):
        part = forecasts.loc[(MONTHS[53], name)]
        assert part.index.equals(MONTHS[54:57].rename("time"))
        assert_allclose(part["actual"], VALUES[54:57, i])
        assert_allclose(part["forecast"], VALUES[42:45, i])
        assert part["step"].tolist() == [1, 2, 3]


# ------------------------------------------------------------------- forecasters of this package

X = pd.DataFrame({"price": RNG.normal(size=60)}, MONTHS)
X_OF_SHOPS = pd.concat({"north": X, "south": X}, names=["shop"])
COLUMNS = {"id_column": "shop", "time_column": "month", "target_column": "sales"}
FORMS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "panel": (PANEL, X_OF_SHOPS, {}),
    "panel, X by date": (PANEL, X, {}),
    "long": (LONG, X_OF_SHOPS.reset_index(), COLUMNS),
    "long, shuffled": (
        LONG.sample(frac=1, random_state=0),
        X.sample(frac=1, random_state=1).reset_index(),
        COLUMNS,
    ),
    "array": (VALUES, X.to_numpy(), {}),
}


def ridge(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=12, scale="window", interval_steps=6, **parameters)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("refit", [True, False])
def test_the_form_does_not_matter(form: str, refit: bool) -> None:
    options: dict[str, Any] = {"horizon": 6, "n_origins": 2, "season": 12, "refit": refit}
    expected = cross_validate(ridge(interval=0.8), WIDE, X, **options)
    y, covariates, columns = FORMS[form]
    scores = cross_validate(ridge(interval=0.8, **columns), y, covariates, **options)
    names = ["mase", "smape", "coverage_80", "pinball_80"]
    assert_allclose(scores.sort_index()[names], expected[names])


def test_scores_are_those_of_forecasts_by_hand() -> None:
    scores = cross_validate(ridge(), SERIES, X, horizon=6, n_origins=2, step=3, season=12)
    for (_, row), last in zip(scores.iterrows(), (51, 54), strict=True):
        forecast = ridge().fit(SERIES[:last], X[:last]).predict(6, X[last : last + 6])
        actual, known = SERIES[last : last + 6], SERIES[:last]
        assert row["mase"] == pytest.approx(mase(actual, forecast, y_train=known, season=12))
        assert row["smape"] == pytest.approx(smape(actual, forecast))


def test_static_features_and_gaps() -> None:
    static = pd.DataFrame({"size": [1.0, 2.0]}, ["north", "south"])
    options: dict[str, Any] = {"horizon": 6, "n_origins": 1, "scoring": "mae"}
    scores = cross_validate(ridge(), WIDE, static=static, **options)
    expected = ridge().fit(y=WIDE[:54], static=static).predict(6)
    assert_allclose(scores["mae"], (expected - WIDE[54:]).abs().mean())
    gappy = SERIES.drop(MONTHS[[30, 57]])
    filled = ridge(fill="interpolate")
    _, forecasts = cross_validate(filled, gappy, return_forecasts=True, **options)
    # the origin is six known steps before the end, and the forecast six steps long
    assert forecasts.index[0] == (MONTHS[52], MONTHS[53])
    assert forecasts["actual"].isna().tolist() == [False] * 4 + [True, False]
    with pytest.raises(ValueError, match="y misses 2020-07"):
        cross_validate(ridge(), gappy, **options)


def test_ids_of_several_levels_and_no_ids() -> None:
    regions = pd.concat({"west": PANEL}, names=["region"])
    scores, forecasts = cross_validate(
        ridge(), regions, horizon=3, n_origins=1, return_forecasts=True
    )
    names = [("west", "north"), ("west", "south")]
    assert scores.index.get_level_values("series").tolist() == names
    assert forecasts.index.get_level_values("series").unique().tolist() == names
    # a long frame of a single series
    model = ridge(time_column="month", target_column="sales")
    alone, forecasts = cross_validate(
        model, SERIES.reset_index(), horizon=3, n_origins=2, return_forecasts=True
    )
    assert (alone.index.names, forecasts.index.names) == (["origin"], ["origin", "time"])
    expected = cross_validate(ridge(), SERIES, horizon=3, n_origins=2)
    assert_allclose(alone["mase"], expected["mase"])


def test_covariates_whose_dates_do_not_fit() -> None:
    options: dict[str, Any] = {"horizon": 6, "n_origins": 2, "season": 12}
    # an array has the rows of y
    scores = cross_validate(ridge(), SERIES, X.to_numpy(), **options)
    expected = cross_validate(ridge(), SERIES, X, **options)
    assert_allclose(scores["mase"], expected["mase"])
    with pytest.raises(ValueError, match=r"X has the shape \(59, 1\), but y has 60 rows"):
        cross_validate(ridge(), SERIES, X.to_numpy()[1:], **options)
    for other in (X.reset_index(drop=True), X.set_axis(MONTHS.to_timestamp())):
        with pytest.raises(ValueError, match="the times of X and y cannot be compared"):
            cross_validate(ridge(), SERIES, other, **options)
    with pytest.warns(FitFailedWarning, match="1 of 2 origins failed.*X misses 2022-12"):
        cross_validate(ridge(), SERIES, X[:-1], **options)


@pytest.mark.parametrize("with_X", [False, True])
def test_estimators_around_a_forecaster(with_X: bool) -> None:
    logarithms = TransformedTargetRegressor(ridge(), func=np.log, inverse_func=np.exp)
    models: list[Any] = [logarithms]
    if with_X:
        models.append(make_pipeline(StandardScaler(), ridge()))
    for model in models:
        scores, forecasts = cross_validate(
            model, SERIES, X if with_X else None, horizon=6, n_origins=2, return_forecasts=True
        )
        assert scores["smape"].between(0, 0.2).all()
        assert forecasts.loc[MONTHS[53]].index.equals(MONTHS[54:].rename("time"))
    known = X.to_numpy() if with_X else np.empty((60, 0))
    expected = logarithms.fit(known[:54], VALUES[:54, 0]).predict(known[54:])
    _, forecasts = cross_validate(
        logarithms, SERIES, X if with_X else None, horizon=6, n_origins=1, return_forecasts=True
    )
    assert_allclose(forecasts["forecast"], expected)


def test_series_of_different_lengths() -> None:
    # north ends early, south begins late: each is scored where it has a past and a value
    y = PANEL.iloc[[*range(57), *range(110, 120)]]
    scores = cross_validate(LastYear(season=1), y, horizon=4, n_origins=3, scoring="mae")
    origins = [MONTHS[47], MONTHS[51], MONTHS[51], MONTHS[55], MONTHS[55]]
    assert list(scores.index) == list(
        zip(origins, ["north", "north", "south", "north", "south"], strict=True)
    )
    assert scores["mae"].iloc[3] == pytest.approx(abs(VALUES[56, 0] - VALUES[55, 0]))
    assert scores["mae"].iloc[4] == pytest.approx(np.abs(VALUES[56:, 1] - VALUES[55, 1]).mean())


def test_scoring() -> None:
    def bias(y: np.ndarray, forecast: np.ndarray) -> float:
        return float(np.mean(forecast - y))

    scores, forecasts = cross_validate(
        LastYear(),
        SERIES,
        horizon=6,
        n_origins=2,
        scoring=["mae", "rmse", "mape", max_error, bias],
        return_forecasts=True,
    )
    errors = (forecasts["forecast"] - forecasts["actual"]).groupby(level="origin")
    assert_allclose(scores["mae"], errors.apply(lambda e: e.abs().mean()))
    assert_allclose(scores["rmse"], errors.apply(lambda e: np.sqrt((e**2).mean())))
    assert_allclose(scores["max_error"], errors.apply(lambda e: e.abs().max()))
    assert_allclose(scores["bias"], errors.mean())
    named = cross_validate(
        LastYear(), SERIES, horizon=6, n_origins=2, scoring={"worst": max_error, "first": "mae"}
    )
    assert list(named)[:2] == ["worst", "first"]
    assert_allclose(named["worst"], scores["max_error"])


def test_a_failing_origin() -> None:
    forecaster = LastYear(fails_before=45)
    with pytest.warns(FitFailedWarning, match="1 of 3 origins failed.*2021-06.*42 steps are not"):
        scores = cross_validate(forecaster, SERIES, horizon=6, n_origins=3, season=12)
    assert scores["mase"].isna().tolist() == [True, False, False]
    with pytest.raises(ValueError, match="42 steps are not enough"):
        cross_validate(forecaster, SERIES, horizon=6, n_origins=3, error_score="raise")
    # if all fail, the reason is the answer
    with pytest.raises(ValueError, match="42 steps are not enough"):
        cross_validate(LastYear(fails_before=99), SERIES, horizon=6, n_origins=3)


def test_a_score_that_is_not_defined() -> None:
    constant = WIDE.assign(south=3.0)
    with pytest.warns(
        UserWarning, match="not defined are set to nan: 2 in all.*mase of series 'south'.*is 0"
    ):
        scores = cross_validate(LastYear(), constant, horizon=6, n_origins=2)
    with pytest.warns(UserWarning, match="not defined are set to nan: 1 in all"):
        cross_validate(LastYear(), constant["south"], horizon=6, n_origins=1, verbose=True)
    assert scores["mase"].isna().tolist() == [False, True] * 2
    assert scores["smape"].notna().all()
    with pytest.raises(ValueError, match="repeats itself exactly"):
        cross_validate(LastYear(), constant, horizon=6, n_origins=2, error_score="raise")


def test_too_many_origins() -> None:
    with pytest.raises(
        ValueError, match="y has 60 time steps, but horizon=12, n_origins=5 and step=12 leave 0"
    ):
        cross_validate(LastYear(), SERIES, horizon=12, n_origins=5)
    with pytest.raises(ValueError, match="leave 24 before the first forecast, and at least 30"):
        cross_validate(LastYear(), SERIES, horizon=12, n_origins=3, window=30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "The 'horizon' parameter"),
        ({"horizon": "12"}, "The 'horizon' parameter"),
        ({"horizon": 6, "n_origins": 0}, "The 'n_origins' parameter"),
        ({"horizon": 6, "scoring": "r2"}, "The 'scoring' parameter"),
        ({"horizon": 6, "scoring": ["r2"]}, "scoring has 'r2', but a score is one of"),
        ({"horizon": 6, "scoring": [lambda y, f: 0.0, 3]}, "scoring has 3"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_validate(LastYear(), SERIES, **options)


def test_threads_lines_and_the_forecaster_itself(capsys: pytest.CaptureFixture[str]) -> None:
    forecaster = LastYear()
    alone = cross_validate(forecaster, SERIES, horizon=6, n_origins=4)
    assert capsys.readouterr().out == ""
    together = cross_validate(forecaster, SERIES, horizon=6, n_origins=4, n_jobs=2, verbose=1)
    assert_allclose(together[["mase", "smape"]], alone[["mase", "smape"]])
    lines = sorted(capsys.readouterr().out.splitlines())
    assert [line[:22] for line in lines] == [
        f"origin {i} of 4, 20{y}"
        for i, y in ((1, "20-12"), (2, "21-06"), (3, "21-12"), (4, "22-06"))
    ]
    assert f"mase {alone['mase'].iloc[0]:.3g}, smape" in lines[0]
    assert not hasattr(forecaster, "y_")


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_an_interrupt_ends_the_fits_of_other_threads(n_estimators: int) -> None:
    has_begun = threading.Event()

    class Endless(LastYear):
        def fit(self, y: Any, X: Any = None) -> "LastYear":
            if len(y) > 50:
                has_begun.wait()
                raise KeyboardInterrupt
            has_begun.set()
            network = NeuralRegressor(
                hidden_layer_sizes=(3,),
                max_iter=10**7,
                n_iter_no_change=10**7,
                n_estimators=n_estimators,
            )
            network.fit(VALUES, VALUES[:, 0])
            return self

    # would wait for ever otherwise
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Endless(), SERIES, horizon=6, n_origins=2, n_jobs=2)


@pytest.mark.parametrize("refit", [True, False])
def test_an_interrupt_is_raised_and_changes_nothing(refit: bool) -> None:
    class Interrupted(LastYear):
        def predict(self, horizon: int, X: Any = None) -> Any:
            raise KeyboardInterrupt

    forecaster = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        cross_validate(forecaster, SERIES, horizon=6, n_origins=2, refit=refit)
    assert not hasattr(forecaster, "y_")
