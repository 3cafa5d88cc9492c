"""Random numbers of modules that draw them from torch's global generator."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ._state import TrainingState


class TorchGenerators(Protocol):
    """The generators of torch's that a training draws from."""

    def states(self) -> list[Tensor]:
        """Return where they stand: on the CPU, and on the device if that is another."""

    def restore(self, states: Sequence[Tensor]) -> None:
        """Put them to where others stood."""


class LentGenerators:
    """torch's global generators, while :func:`isolated_torch_rng` lends them.

    Parameters
    ----------
    devices : list of int
        CUDA devices whose generators are lent beside the one on the CPU.
    """

    def __init__(self, devices: list[int]) -> None:
        self._devices = devices

    def states(self) -> list[Tensor]:
        """Return where they stand."""
        on_devices = [torch.cuda.get_rng_state(index) for index in self._devices]
        return [torch.random.get_rng_state(), *on_devices]

    def restore(self, states: Sequence[Tensor]) -> None:
        """Put them to where others stood."""
        torch.random.set_rng_state(states[0])
        # the other training may have been on the CPU
        for index, state in zip(self._devices, states[1:], strict=False):
            torch.cuda.set_rng_state(state, index)


@contextmanager
def isolated_torch_rng(state: TrainingState, device: torch.device) -> Iterator[LentGenerators]:
    """Run with torch's generators at the state's own place, and put them back afterwards.

    Dropout and users' modules take no generator, so torch's global ones are lent to them: seeded
    from ``state.random_state`` the first time, continued from ``state.torch_rng`` after that.

    Parameters
    ----------
    state : TrainingState
        Its `torch_rng` is where the CPU generator goes on, and is brought up to date.
    device : torch.device
        The CUDA generator of this device is lent as well, seeded anew each time.

    Yields
    ------
    LentGenerators
    """
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        _continue_from(state, torch.default_generator)
        for index in devices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(int(torch.randint(2**31 - 1, ())))
        try:
            yield LentGenerators(devices)
        finally:
            state.torch_rng = torch.random.get_rng_state()


class OwnGenerator:
    """A generator that draws what :func:`isolated_torch_rng` lets the global one draw.

    For what takes a generator, and trains beside others that draw numbers at the same time.

    Parameters
    ----------
    state : TrainingState
        As in :func:`isolated_torch_rng`.
    device : torch.device
        Where the numbers are drawn.

    Attributes
    ----------
    generator : torch.Generator
        On the device.
    """

    def __init__(self, state: TrainingState, device: torch.device) -> None:
        self._state = state
        self._on_cpu = torch.Generator()
        _continue_from(state, self._on_cpu)
        self.generator = self._on_cpu
        if device.type != "cpu":
            self.generator = torch.Generator(device)
            self.generator.manual_seed(int(torch.randint(2**31 - 1, (), generator=self._on_cpu)))

    def states(self) -> list[Tensor]:
        """Return where it stands, as :class:`LentGenerators` does."""
        others = [] if self.generator is self._on_cpu else [self.generator.get_state()]
        return [self._on_cpu.get_state(), *others]

    def restore(self, states: Sequence[Tensor]) -> None:
        """Put it to where another one stood."""
        self._on_cpu.set_state(states[0])
        if self.generator is not self._on_cpu and len(states) > 1:
            self.generator.set_state(states[1])

    def remember(self) -> None:
        """Bring the training state up to date."""
        self._state.torch_rng = self._on_cpu.get_state()


def _continue_from(state: TrainingState, generator: torch.Generator) -> None:
    """Put a CPU generator where the state's last training has ended, or seed it."""
    if state.torch_rng is None:
        # drawn from a copy: dropout or a loss of the user's change no initial weights
        random_state = copy.deepcopy(state.random_state)
        generator.manual_seed(int(random_state.randint(np.iinfo(np.int32).max)))
    else:
        generator.set_state(state.torch_rng)
