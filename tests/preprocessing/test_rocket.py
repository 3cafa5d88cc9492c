"""MiniRocket beside convolutions written out, and what it promises of lengths, order, weights."""

import re
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import compiled
from sknn.data import Ragged
from sknn.preprocessing import MiniRocket, Rocket, RocketKernels
from sknn.preprocessing._rocket_kernels import Steps, choose_dilations

THREES = list(combinations(range(9), 3))


def made(lengths, n_channels=1, seed=0):
    random = np.random.default_rng(seed)
    lengths = np.asarray(lengths)
    return Ragged(random.normal(size=(lengths.sum(), n_channels)), lengths)


def shares_by_hand(x, dilation, kernel, biases, *, inner):
    """Return the least and largest shares above biases of a convolution (n,), by its definition."""
    n, margin = len(x), 4 * dilation
    padded = np.concatenate([np.zeros(margin), x, np.zeros(margin)])
    outputs = np.zeros(n)
    for place in range(9):
        weight = 2 if place in THREES[kernel] else -1
        outputs += weight * padded[place * dilation : place * dilation + n]
    if inner and n > 2 * margin:
        outputs = outputs[margin : n - margin]
    # biases are outputs of training series: there rounding decides
    above = outputs[:, None] - biases
    return (above > 1e-5).mean(0) - 1e-6, (above > -1e-5).mean(0) + 1e-6


