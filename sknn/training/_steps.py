"""One update of the weights: gradients, L2 penalty, clipping, optimizer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sknn.data import Batch, Inputs
from sknn.nn import DenseBackprop, Loss

from ._running_statistics import RunningStatistics
from ._settings import Settings


class Step(Protocol):
    """One update of the weights, in two halves: between them, callbacks see the gradients."""

    optimizer: torch.optim.Optimizer | None  # None where SciPy updates the weights
    releases_gil: bool  # whether several threads make such steps at the same time

    @property
    def parameters(self) -> list[Tensor]:
        """What is updated."""

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradients; return outputs (n, n_outputs) and the sum of the losses ()."""

    def update(self) -> None:
        """Update the weights from their gradients."""

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return outputs (n, n_outputs) and the sum of the losses (), without penalty."""

    def figures(self, epoch: dict[str, Any]) -> dict[str, float]:
        """Return what the history gets of a training epoch beside loss and score."""


class Backprop(Protocol):
    """Writes the gradients of a batch's mean loss into `grad` of the parameters."""

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer updates."""

    @property
    def weights(self) -> list[Tensor]:
        """What the L2 penalty acts upon."""

    @property
    def weight_gradients(self) -> list[Tensor]:
        """Gradients of the weights, after a call."""

    def __call__(
        self, X: Any, targets: Tensor, sample_weight: Tensor | None, weight_sum: float
    ) -> tuple[Tensor, Tensor]:
        """Return outputs (n, n_outputs) and the sum of the losses ()."""


class GradientStep:
    """The step of one network that descends along the gradient of one loss."""

    releases_gil = False  # not for long enough, unless the products are large

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        backprop: Backprop,
        optimizer: torch.optim.Optimizer | None,
        settings: Settings,
    ) -> None:
        self.module = module
        self.loss = loss
        self.backprop = backprop
        self.optimizer = optimizer
        # this optimizer decays the weights itself
        self.alpha = 0.0 if settings.solver == "adamw" else settings.alpha
        self.max_grad_norm = settings.max_grad_norm
        self.compute_dtype = settings.compute_dtype

    @property
    def parameters(self) -> list[Tensor]:
        """What is updated."""
        return self.backprop.parameters

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradients; return outputs (n, n_outputs) and the penalised loss sum ()."""
        outputs, loss_sum = self.backprop(*batch)
        if self.alpha:
            add_penalty(self.backprop, loss_sum, self.alpha, batch.weight_sum)
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.backprop.parameters, self.max_grad_norm)
        return outputs, loss_sum

    def update(self) -> None:
        """Update the weights from their gradients."""
        self.optimizer.step()  # type: ignore[union-attr]

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return outputs (n, n_outputs) and the sum of the losses (), without penalty."""
        outputs = forward(self.module, batch.X, self.compute_dtype)
        losses = self.loss(outputs, batch.targets)
        if batch.sample_weight is not None:
            losses = losses * batch.sample_weight
        return outputs, losses.sum()

    def figures(self, epoch: dict[str, Any]) -> dict[str, float]:
        """Return nothing: there are no other losses."""
        return {}


class AutogradBackprop:
    """Gradients of any module, whose outputs have the shape (n, n_outputs)."""

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        compute_dtype: torch.dtype,
        n_outputs: int,
        statistics: RunningStatistics,
    ) -> None:
        self.module = module
        self.loss = loss
        self.compute_dtype = compute_dtype
        self.n_outputs = n_outputs
        self.statistics = statistics
        self.parameters: list[Tensor] = [p for p in module.parameters() if p.requires_grad]
        # biases and the parameters of normalizations have one dimension
        self._penalised = [parameter for parameter in self.parameters if parameter.ndim >= 2]
        self._weights = [parameter.detach() for parameter in self._penalised]

    @property
    def weights(self) -> list[Tensor]:
        """What the L2 penalty acts upon: weights that no callback has frozen."""
        if all(parameter.requires_grad for parameter in self._penalised):
            return self._weights
        pairs = zip(self._penalised, self._weights, strict=True)
        return [weight for parameter, weight in pairs if parameter.requires_grad]

    @property
    def weight_gradients(self) -> list[Tensor]:
        """Gradients of the weights; zeros for those that the loss does not depend on."""
        trained = [parameter for parameter in self._penalised if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in trained]  # type: ignore[misc]

    def __call__(
        self, X: Inputs, targets: Tensor, sample_weight: Tensor | None, weight_sum: float
    ) -> tuple[Tensor, Tensor]:
        """Write the gradients; return outputs (n, n_outputs) and the sum of the losses ()."""
        for parameter in self.parameters:
            parameter.grad = None
        with self.statistics.updating(), torch.enable_grad():
            try:
                outputs = forward(self.module, X, self.compute_dtype)
            except ValueError as error:
                if len(targets) == 1 and "more than 1 value per channel" in str(error):
                    raise ValueError(
                        "batch normalization has no variance of a batch with one row; use "
                        "batch_size=2 at least, or normalization='layer' or None."
                    ) from error
                raise
            check_outputs(outputs, len(targets), self.n_outputs)
            losses = self.loss(outputs, targets)
            if sample_weight is not None:
                losses = losses * sample_weight
            loss_sum = losses.sum()
            (loss_sum / weight_sum).backward()
        return outputs.detach(), loss_sum.detach()


def make_backprop(
    module: nn.Module,
    loss: Loss,
    compute_dtype: torch.dtype,
    *,
    n_outputs: int,
    statistics: RunningStatistics,
    needs_autograd: bool,  # somebody wants the module's own parameters
) -> Backprop:
    """Return the fastest way to the gradients of a module."""
    if DenseBackprop.supports(module) and not needs_autograd:
        return DenseBackprop(module, loss, compute_dtype)  # type: ignore[arg-type]
    return AutogradBackprop(module, loss, compute_dtype, n_outputs, statistics)


def add_penalty(
    backprop: Backprop, loss_sum: Tensor, alpha: float, weight_sum: float | Tensor
) -> None:
    """Add ``alpha / 2 ||W||^2`` to a loss sum (), in place, and its gradient to the gradients."""
    weights = backprop.weights
    if not weights:  # a module of vectors alone
        return
    for weight in weights:
        norm = torch.linalg.vector_norm(weight)
        loss_sum.addcmul_(norm, norm, value=0.5 * alpha)
    # the gradients are divided by the sum of the weights already
    if isinstance(weight_sum, Tensor):  # which only the device knows
        factor = alpha / weight_sum
        for gradient, weight in zip(backprop.weight_gradients, weights, strict=True):
            gradient.addcmul_(weight, factor)
    else:
        torch._foreach_add_(backprop.weight_gradients, weights, alpha=alpha / weight_sum)


def check_outputs(outputs: Any, n_rows: int, n_outputs: int) -> None:
    """Refuse what a module returns, if it is not one tensor of shape (n_rows, n_outputs)."""
    if not isinstance(outputs, Tensor):
        raise TypeError(
            f"module returned a {type(outputs).__name__}; one tensor of shape ({n_rows}, "
            f"{n_outputs}) is needed. Wrap the module in one whose forward returns that part alone."
        )
    # shapes such as (batch,) against (batch, 1) would broadcast in the loss, without a word
    if outputs.shape != (n_rows, n_outputs):
        raise ValueError(
            f"module returned outputs of shape {tuple(outputs.shape)} for a batch of {n_rows} "
            f"rows; shape ({n_rows}, {n_outputs}) is needed."
        )


def forward(module: nn.Module, X: Inputs, compute_dtype: torch.dtype) -> Tensor:
    """Return a module's outputs (n, n_outputs), float32 at least, under autocast for bfloat16."""
    arguments = X if isinstance(X, tuple) else (X,)
    if compute_dtype != torch.bfloat16:
        return module(*arguments)
    with autocast_for(arguments[0].device, compute_dtype):
        outputs = module(*arguments)
        return outputs.float() if isinstance(outputs, Tensor) else outputs


def autocast_for(device: torch.device, compute_dtype: torch.dtype) -> AbstractContextManager[None]:
    """Return the context in which matrix products are of a type: autocast for bfloat16."""
    if compute_dtype != torch.bfloat16:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
