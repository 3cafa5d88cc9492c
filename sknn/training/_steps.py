"""Loss and gradients of one batch: by autograd for any module, written out for dense networks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sknn.data import Inputs
from sknn.nn import DenseBackprop, Loss


class Step(Protocol):
    """Computes loss and gradients of a batch."""

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer updates; the gradients are in their `grad`."""

    @property
    def weights(self) -> list[Tensor]:
        """What the L2 penalty acts upon."""

    @property
    def weight_gradients(self) -> list[Tensor]:
        """Gradients of the weights, after a call."""

    def __call__(
        self, X: Any, targets: Tensor, sample_weight: Tensor | None, weight_sum: float
    ) -> tuple[Tensor, Tensor]:
        """Write the gradients of the mean loss; return the outputs and the losses' sum."""


class AutogradStep:
    """Loss and gradients of any module.

    Parameters
    ----------
    module : torch.nn.Module
        Maps a batch to outputs of shape (batch, n_outputs).
    loss : Loss
        The loss to differentiate.
    compute_dtype : torch.dtype
        With ``torch.bfloat16`` the module runs under autocast.
    n_outputs : int
        What the outputs are checked for.
    """

    def __init__(
        self, module: nn.Module, loss: Loss, compute_dtype: torch.dtype, n_outputs: int
    ) -> None:
        self.n_outputs = n_outputs
        self.module = module
        self.loss = loss
        self.compute_dtype = compute_dtype
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
        """Write the gradients of the mean loss; return the outputs and the losses' sum."""
        for parameter in self.parameters:
            parameter.grad = None
        with torch.enable_grad():
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


def make_step(
    module: nn.Module,
    loss: Loss,
    compute_dtype: torch.dtype,
    *,
    n_outputs: int,
    needs_autograd: bool = False,
) -> Step:
    """Choose the fastest way to the gradients of a module.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    loss : Loss
        The loss.
    compute_dtype : torch.dtype
        Type of the matrix products.
    n_outputs : int
        Width of the outputs.
    needs_autograd : bool, default=False
        Whether somebody (a solver of the user's) wants the module's own parameters.

    Returns
    -------
    Step
    """
    if DenseBackprop.supports(module) and not needs_autograd:
        return DenseBackprop(module, loss, compute_dtype)  # type: ignore[arg-type]
    return AutogradStep(module, loss, compute_dtype, n_outputs)


def forward(module: nn.Module, X: Inputs, compute_dtype: torch.dtype) -> Tensor:
    """Run a module, under autocast where the products' type is bfloat16.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    X : Tensor or tuple of Tensor
        A batch, in the weights' type; a tuple holds several arguments of the module.
    compute_dtype : torch.dtype
        Type of the matrix products.

    Returns
    -------
    Tensor
        The outputs, float32 at least.
    """
    arguments = X if isinstance(X, tuple) else (X,)
    if compute_dtype != torch.bfloat16:
        return module(*arguments)
    with autocast_for(arguments[0].device, compute_dtype):
        outputs = module(*arguments)
        return outputs.float() if isinstance(outputs, Tensor) else outputs


def autocast_for(device: torch.device, compute_dtype: torch.dtype) -> AbstractContextManager[None]:
    """Return the context in which matrix products are of a type: autocast for bfloat16.

    Parameters
    ----------
    device : torch.device
        Where they are computed.
    compute_dtype : torch.dtype
        Their type.

    Returns
    -------
    context manager
    """
    if compute_dtype != torch.bfloat16:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