@parametrize_with_checks([MiniRocket(84)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_features_are_shares_of_convolutions_above_biases():
    X = made([30, 41, 7])
    rocket = Rocket.learn(X, 500, np.random.RandomState(0), differences=False)
    (kernels,) = rocket.kernels
    features = rocket.features(X)
    for i, series in enumerate(X):
        x, place = series[:, 0] - rocket.centre[0], 0
        for d, (dilation, count) in enumerate(zip(kernels.dilations, kernels.counts, strict=True)):
            for k in range(84):
                biases = kernels.biases[place : place + count].astype(float)
                least, most = shares_by_hand(x, dilation, k, biases, inner=(d + k) % 2 == 1)
                found = features[i, place : place + count]
                assert ((least <= found) & (found <= most)).all()
                place += count
    assert place == features.shape[1] == 84 * 5


def test_of_several_channels_the_convolutions_are_added():
    X = made([25, 25], n_channels=3)
    kernels = RocketKernels.learn(Steps.of(X, np.zeros(3)), 84, np.random.RandomState(1))
    features = kernels.features(Steps.of(X, np.zeros(3)))
    starts = kernels.ends - np.diff(kernels.ends, prepend=0)
    assert (np.diff(kernels.ends) > 1).any()
    for k in range(84):
        mixed = X[0][:, kernels.channels[starts[k] : kernels.ends[k]]].sum(1)
        least, most = shares_by_hand(mixed, 1, k, kernels.biases[k : k + 1], inner=k % 2 == 1)
        assert least[0] <= features[0, k] <= most[0]


@pytest.mark.parametrize("lengths", [[60] * 5, [19, 60, 33, 25]], ids=["equal", "ragged"])
@pytest.mark.parametrize("n_channels", [1, 4])
def test_torch_computes_the_same(lengths, n_channels):
    steps = Steps.of(made(lengths, n_channels), np.zeros(n_channels))
    kernels = RocketKernels.learn(steps, 1000, np.random.RandomState(0))
    compiled_ones = kernels.features(steps)
    by_torch = kernels.features_by_torch(steps, torch.device("cpu"))
    # to the last bit, as biases are outputs themselves: rounding would decide on either side
    np.testing.assert_array_equal(by_torch, compiled_ones)


def test_torch_counts_no_padding():
    X = made([40, 17], seed=3)
    kernels = RocketKernels.learn(Steps.of(X, np.zeros(1)), 300, np.random.RandomState(0))
    module = kernels.module()
    padded = torch.zeros(2, 40, 1)
    for i, series in enumerate(X):
        padded[i, : len(series)] = torch.from_numpy(series)
    together = module(padded, torch.tensor([40, 17]))
    alone = module(padded[1:, :17])
    np.testing.assert_array_equal(together[1], alone[0])


def test_without_numba_torch_does_it(monkeypatch):
    X = np.random.default_rng(0).normal(size=(6, 30))
    expected = MiniRocket(84, random_state=0).fit_transform(X)
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    found = MiniRocket(84, random_state=0).fit_transform(X)
    np.testing.assert_array_equal(found, expected)


def test_a_series_is_the_same_alone_and_in_company():
    X = [np.random.default_rng(i).normal(size=n) for i, n in enumerate([50, 12, 80, 5])]
    rocket = MiniRocket(840, differences=True, random_state=0).fit(X)
    together = rocket.transform(X)
    assert together.shape == (4, 1680)
    for i, series in enumerate(X):
        np.testing.assert_array_equal(rocket.transform([series])[0], together[i])


def test_series_far_from_zero_have_the_same_features():
    X = np.random.default_rng(0).normal(size=(20, 40))
    near = MiniRocket(840, random_state=0).fit_transform(X)
    far = MiniRocket(840, random_state=0).fit_transform(X + 1e8)
    assert (near != far).mean() < 0.01


def test_what_does_not_change_gives_exactly_zero():
    """No rounding error decides where a series is quiet."""
    X = np.random.default_rng(0).normal(size=(10, 50))
    rocket = MiniRocket(84, random_state=0).fit(X)
    (kernels,) = rocket._rocket.kernels
    quiet = np.full((1, 50), 0.1 + 0.2)
    inner = np.arange(84) % 2 == 1  # these do not see the ends
    np.testing.assert_array_equal(rocket.transform(quiet)[0, inner], kernels.biases[inner] < 0)


def test_the_order_of_the_series_changes_nothing():
    X = np.random.default_rng(0).normal(size=(12, 30)).cumsum(1)
    rocket = Rocket.learn(X, 840, np.random.RandomState(0), differences=True)
    turned = Rocket.learn(X[::-1], 840, np.random.RandomState(0), differences=True)
    np.testing.assert_array_equal(rocket.features(X), turned.features(X))


def test_weights_are_repeated_series():
    X = np.random.default_rng(0).normal(size=(9, 30)).cumsum(1)
    weights = np.array([0, 1, 2, 3, 0, 1, 1, 4, 2])
    weighted = Rocket.learn(
        X, 840, np.random.RandomState(0), differences=True, sample_weight=weights
    )
    repeated = Rocket.learn(X.repeat(weights, 0), 840, np.random.RandomState(0), differences=True)
    np.testing.assert_array_equal(weighted.features(X), repeated.features(X))


def test_dilations_reach_over_the_longest_series():
    dilations, counts = choose_dilations(801, 9_999)
    assert dilations[0] == 1 and dilations[-1] == 100
    assert (np.diff(dilations) > 0).all()
    assert counts.sum() == 119 and counts.min() >= 1
    # with a feature a kernel, and for series shorter than a kernel
    assert [each.tolist() for each in choose_dilations(500, 1)] == [[1], [1]]
    assert [each.tolist() for each in choose_dilations(3, 200)] == [[1], [2]]


def test_a_linear_classifier_of_the_features_learns():
    random = np.random.default_rng(0)
    y = np.arange(80) % 2
    phase = random.uniform(0, 6, size=(80, 1))
    X = np.sin(np.outer(1 + y, np.arange(60) / 4) + phase) + random.normal(scale=0.5, size=(80, 60))
    classifier = make_pipeline(MiniRocket(840, random_state=0), RidgeClassifierCV())
    assert classifier.fit(X[:40], y[:40]).score(X[40:], y[40:]) == 1


def test_other_channels_are_refused():
    rocket = MiniRocket(84, random_state=0).fit(np.zeros((3, 20, 2)) + np.arange(20)[:, None])
    with pytest.raises(ValueError, match="X has 3 channel.*fitted with 2"):
        rocket.transform(np.zeros((3, 20, 3)))
    assert rocket.n_channels_ == 2


@pytest.mark.parametrize("size", [1e36, -1e300])
def test_values_whose_convolutions_are_infinite_are_refused(size):
    series = np.random.default_rng(0).normal(size=(4, 20))
    rocket = MiniRocket(84, random_state=0).fit(series)
    large = series.copy()
    large[1, 2] = size
    for method in (rocket.transform, rocket.fit):
        with pytest.raises(ValueError, match=re.escape(f"X has the value {size:g}, which is too")):
            method(large)
    # the largest that are taken, with many channels of both signs
    signs = 1e35 * (-1.0) ** np.arange(40)[:, None] * np.ones(20)
    features = MiniRocket(840, differences=True, random_state=0).fit_transform(
        np.stack([signs, -signs, signs * np.linspace(-1, 1, 40)[:, None]])
    )
    assert features.max() <= 1 and features.std() > 0.01


def test_names_and_frames():
    rocket = MiniRocket(84, random_state=0).set_output(transform="pandas")
    frame = rocket.fit_transform(np.random.default_rng(0).normal(size=(4, 20)))
    assert frame.shape == (4, 84)
    assert list(frame.columns[:2]) == ["minirocket0", "minirocket1"]
