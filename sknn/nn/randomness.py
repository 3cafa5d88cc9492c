"""Random numbers of a training: generators of its own, and torch's global ones on loan.

Layers of ours draw from the generators that the training in their thread has made active. What
takes no generator (modules, losses and solvers of the user's, kornia, fused kernels of a GPU)
draws from torch's global ones, which are shared by all threads: they are lent to one training at a
time, brought to where its own stand, and put back.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# In the names of functions of torch's that draw numbers, if only for some of their arguments.
DRAWING = re.compile(
    "rand|bernoulli|binomial|cauchy|dropout|exponential|fractional_max_pool|gamma|geometric|gru|"
    "gumbel|kaiming|lstm|multi_head|multinomial|normal|orthogonal|poisson|rnn|rrelu|sample|sparse_|"
    "uniform|dot_product_attention|xavier"
)

# Held while torch's global generators are lent; by one thread several times, if fits are nested.
_lock = threading.RLock()

_active: ContextVar[Generators | None] = ContextVar("sknn_generators", default=None)


def _after_fork_in_child() -> None:
    """Forget that a thread which the fork has left behind may hold the lock."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def lending_nothing() -> Iterator[None]:
    """Let no training of another thread use torch's global generators for a while."""
    with _lock:
        yield


class Generators:
    """Generators of one training: on the CPU, and on its device if that is another (`generator`).

    `on_cpu` also draws the seed of the other one.
    """

    def __init__(self, on_cpu: torch.Generator, device: torch.device) -> None:
        self._own = [on_cpu]
        self._default = [torch.default_generator]
        if device.type != "cpu":
            on_device = torch.Generator(device)
            on_device.manual_seed(_draw_seed(on_cpu))
            self._own.append(on_device)
            self._default.append(_default_generator(device))
        self.generator = self._own[-1]
        self._is_lent = False

    @property
    def _drawing(self) -> list[torch.Generator]:
        """Those that draw at present."""
        return self._default if self._is_lent else self._own

    def states(self) -> list[Tensor]:
        """Return where they stand: on the CPU, and on the device if that is another."""
        return [generator.get_state() for generator in self._drawing]

    def restore(self, states: Sequence[Tensor]) -> None:
        """Put them to where others stood."""
        # the other training may have been on the CPU
        for generator, state in zip(self._drawing, states, strict=False):
            generator.set_state(state)

    def on(self, device: torch.device) -> torch.Generator | None:
        """Return the one on a device; None if that is neither the CPU nor the training's."""
        return next((each for each in self._own if each.device.type == device.type), None)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the layers that run in this thread draw from these generators."""
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let torch's global generators draw what these would, and put them back afterwards.

        Other trainings wait for them. What draws from them in another thread, and is no training
        of this package, gets numbers of this one.
        """
        with _lock:
            if self._is_lent:
                yield
                return
            token = _active.set(None)  # layers of ours, too, draw from the global ones now
            before = [generator.get_state() for generator in self._default]
            _copy_states(self._own, self._default)
            self._is_lent = True
            try:
                yield
            finally:
                self._is_lent = False
                _copy_states(self._default, self._own)
                for generator, state in zip(self._default, before, strict=True):
                    generator.set_state(state)
                _active.reset(token)

    @contextmanager
    def lent_by_the_call(self) -> Iterator[None]:
        """Lend torch's global generators to each function of torch's that draws, not in between.

        For code that may wait for other threads, such as callbacks.
        """
        with _LendByTheCall(self):
            yield


class _LendByTheCall(TorchFunctionMode):
    """Lends generators to the functions that draw, one call at a time."""

    def __init__(self, generators: Generators) -> None:
        super().__init__()
        self._generators = generators

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        is_drawing = DRAWING.search(getattr(func, "__name__", "")) is not None
        if not is_drawing or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        with self._generators.lent():
            return func(*args, **kwargs)


def generator_on(device: torch.device) -> torch.Generator | None:
    """Return what layers draw from in this thread; None is torch's global generator."""
    active = _active.get()
    return None if active is None else active.on(device)


def lent_generators() -> AbstractContextManager[None]:
    """Return a context in which torch's global generators are those of this thread's training."""
    active = _active.get()
    return nullcontext() if active is None else active.lent()


def _copy_states(sources: list[torch.Generator], targets: list[torch.Generator]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.set_state(source.get_state())


def _draw_seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**31 - 1, (), generator=generator, device="cpu"))


def _default_generator(device: torch.device) -> torch.Generator:
    """Return torch's global generator of a device."""
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    module = torch.get_device_module(device)
    module.init()
    index = module.current_device() if device.index is None else device.index
    return module.default_generators[index]
