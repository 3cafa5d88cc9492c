import itertools
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn.forecasting import WindowTransformer
from sknn.forecasting._windows import sliding_windows

rng = np.random.default_rng(0)
SERIES = {"one channel": rng.normal(size=23), "three channels": rng.normal(size=(23, 3))}
ANOTHER_SHAPE = "windows are not rows of X, and depend on the order of the rows"


@parametrize_with_checks(
    [WindowTransformer(past=2)],
    expected_failed_checks=lambda _: {
        "check_transformer_general": ANOTHER_SHAPE,
        "check_methods_sample_order_invariance": ANOTHER_SHAPE,
        "check_methods_subset_invariance": ANOTHER_SHAPE,
        "check_transformer_data_not_an_array": ANOTHER_SHAPE,
        "check_fit1d": "a series of one channel has one dimension",
    },
)
def test_estimator_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
@pytest.mark.parametrize(
    ("past", "horizon", "stride"), [*itertools.product([1, 4], [1, 3], [1, 2])]
)
def test_windows_and_pairs_equal_those_cut_by_hand(
    series: np.ndarray, past: int, horizon: int, stride: int
) -> None:
    windows, inputs, targets = [], [], []
    for start in range(0, 23, stride):
        if start + past <= 23:
            windows.append([list(np.atleast_1d(series[start + i])) for i in range(past)])
        if start + past + horizon <= 23:
            inputs.append(windows[-1])
            ahead = range(start + past, start + past + horizon)
            targets.append([list(np.atleast_1d(series[t])) for t in ahead])
    transformer = WindowTransformer(past, horizon, stride).fit(series)
    channels = series.shape[1:]
    X, y = transformer.pairs(series)
    assert_array_equal(
        transformer.transform(series), np.reshape(windows, (len(windows), past, *channels))
    )
    assert_array_equal(X, np.reshape(inputs, (len(inputs), past, *channels)))
    assert_array_equal(y, np.reshape(targets, (len(inputs), horizon, *channels)))


def test_the_last_window_is_the_end_of_the_series() -> None:
    series = SERIES["three channels"]
    windows = WindowTransformer(past=5, horizon=4).fit(series).transform(series)
    assert_array_equal(windows[-1], series[-5:])
    assert len(windows) == len(WindowTransformer(5, 4).fit(series).pairs(series)[0]) + 4


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
def test_results_are_read_only_views(series: np.ndarray, dtype: type) -> None:
    series = series.astype(dtype)
    transformer = WindowTransformer(past=3, horizon=2).fit(series)
    for part in (transformer.transform(series), *transformer.pairs(series)):
        assert np.shares_memory(part, series)
        assert part.dtype == dtype
        assert not part.flags.writeable


def test_other_types_are_converted() -> None:
    pd = pytest.importorskip("pandas")
    transformer = WindowTransformer(past=2)
    assert_array_equal(transformer.fit_transform([1, 2, 3]), [[1.0, 2.0], [2.0, 3.0]])
    assert_array_equal(transformer.fit_transform(pd.Series([1, 2, 3])), [[1, 2], [2, 3]])
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
    assert_array_equal(transformer.fit_transform(frame)[1], [[2, 5], [3, 6]])
    assert list(transformer.feature_names_in_) == ["a", "b"]
    assert transformer.n_features_in_ == 2


def test_one_channel_may_have_a_column_or_none() -> None:
    transformer = WindowTransformer(past=2).fit(np.arange(4.0))
    assert transformer.n_features_in_ == 1
    assert transformer.transform(np.arange(4.0)[:, None]).shape == (3, 2, 1)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([1.0, 2.0], "X is too short: n_samples=2 time steps, but past=3 need at least 3"),
        ([1.0, np.nan, 3.0, 4.0], "contains NaN"),
        ([1.0, np.inf, 3.0, 4.0], "contains infinity"),
        (np.zeros((4, 2, 2)), "dim 3"),
        (np.zeros((4, 2)), "X has 2 features, but WindowTransformer is expecting 1"),
    ],
    ids=["short", "nan", "inf", "dimensions", "channels"],
)
def test_errors_of_transform(X: Any, message: str) -> None:
    transformer = WindowTransformer(past=3, horizon=2).fit(np.arange(9.0))
    for method in (transformer.transform, transformer.pairs):
        with pytest.raises(ValueError, match=message):
            method(X)


def test_errors_name_what_pairs_need() -> None:
    transformer = WindowTransformer(past=3, horizon=2).fit(np.arange(4.0))
    with pytest.raises(ValueError, match="n_samples=4 .* past=3 and horizon=2 need at least 5"):
        transformer.pairs(np.arange(4.0))
    assert len(transformer.pairs(np.arange(5.0))[0]) == 1
    with pytest.raises(ValueError, match="was fitted with 2. Reshape your data"):
        WindowTransformer(past=2).fit(np.zeros((5, 2))).transform(np.zeros(5))


@pytest.mark.parametrize("parameter", ["past", "horizon", "stride"])
@pytest.mark.parametrize("value", [0, 1.5, "2", None])
def test_parameters_are_validated(parameter: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of WindowTransformer"):
        WindowTransformer(**{parameter: value}).fit(np.arange(50.0))


def test_unfitted_clone_and_pickle() -> None:
    transformer = WindowTransformer(past=4, horizon=2, stride=3)
    for method in (transformer.transform, transformer.pairs):
        with pytest.raises(NotFittedError):
            method(np.arange(9.0))
    fitted = clone(transformer).fit(np.arange(9.0))
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.get_params() == {"past": 4, "horizon": 2, "stride": 3}
    assert_array_equal(loaded.transform(np.arange(9.0)), fitted.transform(np.arange(9.0)))


def test_sliding_windows_need_no_memory() -> None:
    series = np.arange(10.0)
    assert np.shares_memory(sliding_windows(series, 3), series)
