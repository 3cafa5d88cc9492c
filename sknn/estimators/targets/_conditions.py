"""Targets that nothing is decided about: labels by which samples are asked for, or none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from sknn.estimators._validation import require_labels, unknown_labels
from sknn.nn import AdversarialLoss, Loss
from sknn.training import decide_labels

from ._base import Targets
from ._labels import check_columns


@dataclass
class Conditions(Targets):
    """Labels of the rows as numbers of classes, of shape (n,); without any, nothing, (n, 0)."""

    classes: np.ndarray | None = None  # in sorted order
    shares: np.ndarray | None = field(default=None, kw_only=True)  # of the rows, (n_classes,)

    task = "generation"

    @staticmethod
    def score(decisions: Tensor, targets: Tensor, sample_weight: Tensor | None) -> float:
        """Return the share of the rows of decisions (n, 1) that are taken for real."""
        real = decisions[:, 0]
        if sample_weight is None:
            return float(real.sum()) / len(real)
        return float((real * sample_weight).sum() / sample_weight.sum())

    @staticmethod
    def check(y: Any, X: Any, name: str) -> np.ndarray:
        """Return labels of shape (n,), or an array of shape (n, 0) for None."""
        if y is None:
            return np.empty((X.shape[0], 0), np.float32)
        y = check_columns(y, X, name, numeric=False)
        if y.ndim != 1:
            raise ValueError(
                f"y has shape {y.shape}; one label a row is needed, of shape (n_samples,)."
            )
        return y

    @classmethod
    def learn(cls, y: Any, classes: Any = None) -> Conditions:
        """Find the classes, or take those that `partial_fit` was given."""
        if y.ndim == 2:
            if classes is not None:
                raise ValueError("classes was given without y.")
            return cls()
        if classes is not None:
            require_labels(classes, "classes")
        found = np.unique(y if classes is None else classes)
        if found.dtype.kind == "f" and (found % 1).any():
            raise ValueError(
                "y has numbers with fractions; labels are needed. To generate numbers beside the "
                "rest, make them columns of X."
            )
        if len(found) < 2:
            raise ValueError(
                f"y contains only one class ({found[0]}), which says nothing about samples. Leave "
                "y out, or pass rows of several classes."
            )
        return cls(found)

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def n_outputs(self) -> int:
        """One: how real a row looks."""
        return 1

    @property
    def score_name(self) -> str:
        """The name of scores in printed lines."""
        return "taken for real"

    @property
    def fitted_attributes(self) -> dict[str, Any]:
        """The labels, if there are any."""
        return {} if self.classes is None else {"classes_": self.classes}

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return numbers of classes (n,); refuse labels that are not among the classes."""
        if self.classes is None:
            if y.ndim == 1:
                raise ValueError(
                    "y was given, but the generator was fitted without labels: leave y out, or "
                    "fit it anew with y."
                )
            return y
        if y.ndim == 2:
            raise ValueError("the generator was fitted with labels: y is needed.")
        unknown = unknown_labels(y, self.classes)
        if len(unknown):
            raise ValueError(
                f"y has the label {unknown.tolist()[0]!r}, which the generator was not fitted "
                f"with. Its classes_ are {self.classes}."
            )
        return np.searchsorted(self.classes, y).astype(np.int64)

    def adapted(
        self,
        encoded: np.ndarray,
        sample_weight: np.ndarray | None,
        loss: Loss,
        *,
        scales: bool,
        clips: bool,
    ) -> Conditions:
        """Count how often each class comes."""
        if self.classes is None:
            return self
        counts = np.bincount(encoded, sample_weight, minlength=len(self.classes))
        return replace(self, shares=counts / counts.sum())

    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the loss of both networks that the parameters name."""
        return AdversarialLoss(parameters.loss)

    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Return whether rows look real, (n, 1)."""
        return decide_labels(outputs)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Return whether rows look real, (n,)."""
        return decisions[:, 0]

    def stratification(self, y: Any) -> np.ndarray | None:
        """Return the labels, if there are any."""
        return None if self.classes is None else y

    def draw(self, n_samples: int, random_state: np.random.RandomState) -> np.ndarray:
        """Draw numbers of classes (n_samples,) as often as they came in training."""
        return random_state.choice(self.n_classes, n_samples, p=self.shares)
