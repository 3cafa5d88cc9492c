"""Edges and scales of weighted values, against NumPy and by hand."""

import itertools

import numpy as np
import pytest

from sknn.preprocessing import bin_edges, robust_scale

RNG = np.random.default_rng(0)
SKEWED = np.round(np.exp(RNG.normal(size=301)), 2)
MOSTLY_ZERO = np.where(RNG.random(400) < 0.9, 0.0, np.round(RNG.normal(size=400), 3))


def test_few_distinct_values_are_all_edges():
    values = np.array([3.0, 1, 1, np.nan, 7, 1])
    np.testing.assert_array_equal(bin_edges(values, 2), [1, 3, 7])
    np.testing.assert_array_equal(bin_edges(values, 8), [1, 3, 7])


def test_one_bin_is_the_range():
    np.testing.assert_array_equal(bin_edges(SKEWED, 1), [SKEWED.min(), SKEWED.max()])


def blended(values, steps):
    """Return where the mean of two distribution functions, of rows and of values, gets to steps."""
    distinct = np.unique(values)
    of_rows = np.array([np.mean(values <= value) for value in distinct])
    of_values = np.array([np.mean(distinct <= value) for value in distinct])
    mean = (of_rows + of_values) / 2
    return [distinct[np.flatnonzero(mean >= step - 1e-9)[0]] for step in steps]


def test_edges_are_quantiles():
    # of values that are all different
    values = RNG.permutation(100.0 + np.arange(301))
    expected = np.quantile(values, np.linspace(0, 1, 7), method="inverted_cdf")
    np.testing.assert_array_equal(bin_edges(values, 6), expected)


def test_edges_lie_between_quantiles_of_rows_and_of_distinct_values():
    expected = [SKEWED.min(), *blended(SKEWED, np.arange(1, 6) / 6), SKEWED.max()]
    np.testing.assert_array_equal(bin_edges(SKEWED, 6), expected)


def test_a_heavy_value_is_an_edge_between_its_neighbours():
    # by mass alone, all edges but two were 0
    others = MOSTLY_ZERO[MOSTLY_ZERO != 0]
    expected = [
        *(0, others[others < 0].max(), others[others > 0].min(), others.min(), others.max()),
        *blended(others, [0.2, 0.4, 0.6, 0.8]),
    ]
    np.testing.assert_array_equal(bin_edges(MOSTLY_ZERO, 8), np.unique(expected))


def test_heavy_values_are_compared_with_what_remains():
    # 0 takes 900 of 1,000 rows and two of 12 bins; of the 100 others, 40 are 7: more than a tenth
    values = np.concatenate([np.zeros(900), np.full(40, 7.0), np.arange(10, 70), [6.0, 8.0]])
    edges = bin_edges(values, 12)
    assert {0, 6, 7, 8, 69} <= set(edges)
    assert len(edges) == 13
    # of 1,000 rows 40 are less than a bin's share, and 7 is one value among many
    values[values == 0] = np.arange(100, 1000)
    assert 7 not in bin_edges(values, 12)


@pytest.mark.parametrize("n_bins", [1, 2, 3, 4, 5, 16, 47])
@pytest.mark.parametrize("values", [SKEWED, MOSTLY_ZERO])
def test_weights_are_repetitions(values, n_bins):
    weights = RNG.integers(0, 4, len(values))
    repeated = np.repeat(values, weights)
    np.testing.assert_array_equal(bin_edges(values, n_bins, weights), bin_edges(repeated, n_bins))
    assert robust_scale(values, weights) == robust_scale(repeated)
    assert len(bin_edges(values, n_bins)) <= n_bins + 1


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [1.0]])
def test_without_values(values):
    values, weights = np.array(values), np.zeros(len(values))
    assert bin_edges(values, 4, weights).shape == (0,)
    assert robust_scale(values, weights) == (0, 0)


def test_robust_scale():
    # the quartiles of 1 to 8 are 2, 4 and 6
    values = np.array([8.0, 1, 2, 3, np.nan, 7, 6, 5, 4])
    assert robust_scale(values) == (4, 1 / 4)
    assert robust_scale(np.array([0.0] * 9 + [4])) == (0, 1 / 2)  # half the range
    assert robust_scale(np.full(5, 3.0)) == (3, 0)
    low, median, high = np.quantile(SKEWED, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert robust_scale(SKEWED) == (median, 1 / (high - low))


def test_ranges_that_have_no_inverse():
    assert robust_scale(np.array([0, 0, 1e-320, 1e-320])) == (0, 0)
    largest = np.finfo(np.float64).max
    median, scale = robust_scale(np.array([-largest] * 3 + [0, 0] + [largest] * 3))
    assert (median, scale) == (0, 1 / largest)


def test_the_type_of_floats_is_kept():
    assert bin_edges(SKEWED.astype(np.float32), 8).dtype == np.float32
    np.testing.assert_array_equal(bin_edges(np.array([2, 1]), 8), [1.0, 2.0])


@pytest.mark.parametrize("weight", [0.1, 1e-10, 1 / 3, 7.7e5])
def test_only_the_ratio_of_weights_counts(weight):
    # k sums of 0.1 are not k / 10, and a quantile is not to move by that
    for n, n_bins in itertools.product(range(8, 90), (4, 8, 10)):
        values = np.concatenate([np.zeros(n // 8), np.arange(1.0, n)])
        weights = np.full(len(values), weight)
        np.testing.assert_array_equal(bin_edges(values, n_bins, weights), bin_edges(values, n_bins))
        assert robust_scale(values, weights) == robust_scale(values)
