from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknn.forecasting import coverage, mase, smape

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
MONTHS = pd.period_range("2020-01", periods=36, freq="M", name="month")
TRAIN, TRUE, FORECAST = RNG.normal(size=(36, 2)), RNG.normal(size=(6, 2)), RNG.normal(size=(6, 2))
AHEAD = pd.period_range("2023-01", periods=6, freq="M", name="month")


def seasonal_naive_error(train: np.ndarray, season: int) -> float:
    errors = [abs(train[i] - train[i - season]) for i in range(season, len(train))]
    return sum(errors) / len(errors)


def panel(values: np.ndarray, times: Any, names: tuple[str, ...] = ("a", "b")) -> Any:
    """Return the series below each other, the first one first."""
    index = pd.MultiIndex.from_product([names, times], names=["shop", "month"])
    return pd.Series(values.T.ravel(), index=index)


# ------------------------------------------------------------------------------------------ mase


@pytest.mark.parametrize("season", [1, 12])
def test_mase_is_the_error_in_units_of_the_seasonal_naive_one(season: int) -> None:
    expected = [
        np.abs(TRUE[:, i] - FORECAST[:, i]).mean() / seasonal_naive_error(TRAIN[:, i], season)
        for i in range(2)
    ]
    raw = mase(TRUE, FORECAST, y_train=TRAIN, season=season, multioutput="raw_values")
    assert_allclose(raw, expected)
    assert mase(TRUE, FORECAST, y_train=TRAIN, season=season) == pytest.approx(np.mean(expected))
    weighted = mase(TRUE, FORECAST, y_train=TRAIN, season=season, multioutput=[3, 1])
    assert weighted == pytest.approx((3 * expected[0] + expected[1]) / 4)


def test_mase_of_the_naive_forecast_of_the_training_series_is_1() -> None:
    walk = np.cumsum(RNG.normal(size=50))
    assert mase(walk[1:], walk[:-1], y_train=walk) == pytest.approx(1)
    assert mase(walk[7:], walk[:-7], y_train=walk, season=7) == pytest.approx(1)


def test_mase_has_no_unit() -> None:
    error = mase(TRUE, FORECAST, y_train=TRAIN, season=4)
    assert mase(1e6 * TRUE, 1e6 * FORECAST, y_train=1e6 * TRAIN, season=4) == pytest.approx(error)


def test_missing_values_of_the_past_are_left_out() -> None:
    train = np.array([1.0, 2, np.nan, 7, 8, 3])
    # known pairs: 1-2, 7-8, 8-3
    assert mase([1], [3], y_train=train) == pytest.approx(2 / ((1 + 1 + 5) / 3))
    with pytest.raises(ValueError, match="no two known values that are season=2 apart"):
        mase([1], [3], y_train=[1, 2, np.nan, np.nan], season=2)


def test_a_shuffled_past_is_put_in_order() -> None:
    train = pd.DataFrame(TRAIN, index=MONTHS)
    shuffled = train.sample(frac=1, random_state=0)
    expected = mase(TRUE, FORECAST, y_train=TRAIN, season=12)
    assert mase(TRUE, FORECAST, y_train=shuffled, season=12) == pytest.approx(expected)


def test_a_scale_of_0_is_refused() -> None:
    constant = np.full(30, 5.0)
    with pytest.raises(ValueError, match=r"y_train repeats itself exactly after season=1 steps"):
        mase([5], [6], y_train=constant)
    seasonal = np.tile([1.0, 2, 3], 5)
    assert mase([1], [2], y_train=seasonal) > 0
    with pytest.raises(ValueError, match="season=3 steps.*by which MASE divides, is 0"):
        mase([1], [2], y_train=seasonal, season=3)
    with pytest.raises(ValueError, match=r"y_train, series 1, repeats itself"):
        mase(TRUE[:3], FORECAST[:3], y_train=np.c_[TRAIN[:, 0], np.ones(36)])
    frame = pd.DataFrame({"north": TRAIN[:, 0], "south": 1.0})
    true = pd.DataFrame(TRUE, columns=["north", "south"])
    with pytest.raises(ValueError, match=r"y_train, series 'south', repeats itself"):
        mase(true, true, y_train=frame)


def test_a_short_past_is_refused() -> None:
    with pytest.raises(ValueError, match="y_train has 12 steps, but season=12 needs at least 13"):
        mase([1], [2], y_train=np.arange(12), season=12)
    with pytest.raises(ValueError, match="The 'season' parameter of mase"):
        mase([1], [2], y_train=np.arange(12), season=0)


# ----------------------------------------------------------------------------------------- smape


def test_smape() -> None:
    expected = [
        np.mean([2 * abs(y - f) / (abs(y) + abs(f)) for y, f in zip(*pair, strict=True)])
        for pair in zip(TRUE.T, FORECAST.T, strict=True)
    ]
    assert_allclose(smape(TRUE, FORECAST, multioutput="raw_values"), expected)
    assert smape(TRUE, FORECAST) == smape(FORECAST, TRUE) == pytest.approx(np.mean(expected))
    assert smape([0, 0], [0, 4]) == 1.0  # no error, and the largest one of 2


