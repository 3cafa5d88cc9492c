"""From X to answers, as one module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sknn.nn import Loss

from ._fitted import FittedModel
from ._traceable import traceable


class Deployed(nn.Module):
    """Preprocessing, input layer and network of a fitted estimator."""

    output_names: tuple[str, ...]

    def __init__(self, model: FittedModel) -> None:
        super().__init__()
        parts = model.parts
        self.preprocessing = model.preprocessing()
        self.input = parts.format.input_module(parts.compute_dtype)
        self.network = traceable(parts.predictor)
        self.loss: Loss = parts.loss

    def outputs(self, X: Tensor) -> Tensor:
        """Return the network's raw outputs."""
        return self.network(self.input(self.preprocessing(X)))


class DeployedClassifier(Deployed):
    """Labels, and probabilities or decisions."""

    def __init__(self, model: FittedModel) -> None:
        super().__init__(model)
        self.task = model.parts.targets.task
        self.decide = model.parts.decide
        self.has_probabilities = model.has_probabilities
        second = "probabilities" if self.has_probabilities else "decision"
        self.output_names = ("label", second)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return class indices or the indicator matrix, and probabilities or decisions."""
        outputs = self.outputs(X)
        labels = self.decide(outputs).long()
        numbers = self.loss.activate(outputs) if self.has_probabilities else outputs
        if self.task != "binary":
            return labels, numbers
        if self.has_probabilities:
            return labels[:, 0], torch.cat([1 - numbers, numbers], 1)
        return labels[:, 0], numbers[:, 0]


class DeployedRegressor(Deployed):
    """Predicted values."""

    output_names = ("prediction",)

    def forward(self, X: Tensor) -> Tensor:
        """Return values of shape (batch,) or (batch, n_outputs)."""
        values = self.loss.activate(self.outputs(X))
        return values[:, 0] if values.shape[1] == 1 else values


class OfTable(nn.Module):
    """A module for a table whose columns come one by one, since they differ in type."""

    def __init__(self, module: Deployed, places: list[int]) -> None:
        super().__init__()
        self.module = module
        self.output_names = module.output_names
        self.places = places

    def forward(self, *columns: Tensor) -> Any:
        """Map columns of shape (batch, 1) to answers."""
        given = dict(zip(self.places, columns, strict=True))
        unused = torch.zeros_like(columns[0], dtype=torch.float64)
        table = [given.get(i, unused).double() for i in range(max(self.places) + 1)]
        return self.module(torch.cat(table, 1))


def deployed(model: FittedModel) -> Any:
    """Return a module from X to answers, in evaluation mode."""
    kind = DeployedClassifier if model.is_classifier else DeployedRegressor
    module = kind(model)
    return (OfTable(module, model.used_columns) if model.text_columns else module).eval()
