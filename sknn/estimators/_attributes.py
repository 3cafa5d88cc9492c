"""What is known of a fitted network."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from sklearn.utils import estimator_html_repr

from sknn.nn import parameters_of
from sknn.training import TrainingState


class FittedAttributes:
    """Fitted attributes that follow from the network and its training state."""

    @property
    def history_(self) -> Any:
        """One dict an epoch: losses, scores, learning rate and seconds."""
        return self._fitted_state().history

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of each epoch."""
        return [epoch["train_loss"] for epoch in self.history_]

    @property
    def loss_(self) -> float:
        """Training loss of the last epoch."""
        losses = self.loss_curve_
        if not losses:
            raise AttributeError("no epoch has been completed, so there is no loss_ yet")
        return losses[-1]

    @property
    def best_loss_(self) -> float | None:
        """Smallest training loss; None with early stopping."""
        plateau = self._fitted_state().plateau
        return None if plateau is None or plateau.maximize else plateau.best

    @property
    def validation_scores_(self) -> list[float] | None:
        """Validation score of each epoch; None without validation data."""
        scores = [epoch["valid_score"] for epoch in self.history_ if "valid_score" in epoch]
        return scores or None

    @property
    def best_validation_score_(self) -> float | None:
        """Largest validation score; None without validation data."""
        scores = self.validation_scores_
        return None if scores is None else max((s for s in scores if s == s), default=np.nan)

    @property
    def t_(self) -> int:
        """Number of samples seen in training, repetitions included."""
        return self._fitted_state().n_samples_seen

    @property
    def n_parameters_(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in parameters_of(self._learned("module_")) if p.requires_grad)

    def _fitted_state(self) -> TrainingState:
        return self._learned("_state")

    def _learned(self, name: str) -> Any:
        """Return an attribute that a fit leaves; AttributeError before the first."""
        if name not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return self.__dict__[name]

    def _html_repr(self) -> str:
        """scikit-learn's diagram, and below it the network of a fitted estimator."""
        diagram = estimator_html_repr(self)
        module = getattr(self, "module_", None)
        if module is None:
            return diagram
        summary = f"Network of {self.n_parameters_:,} parameters"
        text = html.escape(repr(module))
        return f"{diagram}<details><summary>{summary}</summary><pre>{text}</pre></details>"
