"""X as rows and columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sknn.data import Rows, check_numbers, make_rows, torch_type
from sknn.estimators._form import Form
from sknn.estimators._validation import is_plain
from sknn.nn import DenseNetwork
from sknn.nn.inputs import CastRows

# Nothing is copied or cast here: integers stay integers, memmaps stay on the disk.
INPUT_CHECKS: dict[str, Any] = {"accept_sparse": "csr", "dtype": "numeric"}

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


class DenseFormat(NamedTuple):
    """An array or CSR matrix with a row a sample and a column a feature."""

    n_features: int
    form: Form = Form()

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64."""
        return True

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[DenseFormat, Any]:
        """Take the columns that X has."""
        if is_plain(X, 2):
            estimator.n_features_in_ = X.shape[1]
            return cls(X.shape[1], Form.of(X, X)), X
        checked = check_numbers(X, estimator, **INPUT_CHECKS)
        return cls(checked.shape[1], Form.of(X, checked)), torch_type(checked)

    def check(self, X: Any, estimator: Any) -> Any:
        """Return a validated X with the columns of the training data."""
        if self.has_form(X, estimator) and is_plain(X, 2):
            return X
        return torch_type(check_numbers(X, estimator, reset=False, **INPUT_CHECKS))

    def has_form(self, X: Any, estimator: Any) -> bool:
        """Say whether validation, which takes longer than predicting, only has to look for NaN."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in FLOATS
            and X.shape[1] == self.n_features
            and X.shape[0] > 0
            and "feature_names_in_" not in vars(estimator)
        )

    def rows(self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module) -> Rows:
        """Wrap an array or CSR matrix, which an encoder does not take."""
        if isinstance(module, DenseNetwork) and module.input_encoder is not None:
            refuse_sparse(X)
        return make_rows(X, device, dtype)

    @property
    def may_vary_in_length(self) -> bool:
        """Never."""
        return False

    def module_arguments(self) -> dict[str, Any]:
        """Return the number of features."""
        return {"n_features_in": self.n_features}

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return zeros (1, n_features)."""
        return torch.zeros(1, self.n_features, device=device, dtype=dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return (n_features,)."""
        return (self.n_features,)

    def restore(self, values: np.ndarray, estimator: Any, index: Any = None) -> Any:
        """Return values (n, n_features) in the type of X, as a table where X was one."""
        return self.form.restored(values, getattr(estimator, "feature_names_in_", None), index)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a cast."""
        return CastRows(dtype)


def refuse_sparse(X: Any) -> None:
    """Refuse a matrix most of whose zeros embeddings would make other numbers of."""
    if sparse.issparse(X):
        raise TypeError(
            "X is sparse, and numerical_embedding needs dense X: use '.toarray()', or "
            "numerical_embedding=None."
        )
