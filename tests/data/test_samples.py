from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sknn.data import Ragged, Samples, SeriesRows, make_answers, make_rows
from sknn.nn import valid_steps
from sknn.training._skorch import as_dataset

CPU = torch.device("cpu")


def make_samples(
    n: int,
    *,
    weighted: bool = False,
    subset: np.ndarray | None = None,
    is_sparse: bool = False,
    smallest_batch: int = 1,
) -> Samples:
    """Return samples whose row, target and weight are all made from the row's number."""
    X: Any = np.arange(1.0, n + 1)[:, None] * [1, 10]
    if is_sparse:
        X = sparse.csr_array(X)
    weights = np.arange(1.0, n + 1) / n if weighted else None
    targets = np.arange(n)
    return Samples(
        make_rows(X, CPU, torch.float64),
        X=X,
        y=targets,
        answers=make_answers(targets, weights, CPU, torch.float64),
        subset=subset,
        smallest_batch=smallest_batch,
    )


def dense(X: torch.Tensor) -> np.ndarray:
    return X.to_dense().numpy()


def check_batches(
    samples: Samples, n: int, numbers: np.ndarray, sizes: list[int], **kw: Any
) -> None:
    batches = list(samples.batches(**kw))
    assert [len(batch.targets) for batch in batches] == sizes
    seen = np.concatenate([batch.targets.numpy() for batch in batches])
    assert_array_equal(seen, numbers)
    assert_array_equal(
        np.concatenate([dense(batch.X) for batch in batches]), (numbers[:, None] + 1) * [1, 10]
    )
    for batch in batches:
        if samples.answers()[1] is None:
            assert batch.sample_weight is None
            assert batch.weight_sum == len(batch.targets)
        else:
            assert batch.sample_weight is not None
            expected = (batch.targets.numpy() + 1) / n
            assert_allclose(batch.sample_weight.numpy(), expected)
            assert_allclose(batch.weight_sum, expected.sum())


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (5, 5, [5]), (5, 9, [5]), (1, 1, [1]), (3, 1, [1, 1, 1])],
)
def test_batches_hold_every_row_once_in_order(
    n: int, batch_size: int, sizes: list[int], weighted: bool, is_sparse: bool
) -> None:
    samples = make_samples(n, weighted=weighted, is_sparse=is_sparse)
    check_batches(samples, n, np.arange(n), sizes, batch_size=batch_size)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_follow_the_given_order(weighted: bool, is_sparse: bool) -> None:
    order = np.array([4, 0, 3, 6, 1, 2, 5])
    samples = make_samples(7, weighted=weighted, is_sparse=is_sparse)
    check_batches(samples, 7, order, [3, 3, 1], batch_size=3, order=order)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_subset_is_cut_without_the_other_rows(weighted: bool) -> None:
    subset = np.array([6, 1, 4, 3])
    samples = make_samples(8, weighted=weighted, subset=subset)
    assert len(samples) == 4
    expected = ((subset + 1) / 8).sum() if weighted else 4
    assert_allclose(samples.weight_sum, expected)
    check_batches(samples, 8, subset, [3, 1], batch_size=3)
    check_batches(samples, 8, subset, [4], batch_size=4)
    order = np.array([2, 0, 3, 1])
    check_batches(samples, 8, subset[order], [3, 1], batch_size=3, order=order)


@pytest.mark.parametrize("change", ["reversed", "read only", "swapped"])
def test_targets_and_weights_may_be_any_view(change: str) -> None:
    targets = np.arange(8.0).reshape(4, 2)
    weights = np.arange(1.0, 5.0)
    if change == "reversed":
        targets, weights = targets[::-1], weights[::-1]
    elif change == "swapped":
        targets, weights = targets.astype(">f8"), weights.astype(">f8")
    else:
        targets.flags.writeable = weights.flags.writeable = False
    X = np.zeros((4, 1))
    samples = Samples(
        make_rows(X, CPU, torch.float64),
        X=X,
        y=targets,
        answers=make_answers(targets, weights, CPU, torch.float64),
    )
    (batch,) = samples.batches(4)
    assert_array_equal(batch.targets.numpy(), targets)
    assert_array_equal(batch.sample_weight.numpy(), weights)


