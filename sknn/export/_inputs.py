"""What X looks like, and its way into the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse

from sknn.data import Ragged, as_list_of_series, join_series, torch_type
from sknn.estimators import TableFormat

from ._columns import has_encoders
from ._fitted import FittedModel
from ._quiet import quiet
from ._traceable import fewest_steps

# Rows of the sample that are made up, and rows of the user's that are compared, at most.
SAMPLE_ROWS = 7
COMPARED_ROWS = 64


@dataclass(frozen=True)
class InputFormat:
    """What X looks like."""

    sample: np.ndarray  # some rows
    fewest_steps: int | None  # X may have so many steps or more; None: their number is fixed
    # Of the columns that are inputs of their own, by their number; None: X is one input.
    column_types: dict[int, np.dtype] | None = None


def find_format(model: FittedModel, X: Any, *, by_columns: bool) -> InputFormat:
    """Find out what X looks like, from the user's X or else from the estimator; check it."""
    types: list[np.dtype] = []
    with quiet():  # columns have lost their names
        if X is None:
            sample = _random_sample(model)
        elif model.table is not None and not (model.table.is_plain and isinstance(X, np.ndarray)):
            sample, types = model.table.to_numbers(X, model.estimator)
        else:
            sample = _as_numbers(model, X) if model.lookups else _as_array(X)
        for i, lookup in model.lookups.items():
            is_known = np.isin(sample[:, i], list(lookup.numbers.values()))
            sample[~is_known, i] = lookup.default
        model.parts.check(model.transform(sample))
    found = InputFormat(sample[:COMPARED_ROWS], _fewest_steps(model, sample))
    if not by_columns or not model.has_column_inputs:
        return found
    types = [torch_type(np.empty(0, each)).dtype for each in types] or [sample.dtype] * len(
        model.column_names
    )
    return replace(found, column_types={i: types[i] for i in model.used_columns})


def _fewest_steps(model: FittedModel, sample: np.ndarray) -> int | None:
    """Return from how many steps on X may have any number of them; None where it is fixed."""
    if not model.parts.format.may_vary_in_length:
        return None
    fewest = fewest_steps(model.parts.network)
    return fewest if sample.shape[1] >= fewest else None


def runtime_inputs(model: FittedModel, found: InputFormat) -> dict[str, np.ndarray]:
    """Return an ONNX runtime's inputs by name: X, or columns of shape (n, 1)."""
    if found.column_types is None:
        return {"X": found.sample}
    inputs = {}
    for i, dtype in found.column_types.items():
        column = found.sample[:, [i]]
        lookup = model.lookups.get(i)
        inputs[model.column_names[i]] = (
            column.astype(dtype) if lookup is None else lookup.texts(column[:, 0])[:, np.newaxis]
        )
    return inputs


def _as_numbers(model: FittedModel, X: Any) -> np.ndarray:
    """Return the user's table with the numbers of its words."""
    table = np.array(X, dtype=object)
    table[:, [i for i in range(table.shape[1]) if i not in model.used_columns]] = 0
    for i, lookup in model.lookups.items():
        table[:, i] = [lookup.numbers.get(word, lookup.default) for word in table[:, i]]
    return table.astype(np.float64)


def _as_array(X: Any) -> np.ndarray:
    """Return the user's samples as an array of a type that ONNX and torch share."""
    if sparse.issparse(X):
        raise TypeError(
            "X is a sparse matrix; exported models take dense rows. Pass some rows with "
            "X[:10].toarray()."
        )
    series = as_list_of_series(X)
    array = np.asarray(X) if series is None else join_series(series)
    if isinstance(array, Ragged):
        raise ValueError(
            "X holds series of different lengths; exported models take series of equal length, "
            "of any length where the network allows it. Pass some of one length."
        )
    if array.dtype.kind not in "biuf" or array.dtype == np.float16:
        raise TypeError(
            f"X has type {array.dtype}; cast it to float32, float64 or an integer type."
        )
    array = torch_type(array)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _random_sample(model: FittedModel) -> np.ndarray:
    """Make up samples of the shape and type that the estimator was fitted with."""
    estimator, found = model.estimator, model.parts.format
    random = np.random.default_rng(0)
    fewest = fewest_steps(model.parts.network) if found.may_vary_in_length else 1
    if isinstance(found, TableFormat):
        return model.made_up(found.make_up(COMPARED_ROWS, random), random)
    shape = (SAMPLE_ROWS, *found.sample_shape(fewest))
    if getattr(estimator, "n_tokens_", None) is not None:
        return random.integers(estimator.n_tokens_, size=shape)
    dtype = torch.zeros(0, dtype=model.parts.compute_dtype).numpy().dtype
    if hasattr(estimator, "image_shape_") and not model.steps:
        return random.random(shape).astype(dtype)
    centre = getattr(found, "centre", None)
    if has_encoders(model.steps) or centre is not None:
        dtype = np.dtype(np.float64)  # categories, and what float32 has no digits for
    numbers = random.normal(size=shape)
    if centre is not None:
        numbers += centre[0] if len(shape) == 2 else np.array(centre)
    return model.made_up(numbers, random).astype(dtype)
