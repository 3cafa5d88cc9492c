"""Optimizers that call torch's fused kernels directly, and one step of many of them.

On networks of course size, :mod:`torch.optim`'s own bookkeeping takes longer than the update.

On CUDA a step may be part of a graph that is replayed. There the numbers that change from step to
step (`rates`) are tensors, and the others (`constants`) are not; a step without a graph takes the
same rates as numbers of float32, so that both update to the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Tensors = list[Tensor]
States = list[Tensors]  # a list of tensors a name
Settings = tuple[Any, ...]
Rates = Sequence[float] | Sequence[Tensor]


def _plain_step(step: Callable[..., None]) -> Callable[..., None]:
    """Keep torch from wrapping a `step` in its profiler's hook, which takes as long as the step."""
    step.hooked = True  # type: ignore[attr-defined]
    return step


def takes_rates(tensors: Tensors) -> bool:
    """Say whether the kernel for some parameters takes its rates from the device."""
    return tensors[0].is_cuda and tensors[0].dtype == torch.float32


def _single(number: float) -> float:
    """Round to float32."""
    return float(np.float32(number))


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
            self.apply(tensors, gradients, states)

    def apply(self, tensors: Tensors, gradients: Tensors, states: States) -> None:
        """Update what `gather` returned, of this optimizer or of several with its settings."""
        if takes_rates(tensors):
            self.update_at(self.rates(), self.constants(), tensors, gradients, states)
        else:
            self.update(self.settings(), tensors, gradients, states)

    def count_step(self) -> None:
        """Do what comes before a step."""

    def recount(self) -> None:
        """Take note that somebody else has changed the states."""

    def settings(self) -> Settings:
        """Return the numbers that decide what a step does to a gradient."""
        raise NotImplementedError

    @staticmethod
    def update(settings: Settings, tensors: Tensors, gradients: Tensors, states: States) -> None:
        """Update what `gather` returned, by numbers that the host knows."""
        raise NotImplementedError

    def pace(self) -> Any:
        """Return the settings that change from step to step."""
        return self.param_groups[0]["lr"]

    def rates(self) -> tuple[float, ...]:
        """Return the numbers of this step that follow from them, rounded to float32."""
        raise NotImplementedError

    def constants(self) -> Settings:
        """Return the numbers that do not change from step to step."""
        raise NotImplementedError

    @staticmethod
    def update_at(
        rates: Rates, constants: Settings, tensors: Tensors, gradients: Tensors, states: States
    ) -> None:
        """Update what `gather` returned, at rates that may be tensors () on the device."""
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
        lr, *constants = settings
        SGD.update_at([lr], tuple(constants), tensors, gradients, states)

    def rates(self) -> tuple[float, ...]:
        """Return the learning rate."""
        return (_single(self.param_groups[0]["lr"]),)

    def constants(self) -> Settings:
        """Return the momentum, and whether it is Nesterov's."""
        return self.settings()[1:]

    @staticmethod
    def update_at(
        rates: Rates, constants: Settings, tensors: Tensors, gradients: Tensors, states: States
    ) -> None:
        """Update tensors at the rate `lr`."""
        momentum, nesterov = constants
        torch._fused_sgd_(
            tensors,
            gradients,
            states[0] if momentum else [],
            weight_decay=0.0,
            momentum=momentum,
            lr=rates[0],
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
        _AdamBase._fused(
            lr, (beta_1, beta_2, epsilon), tensors, gradients, averages, squares, steps
        )

    @staticmethod
    def _fused(
        lr: float | Tensor,
        constants: Settings,
        tensors: Tensors,
        gradients: Tensors,
        averages: Tensors,
        squares: Tensors,
        steps: Tensors,
    ) -> None:
        """Call the kernel; `steps` () decide the bias correction."""
        beta_1, beta_2, epsilon = constants
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
        self._infinity: Tensor | None = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a stored state."""
        super().load_state_dict(state_dict)
        self.recount()

    def recount(self) -> None:
        """Forget the number of steps, which the states have."""
        self._n_steps = None

    def count_step(self) -> None:
        """Count a step."""
        if self._n_steps is None:  # new, or with a restored state
            states = (self.state.get(each) for each in self.param_groups[0]["params"])
            self._n_steps = max((int(state["step"]) for state in states if state), default=0)
        self._n_steps += 1

    def settings(self) -> Settings:
        """Return learning rate, betas, and epsilon for torch's formula."""
        group = self.param_groups[0]
        beta_1, beta_2 = group["betas"]
        n_steps: int = self._n_steps  # type: ignore[assignment]
        return group["lr"], beta_1, beta_2, group["eps"] / math.sqrt(1 - beta_2**n_steps)

    def gather(self) -> tuple[Tensors, Tensors, States]:
        """Return what there is to update; on CUDA, last, a number of steps for the kernel."""
        tensors, gradients, states = super().gather()
        if not tensors or not takes_rates(tensors):
            return tensors, gradients, states
        if self._infinity is None:
            self._infinity = torch.full((), math.inf, device=tensors[0].device)
        return tensors, gradients, [*states, [self._infinity] * len(tensors)]

    def pace(self) -> Any:
        """Return the learning rate and the number of steps."""
        return self.param_groups[0]["lr"], self._n_steps

    def rates(self) -> tuple[float, ...]:
        """Return the learning rate with the bias correction in it."""
        group = self.param_groups[0]
        (beta_1, beta_2), n_steps = group["betas"], self._n_steps
        correction = math.sqrt(1 - beta_2**n_steps) / (1 - beta_1**n_steps)
        return (_single(group["lr"] * correction),)

    def constants(self) -> Settings:
        """Return betas and epsilon."""
        group = self.param_groups[0]
        return *group["betas"], group["eps"]

    @staticmethod
    def update_at(
        rates: Rates, constants: Settings, tensors: Tensors, gradients: Tensors, states: States
    ) -> None:
        """Update tensors at the corrected rate."""
        averages, squares, steps, infinity = states
        torch._foreach_add_(steps, 1)
        # after so many steps the kernel corrects nothing
        Adam._fused(rates[0], constants, tensors, gradients, averages, squares, infinity)


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

    def rates(self) -> tuple[float, ...]:
        """Return the learning rate, and what the tensors that decay are multiplied by."""
        group = self.param_groups[0]
        return _single(group["lr"]), _single(1 - group["lr"] * group["weight_decay"])

    def constants(self) -> Settings:
        """Return betas and epsilon, and whether anything decays."""
        group = self.param_groups[0]
        return *group["betas"], group["eps"], group["weight_decay"] > 0

    @staticmethod
    def update_at(
        rates: Rates, constants: Settings, tensors: Tensors, gradients: Tensors, states: States
    ) -> None:
        """Shrink the tensors that decay, then update as Adam does."""
        *of_adam, decays = constants
        averages, squares, steps, decayed = states
        for tensor in decayed if decays else ():
            tensor.mul_(rates[1])
        torch._foreach_add_(steps, 1)
        AdamW._fused(rates[0], tuple(of_adam), tensors, gradients, averages, squares, steps)


# What one call of a kernel updates: the first of the optimizers, and parameters, gradients, states.
Group = tuple["FusedOptimizer", tuple[Tensors, ...]]


class JointOptimizer:
    """Steps several optimizers, with as few kernels as possible for those that are ours."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._optimizers = list(optimizers)
        # by the members that step: those with equal settings, and what they update
        self._groups: dict[tuple[int, ...], tuple[list[list[FusedOptimizer]], list[Group]]] = {}

    def step(self, members: Sequence[int]) -> None:
        """Do what the own `step` of those with these numbers does, under :func:`torch.no_grad`."""
        for i in members:
            if not isinstance(self._optimizers[i], FusedOptimizer):
                self._optimizers[i].step()
        for first, (tensors, gradients, *states) in self.groups(members):
            first.apply(tensors, gradients, states)

    def groups(self, members: Sequence[int]) -> list[Group]:
        """Count a step of those that are ours, and return what is updated by one kernel each.

        It is the same list as long as nothing but their rates has changed.
        """
        each = [self._optimizers[i] for i in members]
        fused = [optimizer for optimizer in each if isinstance(optimizer, FusedOptimizer)]
        for optimizer in fused:
            optimizer.count_step()
        key = tuple(members)
        # the settings of those that step together stay equal, but for their pace
        if key not in self._groups or not all(map(_same_rate, self._groups[key][0])):
            equal: dict[tuple[Any, ...], list[FusedOptimizer]] = {}
            for optimizer in fused:
                equal.setdefault((type(optimizer), *optimizer.settings()), []).append(optimizer)
            parts = list(equal.values())
            self._groups[key] = parts, [_join(part) for part in parts]
        return self._groups[key][1]


def _same_rate(optimizers: list[FusedOptimizer]) -> bool:
    """Say whether optimizers whose settings were equal have the same ones in this step."""
    first = optimizers[0].pace()
    return all(optimizer.pace() == first for optimizer in optimizers)


def _join(optimizers: list[FusedOptimizer]) -> Group:
    """Return what optimizers with equal settings update."""
    gathered = [optimizer.gather() for optimizer in optimizers]
    parts = [(tensors, gradients, *states) for tensors, gradients, states in gathered]
    kinds = zip(*parts, strict=True)
    return optimizers[0], tuple([tensor for part in kind for tensor in part] for kind in kinds)
