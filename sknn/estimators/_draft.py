"""A fit commits last: what it learns is written to a draft until all input is valid."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

# What fits leave in an estimator. What a subclass sets is its own, whatever its name.
LEARNED = frozenset(
    {
        "_calibration",
        "_compute_dtype",
        "_fold",
        "_format",
        "_given_parameters",
        "_loss",
        "_members",
        "_row_memory",
        "_state",
        "_targets",
        "_work",
        "classes_",
        "feature_names_in_",
        "module_",
        "n_components_",
        "n_features_in_",
        "n_iter_",
        "n_outputs_",
        "n_tokens_",
        "offset_",
        "oof_predictions_",
        "out_activation_",
    }
)


class Draft:
    """An estimator like the user's, on which a fit is prepared.

    What goes on has its fitted attributes too. Networks are shared, and not changed before the
    commit; the training state and the memory of rows are copies. In a ``with`` statement,
    generators are put back to where they stood if the fit is refused.
    """

    def __init__(
        self, estimator: Any, *, goes_on: bool, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.estimator = estimator  # the user's
        self.goes_on = goes_on
        self.fitted = object.__new__(type(estimator))
        self._positions: list[tuple[np.random.RandomState, Any]] = []
        attributes = dict(vars(estimator))  # which other threads may change
        if not goes_on:
            attributes = {n: value for n, value in attributes.items() if n not in LEARNED}
        self._before = dict(attributes)
        attributes.update(parameters or {})  # that have changed
        if goes_on and "_state" in attributes:  # ensembles have none
            state = attributes["_state"]
            attributes["_state"] = replace(state, plateau=copy.copy(state.plateau))
            attributes["_row_memory"] = copy.copy(attributes["_row_memory"])
        vars(self.fitted).update(attributes)

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            for generator, position in reversed(self._positions):
                generator.set_state(position)

    def draws_from(self, generator: np.random.RandomState) -> None:
        """Remember where a generator stands that the fit is going to draw from."""
        self._positions.append((generator, generator.get_state(legacy=False)))

    def commit(self) -> None:
        """Give the user's estimator all that was learned, and take away what is of earlier fits."""
        kept = {n: each for n, each in dict(vars(self.estimator)).items() if n not in LEARNED}
        learned = {
            name: value
            for name, value in vars(self.fitted).items()
            if name in LEARNED or name not in self._before or value is not self._before[name]
        }
        # at once, so that neither an interrupt nor another thread finds half of it
        self.estimator.__dict__ = kept | learned
