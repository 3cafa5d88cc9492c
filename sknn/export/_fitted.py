"""What a user passes, taken apart: the estimator, and the steps before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sknn.estimators import (
    FittedParts,
    NeuralEstimator,
    TableFormat,
    on_the_cpu,
    pairs_rows,
    parts_of,
)

from ._columns import layers_of, steps_of, text_columns, undo, used_columns, words_of

# Stands for any text that is unknown.
OTHER_TEXT = "\0"

# Texts that stand for missing ones in columns of tables: an empty one, and those that onnxruntime
# makes of NaN, None and pandas' NA.
MISSING_TEXTS = ("", "nan", "None", "<NA>")


@dataclass(frozen=True)
class Lookup:
    """Which number each text of a column becomes."""

    numbers: dict[str, int]
    default: int  # of other texts

    def texts(self, numbers: np.ndarray) -> np.ndarray:
        """Return texts (n,) that become these numbers."""
        found: dict[int, str] = {}
        for text, number in self.numbers.items():
            found.setdefault(number, text)
        return np.array([found.get(number, OTHER_TEXT) for number in numbers.astype(int)], object)


def _table_lookup(codes: dict[str | None, int]) -> Lookup:
    """Return how texts become codes of a table, that of None by texts that are no level."""
    texts = {text: code for text, code in codes.items() if text is not None}
    return Lookup(dict.fromkeys(MISSING_TEXTS, codes[None]) | texts, 0)


@dataclass(frozen=True)
class FittedModel:
    """A fitted estimator on the CPU, and the steps that X goes through first."""

    # X is an array in all methods: text stands there as the numbers that it is looked up for, and
    # dates of tables as seconds.
    estimator: Any  # a copy, which computes in the type of its weights
    steps: list[Any]  # of scikit-learn's, in their order

    @cached_property
    def parts(self) -> FittedParts:
        """What the estimator consists of."""
        return parts_of(self.estimator)

    @property
    def is_classifier(self) -> bool:
        """Whether the answers are labels."""
        return is_classifier(self.estimator)

    @property
    def has_probabilities(self) -> bool:
        """Whether it is a classifier whose loss defines probabilities."""
        return hasattr(self.estimator, "predict_proba")

    @property
    def table(self) -> TableFormat | None:
        """What the columns of X are, of an estimator for tables without steps before it."""
        found = self.parts.format
        return found if isinstance(found, TableFormat) and not self.steps else None

    @cached_property
    def words(self) -> list[str]:
        """All text that encoders know."""
        return words_of(self.steps)

    @cached_property
    def lookups(self) -> dict[int, Lookup]:
        """The columns of X that hold text, and the numbers that it becomes."""
        if self.table is None:
            lookup = Lookup({word: place for place, word in enumerate(self.words)}, -1)
            return dict.fromkeys(sorted(text_columns(self.steps)), lookup)
        return {i: _table_lookup(codes) for i, codes in self.table.text_codes().items()}

    @property
    def has_column_inputs(self) -> bool:
        """Whether each column of X is an input of its own."""
        return bool(self.lookups) or (self.table is not None and self.table.has_names)

    @cached_property
    def used_columns(self) -> list[int]:
        """The columns of X that the steps do not drop."""
        return used_columns(self.steps) if self.steps else list(range(len(self.column_names)))

    @property
    def column_names(self) -> list[str]:
        """The names of the columns of X, made up where it had none."""
        first = self.steps[0] if self.steps else self.estimator
        given = getattr(first, "_given_names", None)
        if given is None:
            given = getattr(first, "feature_names_in_", None)
        if given is None:
            given = [f"x{i}" for i in range(first.n_features_in_)]
        return [str(name) for name in given]

    def preprocessing(self) -> nn.Sequential:
        """Return a module that does what the steps do."""
        layers = (layer for step in self.steps for layer in layers_of(step, self.words))
        return nn.Sequential(*layers)

    def transform(self, X: np.ndarray) -> Any:
        """Return X as the estimator gets it."""
        table = self.as_given(X)
        for step in self.steps:
            table = step.transform(table)
        return table

    def as_given(self, X: np.ndarray) -> Any:
        """Return X with text, and in tables with dates."""
        if self.table is not None:
            return X if self.table.is_plain else self.table.to_table(X)
        if not self.lookups:
            return X
        table = X.astype(object)
        for i, lookup in self.lookups.items():
            table[:, i] = lookup.texts(X[:, i])
        return table

    def made_up(self, outputs: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return an X that the estimator gets as rows like these."""
        X = outputs
        for step in reversed(self.steps):
            X = undo(step, X, self.words, random)
        return X


def take_apart(model: Any) -> FittedModel:
    """Find the estimator and the steps before it in an estimator, a pipeline or a search."""
    if isinstance(model, BaseSearchCV):
        return take_apart(_best_estimator(model))
    if isinstance(model, Pipeline):
        check_is_fitted(model)
        *steps, (_, last) = model.steps
        before = [each for name, step in steps for each in steps_of(name, step)]
        fitted = take_apart(last)
        if before and fitted.table is not None:
            fitted.table.require_plain()
        return FittedModel(fitted.estimator, before + fitted.steps)
    predicts = is_classifier(model) or is_regressor(model)
    if not (isinstance(model, NeuralEstimator) and predicts and pairs_rows(model)):
        raise TypeError(
            f"estimator is of class {type(model).__name__}, which cannot be exported. Pass one of "
            "the classifiers and regressors of the package sknn itself (estimators whose answers "
            "are sequences cannot be exported), a Pipeline that ends in one, or a search over "
            "either."
        )
    check_is_fitted(model)
    fitted = FittedModel(on_the_cpu(model), [])
    if fitted.table is not None:
        fitted.table.require_numbers()
    return fitted


def _best_estimator(search: Any) -> Any:
    check_is_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise ValueError(
            f"estimator is a {type(search).__name__} with refit=False, which has no "
            "best_estimator_. Pass a fitted estimator, or search with refit=True."
        )
    return search.best_estimator_
