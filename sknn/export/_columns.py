"""scikit-learn's transformations of the columns of a table, as torch modules.

Text is numbers here: the place of each word among `words`, -1 for others, in columns of float64.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ._quiet import quiet

Operation = tuple[Callable[[Tensor, Tensor], Tensor], Any]


class Arithmetic(nn.Module):
    """One operation between each row and a vector, (n_features,), in the rows' own type."""

    vector: Tensor

    def __init__(self, operation: Callable[[Tensor, Tensor], Tensor], vector: Any) -> None:
        super().__init__()
        self.operation = operation
        self.register_buffer("vector", torch.as_tensor(vector, dtype=torch.float64))

    def forward(self, X: Tensor) -> Tensor:
        """Map (batch, n_features) to the same shape."""
        return self.operation(X, self.vector.to(X.dtype))


class Floating(nn.Module):
    """Cast integers to float64, as scikit-learn's scalers do."""

    def forward(self, X: Tensor) -> Tensor:
        """Return the rows in a float type."""
        return X if X.is_floating_point() else X.double()


def scaling_layers(scaler: Any) -> list[nn.Module]:
    """Return a fitted scaler as torch modules."""
    return [Floating(), *(Arithmetic(*each) for each in SCALERS[type(scaler)](scaler))]


def _standard(scaler: StandardScaler) -> list[Operation]:
    centering = [(torch.sub, scaler.mean_)] if scaler.with_mean else []
    return centering + ([(torch.div, scaler.scale_)] if scaler.with_std else [])


def _robust(scaler: RobustScaler) -> list[Operation]:
    centering = [(torch.sub, scaler.center_)] if scaler.with_centering else []
    return centering + ([(torch.div, scaler.scale_)] if scaler.with_scaling else [])


def _min_max(scaler: MinMaxScaler) -> list[Operation]:
    affine: list[Operation] = [(torch.mul, scaler.scale_), (torch.add, scaler.min_)]
    return affine + (_clipped(*scaler.feature_range) if scaler.clip else [])


def _max_abs(scaler: MaxAbsScaler) -> list[Operation]:
    return [(torch.div, scaler.scale_)] + (_clipped(-1, 1) if scaler.clip else [])


def _clipped(low: float, high: float) -> list[Operation]:
    return [(torch.maximum, low), (torch.minimum, high)]


SCALERS: dict[type, Callable[[Any], list[Operation]]] = {
    StandardScaler: _standard,
    MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
    RobustScaler: _robust,
}


ENCODERS = (OneHotEncoder, OrdinalEncoder)

# Share of missing values in rows that are made up.
MISSING = 0.1

# The steps before a network that can be exported.
STEPS = (*SCALERS, SimpleImputer, *ENCODERS, ColumnTransformer)


