"""What a user passes, taken apart: the estimator, and the steps before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sknn.estimators import FittedParts, NeuralEstimator, on_the_cpu, pairs_rows, parts_of

from ._columns import layers_of, steps_of, text_columns, undo, used_columns, words_of

# Stands for any text that no encoder knows.
OTHER_TEXT = "\0"


@dataclass(frozen=True)
class FittedModel:
    """A fitted estimator on the CPU, and the steps that X goes through first."""

    # Where columns hold text, X is their numbers in all methods: places in `words`.
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

    @cached_property
    def words(self) -> list[str]:
        """All text that encoders know."""
        return words_of(self.steps)

    @cached_property
    def text_columns(self) -> list[int]:
        """The columns of X that hold text."""
        return sorted(text_columns(self.steps))

    @cached_property
    def used_columns(self) -> list[int]:
        """The columns of X that the steps do not drop."""
        return used_columns(self.steps)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns of X, made up where it had none."""
        given = getattr(self.steps[0], "_given_names", None)
        if given is None:
            given = getattr(self.steps[0], "feature_names_in_", None)
        if given is None:
            given = [f"x{i}" for i in range(self.steps[0].n_features_in_)]
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
        """Return X with text."""
        if not self.text_columns:
            return X
        words = np.array([*self.words, OTHER_TEXT], dtype=object)  # the last one is number -1
        table = X.astype(object)
        table[:, self.text_columns] = words[X[:, self.text_columns].astype(int)]
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
        return FittedModel(fitted.estimator, before + fitted.steps)
    if not isinstance(model, NeuralEstimator) or not pairs_rows(model):
        raise TypeError(
            f"estimator is of class {type(model).__name__}, which cannot be exported. Pass one of "
            "the classifiers and regressors of the package sknn itself (estimators whose answers "
            "are sequences cannot be exported), a Pipeline that ends in one, or a search over "
            "either."
        )
    check_is_fitted(model)
    return FittedModel(on_the_cpu(model), [])


def _best_estimator(search: Any) -> Any:
    check_is_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise ValueError(
            f"estimator is a {type(search).__name__} with refit=False, which has no "
            "best_estimator_. Pass a fitted estimator, or search with refit=True."
        )
    return search.best_estimator_
