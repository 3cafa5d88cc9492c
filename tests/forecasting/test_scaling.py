import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknn.forecasting._models import Scaling


def test_window_scale_is_mean_and_deviation_of_each_window() -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(50, 2)) * [1, 100]
    scaling = Scaling.fit("window", [series], 5)
    windows = np.stack([series[i : i + 5] for i in range(46)])
    centre, divisor = scaling.of(windows)
    assert_allclose(centre[7, 0], [sum(series[7:12, k]) / 5 for k in (0, 1)])
    assert divisor.shape == centre.shape == (46, 1, 2)
    least = [0.1 * np.median([np.std(series[i : i + 5, k]) for i in range(46)]) for k in (0, 1)]
    assert_allclose(divisor[7, 0], np.maximum(np.std(series[7:12], axis=0), least))


def test_windows_without_variation_are_divided_by_a_tenth_of_what_is_usual() -> None:
    series = np.concatenate([np.zeros(10), [1.0, -1.0] * 10])[:, None]
    scaling = Scaling.fit("window", [series], 4)
    windows = np.array([[0.0, 0, 0, 0], [1, -1, 1, -1]])[..., None]
    # the median window that varies at all has the deviation 1
    assert_allclose(scaling.of(windows)[1][:, 0, 0], [0.1, 1])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nothing_is_divided_by_zero(value: float, dtype: type) -> None:
    series = np.full((30, 1), value, dtype=dtype)
    for mode in ("window", "standard", None):
        centre, divisor = Scaling.fit(mode, [series], 7).of(series[None, :7])
        assert divisor.dtype == centre.dtype == dtype
        assert (np.abs((series - centre) / divisor) < 1).all() or mode is None
        # rounding of equal values is no variation
        assert divisor == 1 or mode == "window"
        assert (divisor <= 1e-5 * value) or value == 0 or mode != "window"


def test_standard_scale_is_that_of_the_training_series() -> None:
    series = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 20.0]])
    centre, divisor = Scaling.fit("standard", [series], 2).of(np.zeros((4, 2, 2)))
    assert_allclose(centre[0, 0], [3, 20])
    assert_allclose(divisor[0, 0], [np.sqrt(8 / 3), np.sqrt(200 / 3)])
