"""Optimizers that call torch's fused kernels directly, and one step of many of them.

On networks of course size, :mod:`torch.optim`'s own bookkeeping takes longer than the update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

Tensors = list[Tensor]
States = list[Tensors]  # a list of tensors a name
Settings = tuple[Any, ...]


def _plain_step(step: Callable[..., None]) -> Callable[..., None]:
    """Keep torch from wrapping a `step` in its profiler's hook, which takes as long as the step."""
    step.hooked = True  # type: ignore[attr-defined]
    return step


class FusedOptimizer(torch.optim.Optimizer):
    """One parameter group, updated by one fused kernel; `step` is called under `torch.no_grad`."""

    state_names: tuple[str, ...]  # of the tensors that a parameter's state consists of

    def __init__(self, parameters: Iterable[Tensor], **defaults: Any) -> None:
        super().__init__(list(parameters), defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Append a group (without the first call's import of torch's compiler, over a second)."""
        if self.param_groups:
            raise ValueError(f"{type(self).__name__} takes one parameter group.")
        self.param_groups.append({**self.defaults, **param_group})

    @_plain_step
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the parameters from their gradients."""
        tensors, gradients, states = self.gather()
        if tensors:
            self.count_step()
            self.update(self.settings(), tensors, gradients, states)

    def count_step(self) -> None:
        """Do what comes before a step."""

    def settings(self) -> Settings:
        """Return the numbers that decide what a step does to a gradient."""
        raise NotImplementedError

    @staticmethod
    def update(settings: Settings, tensors: Tensors, gradients: Tensors, states: States) -> None:
        """Update what `gather` returned, of one optimizer or of several with the same settings."""
        raise NotImplementedError

    def gather(self) -> tuple[Tensors, Tensors, States]:
        """Return parameters that have a gradient, the gradients, and the states, a list a name."""
        tensors = self.param_groups[0]["params"]
        gradients = [tensor.grad for tensor in tensors]
        if any(gradient is None for gradient in gradients):
            tensors = [tensor for tensor in tensors if tensor.grad is not None]
            gradients = [tensor.grad for tensor in tensors]
        for tensor in tensors:
            if tensor not in self.state:
                self.state[tensor] = self._initial_state(tensor)
        states = [[self.state[tensor][name] for tensor in tensors] for name in self.state_names]
        return tensors, gradients, states

    def _initial_state(self, tensor: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError


class SGD(FusedOptimizer):
    """Stochastic gradient descent with (Nesterov) momentum."""

    state_names = ("momentum_buffer",)

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov)

    def _initial_state(self, tensor: Tensor) -> dict[str, Tensor]:
        return {"momentum_buffer": torch.zeros_like(tensor)}

    def settings(self) -> Settings:
        """Return learning rate, momentum, and whether that is Nesterov's."""
        group = self.param_groups[0]
        momentum = group["momentum"]
        return group["lr"], momentum, group["nesterov"] and momentum > 0

    @staticmethod
    def update(settings: Settings, tensors: Tensors, gradients: Tensors, states: States) -> None:
        """Update tensors."""
        lr, momentum, nesterov = settings
        torch._fused_sgd_(
            tensors,
            gradients,
            states[0] if momentum else [],
            weight_decay=0.0,
            momentum=momentum,
            lr=lr,
            dampening=0.0,
            nesterov=nesterov,
            maximize=False,
            is_first_step=False,
        )

    def change_learning_rate(self, lr: float) -> None:
        """Set the learning rate and keep the velocity ``lr * buffer``, as scikit-learn does."""
        group = self.param_groups[0]
        for state in self.state.values():
            state["momentum_buffer"].mul_(group["lr"] / lr)
        group["lr"] = lr


class _AdamBase(FusedOptimizer):
    state_names = ("exp_avg", "exp_avg_sq", "step")

    def _initial_state(self, tensor: Tensor) -> dict[str, Tensor]:
        return {
            "exp_avg": torch.zeros_like(tensor),
            "exp_avg_sq": torch.zeros_like(tensor),
            "step": torch.zeros((), dtype=torch.float32, device=tensor.device),
        }

    @staticmethod
    def update(settings: Settings, tensors: Tensors, gradients: Tensors, states: States) -> None:
        """Update tensors."""
        lr, beta_1, beta_2, epsilon = settings
        averages, squares, steps = states
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            tensors,
            gradients,
            averages,
            squares,
            [],
            steps,
            lr=lr,
            beta1=beta_1,
            beta2=beta_2,
            weight_decay=0.0,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
        )


