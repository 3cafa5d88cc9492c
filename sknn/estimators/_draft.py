"""A fit commits last: what it learns is written to a draft until all input is valid."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

# What fits leave in an estimator, beside the public attributes that end in "_".
LEARNED = (
    "_compute_dtype",
    "_format",
    "_given_parameters",
    "_loss",
    "_members",
    "_row_memory",
    "_state",
    "_targets",
    "_work",
)


class Draft:
    """An estimator like the user's, on which a fit is prepared.

    What goes on has its fitted attributes too. Networks are shared, and not changed before the
    commit; the training state and the memory of rows are copies.
    """

    def __init__(
        self, estimator: Any, *, goes_on: bool, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.estimator = estimator  # the user's
        self.goes_on = goes_on
        self._parameters = dict(parameters or {})  # that have changed
        self.fitted = object.__new__(type(estimator))
        self._generators: list[tuple[np.random.RandomState, np.random.RandomState]] = []
        attributes = vars(self.fitted)
        for name, value in vars(estimator).items():
            if goes_on or not is_learned(name):
                attributes[name] = value
        attributes.update(self._parameters)
        if goes_on and "_state" in attributes:  # ensembles have none
            state = attributes["_state"]
            attributes["_state"] = replace(
                state,
                random_state=self.generator_like(state.random_state),
                plateau=copy.copy(state.plateau),
            )
            attributes["_row_memory"] = copy.copy(attributes["_row_memory"])

    def generator_like(self, generator: np.random.RandomState) -> np.random.RandomState:
        """Return a generator to draw from; the commit brings the given one to where it stands."""
        for original, drawn in self._generators:
            if original is generator:
                return drawn
        drawn = copy.deepcopy(generator)
        self._generators.append((generator, drawn))
        return drawn

    def commit(self) -> None:
        """Give the user's estimator all that was learned, and take away what is of earlier fits."""
        learned = {name: value for name, value in vars(self.fitted).items() if is_learned(name)}
        kept = {n: value for n, value in vars(self.estimator).items() if not is_learned(n)}
        for original, drawn in self._generators:
            original.set_state(drawn.get_state(legacy=False))
            if "_state" in learned and learned["_state"].random_state is drawn:
                learned["_state"].random_state = original
        # at once, so that neither an interrupt nor another thread finds half of it
        self.estimator.__dict__ = kept | learned | self._parameters


def is_learned(name: str) -> bool:
    """Say whether fits leave an attribute of this name."""
    return name in LEARNED or (name.endswith("_") and not name.startswith("_"))
