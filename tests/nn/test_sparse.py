"""Tests of sparse matrices, with SciPy as reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from sknn.nn.sparse import transposed_csr


@pytest.mark.filterwarnings("ignore:Sparse")  # torch says once that they are new, and unchecked
def test_the_transpose_is_scipys() -> None:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(7, 11)) * (rng.random((7, 11)) < 0.3)
    dense[2] = dense[:, 4] = 0  # an empty row and an empty column
    X = sparse.csr_array(dense)
    tensor = torch.sparse_csr_tensor(
        torch.from_numpy(X.indptr.astype(np.int64)),
        torch.from_numpy(X.indices.astype(np.int64)),
        torch.from_numpy(X.data),
        size=X.shape,
    )
    transposed, expected = transposed_csr(tensor), X.T.tocsr()
    assert transposed.shape == (11, 7)
    np.testing.assert_array_equal(transposed.crow_indices(), expected.indptr)
    np.testing.assert_array_equal(transposed.col_indices(), expected.indices)
    np.testing.assert_array_equal(transposed.values(), expected.data)
