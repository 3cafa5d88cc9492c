"""What `fit` was given: validated, with what X and y are found to be."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from sknn.data import fingerprint, refusing_dates
from sknn.training import takes_all_rows

from ._draft import Draft
from ._inputs import array_like
from ._shared import SharedData, examine
from ._validation import check_weight_sum

VALIDATION = "X_val, y_val"


@dataclass(frozen=True)
class FitArguments:
    """What `fit` or `partial_fit` was given."""

    X: Any
    y: Any
    sample_weight: Any = None
    validation: tuple[Any, Any, Any] | None = None  # X, y, weights
    classes: Any = None  # all labels that will come, in the first call of `partial_fit`
    incremental: bool = False  # whether this is `partial_fit`


@dataclass(eq=False)
class CheckedData:
    """What `fit` was given, validated."""

    given: dict[str, Any]  # X, y and metadata as the user gave them, for scikit-learn's callbacks
    X: Any
    y: Any
    targets: Any  # y as the loss takes it
    sample_weight: np.ndarray | None  # those of the classes multiplied in
    validation: tuple[Any, Any, Any, Any] | None  # X, y, targets and weights
    incremental: bool
    _made: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what is made of the data once for all networks of an ensemble."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @property
    def n_counted(self) -> int:
        """Number of rows whose weight is above 0."""
        weights = self.sample_weight
        return self.X.shape[0] if weights is None else int(np.count_nonzero(weights))

    @cached_property
    def fingerprints(self) -> dict[str, str | None]:
        """A digest for each part, by the name that the user knows it by."""
        X_val, _, targets_val, weights_val = self.validation or (None, None, None, None)
        parts = {
            "X": self.X,
            "y": self.targets,
            "sample_weight": self.sample_weight,
            "X_val": X_val,
            "y_val": targets_val,
            "sample_weight_val": weights_val,
        }
        return {name: fingerprint(part) for name, part in parts.items()}


def check_data(
    draft: Draft, arguments: FitArguments, shared: SharedData | None = None
) -> CheckedData:
    """Validate what is trained on and validated on; learn what X and y are."""
    model, goes_on = draft.fitted, draft.goes_on
    X, y = array_like(arguments.X, "X"), array_like(arguments.y, "y")
    given = {"X": X, "y": y, "metadata": {"sample_weight": arguments.sample_weight}}
    if goes_on:
        X = model._format.check(X, model)
        y = model._targets_kind.check(y, X, type(model).__name__)
        if not arguments.incremental:
            model._targets = model._targets.continued(y)
        encoded = model._targets.encode(y)
    else:
        found = examine(model, X, y, arguments.classes, shared)
        X, y, encoded = found.X, found.y, found.encoded
    given_weights = check_weights("sample_weight", arguments.sample_weight, X)
    targets = model._targets
    vars(model).update(targets.fitted_attributes)
    weights = targets.class_weighted(y, targets.spread(given_weights, encoded), model)
    if weights is not None:
        check_weight_sum(weights)
    if not goes_on:
        X = model._learn_features(X, _without_classes(given_weights, weights, X.shape[0]))
        targets = model._targets
    model._loss = targets.make_loss(model, weighted=weights is not None)
    model.out_activation_ = model._loss.out_activation
    if not goes_on:
        scales, clips = model._scales_targets, model._clips_predictions
        adapted = targets.adapted(encoded, weights, model._loss, scales=scales, clips=clips)
        if adapted is not targets:
            model._targets = targets = adapted
            encoded = targets.encode(y)
    model.n_outputs_ = targets.n_outputs
    targets.check_loss(model._loss, encoded)
    if not goes_on and not arguments.incremental:
        model._warn_of_scales(X, encoded)
    validation = None
    if arguments.validation is not None:
        validation = _check_validation(model, *arguments.validation)
    return CheckedData(given, X, y, encoded, weights, validation, arguments.incremental)


def _without_classes(
    sample_weight: np.ndarray | None, weights: np.ndarray | None, n_rows: int
) -> np.ndarray | None:
    """Return weights of rows (n,), 0 for those of a class whose weight is 0."""
    if weights is None or len(weights) != n_rows or weights.all():
        return sample_weight
    return np.where(weights > 0, 1.0 if sample_weight is None else sample_weight, 0.0)


def _check_validation(
    model: Any, X_val: Any, y_val: Any, weights_val: Any
) -> tuple[Any, Any, Any, np.ndarray | None]:
    """Validate the user's validation data as the training data, with errors of their own."""
    targets = model._targets
    with naming(VALIDATION):
        X_val, y_val = array_like(X_val, "X_val"), array_like(y_val, "y_val")
        X_val = model._format.check(X_val, model)
        y_val = model._targets_kind.check(y_val, X_val, type(model).__name__)
        encoded_val = targets.encode(y_val)
        targets.check_loss(model._loss, encoded_val)
    weights_val = check_weights("sample_weight_val", weights_val, X_val)
    return X_val, y_val, encoded_val, targets.spread(weights_val, encoded_val)


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Say of errors what they are about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def join_validation(X_val: Any, y_val: Any, sample_weight_val: Any) -> tuple[Any, Any, Any] | None:
    """Return the validation data that `fit` got; None if it got none."""
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val go together: only one of them was given.")
    if sample_weight_val is not None and X_val is None:
        raise ValueError("sample_weight_val was given without X_val and y_val.")
    return None if X_val is None else (X_val, y_val, sample_weight_val)


def check_weights(name: str, weights: Any, X: Any) -> np.ndarray | None:
    """Return validated weights of shape (n_samples,)."""
    if weights is None:
        return None
    with naming(name):
        weights = array_like(weights, name)
    with naming(name), refusing_dates(weights, "it"):
        return _check_sample_weight(weights, X, dtype=np.float64, ensure_non_negative=True)


def takes_streams(estimator: Any) -> bool:
    """Raise AttributeError, which hides `partial_fit`, where a network needs all rows at once."""
    obstacle = estimator._obstacle_to_streams()
    if obstacle:
        raise AttributeError(f"partial_fit is not available: {obstacle}")
    if takes_all_rows(estimator._solver):
        raise AttributeError(
            "partial_fit is only available for stochastic solvers. "
            f"{estimator._solver} is not stochastic; solver='adam' is."
        )
    return True