@pytest.mark.parametrize("subset", [None, np.array([2, 0])])
def test_callbacks_get_the_rows_of_the_subset(subset: np.ndarray | None) -> None:
    dataset = as_dataset(make_samples(4, subset=subset))
    numbers = np.arange(4) if subset is None else subset
    assert_array_equal(dataset.y, numbers)
    assert_array_equal(dataset.X, (numbers[:, None] + 1) * [1, 10])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n", "batch_size", "smallest", "sizes"),
    [
        (7, 3, 2, [3, 4]),
        (8, 3, 2, [3, 3, 2]),
        (8, 3, 3, [3, 5]),
        (7, 3, 1, [3, 3, 1]),
        (4, 3, 2, [4]),
        (1, 3, 2, [1]),
        (6, 3, 2, [3, 3]),
    ],
)
def test_a_last_batch_that_is_too_small_joins_the_one_before_it(
    n: int, batch_size: int, smallest: int, sizes: list[int], weighted: bool
) -> None:
    samples = make_samples(n, weighted=weighted, smallest_batch=smallest)
    assert samples.count_batches(batch_size) == len(sizes)
    check_batches(samples, n, np.arange(n), sizes, batch_size=batch_size)
    order = np.random.default_rng(0).permutation(n)
    numbers = order if len(sizes) > 1 else np.arange(n)  # the order of one batch does not matter
    check_batches(samples, n, numbers, sizes, batch_size=batch_size, order=order)


def test_a_last_batch_of_a_subset_joins_the_one_before_it() -> None:
    subset = np.array([6, 1, 4, 3, 0])
    samples = make_samples(8, weighted=True, subset=subset, smallest_batch=2)
    check_batches(samples, 8, subset, [2, 3], batch_size=2)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 7, 8, 100])
def test_the_number_of_batches_is_that_of_the_batches(batch_size: int) -> None:
    for smallest in (1, 2, 3):
        samples = make_samples(7, smallest_batch=smallest)
        assert samples.count_batches(batch_size) == len(list(samples.batches(batch_size)))


# --------------------------------------------------------------------- series of different lengths


def make_series_samples(
    lengths: np.ndarray,
    *,
    steps: bool = False,
    weighted: bool = False,
    subset: np.ndarray | None = None,
) -> Samples:
    """Return samples of series whose values, targets and weights are made from their numbers.

    Step j of series i is 100 i + j, and so is its target if each step has one.
    """
    values = [100.0 * i + np.arange(n) for i, n in enumerate(lengths)]
    X = Ragged.from_list(values)
    targets: Any = X if steps else np.arange(len(lengths))
    weights = None
    if weighted:
        weights = X.values + 1 if steps else np.arange(1.0, len(lengths) + 1)
    return Samples(
        SeriesRows(X, CPU, torch.float64),
        X=X,
        y=targets,
        answers=make_answers(targets, weights, CPU, torch.float64),
        subset=subset,
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("subset", [None, np.array([5, 0, 3, 2])], ids=["all", "subset"])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_every_step_comes_with_its_target_and_its_weight(
    batch_size: int, ordered: bool, subset: np.ndarray | None, weighted: bool
) -> None:
    lengths = np.array([2, 4, 1, 3, 1, 2])
    samples = make_series_samples(lengths, steps=True, weighted=weighted, subset=subset)
    numbers = np.arange(6) if subset is None else subset
    assert samples.n_answers == lengths[numbers].sum()
    order = np.random.default_rng(0).permutation(len(numbers)) if ordered else None
    if ordered and batch_size < len(numbers):  # the order of one batch does not matter
        numbers = numbers[order]
    batches = list(samples.batches(batch_size, order))
    expected = [numbers[i : i + batch_size] for i in range(0, len(numbers), batch_size)]
    assert len(batches) == len(expected) == samples.count_batches(batch_size)
    for batch, rows in zip(batches, expected, strict=True):
        steps = np.concatenate([100.0 * i + np.arange(lengths[i]) for i in rows])
        X, n_steps = batch.X
        assert_array_equal(n_steps, lengths[rows])
        assert_array_equal(X[valid_steps(n_steps, X.shape[1])][:, 0], steps)
        assert_array_equal(batch.targets, steps)
        if weighted:
            assert_array_equal(batch.sample_weight, steps + 1)
            assert_allclose(batch.weight_sum, (steps + 1).sum())
        else:
            assert batch.sample_weight is None
            assert batch.weight_sum == len(steps)
    assert_allclose(samples.weight_sum, sum(batch.weight_sum for batch in batches))
    targets, weights = samples.answers(order if batch_size < len(numbers) else None)
    assert_array_equal(targets, np.concatenate([batch.targets for batch in batches]))
    if weighted:
        assert_array_equal(weights, targets + 1)


def test_one_target_a_series_is_counted_by_series() -> None:
    samples = make_series_samples(np.array([2, 4, 1]), weighted=True)
    assert samples.n_answers == 3
    assert samples.weight_sum == 6
    (batch,) = samples.batches(5)
    assert_array_equal(batch.targets, [0, 1, 2])
    assert_array_equal(batch.sample_weight, [1, 2, 3])


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
@pytest.mark.parametrize("n", [1, 6, 50, 500])
def test_grouping_by_length_keeps_a_permutation(n: int, batch_size: int) -> None:
    rng = np.random.default_rng(0)
    samples = make_series_samples(rng.integers(1, 9, n))
    order = rng.permutation(n)
    before = order.copy()
    grouped = samples.group_by_length(order, batch_size)
    assert_array_equal(np.sort(grouped), np.arange(n))
    assert_array_equal(order, before)


def count_padded_steps(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> int:
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return sum(len(rows) * int(lengths[rows].max()) for rows in batches)


@pytest.mark.parametrize("with_subset", [False, True])
@pytest.mark.parametrize("batch_size", [16, 32])
def test_grouping_by_length_leaves_little_padding(batch_size: int, with_subset: bool) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 101, 2000)
    subset = rng.permutation(2000)[:1500] if with_subset else None
    samples = make_series_samples(lengths, subset=subset)
    own = lengths if subset is None else lengths[subset]
    order = rng.permutation(len(samples))
    grouped = samples.group_by_length(order, batch_size)
    assert count_padded_steps(own, order, batch_size) > 1.8 * own.sum()
    # within a run of 16 batches each spans about a sixteenth of the lengths
    assert count_padded_steps(own, grouped, batch_size) < 1.15 * own.sum()
    at_best = count_padded_steps(own, samples.sorted_by_length(), batch_size)
    assert at_best <= count_padded_steps(own, grouped, batch_size)


def test_batches_of_similar_length_come_in_random_order_and_company() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 101, 3200)
    samples = make_series_samples(lengths)
    one, other = (samples.group_by_length(rng.permutation(3200), 32) for _ in range(2))
    means = lengths[one].reshape(100, 32).mean(1)
    # neither short batches first nor runs that rise from short to long
    assert abs(np.corrcoef(np.arange(100), means)[0, 1]) < 0.3
    assert 0.3 < (np.diff(means) > 0).mean() < 0.7
    companies = [{frozenset(rows) for rows in order.reshape(100, 32)} for order in (one, other)]
    assert not companies[0] & companies[1]


