"""What exported programs compute of columns, beside Python's calendar and dictionaries."""

import datetime

import numpy as np
import pytest
import torch

from sknn.nn import ArrangeTable

EPOCH = datetime.datetime(1970, 1, 1)
RNG = np.random.default_rng(0)


def arrange(parts=(), categories=(), dtype=torch.float64, scales=None):
    centers = [0.0] * len(parts)
    scales = scales or [1.0] * len(parts)
    return ArrangeTable(dtype, parts, centers, scales, categories, limit=1e15)


def test_parts_of_dates():
    dates = [
        datetime.datetime(year, month, day, 23, 59, 59)
        for year in (1, 4, 100, 400, 1600, 1899, 1900, 1969, 1970, 1999, 2000, 2024, 2100, 9999)
        for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))
    ]
    dates += [datetime.datetime(2000, 2, 29), datetime.datetime(1972, 2, 29, 7, 30), EPOCH]
    days = RNG.integers(-700_000, 2_900_000, 500)
    dates += [EPOCH + datetime.timedelta(days=int(day), seconds=36_000) for day in days]
    seconds = np.array([(each - EPOCH) / datetime.timedelta(seconds=1) for each in dates])
    module = arrange([(0, part) for part in ("time", "day of year", "weekday", "hour")])
    found = module(torch.from_numpy(np.append(seconds, np.nan)[:, np.newaxis])).numpy()
    expected = [
        (s, each.timetuple().tm_yday, each.weekday())
        for s, each in zip(seconds, dates, strict=True)
    ]
    np.testing.assert_array_equal(found[:-1, :3], expected)
    midnight = [datetime.datetime.combine(each, datetime.time()) for each in dates]
    hours = [(a - b) / datetime.timedelta(hours=1) for a, b in zip(dates, midnight, strict=True)]
    np.testing.assert_allclose(found[:-1, 3], hours, rtol=0, atol=1e-7)
    assert np.isnan(found[-1]).all()


@pytest.mark.parametrize("n_levels", [0, 1, 2, 3, 7, 8, 1000])
def test_codes_of_levels(n_levels):
    levels = np.sort(RNG.choice(5000, n_levels, replace=False)) - 2500.5
    values = np.concatenate([levels, levels + 0.25, [-1e9, 1e9, np.nan]])
    module = arrange(categories=[(0, levels)])
    codes = {level: 2 + i for i, level in enumerate(levels)}
    expected = [1 if np.isnan(value) else codes.get(value, 0) for value in values]
    assert module(torch.from_numpy(values)[:, None])[:, 0].tolist() == expected


def test_numbers_and_codes():
    parts, categories = [(2, ""), (0, ""), (1, "")], [(1, None)]
    module = arrange(parts, categories, torch.float32, scales=[1e3, 2.0, np.nan])
    X = torch.tensor([[1.0, 0, 1e30], [np.nan, np.nan, -np.inf], [3, 5, 0]])
    expected = [[1e15, 2, np.nan, 0], [-1e15, np.nan, np.nan, 1], [0, 6, np.nan, 5]]
    assert module(X).dtype == torch.float32
    np.testing.assert_allclose(module(X), expected, rtol=1e-6)
