"""A training's own generators of torch's, which go on from call to call."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from sknn.nn import Generators

from ._state import TrainingState


class OwnGenerators(Generators):
    """Generators that go on where the last training of a state has ended."""

    # seeded from `state.random_state` the first time, and continued from `state.torch_rng` after
    # that; the one on another device than the CPU is seeded anew each time
    def __init__(self, state: TrainingState, device: torch.device) -> None:
        self._state = state
        super().__init__(_continued(state), device)

    def remember(self) -> None:
        """Bring the training state up to date."""
        self._state.torch_rng = self.states()[0]


@contextmanager
def own_generators(state: TrainingState, device: torch.device) -> Iterator[OwnGenerators]:
    """Let layers draw from a training's own generators, and remember where they end."""
    generators = OwnGenerators(state, device)
    with generators.active():
        try:
            yield generators
        finally:
            generators.remember()


@contextmanager
def isolated_torch_rng(state: TrainingState, device: torch.device) -> Iterator[OwnGenerators]:
    """Run with torch's generators at the state's own place, and put them back afterwards."""
    with own_generators(state, device) as generators, generators.lent():
        yield generators


def _continued(state: TrainingState) -> torch.Generator:
    """Return a CPU generator where the state's last training has ended, or seed a new one."""
    generator = torch.Generator()
    if state.torch_rng is None:
        # drawn from a copy: dropout or a loss of the user's change no initial weights
        random_state = copy.deepcopy(state.random_state)
        generator.manual_seed(int(random_state.randint(np.iinfo(np.int32).max)))
    else:
        generator.set_state(state.torch_rng)
    return generator
