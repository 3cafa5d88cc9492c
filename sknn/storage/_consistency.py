"""Arrays of scikit-learn's estimators that compiled code takes at their word.

libsvm, k-means and nearest neighbours read as far into an array as another one says, without a
look at its length; the indices of a vocabulary become those of a sparse matrix. In a file, these
numbers need not agree, so they are compared before an estimator is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import sparse

State = Mapping[str, Any]

# Arrays with a column for each feature.
BY_FEATURE = ("_fit_X", "cluster_centers_", "components_", "support_vectors_")


def check_arrays(cls: type, state: State) -> None:
    """Check that the arrays of a fitted estimator of scikit-learn's agree with each other."""
    if "precomputed" not in (state.get("kernel"), state.get("metric"), state.get("affinity")):
        n_features = state.get("n_features_in_")
        for name in BY_FEATURE:
            array = state.get(name)
            if n_features is not None and array is not None:
                _require(np.ndim(array) == 2 or sparse.issparse(array), cls, name)
                _require(array.shape[1] == n_features, cls, name)
    for name, check in _CHECKS.items():
        if name in state:
            check(cls, state)


def _require(condition: Any, cls: type, name: str) -> None:
    if not condition:
        raise ValueError(f"{name} of a {cls.__name__} does not fit its other attributes")


def _is_array(value: Any, kind: str, n_dimensions: int) -> bool:
    plain = isinstance(value, np.ndarray) and value.dtype.isnative
    return plain and value.dtype.kind in kind and value.ndim == n_dimensions


def _check_libsvm(cls: type, state: State) -> None:
    """Check support vectors, their numbers by class, and what is stored for each of them."""
    counts: Any = state["_n_support"]
    support: Any = state.get("support_")
    for name, numbers in (("_n_support", counts), ("support_", support)):
        _require(_is_array(numbers, "i", 1) and numbers.dtype == np.int32, cls, name)
    classes = state.get("classes_")
    n_classes = 2 if classes is None else len(classes)
    n_vectors, n_pairs = len(support), n_classes * (n_classes - 1) // 2
    _require(len(counts) == n_classes and (counts >= 0).all(), cls, "_n_support")
    if classes is not None:
        _require(counts.sum() == n_vectors, cls, "_n_support")
    shape: Any = state.get("shape_fit_")
    _require(type(shape) is tuple and len(shape) == 2, cls, "shape_fit_")
    _require(((support >= 0) & (support < shape[0])).all(), cls, "support_")
    _require(shape[1] == state.get("n_features_in_"), cls, "shape_fit_")
    vectors = state.get("support_vectors_")
    if state.get("kernel") != "precomputed":
        _require(vectors is not None and vectors.shape[0] == n_vectors, cls, "support_vectors_")
    is_sparse = state.get("_sparse")
    _require(type(is_sparse) is bool, cls, "_sparse")
    for name in ("dual_coef_", "_dual_coef_"):
        array: Any = state.get(name)
        fits = array is not None and array.shape == (n_classes - 1, n_vectors)
        _require(fits and sparse.issparse(array) == is_sparse, cls, name)
    if state.get("kernel") != "precomputed":
        _require(sparse.issparse(vectors) == is_sparse, cls, "support_vectors_")
    for name in ("intercept_", "_intercept_"):
        _require(_is_array(state.get(name), "f", 1), cls, name)
        _require(len(state[name]) == (1 if classes is None else n_pairs), cls, name)
    for name in ("_probA", "_probB"):
        array = state.get(name)
        _require(_is_array(array, "f", 1), cls, name)
        _require(len(array) in (0, 1 if classes is None else n_pairs), cls, name)


def _check_neighbors(cls: type, state: State) -> None:
    """Check the numbers of the neighbours' classes, by which probabilities are added up."""
    rows, targets = state.get("_fit_X"), state["_y"]
    _require(_is_array(targets, "biufO", np.ndim(targets)), cls, "_y")
    _require(rows is not None and rows.shape[0] == len(targets), cls, "_y")
    classes = state.get("classes_")
    if classes is not None:
        columns = targets.reshape(len(targets), -1).T
        lists = classes if isinstance(classes, list) else [classes]
        _require(len(lists) == len(columns), cls, "classes_")
        for column, labels in zip(columns, lists, strict=True):
            _require(_is_array(column, "i", 1), cls, "_y")
            _require(((column >= 0) & (column < len(labels))).all(), cls, "_y")


def _check_vocabulary(cls: type, state: State) -> None:
    """Check that the columns of a vocabulary are those of its matrix."""
    columns = state["vocabulary_"]
    _require(isinstance(columns, dict), cls, "vocabulary_")
    numbers = set(columns.values())
    _require(numbers == set(range(len(columns))), cls, "vocabulary_")


_CHECKS: dict[str, Callable[[type, State], None]] = {
    "_n_support": _check_libsvm,
    "_y": _check_neighbors,
    "vocabulary_": _check_vocabulary,
}