def steps_of(name: str, step: Any) -> list[Any]:
    """Return the fitted steps in a step of a pipeline; TypeError if one cannot be exported."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return []
    if type(step) is FunctionTransformer and step.func is None and step.inverse_func is None:
        return []
    if isinstance(step, Pipeline):
        return [each for inner, part in step.steps for each in steps_of(inner, part)]
    if type(step) not in STEPS:
        known = ", ".join(sorted(each.__name__ for each in STEPS))
        raise TypeError(
            f"estimator has the step {name!r} of class {type(step).__name__}, which cannot be "
            f"exported; {known} can. Export the last step alone and give it what the other steps "
            "return, or export those with skl2onnx."
        )
    check_is_fitted(step)
    if isinstance(step, ColumnTransformer):
        parts_of(step)  # raises for what is within
        step = _positional(step)
    return [step]


def _positional(transformer: ColumnTransformer) -> ColumnTransformer:
    """Return a ColumnTransformer that finds its columns by their places, in arrays."""
    copied = copy.copy(transformer)
    copied._given_names = vars(copied).pop("feature_names_in_", None)
    copied.transformers_ = [
        (
            name,
            _positional(step) if isinstance(step, ColumnTransformer) else step,
            list(transformer._transformer_to_input_indices[name]),
        )
        for name, step, _ in transformer.transformers_
    ]
    return copied


class Part(NamedTuple):
    """A part of a ColumnTransformer."""

    steps: list[Any]
    indices: list[int]  # of its columns
    outputs: slice  # its place among all outputs
    weight: float | None  # factor of the outputs


def parts_of(transformer: ColumnTransformer) -> list[Part]:
    """Return the parts of a ColumnTransformer, without those that have or keep no columns."""
    weights = transformer.transformer_weights or {}
    parts = []
    for name, step, _ in transformer.transformers_:
        indices = [int(i) for i in transformer._transformer_to_input_indices[name]]
        if indices and not (isinstance(step, str) and step == "drop"):
            steps, outputs = steps_of(name, step), transformer.output_indices_[name]
            parts.append(Part(steps, indices, outputs, weights.get(name)))
    return parts


def layers_of(step: Any, words: Sequence[str]) -> list[nn.Module]:
    """Return a fitted step, one of `STEPS`, as torch modules."""
    if isinstance(step, ColumnTransformer):
        return [Columns(step, words)]
    if isinstance(step, SimpleImputer):
        return [Floating(), Imputation(step)]
    if isinstance(step, ENCODERS):
        return [Encoding(step, words)]
    return scaling_layers(step)


class Columns(nn.Module):
    """The parts of a fitted ColumnTransformer, side by side."""

    def __init__(self, transformer: ColumnTransformer, words: Sequence[str]) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.indices: list[list[int]] = []
        for part in parts_of(transformer):
            layers = [layer for step in part.steps for layer in layers_of(step, words)]
            if part.weight is not None:
                layers += [Floating(), Arithmetic(torch.mul, part.weight)]
            self.parts.append(nn.Sequential(*layers))
            self.indices.append(part.indices)

    def forward(self, X: Tensor) -> Tensor:
        """Map (batch, n_features) to (batch, n_outputs)."""
        parts = zip(self.parts, self.indices, strict=True)
        return torch.cat([part(X[:, indices]) for part, indices in parts], 1)


class Imputation(nn.Module):
    """A fitted SimpleImputer for numbers; text is never missing."""

    statistics: Tensor

    def __init__(self, imputer: SimpleImputer) -> None:
        super().__init__()
        self.is_text = is_text(imputer.statistics_)
        self.missing_values = imputer.missing_values
        numbers = np.zeros(0) if self.is_text else imputer.statistics_.astype(float)
        keeps_all = imputer.strategy == "constant" or imputer.keep_empty_features or self.is_text
        self.kept = None if keeps_all else np.flatnonzero(~np.isnan(numbers)).tolist()
        self.indicated = imputer.indicator_.features_.tolist() if imputer.add_indicator else []
        self.register_buffer("statistics", torch.as_tensor(numbers, dtype=torch.float64))

    def forward(self, X: Tensor) -> Tensor:
        """Map (batch, n_features) to (batch, n_outputs)."""
        if self.is_text:
            return X
        missing = X.isnan() if _is_nan(self.missing_values) else self.missing_values == X
        filled = torch.where(missing, self.statistics.to(X.dtype), X)
        filled = filled if self.kept is None else filled[:, self.kept]
        if not self.indicated:
            return filled
        return torch.cat([filled, missing[:, self.indicated].to(X.dtype)], 1)


class Encoding(nn.Module):
    """A fitted encoder: a table for each column, of a row for each category."""

    def __init__(self, encoder: Any, words: Sequence[str]) -> None:
        super().__init__()
        self.n_columns = len(encoder.categories_)
        for i, categories in enumerate(encoder.categories_):
            numbers = _as_numbers(categories, words)
            table, unknown = _table(encoder, i)
            for name, values in (("category", numbers), ("table", table), ("unknown", unknown)):
                self.register_buffer(f"{name}_{i}", torch.as_tensor(values, dtype=torch.float64))

    def forward(self, X: Tensor) -> Tensor:
        """Map (batch, n_columns) to (batch, n_outputs)."""
        X = X.double()
        return torch.cat([self._encode(X[:, i : i + 1], i) for i in range(self.n_columns)], 1)

    def _encode(self, column: Tensor, i: int) -> Tensor:
        categories, table = getattr(self, f"category_{i}"), getattr(self, f"table_{i}")
        found = (column == categories) | (column.isnan() & categories.isnan())
        rows = table.index_select(0, found.float().argmax(1))
        return torch.where(found.any(1, keepdim=True), rows, getattr(self, f"unknown_{i}"))


def _table(encoder: Any, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an encoder's outputs for each category of a column, and for an unknown one."""
    categories = encoder.categories_
    n = len(categories[i])
    has_text = any(is_text(values) for values in categories)
    probe = np.empty((n + 1, len(categories)), dtype=object if has_text else float)
    for j, values in enumerate(categories):
        probe[:, j] = values[0]
    probe[:n, i] = categories[i]
    refuses = encoder.handle_unknown == "error"
    probe[n, i] = categories[i][0] if refuses else _other_than(categories[i])
    with quiet():
        encoded = _nameless(encoder).transform(probe)
    rows = np.asarray(encoded.toarray() if hasattr(encoded, "toarray") else encoded, dtype=float)
    if isinstance(encoder, OneHotEncoder):
        last = np.cumsum(encoder._n_features_outs)
        rows = rows[:, last[i] - encoder._n_features_outs[i] : last[i]]
    else:
        rows = rows[:, i : i + 1]
    return rows[:n], np.zeros(rows.shape[1]) if refuses else rows[n]


