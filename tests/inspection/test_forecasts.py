from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from sknn.forecasting import DirectForecaster, RecursiveForecaster
from sknn.inspection import plot_forecast

plt = pytest.importorskip("matplotlib.pyplot")
pd = pytest.importorskip("pandas")
dates = pytest.importorskip("matplotlib.dates")

N, N_AHEAD = 100, 6
VALUES = np.sin(np.arange(N)[:, None] / 6 * np.pi) + np.random.default_rng(0).normal(
    scale=0.1, size=(N, 2)
)
MONTHS = pd.period_range("2015-01", periods=N, freq="M", name="month")
SERIES = pd.Series(VALUES[:, 0], MONTHS, name="sales")
WIDE = pd.DataFrame(VALUES, MONTHS, columns=["north", "south"])


def ridge(**parameters: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=12, interval_steps=N_AHEAD, **parameters)


def lines(ax: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {line.get_label(): line.get_data() for line in ax.get_lines()}


def band(collection: Any) -> tuple[float, float, float, float]:
    """Return the extent of an area."""
    box = collection.get_paths()[0].get_extents()
    return box.x0, box.x1, box.y0, box.y1


def days(index: Any) -> np.ndarray:
    """Days since 1970 of naive dates, as matplotlib counts them."""
    return (index.to_numpy() - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")


def test_past_forecast_and_what_came() -> None:
    forecaster = ridge().fit(SERIES[:-N_AHEAD])
    axes = plot_forecast(forecaster, N_AHEAD, y=SERIES, n_past=20)
    assert axes.shape == (1,)
    drawn = lines(axes[0])
    assert list(drawn) == ["past", "forecast", "what came"]
    moments = days(MONTHS.to_timestamp())
    known, ahead = slice(N - N_AHEAD - 20, N - N_AHEAD), slice(N - N_AHEAD, N)
    for label, values, steps in (
        ("past", SERIES[known], known),
        ("forecast", forecaster.predict(N_AHEAD), ahead),
        ("what came", SERIES[ahead], ahead),
    ):
        assert_allclose(drawn[label][0], moments[steps])
        assert_allclose(drawn[label][1], values)
    assert axes[0].get_ylabel() == "sales"
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == list(drawn)


def test_the_forecaster_knows_the_past() -> None:
    forecaster = ridge().fit(SERIES)
    drawn = lines(plot_forecast(forecaster, 2)[0])
    assert list(drawn) == ["past", "forecast"]
    assert_allclose(drawn["past"][1], SERIES[-40:])
    assert_allclose(lines(plot_forecast(forecaster, 12)[0])["past"][1], SERIES[-48:])
    # a shuffled y is drawn in order
    shuffled = SERIES.sample(frac=1, random_state=0)
    assert_allclose(lines(plot_forecast(forecaster, 2, y=shuffled)[0])["past"][1], SERIES[-40:])


def test_bands_of_all_levels() -> None:
    forecaster = ridge(interval=[0.5, 0.9, 0.8], calibration_fraction=0.4).fit(SERIES)
    (ax,) = plot_forecast(forecaster, N_AHEAD)
    bounds = forecaster.predict_interval(N_AHEAD)
    labels = [each.get_label() for each in ax.collections]
    assert labels == ["interval of 90 %", "interval of 80 %", "interval of 50 %"]
    for level, collection in zip((90, 80, 50), ax.collections, strict=True):
        _, _, low, high = band(collection)
        assert low == pytest.approx(bounds[f"lower_{level}"].min())
        assert high == pytest.approx(bounds[f"upper_{level}"].max())
    # the legend shows the darkness of bands on each other
    shades = [patch.get_alpha() for patch in ax.get_legend().get_patches()]
    assert_allclose(shades, [0.2, 1 - 0.8**2, 1 - 0.8**3])


def test_one_step_is_seen() -> None:
    forecaster = ridge(interval=0.8).fit(SERIES[:-1])
    (ax,) = plot_forecast(forecaster, 1, y=SERIES)
    assert [line.get_marker() for line in ax.get_lines()] == ["None", "o", "o"]
    (segment,) = ax.collections[0].get_segments()
    assert_allclose(segment[:, 1], forecaster.predict_interval(1).to_numpy()[0])


@pytest.mark.parametrize("form", ["wide", "panel", "long", "array"])
def test_several_series_have_an_axes_each(form: str) -> None:
    y: Any = WIDE
    parameters: dict[str, Any] = {"interval": 0.8}
    if form == "panel":
        y = WIDE.T.stack()
    elif form == "long":
        y = WIDE.T.stack().rename("sales").rename_axis(["shop", "month"]).reset_index()
        parameters |= {"id_column": "shop", "time_column": "month", "target_column": "sales"}
    elif form == "array":
        y = VALUES
    forecaster = ridge(**parameters).fit(y=y)
    axes = plot_forecast(forecaster, N_AHEAD)
    names = [0, 1] if form == "array" else ["north", "south"]
    assert [ax.get_title() for ax in axes] == [str(name) for name in names]
    wide = ridge(interval=0.8).fit(y=WIDE)
    expected, bounds = wide.predict(N_AHEAD), wide.predict_interval(N_AHEAD)
    for name, ax in zip(WIDE, axes, strict=True):
        drawn = lines(ax)
        assert_allclose(drawn["past"][1], WIDE[name][-40:])
        assert_allclose(drawn["forecast"][1], expected[name])
        assert band(ax.collections[0])[2] == pytest.approx(bounds[name]["lower_80"].min())
    assert len(axes[0].figure.legends) == 1
    (ax,) = plot_forecast(forecaster, N_AHEAD, series=names[1:])
    assert_allclose(lines(ax)["past"][1], WIDE["south"][-40:])
    with pytest.raises(ValueError, match=r"series has 'west', but the forecast has \["):
        plot_forecast(forecaster, N_AHEAD, series=["west"])


def test_at_most_nine_series() -> None:
    many = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 11)), MONTHS[:40])
    axes = plot_forecast(ridge().fit(y=many), 2)
    assert [ax.get_title() for ax in axes] == [str(i) for i in range(9)]


