"""What a forecaster knows: later steps, a new fit, and copies."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge

import sknn
from sknn.forecasting import DirectForecaster, RecursiveForecaster

pd = pytest.importorskip("pandas")

rng = np.random.default_rng(0)
DATES = pd.date_range("2020-01-01", periods=50, freq="MS")
Y = pd.Series(rng.normal(size=50), DATES, name="sales")
X = pd.DataFrame(rng.normal(size=(50, 1)), DATES, ["price"])
WIDE = pd.DataFrame({"a": Y, "b": rng.normal(size=50)})
PANEL = WIDE.stack().swaplevel().sort_index()


def model(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=3, scale=None, **parameters)


def fitted(y: Any = Y, n: int = 40, **parameters: Any) -> RecursiveForecaster:
    return model(**parameters).fit(y[:n])


def by_the_window(forecaster: Any, window: Any) -> float:
    """Forecast a step of a model without scale from the last three steps."""
    return float(forecaster.estimator_.predict([np.asarray(window)])[0])


# ------------------------------------------------------------------------------------- later steps


def test_later_steps_move_the_forecast_on() -> None:
    forecaster = fitted()
    weights = forecaster.estimator_.coef_.copy()
    forecaster.update(Y[40:43]).update(Y[43:45])
    forecast = forecaster.predict(2)
    assert list(forecast.index) == [DATES[45], DATES[46]]
    assert forecast.iloc[0] == pytest.approx(by_the_window(forecaster, Y[42:45]))
    assert_array_equal(forecaster.estimator_.coef_, weights)
    for later in (Y[40:45][::-1], Y[40:45].to_numpy(), Y[:45], Y[38:45], Y[40:45].tolist()):
        pd.testing.assert_series_equal(fitted().update(later).predict(2), forecast)


def test_the_order_of_arguments_of_observe_is_that_of_before() -> None:
    forecaster = model().fit(Y[:40], X)
    expected = model().fit(Y[:40], X).update(Y[40:43], X).predict(X)
    pd.testing.assert_series_equal(forecaster.observe(X, Y[40:43]).predict(X), expected)
    array = model().fit(X[:40].to_numpy(), Y[:40].to_numpy())
    array.observe(X[40:43].to_numpy(), Y[40:43].to_numpy())
    assert_array_equal(array.predict(X[43:].to_numpy()), expected)


def test_a_new_fit_is_that_of_all_steps() -> None:
    forecaster = fitted().update(Y[40:], refit=True)
    pd.testing.assert_series_equal(forecaster.predict(4), model().fit(Y).predict(4))
    forecaster = (
        model(interval=0.5, interval_steps=3).fit(Y[:40], X).update(Y[40:45], X, refit=True)
    )
    expected = model(interval=0.5, interval_steps=3).fit(Y[:45], X)
    pd.testing.assert_frame_equal(
        forecaster.predict_interval(3, X), expected.predict_interval(3, X)
    )
    weights = np.arange(40.0)
    forecaster = model().fit(Y[:40], sample_weight=weights).update(Y[40:], refit=True)
    expected = model().fit(Y, sample_weight=np.r_[weights, np.ones(10)])
    pd.testing.assert_series_equal(forecaster.predict(2), expected.predict(2))


@pytest.mark.parametrize("in_parts", [False, True])
def test_of_several_series_some_may_be_missing(in_parts: bool) -> None:
    forecaster = model().fit(PANEL.groupby(level=0).head(40))
    later = PANEL.groupby(level=0).tail(10)
    if in_parts:
        forecaster.update(later.loc[["b"]].iloc[:4])
        assert list(forecaster.predict(1).index.get_level_values(1)) == [DATES[40], DATES[44]]
        forecaster.update(later.loc[["b"]].iloc[4:]).update(later.loc[["a"]])
    else:
        forecaster.update(later.sample(frac=1, random_state=0))
    forecast = forecaster.predict(1)
    assert list(forecast.index) == [("a", DATES[-1] + DATES.freq), ("b", DATES[-1] + DATES.freq)]
    for name in "ab":
        assert forecast[name].item() == pytest.approx(by_the_window(forecaster, WIDE[name][-3:]))


def test_columns_go_by_their_names_and_end_by_themselves() -> None:
    forecaster = fitted(WIDE)
    expected = fitted(WIDE).update(WIDE[40:]).predict(2)
    pd.testing.assert_frame_equal(forecaster.update(WIDE[["b", "a"]][40:]).predict(2), expected)
    late = WIDE[40:].copy()
    late.iloc[-2:, 1] = np.nan
    forecaster = fitted(WIDE).update(late)
    forecast = forecaster.predict(1)
    assert forecast.index[0] == expected.index[0]
    assert forecast["a"].item() == pytest.approx(expected["a"].iloc[0])
    # what was late comes in, beside what is known
    pd.testing.assert_frame_equal(forecaster.update(WIDE[40:]).predict(2), expected)


def test_columns_of_an_array_that_end_by_themselves_cannot_go_on_alone() -> None:
    y = WIDE.to_numpy()[:40].copy()
    y[-2:, 1] = np.nan
    forecaster = model().fit(y)
    assert forecaster.predict(1).shape == (1, 2)
    with pytest.raises(ValueError, match="y misses step 38 of series 1 and 1 more"):
        forecaster.update(WIDE.to_numpy()[40:])


def test_gaps_of_later_steps_are_filled() -> None:
    later = Y[40:].drop(DATES[40])
    with pytest.raises(ValueError, match="y misses 2023-05-01"):
        fitted().update(later)
    boosting = HistGradientBoostingRegressor(max_iter=2)
    forecaster = RecursiveForecaster(boosting, past=12, fill="nan").fit(Y[:40])
    assert np.isfinite(forecaster.update(later).predict(3)).all()
    for fill, values in (("previous", [3.0, 3.0]), ("interpolate", [4.0, 5.0])):
        forecaster = fitted(pd.Series(np.r_[np.arange(39.0), 3.0], DATES[:40]), fill=fill)
        forecaster.update(pd.Series([6.0], DATES[42:43]))
        forecast = forecaster.predict(1)
        assert forecast.index[0] == DATES[43]
        assert forecast.item() == pytest.approx(by_the_window(forecaster, [*values, 6.0]))


REFUSED = {
    "gap": (Y[42:], "y misses 2023-05-01 and 1 more"),
    "other values": (Y[38:42] + 1, "for 2023-03-01, which was .*up to 2023-04-01"),
    "before": (
        pd.Series([1.0], [pd.Timestamp("2019-12-01")]),
        "2019-12-01 00:00:00, which is before the first one",
    ),
    "twice": (pd.concat([Y[40:42], Y[40:42]]), "several rows for 2023-05-01"),
    "nan": (Y[40:42] * np.nan, "contains NaN: the first is that of 2023-05-01"),
    "numbers": (Y[40:42].reset_index(drop=True), "y has whole numbers as its index"),
    "another frequency": (
        Y[40:42].set_axis(pd.to_datetime(["2023-05-01", "2023-05-07"])),
        "y has the date 2023-05-07 00:00:00, .*steps of 'MS'",
    ),
    "several": (WIDE[40:], "y has 2 series, but the forecaster was fitted with 1"),
    "a panel": (PANEL, "y has 2 series"),
    "none": (None, "requires y"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_steps_change_nothing(name: str) -> None:
    later, message = REFUSED[name]
    forecaster = fitted()
    before = dict(vars(forecaster))
    expected = forecaster.predict(3)
    with pytest.raises(ValueError, match=message):
        forecaster.update(later)
    assert vars(forecaster) == before
    pd.testing.assert_series_equal(forecaster.predict(3), expected)


def test_known_steps_are_compared_in_the_type_that_is_kept() -> None:
    single = fitted(Y.astype(np.float32))
    assert single.update(Y).predict(1).dtype == np.float32
    gap = Y.copy()
    gap.iloc[5] = np.nan
    boosting = HistGradientBoostingRegressor(max_iter=2)
    forecaster = RecursiveForecaster(boosting, past=3).fit(gap[:40])
    assert len(forecaster.update(gap).predict(1)) == 1
    with pytest.raises(ValueError, match="for 2020-06-01, which was missing"):
        forecaster.update(Y)


def test_x_in_place_of_y_is_refused_with_the_order() -> None:
    forecaster = model().fit(Y[:40], X)
    for call in (forecaster.update, lambda X, y: forecaster.observe(y, X)):
        with pytest.raises(ValueError, match=r"y is a wide DataFrame.*first in update\(y, X\)"):
            call(X[40:], Y[40:])


def test_refused_steps_of_a_panel() -> None:
    forecaster = model().fit(PANEL.groupby(level=0).head(40))
    with pytest.raises(ValueError, match="y has the series 'c', which y of fit has not"):
        forecaster.update(PANEL.rename({"b": "c"}))
    with pytest.raises(ValueError, match="y misses 2023-05-01 and 1 more|of series 'b'"):
        forecaster.update(PANEL.loc[["b"]].iloc[42:])
    with pytest.raises(ValueError, match="fitted with 2 in the form of a MultiIndex"):
        forecaster.update(Y[40:])
    with pytest.raises(ValueError, match="y has no column 'b'"):
        fitted(WIDE).update(WIDE[40:].rename(columns={"b": "c"}))
    joint = model(model="joint").fit(PANEL.groupby(level=0).head(40))
    with pytest.raises(ValueError, match="model='joint' needs the same dates"):
        joint.update(PANEL.loc[["b"]].iloc[40:])


def test_a_new_fit_that_is_refused_changes_nothing() -> None:
    forecaster = fitted()
    expected = forecaster.predict(3)
    forecaster.set_params(past=0)
    with pytest.raises(ValueError, match="'past' parameter"):
        forecaster.update(Y[40:], refit=True)
    pd.testing.assert_series_equal(forecaster.set_params(past=3).predict(3), expected)


# ------------------------------------------------------------------------------- copies and files


@pytest.mark.parametrize("y", [Y, WIDE, PANEL], ids=["series", "wide", "panel"])
def test_copies_go_on_alike(y: Any) -> None:
    forecaster = model(interval=[0.5, 0.8], interval_steps=3).fit(y)
    copied = pickle.loads(pickle.dumps(forecaster))
    for method in ("predict", "predict_interval"):
        assert getattr(copied, method)(3).equals(getattr(forecaster, method)(3))
    assert (
        copied.update(forecaster.predict(2))
        .predict(1)
        .index.equals(forecaster.predict(3).iloc[[2, 5] if y is PANEL else [2]].index)
    )


NETWORK = sknn.NeuralRegressor(
    hidden_layer_sizes=(3,), learning_rate="cosine", max_iter=2, random_state=0
)


@pytest.mark.parametrize(
    ("y", "parameters"),
    [
        (Y.set_axis(DATES.to_period("M")), {}),
        (WIDE, {}),
        (PANEL.rename_axis(["shop", "month"]), {"interval": [0.5, 0.8]}),
        (
            PANEL.rename_axis(["shop", "month"]).rename("y").reset_index(),
            {"id_column": "shop", "time_column": "month", "model": "joint"},
        ),
        (pd.concat({1: PANEL}), {"interval": 0.5, "bounds": (-9, 9.5)}),
        (Y.to_numpy(), {}),
    ],
    ids=["periods", "wide", "panel", "long", "levels", "array"],
)
def test_forecasters_come_back_from_files(y: Any, parameters: Any, tmp_path: Path) -> None:
    forecaster = DirectForecaster(NETWORK, past=4, horizon=2, **parameters).fit(y=y)
    sknn.save(forecaster, tmp_path / "model.sknn")
    assert sknn.file_info(tmp_path / "model.sknn").untrusted == []
    loaded = sknn.load(tmp_path / "model.sknn")
    pairs = [(loaded.predict(3), forecaster.predict(3))]
    if "interval" in parameters:
        pairs.append((loaded.predict_interval(2), forecaster.predict_interval(2)))
    for mine, theirs in pairs:
        assert type(mine) is type(theirs)
        assert_array_equal(mine, theirs)
        if not isinstance(mine, np.ndarray):
            assert mine.equals(theirs)
            assert mine.index.names == theirs.index.names


def test_static_features_come_back_from_files(tmp_path: Path) -> None:
    static = pd.DataFrame({"size": [1.0, 2.0]}, ["a", "b"])
    forecaster = RecursiveForecaster(NETWORK, past=4).fit(PANEL, static=static)
    sknn.save(forecaster, tmp_path / "model.sknn")
    pd.testing.assert_series_equal(
        sknn.load(tmp_path / "model.sknn").predict(3), forecaster.predict(3)
    )


def test_forecasters_of_earlier_pickles() -> None:
    """The attributes that 0.1.0 has stored."""
    both = WIDE.to_numpy()[:40]
    for y in (both[:, 0], both):
        forecaster = RecursiveForecaster(LinearRegression(), past=3, model="joint").fit(y)
        state = dict(vars(forecaster))
        for name in ("_panel", "_intervals", "_levels", "_limits", "model", "bounds"):
            state.pop(name)
        recent = forecaster._panel.latest(3).for_model()[0]
        state |= {"_recent": recent, "_is_single": y.ndim == 1, "_intervals": None}
        old = RecursiveForecaster.__new__(RecursiveForecaster)
        old.__setstate__(state)
        assert_allclose(old.predict(3), forecaster.predict(3))
        assert_allclose(old.update(y[-3:] + 0).predict(3), forecaster.predict(3))