# -------------------------------------------------------------------------------------- coverage


def test_coverage_counts_the_bounds() -> None:
    y, lower, upper = [1, 2, 3, 4, 5], [1, 0, 4, 0, 0], [2, 2, 5, 3, 9]
    assert coverage(y, lower, upper) == 3 / 5
    raw = coverage(np.c_[y, y], np.c_[y, lower], np.c_[y, upper], multioutput="raw_values")
    assert_allclose(raw, [1, 3 / 5])


def test_coverage_of_a_normal_interval() -> None:
    y = RNG.normal(size=20_000)
    share = coverage(y, np.full_like(y, -1.2816), np.full_like(y, 1.2816))
    assert share == pytest.approx(0.8, abs=0.01)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="lower lies above upper at position 1: 3 > 2"):
        coverage([1, 1], lower=[0, 3], upper=[1, 2])


# ---------------------------------------------------------------------------------- forms of data

METRICS: list[Callable[..., Any]] = [
    lambda true, forecast, **options: mase(true, forecast, y_train=TRAIN, season=3, **options),
    smape,
    lambda true, forecast, **options: coverage(true, forecast, forecast + 1, **options),
]


@pytest.mark.parametrize("metric", METRICS)
def test_pandas_gives_what_arrays_give(metric: Callable[..., Any]) -> None:
    true, forecast = (pd.DataFrame(values, index=AHEAD) for values in (TRUE, FORECAST))
    for multioutput in ("raw_values", "uniform_average"):
        expected = metric(TRUE, FORECAST, multioutput=multioutput)
        assert_allclose(metric(true, forecast, multioutput=multioutput), expected)
        assert_allclose(metric(TRUE, forecast, multioutput=multioutput), expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("change", ["later", "reversed", "other columns"])
def test_other_indices_are_refused(metric: Callable[..., Any], change: str) -> None:
    true, forecast = (pd.DataFrame(values, index=AHEAD) for values in (TRUE, FORECAST))
    kind, message = "index", "2023-01 beside 2023-0[26] at position 0"
    if change == "later":
        forecast.index += 1
    elif change == "reversed":
        forecast = forecast[::-1]
    else:
        kind, message = "columns", "0 beside 1 at position 0"
        forecast = forecast[[1, 0]]
    with pytest.raises(ValueError, match=f"have a different {kind}: {message}"):
        metric(true, forecast)


def test_moments_in_different_time_zones_are_the_same() -> None:
    index = pd.date_range("2024-03-31", periods=6, freq="h", tz="Europe/Berlin")
    true = pd.Series(TRUE[:, 0], index=index)
    forecast = pd.Series(FORECAST[:, 0], index=index.tz_convert("UTC"))
    assert smape(true, forecast) == smape(TRUE[:, 0], FORECAST[:, 0])


def test_panels() -> None:
    true, forecast = panel(TRUE, AHEAD), panel(FORECAST, AHEAD)
    assert_allclose(
        smape(true, forecast, multioutput="raw_values"),
        smape(TRUE, FORECAST, multioutput="raw_values"),
    )
    # the past may have further series, in another order and of another length
    past = pd.concat(
        [
            panel(TRAIN[:, [1]], MONTHS, ("b",)),
            panel(TRAIN[:, [0]], MONTHS, ("other",)),
            panel(TRAIN[4:, [0]], MONTHS[4:], ("a",)),
        ]
    )
    expected = [
        mase(TRUE[:, 0], FORECAST[:, 0], y_train=TRAIN[4:, 0], season=12),
        mase(TRUE[:, 1], FORECAST[:, 1], y_train=TRAIN[:, 1], season=12),
    ]
    raw = mase(true, forecast, y_train=past, season=12, multioutput="raw_values")
    assert_allclose(raw, expected)
    with pytest.raises(ValueError, match="y_train lacks the series 'a', which y_true has"):
        mase(true, forecast, y_train=past[past.index.get_level_values(0) != "a"])
    with pytest.raises(ValueError, match="y_true has an index of several levels and 2 columns"):
        smape(pd.concat([true, true], axis=1), true)


@pytest.mark.parametrize("metric", METRICS)
def test_shapes_that_do_not_fit_are_refused(metric: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"y_true has the shape \(6, 2\), .* \(5, 2\)"):
        metric(TRUE, FORECAST[1:])
    with pytest.raises(ValueError, match=r"y_true has the shape \(6, 2\), .* \(6,\)"):
        metric(TRUE, FORECAST[:, 0])
    with pytest.raises(ValueError, match=r"multioutput has the shape \(3,\), but there are 2"):
        metric(TRUE, FORECAST, multioutput=[1, 2, 3])
    with pytest.raises(ValueError, match="Input y_true contains NaN"):
        metric(np.where(TRUE > 0, TRUE, np.nan), FORECAST)