class Adam(_AdamBase):
    """Adam with epsilon outside the bias correction (Kingma and Ba, 2015, end of section 2)."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        # With c_i = 1 - beta_i^t the update is lr sqrt(c_2) / c_1 * m / (sqrt(v) + epsilon), as in
        # scikit-learn; torch's own Adam has epsilon sqrt(c_2) in place of epsilon.
        super().__init__(params, lr=lr, betas=betas, eps=eps)
        self._n_steps: int | None = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a stored state."""
        super().load_state_dict(state_dict)
        self._n_steps = None

    def count_step(self) -> None:
        """Count a step."""
        if self._n_steps is None:  # new, or with a restored state
            self._n_steps = max((int(state["step"]) for state in self.state.values()), default=0)
        self._n_steps += 1

    def settings(self) -> Settings:
        """Return learning rate, betas, and epsilon for torch's formula."""
        group = self.param_groups[0]
        beta_1, beta_2 = group["betas"]
        n_steps: int = self._n_steps  # type: ignore[assignment]
        return group["lr"], beta_1, beta_2, group["eps"] / math.sqrt(1 - beta_2**n_steps)


class AdamW(_AdamBase):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101)."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,  # share of `lr` by which `decayed` shrinks before each update
        decayed: list[Tensor] | None = None,  # None is all of them
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self._decayed = self.param_groups[0]["params"] if decayed is None else decayed

    def settings(self) -> Settings:
        """Return learning rate, betas, epsilon and decay."""
        group = self.param_groups[0]
        return group["lr"], *group["betas"], group["eps"], group["weight_decay"]

    def gather(self) -> tuple[Tensors, Tensors, States]:
        """Return what there is to update, and last the tensors that decay."""
        tensors, gradients, states = super().gather()
        decayed = self._decayed
        if len(tensors) < len(self.param_groups[0]["params"]):  # what is frozen does not decay
            updated = {tensor.data_ptr() for tensor in tensors}
            decayed = [tensor for tensor in decayed if tensor.data_ptr() in updated]
        return tensors, gradients, [*states, decayed]

    @staticmethod
    def update(settings: Settings, tensors: Tensors, gradients: Tensors, states: States) -> None:
        """Shrink the tensors that decay, then update as Adam does."""
        *of_adam, weight_decay = settings
        *moments, decayed = states
        if weight_decay and decayed:
            torch._foreach_mul_(decayed, 1 - settings[0] * weight_decay)
        _AdamBase.update(tuple(of_adam), tensors, gradients, moments)


class JointOptimizer:
    """Steps several optimizers, with as few kernels as possible for those that are ours."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._optimizers = list(optimizers)
        self._situation: Any = None
        # optimizers with equal settings, and what they update
        self._groups: list[tuple[FusedOptimizer, tuple[Tensors, ...]]] = []

    def step(self, members: Sequence[int]) -> None:
        """Do what the own `step` of those with these numbers does, under :func:`torch.no_grad`."""
        fused = []
        for i in members:
            optimizer = self._optimizers[i]
            if isinstance(optimizer, FusedOptimizer):
                optimizer.count_step()
                fused.append(optimizer)
            else:
                optimizer.step()
        # while the same ones step at the same rates, those with equal settings keep them equal
        situation = [(id(optimizer), optimizer.param_groups[0]["lr"]) for optimizer in fused]
        if situation != self._situation:
            self._situation = situation
            self._groups = self._group(fused)
        for first, (tensors, gradients, *states) in self._groups:
            first.update(first.settings(), tensors, gradients, states)

    @staticmethod
    def _group(
        optimizers: list[FusedOptimizer],
    ) -> list[tuple[FusedOptimizer, tuple[Tensors, ...]]]:
        groups: dict[tuple[Any, ...], list[FusedOptimizer]] = {}
        for optimizer in optimizers:
            groups.setdefault((type(optimizer), *optimizer.settings()), []).append(optimizer)
        joined = []
        for group in groups.values():
            gathered = [optimizer.gather() for optimizer in group]
            parts = [(tensors, gradients, *states) for tensors, gradients, states in gathered]
            lists = tuple(
                [tensor for part in kind for tensor in part] for kind in zip(*parts, strict=True)
            )
            joined.append((group[0], lists))
        return joined
