"""Means and variances that normalizations over the batch keep for predictions.

A running average of the last ten batches or so lags behind the weights where an epoch has few
batches: after twenty steps an eighth of it is still what it began with. So it begins as a plain
average, and after an epoch of few batches one pass over the training rows renews it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from sknn.data import Batch

# Epochs of more batches leave a running average that is up to date.
MOST_BATCHES = 100


class RunningStatistics:
    """The running statistics of a module."""

    def __init__(self, module: nn.Module) -> None:
        self.is_lagging = False  # whether they were updated since they were renewed
        self._module = module
        self._layers = [
            layer
            for layer in module.modules()
            if isinstance(layer, _NormBase) and layer.running_mean is not None
        ]
        self._averaging = [layer for layer in self._layers if isinstance(layer, _BatchNorm)]

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._layers)

    def updating(self) -> AbstractContextManager[None]:
        """Return a context for a training step, in which the first batches count alike."""
        self.is_lagging = bool(self._layers)
        return self._beginning() if self._averaging else nullcontext()

    @contextmanager
    def _beginning(self) -> Iterator[None]:
        """Let the statistics begin as a plain average."""
        changed = []
        for layer in self._averaging:
            if layer.momentum is None or layer.num_batches_tracked is None or not layer.training:
                continue
            share = 1 / (int(layer.num_batches_tracked) + 1)
            if share > layer.momentum:
                changed.append((layer, layer.momentum))
                layer.momentum = share
        if not changed:  # from now on, torch's running average
            self._averaging = []
        try:
            yield
        finally:
            for layer, momentum in changed:
                layer.momentum = momentum

    @torch.no_grad()
    def renew(self, batches: Iterable[Batch], run: Callable[[Any], Any]) -> None:
        """Replace the statistics by those of batches, whose inputs `run` takes."""
        # Called in training mode, which some modules keep from their layers: those keep their
        # statistics. Afterwards the module is in evaluation mode.
        layers = [layer for layer in self._layers if layer.training]
        before = [(layer.momentum, _copies(layer)) for layer in layers]
        self._module.eval()  # no dropout
        n_rows = 0
        try:
            for layer in layers:
                layer.train()
                layer.reset_running_stats()
            for batch in batches:
                if batch.weight_sum <= 0:  # left out, as in training
                    continue
                n_batch = (batch.X[0] if isinstance(batch.X, tuple) else batch.X).shape[0]
                n_rows += n_batch
                for layer in layers:
                    layer.momentum = n_batch / n_rows
                run(batch.X)
        except BaseException:
            for layer, (_, buffers) in zip(layers, before, strict=True):
                for name, tensor in buffers.items():
                    getattr(layer, name).copy_(tensor)
            raise
        finally:
            for layer, (momentum, buffers) in zip(layers, before, strict=True):
                layer.momentum = momentum
                if "num_batches_tracked" in buffers:  # counts the steps of training
                    layer.num_batches_tracked.copy_(buffers["num_batches_tracked"])  # type: ignore
                layer.eval()


def _copies(layer: _NormBase) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in layer.named_buffers(recurse=False)}
