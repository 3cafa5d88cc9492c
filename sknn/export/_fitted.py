"""What a user passes, taken apart: the estimator, and the scalers before it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sknn.estimators._base import NeuralEstimator
from sknn.estimators._modules import portable_copy
from sknn.estimators._sequence_targets import SequenceTargets
from sknn.estimators._tasks import NeuralClassifierBase

from ._scaling import SCALERS, scaling_layers


@dataclass(frozen=True)
class FittedModel:
    """A fitted estimator on the CPU, and the scalers that X goes through first.

    Attributes
    ----------
    estimator : NeuralEstimator
        A copy, which computes in the type of its weights.
    scalers : list of scikit-learn's scalers
        In their order.
    """

    estimator: Any
    scalers: list[Any]

    @property
    def is_classifier(self) -> bool:
        """Whether the answers are labels."""
        return isinstance(self.estimator, NeuralClassifierBase)

    @property
    def has_probabilities(self) -> bool:
        """Whether it is a classifier whose loss defines probabilities."""
        return hasattr(self.estimator, "predict_proba")

    def scaling(self) -> nn.Sequential:
        """Return a module that does what the scalers do."""
        return nn.Sequential(*(layer for each in self.scalers for layer in scaling_layers(each)))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return X as the estimator gets it."""
        for scaler in self.scalers:
            X = scaler.transform(X)
        return X

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Return an X that the estimator gets as this one."""
        for scaler in reversed(self.scalers):
            X = scaler.inverse_transform(X)
        return X


def take_apart(model: Any) -> FittedModel:
    """Find the estimator in what the user passes.

    Parameters
    ----------
    model : estimator, Pipeline or search
        What is to be exported.

    Returns
    -------
    FittedModel

    Raises
    ------
    TypeError
        If it is not one of this package's estimators, or a step before it is no scaler.
    NotFittedError
        If it is not fitted.
    """
    if isinstance(model, BaseSearchCV):
        return take_apart(_best_estimator(model))
    if isinstance(model, Pipeline):
        check_is_fitted(model)
        *steps, (_, last) = model.steps
        scalers = [scaler for name, step in steps for scaler in _scalers_of(name, step)]
        fitted = take_apart(last)
        return FittedModel(fitted.estimator, scalers + fitted.scalers)
    if not isinstance(model, NeuralEstimator) or isinstance(model, SequenceTargets):
        raise TypeError(
            f"estimator is of class {type(model).__name__}, which cannot be exported. Pass one of "
            "the classifiers and regressors of the package sknn itself (estimators whose answers "
            "are sequences cannot be exported), a Pipeline of scalers that ends in one, or a "
            "search over either."
        )
    check_is_fitted(model)
    return FittedModel(_on_the_cpu(model), [])


def _best_estimator(search: Any) -> Any:
    check_is_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise ValueError(
            f"estimator is a {type(search).__name__} with refit=False, which has no "
            "best_estimator_. Pass a fitted estimator, or search with refit=True."
        )
    return search.best_estimator_


def _scalers_of(name: str, step: Any) -> list[Any]:
    """Return the scalers that a step of a pipeline consists of."""
    if step is None or step == "passthrough":
        return []
    if isinstance(step, Pipeline):
        return [scaler for inner, each in step.steps for scaler in _scalers_of(inner, each)]
    if type(step) not in SCALERS:
        known = ", ".join(sorted(each.__name__ for each in SCALERS))
        raise TypeError(
            f"estimator has the step {name!r} of class {type(step).__name__}, which cannot be "
            f"exported; {known} can. Export the last step alone and give it what the other steps "
            "return, or export those with skl2onnx."
        )
    check_is_fitted(step)
    return [step]


def _on_the_cpu(estimator: Any) -> Any:
    """Return a copy that predicts on the CPU, in the type of the weights."""
    copied = copy.copy(estimator)
    copied.module_ = portable_copy(estimator.module_).eval().requires_grad_(False)
    copied._compute_dtype = next(copied.module_.parameters()).dtype
    return copied
