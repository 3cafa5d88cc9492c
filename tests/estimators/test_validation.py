from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sknn import NeuralClassifier
from sknn.estimators._validation import RowMemory, row_keys, split_rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.arange(60) % 3


def split(
    X: Any, memory: RowMemory | None = None, seed: int = 0, fraction: float = 0.2, **kw: Any
) -> tuple[np.ndarray, np.ndarray]:
    kw = {"stratify": None, "random_state": np.random.RandomState(seed), "memory": memory} | kw
    return split_rows(X, fraction, **kw)


def as_set(rows: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in rows}


@pytest.mark.parametrize("stratify", [None, LABELS])
@pytest.mark.parametrize("remembers", [False, True])
def test_the_first_split_is_scikit_learns(stratify: np.ndarray | None, remembers: bool) -> None:
    memory = RowMemory() if remembers else None
    train, held_out = split(X, memory, stratify=stratify)
    expected = train_test_split(
        np.arange(60), test_size=0.2, random_state=np.random.RandomState(0), stratify=stratify
    )
    assert_array_equal(train, expected[0])
    assert_array_equal(held_out, expected[1])


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_equal_rows_have_equal_keys_and_others_have_not(make: Any) -> None:
    rows = np.array([[1.0, 0], [0, 1], [1, 0], [0, 0], [1, 1]])
    keys = row_keys(make(rows))
    assert keys.dtype == np.uint64
    assert keys[0] == keys[2]
    assert len(set(keys.tolist())) == 4


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("change", ["same", "permuted", "grown", "shrunk", "grown and permuted"])
def test_no_row_that_was_trained_on_is_ever_held_out(change: str, make: Any) -> None:
    memory, trained, held_out_before = RowMemory(), set(), set()
    rng = np.random.default_rng(1)
    current = X
    for i in range(5):
        train, held_out = split(make(current), memory, seed=i)
        assert len(np.intersect1d(train, held_out)) == 0
        assert as_set(current[held_out]).isdisjoint(trained)
        assert as_set(current[train]).isdisjoint(held_out_before)
        trained |= as_set(current[train])
        held_out_before |= as_set(current[held_out])
        assert trained.isdisjoint(held_out_before)
        if "grown" in change:
            current = np.vstack([current, rng.normal(size=(20, 3))])
        if change == "shrunk":
            current = current[rng.random(len(current)) < 0.9]
        if "permuted" in change:
            current = rng.permutation(current)


def test_the_same_data_are_split_in_the_same_way_again() -> None:
    memory = RowMemory()
    train, held_out = split(X, memory, seed=0)
    again = split(X, memory, seed=1)
    assert_array_equal(np.sort(train), again[0])
    assert_array_equal(np.sort(held_out), again[1])


def test_new_rows_fill_the_validation_part_up() -> None:
    memory = RowMemory()
    split(X, memory)
    grown = np.vstack([X, np.random.default_rng(1).normal(size=(60, 3))])
    train, held_out = split(grown, memory, seed=1)
    assert len(held_out) == 24
    assert len(train) == 96


def test_copies_of_a_row_stay_on_one_side() -> None:
    rows = np.repeat(np.random.default_rng(0).normal(size=(20, 3)), 5, axis=0)
    memory = RowMemory()
    for seed in range(3):
        train, held_out = split(rows, memory, seed=seed, fraction=0.3)
        assert as_set(rows[train]).isdisjoint(as_set(rows[held_out]))
        rows = np.vstack([rows, np.repeat(np.random.default_rng(seed).normal(size=(20, 3)), 5, 0)])


def test_rows_that_were_all_trained_on_leave_none_to_hold_out() -> None:
    memory = RowMemory()
    memory.add_trained(X)
    with pytest.raises(ValueError, match="validation set is too small.*X_val and y_val"):
        split(X, memory)


@pytest.mark.parametrize("n", [2, 5])
def test_a_validation_part_of_one_row_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="validation set is too small"):
        split(X[:n], fraction=0.1)


def test_a_fraction_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="validation_fraction=0"):
        split(X, fraction=0.0)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.arange(50) // 5, "holds out 5 of 50 rows, and y has 10 classes"),
        (np.repeat(["a", "b", "c"], [40, 9, 1]), "class c has a single row"),
    ],
    ids=["many classes", "a rare class"],
)
def test_what_cannot_be_stratified_is_drawn_at_random_with_a_warning(
    labels: np.ndarray, reason: str
) -> None:
    with pytest.warns(UserWarning, match=reason) as caught:
        train, held_out = split(X[:50], stratify=labels, fraction=0.1)
    assert len(caught) == 1
    expected = train_test_split(np.arange(50), test_size=0.1, random_state=np.random.RandomState(0))
    assert_array_equal(train, expected[0])
    assert_array_equal(held_out, expected[1])


def test_small_classes_are_fitted_as_by_scikit_learns_mlp() -> None:
    options = {"hidden_layer_sizes": (8,), "early_stopping": True, "max_iter": 5, "random_state": 0}
    labels = np.arange(60) % 20
    theirs = MLPClassifier(**options).fit(X, labels)  # unstratified, where classes are several
    with pytest.warns(UserWarning, match="at random"):
        ours = NeuralClassifier(**options).fit(X, labels)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("stratified", [False, True])
def test_the_size_of_the_validation_part_does_not_depend_on_copies(stratified: bool) -> None:
    for seed in range(20):
        rows = np.random.default_rng(seed).integers(0, 25, size=(100, 1)) + np.zeros(2)
        labels = np.random.default_rng(seed).integers(0, 2, size=100) if stratified else None
        train, held_out = split(rows, RowMemory(), seed=seed, fraction=0.1, stratify=labels)
        assert as_set(rows[train]).isdisjoint(as_set(rows[held_out]))
        assert 8 <= len(held_out) <= 12


def test_a_size_that_few_different_rows_do_not_allow_is_explained() -> None:
    rows = np.repeat(np.eye(3), [20, 50, 30], axis=0)
    for seed in range(10):
        with pytest.warns(UserWarning, match="20 of 100 rows in place of 10: .* 3 different rows"):
            train, held_out = split(rows, RowMemory(), seed=seed, fraction=0.1)
        assert_array_equal(held_out, np.arange(20))
        assert_array_equal(train, np.arange(20, 100))


def test_rows_without_a_second_kind_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="equal rows on one side, and X has 1 different rows"):
        split(np.ones((50, 3)), RowMemory())


def test_a_warm_start_that_has_trained_on_all_rows_says_so() -> None:
    memory = RowMemory()
    memory.add_trained(X)
    with pytest.raises(ValueError, match="of the 60 rows 0 are left to hold out"):
        split(X, memory)


def test_new_copies_fill_the_validation_part_up_to_its_size() -> None:
    for seed in range(20):
        rng, memory = np.random.default_rng(seed), RowMemory()
        split(X, memory, fraction=0.2)
        new = np.repeat(rng.normal(size=(20, 3)), 3, axis=0)
        grown = np.vstack([X, new])
        train, held_out = split(grown, memory, seed=seed, fraction=0.2)
        assert as_set(grown[train]).isdisjoint(as_set(grown[held_out]))
        assert 23 <= len(held_out) <= 25
