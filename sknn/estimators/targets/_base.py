"""What y is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from sknn.data import Rows
from sknn.nn import Loss
from sknn.training import check_outputs


class Targets(ABC):
    """What y is: learned from training data, it encodes y, decides on outputs and scores.

    Subclasses are plain data. `parameters` is any object with the parameters of an estimator.
    """

    pairs_rows: ClassVar[bool] = True  # whether each sample has one target
    task: str  # "regression", or the kind of classification

    @staticmethod
    @abstractmethod
    def check(y: Any, X: Any, name: str) -> Any:
        """Return y validated against a validated X; `name` is the estimator's."""

    @classmethod
    @abstractmethod
    def learn(cls, y: Any, classes: Any = None) -> Targets:
        """Find what validated training targets are; `classes` are those that will ever come."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of network outputs."""

    @abstractmethod
    def encode(self, y: Any) -> Any:
        """Return what the loss takes, or refuse a y that differs from the training targets."""

    @abstractmethod
    def make_loss(self, parameters: Any, *, weighted: bool) -> Loss:
        """Return the loss."""

    @abstractmethod
    def decide(self, outputs: Tensor, loss: Loss) -> Tensor:
        """Turn outputs (n, n_outputs) into decisions or values."""

    # accuracy or R2 of what `measure` returns and of encoded targets, with weights (n,) or None
    score: ClassVar[staticmethod[[Tensor, Tensor, Tensor | None], float]]

    @abstractmethod
    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Turn decisions into answers in the form of y."""

    # ------------------------------------------------------- what most kinds of targets leave as is

    def measure(self, outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
        """Return what `score` is of for a batch: decisions, or a number for each row (n,)."""
        return self.decide(outputs, loss)

    @property
    def score_name(self) -> str:
        """The name of scores in printed lines."""
        return "R2" if self.task == "regression" else "accuracy"

    @property
    def fitted_attributes(self) -> dict[str, Any]:
        """Attributes of a fitted estimator that say what y was."""
        return {}

    @classmethod
    def of_earlier_version(cls, state: dict[str, Any]) -> Any:
        """Return targets of the attributes of a fitted estimator that had none of this kind."""
        return state["_targets"]

    def continued(self, y: Any) -> Targets:
        """Return the targets of a warm start with another y, or refuse it."""
        return self

    def adapted(
        self,
        encoded: Any,
        sample_weight: np.ndarray | None,
        loss: Loss,
        *,
        scales: bool,
        clips: bool,
    ) -> Targets:
        """Return the targets that a loss is given of a new fit; weights are those of `encoded`.

        `scales` and `clips` are the family's `_scales_targets` and `_clips_predictions`.
        """
        return self

    def check_loss(self, loss: Loss, encoded: Any) -> None:
        """Refuse encoded targets that a loss is not defined for."""
        return

    def spread(self, sample_weight: np.ndarray | None, encoded: Any) -> np.ndarray | None:
        """Return the weights of all targets, of the weights of rows."""
        return sample_weight

    def class_weighted(
        self, y: Any, sample_weight: np.ndarray | None, parameters: Any
    ) -> np.ndarray | None:
        """Multiply the weights of the classes in."""
        return sample_weight

    def stratification(self, y: Any) -> np.ndarray | None:
        """Return the labels by which the validation part is stratified."""
        return None

    def training_rows(self, rows: Rows, encoded: Any) -> Rows:
        """Return the rows to train on, where the network also reads targets."""
        return rows

    def output_module(self, loss: Loss, shift: np.ndarray | None) -> nn.Module:
        """Return a module from outputs to values of y; only targets that are values have one.

        `shift` (n_columns, n_levels) calibrates quantiles.
        """
        raise NotImplementedError

    def check_outputs(
        self, outputs: Any, n_answers: int, module: nn.Module, loss: Loss, parameters: Any
    ) -> None:
        """Refuse or warn of what a module of the user's returns."""
        check_outputs(outputs, n_answers, self.n_outputs)

    def by_sample(self, answers: np.ndarray, X: Any) -> np.ndarray:
        """Part answers by the samples of X, as the user gave it."""
        return answers
