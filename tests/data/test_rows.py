import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse

from sknn.data import Ragged, in_parts, make_rows

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "X_dtype", ["bool", "uint8", "int8", "int64", "float16", "float32", "float64", ">f8", ">i4"]
)
def test_rows_of_any_type_become_the_networks_type(X_dtype: str, dtype: torch.dtype) -> None:
    X = np.array([[0, 1], [1, 0], [1, 1]]).astype(X_dtype)
    rows = make_rows(X, CPU, dtype)
    assert len(rows) == 3
    for taken, expected in [
        (rows.slice(1, 3), X[1:3]),
        (rows.take(torch.tensor([2, 0])), X[[2, 0]]),
    ]:
        assert taken.dtype == dtype
        assert_array_equal(taken.numpy(), expected.astype(float))


@pytest.mark.parametrize("X_dtype", ["bool", "uint8", "int64", "float32", "float64"])
def test_sparse_rows_of_any_type_become_the_networks_type(X_dtype: str) -> None:
    X = sparse.random_array((6, 5), density=0.4, rng=0, format="csr")
    X.data[:] = 1
    X = X.astype(X_dtype)
    rows = make_rows(X, CPU, torch.float32)
    taken = rows.take(torch.tensor([5, 0, 0]))
    assert taken.layout == torch.sparse_csr
    assert taken.dtype == torch.float32
    assert_array_equal(taken.to_dense().numpy(), X.toarray()[[5, 0, 0]])


@pytest.mark.parametrize("n_rows", [1, 3, 7, 8])
def test_parts_are_all_of_the_rows(n_rows: int) -> None:
    X = np.arange(14).reshape(7, 2)
    parts = list(in_parts(X, n_rows))
    assert [len(part) for part in parts[:-1]] == [n_rows] * (len(parts) - 1)
    assert_array_equal(np.concatenate(parts), X)
    of_sparse = list(in_parts(sparse.csr_array(X), n_rows))
    assert_array_equal(sparse.vstack(of_sparse).toarray(), X)


def test_series_of_different_lengths_are_one_part() -> None:
    series = Ragged.from_list([np.zeros(3), np.zeros(1)])
    assert list(in_parts(series, 1)) == [series]
