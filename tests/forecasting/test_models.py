"""One model of several series, with gaps and weights."""

from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin

from sknn.forecasting._models import Origins, Scaling, WindowModel
from sknn.forecasting._series import Series


class Recorder(RegressorMixin, BaseEstimator):
    """Remember what comes in, and predict zeros."""

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> "Recorder":
        self.X_, self.y_, self.weights_ = X, y, sample_weight
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros((len(X), *self.y_.shape[1:]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_windows_of_all_series_are_fitted_together() -> None:
    series = [Series(column(1, 2, 3, 4), None), Series(column(10, 20, 30), None)]
    model = WindowModel.fit(Recorder(), series, past=2, horizon=1, scale=None)
    assert_array_equal(model.estimator.X_, [[1, 2], [2, 3], [10, 20]])
    assert_array_equal(model.estimator.y_, [3, 4, 30])


def test_covariates_and_weights_of_each_series_stay_with_its_steps() -> None:
    series = [
        Series(column(1, 2, 3, 4), column(5, 6, 7, 8), np.array([1.0, 2, 3, 4])),
        Series(column(10, 20, 30), column(50, 60, 70), np.array([9.0, 8, 7])),
    ]
    model = WindowModel.fit(Recorder(), series, past=1, horizon=2, scale=None)
    # the covariate two steps after the window's
    assert_array_equal(model.estimator.X_, [[1, 7], [2, 8], [10, 70]])
    assert_array_equal(model.estimator.y_, [[2, 3], [3, 4], [20, 30]])
    assert_array_equal(model.estimator.weights_, [2.5, 3.5, 7.5])


def test_each_series_has_the_scale_of_its_own() -> None:
    series = [column(1, 2, 3, 4, 5), column(100, 300, 200, 500)]
    for mode in ("standard", "window"):
        scaling = Scaling.fit(mode, series, 2)
        windows = np.stack([series[1][:2], series[0][1:3]])
        centre, divisor = scaling.of(windows, np.array([1, 0]))
        for place, k in enumerate((1, 0)):
            alone = Scaling.fit(mode, [series[k]], 2).of(windows[place : place + 1])
            assert_allclose(centre[place], alone[0][0])
            assert_allclose(divisor[place], alone[1][0])


def test_a_forecast_is_in_the_scale_of_its_series() -> None:
    series = [Series(column(1, 2, 3), None), Series(column(10, 20, 60), None)]
    model = WindowModel.fit(Recorder(), series, past=1, horizon=1, scale="standard")
    origins = Origins(np.array([[[7.0]], [[7.0]]]), None, np.array([1, 0]))
    # zeros are the means
    assert_allclose(model.forecast(origins, 2), [[[30], [30]], [[2], [2]]])


def test_gaps_stay_in_windows_and_are_never_targets() -> None:
    nan = np.nan
    series = [Series(column(1, nan, 3, 4, 5), None)]
    model = WindowModel.fit(Recorder(), series, past=2, horizon=1, scale=None)
    assert_array_equal(model.estimator.X_, [[1, nan], [nan, 3], [3, 4]])
    assert_array_equal(model.estimator.y_, [3, 4, 5])


def test_gaps_do_not_count_in_the_scale() -> None:
    gaps = column(1, np.nan, 3, np.nan, np.nan, 7)
    windows = np.array([[[1.0], [np.nan], [3.0]], [[np.nan]] * 3])
    centre, divisor = Scaling.fit("window", [gaps], 3).of(windows)
    assert_allclose(centre[:, 0, 0], [2, 0])
    assert divisor[0, 0, 0] == 1
    assert 0 < divisor[1, 0, 0] < 1
    centre, divisor = Scaling.fit("standard", [gaps], 3).of(windows)
    assert_allclose([centre[0, 0, 0], divisor[0, 0, 0]], [11 / 3, np.std([1, 3, 7])])
