from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from sknn.data import Ragged, fingerprint
from sknn.data._fingerprint import PIECE

NUMBERS = np.random.default_rng(0).normal(size=(7, 3))


@pytest.mark.parametrize(
    "same",
    [
        NUMBERS.copy(),
        np.asfortranarray(NUMBERS),
        np.repeat(NUMBERS, 2, axis=1)[:, ::2],
        NUMBERS[::-1][::-1],
    ],
)
def test_a_fingerprint_does_not_depend_on_the_order_in_memory(same: np.ndarray) -> None:
    assert fingerprint(same) == fingerprint(NUMBERS)


def test_different_data_have_different_fingerprints() -> None:
    changed = NUMBERS.copy()
    changed[-1, -1] = np.nextafter(changed[-1, -1], np.inf)
    lengths = np.array([3, 4])
    data: list[Any] = [
        None,
        NUMBERS,
        changed,
        NUMBERS[::-1],
        NUMBERS[:-1],
        NUMBERS.T,
        NUMBERS.reshape(-1),
        NUMBERS.astype(np.float32),
        NUMBERS.astype(">f8"),
        NUMBERS.view(np.int64),
        NUMBERS[:0],
        np.empty((0, 4)),
        np.empty((3, 0)),
        np.array(1.0),
        np.array([True, False]),
        np.array(["a", "b"]),
        np.array(["a", "b"], object),
        np.array(["a", 1], object),
        np.array(["a", "1"], object),
        sparse.csr_array(NUMBERS),
        sparse.csr_array(changed),
        sparse.csr_array(np.pad(NUMBERS, ((0, 0), (0, 1)))),
        Ragged(NUMBERS, lengths),
        Ragged(NUMBERS, lengths[::-1]),
    ]
    assert len({fingerprint(each) for each in data}) == len(data)


@pytest.mark.parametrize("place", [0, PIECE // 8 - 1, PIECE // 8, -1])
def test_every_piece_of_a_large_array_counts(place: int) -> None:
    array = np.zeros(3 * PIECE // 8 + 5)
    before = fingerprint(array)
    array[place] = 1
    assert fingerprint(array) != before


def test_a_memmap_is_read_in_pieces(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.ones((1000, 500)))
    memmap = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert fingerprint(memmap) == fingerprint(np.ones((1000, 500)))


def test_a_fingerprint_of_an_empty_row_or_a_large_one_is_one() -> None:
    rows = np.zeros((2, PIECE // 4))
    assert fingerprint(rows) != fingerprint(rows + 1)


def test_objects_are_compared_as_a_whole() -> None:
    """NumPy shows the ends of long arrays alone."""
    one, other = (np.empty(2, object) for _ in range(2))
    for which in (one, other):
        which[:] = [np.zeros(2000), (np.zeros(2000), "edges")]
    assert fingerprint(one) == fingerprint(other)
    other[1][0][1000] = 1
    assert fingerprint(one) != fingerprint(other)