def test_arrays_count_steps() -> None:
    forecaster = ridge(interval=0.8).fit(VALUES[:-N_AHEAD, 0])
    (ax,) = plot_forecast(forecaster, N_AHEAD, y=VALUES[:, 0])
    drawn = lines(ax)
    assert_allclose(drawn["forecast"][0], np.arange(N - N_AHEAD, N))
    assert_allclose(drawn["what came"][1], VALUES[-N_AHEAD:, 0])
    ax.figure.canvas.draw()
    ticks = ax.get_xticks()
    assert_allclose(ticks, np.round(ticks))


def test_clocks_of_a_time_zone() -> None:
    hours = pd.date_range("2024-03-29", periods=N, freq="h", tz="Europe/Berlin")
    forecaster = ridge().fit(pd.Series(VALUES[:, 0], hours))
    (ax,) = plot_forecast(forecaster, N_AHEAD)
    drawn = lines(ax)
    # no hour is missing or twice when the clocks are set forward
    assert_allclose(np.diff(np.r_[drawn["past"][0], drawn["forecast"][0]]), 1 / 24)
    ax.figure.canvas.draw()
    last = dates.num2date(drawn["forecast"][0][-1], tz="Europe/Berlin")
    assert pd.Timestamp(last).round("s") == hours[-1] + N_AHEAD * hours.freq
    assert ax.xaxis.get_major_formatter()._tz.key == "Europe/Berlin"


def test_covariates() -> None:
    X = pd.DataFrame({"price": np.arange(float(N))}, MONTHS)
    forecaster = DirectForecaster(Ridge(), past=12, horizon=3).fit(SERIES[:-3], X)
    expected = forecaster.predict(X[-3:])
    for arguments in ((X[-3:],), (3, X)):
        (ax,) = plot_forecast(forecaster, *arguments)
        assert_allclose(lines(ax)["forecast"][1], expected)


def test_estimators_around_a_forecaster() -> None:
    model = TransformedTargetRegressor(ridge(), func=np.exp, inverse_func=np.log)
    model.fit(np.empty((N, 0)), VALUES)
    axes = plot_forecast(model, 3, y=VALUES)
    for i, ax in enumerate(axes):
        drawn = lines(ax)
        assert_allclose(drawn["past"][1], VALUES[-40:, i])
        assert_allclose(drawn["forecast"][0], [N, N + 1, N + 2])
        assert_allclose(drawn["forecast"][1], model.predict(np.empty((3, 0)))[:, i])


def test_another_y_is_refused() -> None:
    forecaster = ridge().fit(SERIES)
    with pytest.raises(ValueError, match=r"y has the series \['north', 'south'\], but None is"):
        plot_forecast(forecaster, 3, y=WIDE)
    for other in (VALUES[:, 0], SERIES.set_axis(MONTHS.to_timestamp())):
        with pytest.raises(ValueError, match="the times of y and the forecast cannot be compared"):
            plot_forecast(forecaster, 3, y=other)


def test_given_axes_and_bad_input() -> None:
    forecaster = ridge().fit(y=WIDE)
    figure, grid = plt.subplots(1, 2)
    axes = plot_forecast(forecaster, 2, axes=grid)
    assert axes.tolist() == grid.tolist()
    assert plt.get_fignums() == [figure.number]
    assert grid[0].get_legend() is not None
    with pytest.raises(ValueError, match="axes has 1 Axes, but 2 are needed"):
        plot_forecast(forecaster, 2, axes=grid[0])
    with pytest.raises(NotFittedError):
        plot_forecast(RecursiveForecaster(), 2)
    with pytest.raises(ValueError, match="The 'n_past' parameter"):
        plot_forecast(forecaster, 2, n_past=0)
    with pytest.raises(ValueError, match="horizon"):
        plot_forecast(forecaster, 0)