def test_rows_of_equal_length_are_not_grouped() -> None:
    order = np.random.default_rng(0).permutation(7)
    samples = make_samples(7)
    assert samples.group_by_length(order, 2) is order
    assert samples.sorted_by_length() is None


@pytest.mark.parametrize("subset", [None, np.array([5, 0, 3, 2])], ids=["all", "subset"])
def test_sorting_by_length_is_stable(subset: np.ndarray | None) -> None:
    lengths = np.array([2, 4, 1, 2, 1, 2])
    samples = make_series_samples(lengths, subset=subset)
    expected = [2, 4, 0, 3, 5, 1] if subset is None else [3, 0, 1, 2]
    assert_array_equal(samples.sorted_by_length(), expected)


def test_callbacks_get_the_series_of_the_subset() -> None:
    samples = make_series_samples(np.array([2, 4, 1]), subset=np.array([2, 0]))
    dataset = as_dataset(samples)
    assert [each.tolist() for each in dataset.X] == [[200.0], [0.0, 1.0]]
    assert_array_equal(dataset.y, [2, 0])


@pytest.mark.parametrize("order", [None, np.array([3, 0, 6, 2, 5, 1, 4])])
@pytest.mark.parametrize("subset", [None, np.array([6, 1, 2, 5, 0, 3, 4])])
@pytest.mark.parametrize("batch_size", [2, 3, 7])
def test_batches_can_be_taken_from_any_on(
    order: np.ndarray | None, subset: np.ndarray | None, batch_size: int
) -> None:
    numbers = np.random.default_rng(0).normal(size=(7, 3))
    targets, weights = np.arange(7.0)[:, None], np.arange(1.0, 8)
    rows = make_rows(numbers, CPU, torch.float64)
    answers = make_answers(targets, weights, CPU, torch.float64)
    samples = Samples(rows, numbers, targets, answers, subset=subset)
    all_batches = list(samples.batches(batch_size, order))
    for first in range(len(all_batches) + 1):
        rest = list(samples.batches(batch_size, order, first=first))
        assert len(rest) == len(all_batches) - first
        for one, other in zip(rest, all_batches[first:], strict=True):
            assert torch.equal(one.X, other.X)  # type: ignore[arg-type]
            assert torch.equal(one.targets, other.targets)
            assert one.weight_sum == other.weight_sum
