from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.data import as_tensor


@pytest.mark.parametrize(
    "view",
    [
        lambda X: X[::-1],
        lambda X: X[:, ::-1],
        lambda X: X[::2],
        lambda X: X.T,
        lambda X: X.astype(">f8"),
        lambda X: np.broadcast_to(X[:1], X.shape),
        np.asfortranarray,
        lambda X: X[:0],
    ],
    ids=["rows", "columns", "stride", "transposed", "swapped", "broadcast", "fortran", "empty"],
)
def test_any_view_becomes_a_tensor_of_the_same_numbers(view: Any) -> None:
    X = view(np.arange(12.0).reshape(4, 3))
    assert_array_equal(as_tensor(X).numpy(), X)


def test_a_read_only_array_is_shared_without_a_warning() -> None:
    X = np.arange(6.0).reshape(3, 2)
    X.flags.writeable = False
    tensor = as_tensor(X)
    assert tensor.data_ptr() == X.__array_interface__["data"][0]
    assert not X.flags.writeable


def test_a_memmap_is_not_copied(tmp_path: Any) -> None:
    X = np.memmap(tmp_path / "X", dtype="f4", mode="w+", shape=(5, 2))
    X[:] = np.arange(10).reshape(5, 2)
    X.flush()
    opened = np.memmap(tmp_path / "X", dtype="f4", mode="r", shape=(5, 2))
    assert as_tensor(opened).data_ptr() == opened.__array_interface__["data"][0]
