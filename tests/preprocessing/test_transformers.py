"""Encoders and the scaler: values by formula, weights, gaps, and scikit-learn's checks."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn.preprocessing import PeriodicEncoder, PiecewiseLinearEncoder, SmoothRobustScaler

NAN = np.nan
RNG = np.random.default_rng(0)
X = np.column_stack(
    [np.exp(RNG.normal(size=200)), RNG.integers(0, 4, 200), np.full(200, 3.0), RNG.normal(size=200)]
)
X[RNG.random(200) < 0.1, 3] = NAN
ALL = [
    PiecewiseLinearEncoder(8),
    PiecewiseLinearEncoder(3, clip=False, add_indicator=False),
    SmoothRobustScaler(),
    SmoothRobustScaler(limit=None),
    PeriodicEncoder(random_state=0),
]
WEIGHTED = ALL[:-1]


@parametrize_with_checks(ALL)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("transformer", WEIGHTED)
def test_weights_are_repetitions(transformer):
    weights = RNG.integers(0, 3, len(X))
    weighted = clone(transformer).fit(X, sample_weight=weights)
    repeated = clone(transformer).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(weighted.transform(X), repeated.transform(X))


@pytest.mark.parametrize("transformer", WEIGHTED)
@pytest.mark.parametrize(("weights", "message"), [
    (np.zeros(len(X)), "weight"), (-np.ones(len(X)), "egative"), (np.ones(3), "sample_weight"),
])  # fmt: skip
def test_weights_that_are_refused(transformer, weights, message):
    fitted = clone(transformer).fit(X)
    before = pickle.dumps(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.fit(X[:, :2], sample_weight=weights)
    assert pickle.dumps(fitted) == before


@pytest.mark.parametrize("transformer", ALL)
def test_types_names_and_columns(transformer):
    pd = pytest.importorskip("pandas")
    fitted = clone(transformer).fit(X)
    assert fitted.transform(X).dtype == np.float64
    assert fitted.transform(X.astype(np.float32)).dtype == np.float32
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    named = clone(transformer).set_output(transform="pandas").fit(table)
    out = named.transform(table)
    np.testing.assert_array_equal(out, fitted.transform(X))
    assert out.columns.tolist() == named.get_feature_names_out().tolist()
    with pytest.raises(ValueError, match="same order"):
        named.transform(table[["b", "a", "c", "d"]])
    with pytest.raises(ValueError, match="infinity"):
        fitted.transform(np.full((1, 4), np.inf))


# ------------------------------------------------------------------------------ piecewise linear


def test_parts_of_bins():
    encoder = PiecewiseLinearEncoder().fit([[0.0], [1], [3]])
    expected = [[0, 0], [0, 0], [0.25, 0], [1, 0], [1, 0.5], [1, 1], [1, 1]]
    numbers = np.array([[-1], [0], [0.25], [1], [2], [3], [5]])
    np.testing.assert_array_equal(encoder.transform(numbers), expected)
    encoder.set_params(clip=False)
    expected[0], expected[-1] = [-1, 0], [1, 2]
    np.testing.assert_array_equal(encoder.transform(numbers), expected)


def test_bins_gaps_and_indicators():
    encoder = PiecewiseLinearEncoder(6).fit(X)
    assert encoder.n_bins_.tolist()[1:3] == [3, 0]
    assert encoder.n_bins_.max() <= 6
    np.testing.assert_array_equal(encoder.indicated_, [3])
    np.testing.assert_array_equal(
        encoder.medians_, np.nanquantile(X, 0.5, axis=0, method="inverted_cdf")
    )
    encoded = encoder.transform(X)
    np.testing.assert_array_equal(encoded[:, -1], np.isnan(X[:, 3]))
    filled = np.where(np.isnan(X), encoder.medians_, X)
    np.testing.assert_array_equal(encoded[:, :-1], encoder.transform(filled)[:, :-1])
    # the columns of a feature sum to its place among the edges
    stops = encoder.n_bins_.cumsum()
    for j in (0, 1, 3):
        edges = encoder.edges_[j]
        total = encoded[:, stops[j] - encoder.n_bins_[j] : stops[j]].sum(axis=1)
        place = np.interp(filled[:, j], edges, np.arange(len(edges)))
        np.testing.assert_allclose(total, place, atol=1e-12)


def test_a_column_without_numbers():
    encoder = PiecewiseLinearEncoder().fit([[NAN, 1.0], [NAN, 2.0]])
    np.testing.assert_array_equal(encoder.transform([[5.0, 1.5], [NAN, NAN]]), [[0.5, 0], [0, 1]])


def test_a_linear_model_becomes_piecewise_linear():
    x = np.linspace(-1, 1, 101)[:, None]
    model = make_pipeline(PiecewiseLinearEncoder(2), LinearRegression()).fit(x, np.abs(x[:, 0]))
    assert model[0].edges_[0].tolist() == [-1, 0, 1]
    np.testing.assert_allclose(model.predict(x), np.abs(x[:, 0]), atol=1e-12)


# ------------------------------------------------------------------------------------------ scaler


def test_the_smooth_limit():
    scaler = SmoothRobustScaler(limit=2).fit(X)
    low, median, high = np.nanquantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    np.testing.assert_allclose(scaler.center_, median)
    np.testing.assert_allclose(scaler.scale_, np.where(high > low, high - low, 1))
    z = (X - median) / scaler.scale_
    np.testing.assert_allclose(scaler.transform(X), z / np.sqrt(1 + (z / 2) ** 2))
    assert np.nanmax(np.abs(scaler.transform(X * 1e200))) == 2


def test_without_a_limit_it_is_the_robust_scaler():
    odd = X[:5, :1]  # whose quartiles are numbers
    expected = RobustScaler().fit_transform(odd)
    np.testing.assert_allclose(SmoothRobustScaler(limit=None).fit_transform(odd), expected)


@pytest.mark.parametrize("limit", [0.5, 3, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse(limit, dtype):
    scaler = SmoothRobustScaler(limit=limit).fit(X)
    back = scaler.inverse_transform(scaler.transform(X.astype(dtype)))
    assert back.dtype == dtype
    # numbers far beyond the limit cannot be told from it in float32
    is_near = np.abs(X - scaler.center_) < (10 * limit if limit else 100) * scaler.scale_
    assert is_near[:, [1, 2]].all() and is_near.mean(axis=0).min() > 0.8
    tolerance = {"rtol": 1e-3, "atol": 1e-3} if dtype == np.float32 else {"atol": 1e-12}
    np.testing.assert_allclose(back[is_near], X[is_near], **tolerance)
    if limit is not None:
        ends = scaler.inverse_transform(np.full((1, 4), limit, dtype))
        assert np.isfinite(ends).all() and (ends > np.nanquantile(X, 0.7, axis=0)).all()
    with pytest.raises(ValueError, match="X has 2 features, but SmoothRobustScaler is expecting 4"):
        scaler.inverse_transform(X[:, :2])


def test_the_largest_numbers():
    largest = np.finfo(np.float64).max
    scaler = SmoothRobustScaler().fit([[-largest], [0], [largest]])
    np.testing.assert_allclose(scaler.transform([[largest]]), 1 / np.hypot(1, 1 / 3))


# ---------------------------------------------------------------------------------------- periodic


def test_points_on_circles():
    encoder = PeriodicEncoder(3, sigma=2, random_state=1).fit(X)
    np.testing.assert_array_equal(
        encoder.frequencies_, np.random.RandomState(1).normal(scale=2, size=(4, 3))
    )
    encoded = encoder.transform(X).reshape(200, 4, 2, 3)
    angles = 2 * np.pi * X[:, :, None] * encoder.frequencies_
    np.testing.assert_allclose(encoded[:, :, 0], np.nan_to_num(np.cos(angles)), atol=1e-12)
    np.testing.assert_allclose(encoded[:, :, 1], np.nan_to_num(np.sin(angles)), atol=1e-12)
    names = encoder.get_feature_names_out()
    assert names[:7].tolist() == [
        *("x0_cos0", "x0_cos1", "x0_cos2", "x0_sin0", "x0_sin1", "x0_sin2", "x1_cos0")
    ]


def test_a_generator_draws_other_frequencies_each_time():
    generator = np.random.RandomState(0)
    encoder = PeriodicEncoder(random_state=generator)
    first = encoder.fit(X).frequencies_
    assert (encoder.fit(X).frequencies_ != first).all()
