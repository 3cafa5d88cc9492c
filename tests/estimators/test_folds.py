"""Folds: which rows the members of an ensemble hold out."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.estimators._folds import Fold
from sknn.estimators._validation import RowMemory

X = np.arange(46.0).reshape(23, 2)
LABELS = np.array([0] * 10 + [1] * 8 + [2] * 4 + [3])


Split = tuple[np.ndarray, np.ndarray]


def split(
    fold: Fold,
    X: np.ndarray,
    labels: np.ndarray | None,
    sample_weight: np.ndarray | None = None,
    memory: RowMemory | None = None,
) -> Split:
    return fold.split(X, fold.of_rows(len(X), labels, sample_weight), memory)


def splits(n_folds: int, seed: int = 3, **arguments: np.ndarray | None) -> list[Split]:
    given = {"labels": LABELS} | arguments
    return [split(Fold(number, n_folds, seed), X, **given) for number in range(n_folds)]


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("n_folds", [2, 3, 8])
def test_folds_are_a_partition_of_nearly_equal_parts(
    n_folds: int, labels: np.ndarray | None
) -> None:
    parts = splits(n_folds, labels=labels)
    for train, held_out in parts:
        assert_array_equal(np.union1d(train, held_out), np.arange(23))
        assert len(train) + len(held_out) == 23
    assert_array_equal(np.sort(np.concatenate([held_out for _, held_out in parts])), np.arange(23))
    sizes = [len(held_out) for _, held_out in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_each_fold_has_the_shares_of_the_labels_up_to_a_row(n_folds: int) -> None:
    for _, held_out in splits(n_folds):
        for label, count in zip(*np.unique(LABELS, return_counts=True), strict=True):
            assert abs((LABELS[held_out] == label).sum() - count / n_folds) < 1


def test_another_seed_deals_the_rows_otherwise() -> None:
    assert any(
        list(ours[1]) != list(theirs[1])
        for ours, theirs in zip(splits(3, seed=3), splits(3, seed=4), strict=True)
    )


def test_each_fold_gets_of_the_rows_that_count() -> None:
    weights = np.zeros(23)
    weights[[0, 1, 2, 10, 11, 12, 18, 19]] = [1, 2, 3, 1, 0.5, 1, 1, 1]
    for labels in (None, LABELS):
        for _, held_out in splits(4, labels=labels, sample_weight=weights):
            assert np.count_nonzero(weights[held_out]) == 2
    assert_array_equal(
        Fold(0, 4, 0).of_rows(23, LABELS, np.ones(23)), Fold(0, 4, 0).of_rows(23, LABELS)
    )


# ------------------------------------------------------------------------------------- warm starts


def rows_of(X: np.ndarray, numbers: np.ndarray) -> set[float]:
    return set(X[numbers, 0])


@pytest.mark.parametrize("n_before", [23, 15])
def test_rows_stay_on_their_side_in_any_order_and_new_ones_are_dealt(n_before: int) -> None:
    order = np.random.default_rng(0).permutation(23)
    later = []
    for number in range(3):
        memory, fold = RowMemory(), Fold(number, 3, 7)
        train, held_out = split(fold, X[:n_before], LABELS[:n_before], memory=memory)
        trained, kept = rows_of(X, train), rows_of(X, held_out)
        train, held_out = split(fold, X[order], LABELS[order], memory=memory)
        assert trained <= rows_of(X[order], train)
        assert kept <= rows_of(X[order], held_out)
        later.append(rows_of(X[order], held_out))
    # it is a partition again
    assert sum(len(each) for each in later) == 23
    assert set.union(*later) == set(X[:, 0])


def test_copies_of_a_row_are_on_one_side() -> None:
    doubled = np.vstack([X, X[:5]])
    labels = np.concatenate([LABELS, LABELS[:5]])
    for number in range(3):
        train, held_out = split(Fold(number, 3, 7), doubled, labels, memory=RowMemory())
        assert not rows_of(doubled, train) & rows_of(doubled, held_out)


def test_where_no_row_is_left_to_hold_out_the_error_says_so() -> None:
    memory = RowMemory()
    memory.add_trained(X)
    with pytest.raises(ValueError, match=r"leaves 23 rows to train on and 0 to hold out in fold 2"):
        split(Fold(1, 3, 0), X, LABELS, memory=memory)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4, 0.7, 0.9])
def test_a_fold_may_have_any_share_of_the_rows(share: float) -> None:
    train, held_out = split(Fold(0, 1 / share, 3), X, LABELS)
    assert_array_equal(np.union1d(train, held_out), np.arange(23))
    assert abs(len(held_out) - share * 23) <= 1
    for label, count in zip(*np.unique(LABELS, return_counts=True), strict=True):
        assert abs((LABELS[held_out] == label).sum() - count * share) <= 1