def _other_than(categories: np.ndarray) -> Any:
    """Return text or a number that is no category."""
    if is_text(categories):
        return max(categories, key=len) + "?"
    return 2 * np.nanmax(np.abs(categories.astype(float)), initial=0) + 1


def _nameless(encoder: Any) -> Any:
    """Return the encoder as if it had been fitted with an array, and returned one."""
    nameless = object.__new__(type(encoder))
    hidden = ("feature_names_in_", "_sklearn_output_config")
    nameless.__dict__.update({k: v for k, v in vars(encoder).items() if k not in hidden})
    return nameless


def _as_numbers(categories: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Return the numbers that stand for categories in the columns of a graph."""
    if is_text(categories):
        return np.array([words.index(word) for word in categories], dtype=float)
    try:
        return categories.astype(float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"estimator has an encoder with the categories {list(categories)[:5]}, which are "
            "neither all text nor all numbers; ONNX has no columns of both, nor of missing text."
        ) from error


def is_text(categories: np.ndarray) -> bool:
    """Say whether all categories of a column are text."""
    return all(isinstance(each, str) for each in categories)


def words_of(steps: Sequence[Any]) -> list[str]:
    """Return all text that the encoders among some steps know."""
    words: set[str] = set()
    for step in steps:
        if isinstance(step, ColumnTransformer):
            for part in parts_of(step):
                words |= set(words_of(part.steps))
        elif isinstance(step, ENCODERS):
            words |= {word for each in step.categories_ if is_text(each) for word in each}
    return sorted(words)


def text_columns(steps: Sequence[Any]) -> set[int]:
    """Return which input columns of some steps hold text."""
    for step in steps:
        if isinstance(step, ENCODERS):
            return {i for i, each in enumerate(step.categories_) if is_text(each)}
        if isinstance(step, ColumnTransformer):
            parts = parts_of(step)
            return {part.indices[i] for part in parts for i in text_columns(part.steps)}
        if not (isinstance(step, SimpleImputer) and is_text(step.statistics_)):
            break
    return set()


def used_columns(steps: Sequence[Any]) -> list[int]:
    """Return which input columns of some steps are not dropped by the first of them."""
    if not isinstance(steps[0], ColumnTransformer):
        return list(range(steps[0].n_features_in_))
    return sorted({i for part in parts_of(steps[0]) for i in part.indices})


def undo(step: Any, X: np.ndarray, words: Sequence[str], random: np.random.Generator) -> np.ndarray:
    """Make up an input of a step, (n, n_features), whose output is like X, (n, n_outputs)."""
    n = len(X)  # `random` draws categories, and what the output does not tell
    if isinstance(step, ENCODERS):
        known = [_as_numbers(each, words) for each in step.categories_]
        return np.stack([random.choice(each, n) for each in known], 1)
    if isinstance(step, SimpleImputer):
        if is_text(step.statistics_):
            return X
        made_up = random.normal(size=(n, step.n_features_in_))
        kept = Imputation(step).kept
        kept = list(range(step.n_features_in_)) if kept is None else kept
        made_up[:, kept] = X[:, : len(kept)]
        made_up[random.random(made_up.shape) < MISSING] = step.missing_values
        return made_up
    if not isinstance(step, ColumnTransformer):
        return step.inverse_transform(X)
    made_up = random.normal(size=(n, step.n_features_in_))
    # categories last: another part may have the same columns
    for part in sorted(parts_of(step), key=lambda part: has_encoders(part.steps)):
        columns = X[:, part.outputs]
        for each in reversed(part.steps):
            columns = undo(each, columns, words, random)
        made_up[:, part.indices] = columns
    return made_up


def has_encoders(steps: Sequence[Any]) -> bool:
    """Say whether there is an encoder among some steps."""
    return any(
        any(has_encoders(part.steps) for part in parts_of(step))
        if isinstance(step, ColumnTransformer)
        else isinstance(step, ENCODERS)
        for step in steps
    )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
