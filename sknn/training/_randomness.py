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
        if state.torch_rng is None:
            # drawn from a copy: dropout or a loss of the user's change no initial weights
            random_state = copy.deepcopy(state.random_state)
            seed = int(random_state.randint(np.iinfo(np.int32).max))
            torch.default_generator.manual_seed(seed)
        else:
            torch.random.set_rng_state(state.torch_rng)
        for index in devices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(int(torch.randint(2**31 - 1, ())))
        try:
            yield
        finally:
            state.torch_rng = torch.random.get_rng_state()
