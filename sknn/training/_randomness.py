"""Random numbers of modules that draw them from torch's global generator."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ._state import TrainingState


@contextmanager
def isolated_torch_rng(state: TrainingState, device: torch.device) -> Iterator[None]:
    """Run with torch's generators at the state's own place, and put them back afterwards.

    Dropout and users' modules take no generator, so torch's global ones are lent to them: seeded
    from ``state.random_state`` the first time, continued from ``state.torch_rng`` after that.

    Parameters
    ----------
    state : TrainingState
        Its `torch_rng` is where the CPU generator goes on, and is brought up to date.
    device : torch.device
        The CUDA generator of this device is lent as well, seeded anew each time.
    """
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        _continue_from(state, torch.default_generator)
        for index in devices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(int(torch.randint(2**31 - 1, ())))
        try:
            yield
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
