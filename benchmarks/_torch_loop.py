"""The network and the training loop that one would write by hand with torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}


class HalfSquaredError(nn.MSELoss):
    """scikit-learn's loss for regression."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return half the mean squared error."""
        return 0.5 * super().forward(outputs, targets)


CRITERIA: dict[str, type[nn.Module]] = {
    "multiclass": nn.CrossEntropyLoss,
    "binary": nn.BCEWithLogitsLoss,
    "regression": HalfSquaredError,
}


class Network(nn.Module):
    """Dense layers and ReLUs, initialised as in scikit-learn; casts its input to its own type."""

    def __init__(self, n_features: int, hidden: tuple[int, ...], n_outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([n_features, *hidden, n_outputs]):
            linear = nn.Linear(fan_in, fan_out)
            bound = math.sqrt(6 / (fan_in + fan_out))
            nn.init.uniform_(linear.weight, -bound, bound)
            nn.init.uniform_(linear.bias, -bound, bound)
            layers += [linear, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, X: Tensor) -> Tensor:
        """Return logits or predictions, of shape (batch, n_outputs)."""
        return self.layers(X.to(self.layers[0].weight.dtype))


def encode_targets(y: np.ndarray, kind: str, dtype: str) -> np.ndarray:
    """Return what the criterion takes: class numbers, or floats of the network's type."""
    if kind == "multiclass":
        return y
    return y.astype("float64" if dtype == "float64" else "float32")


@contextmanager
def n_threads(n: int | None) -> Iterator[None]:
    """Run with a number of threads; None leaves it."""
    before = torch.get_num_threads()
    torch.set_num_threads(n or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TorchLoop:
    """A plain loop: autograd, fused Adam, batches by index_select, nothing waits in an epoch."""

    def __init__(
        self,
        kind: str,
        hidden: tuple[int, ...],
        n_outputs: int,
        *,
        epochs: int,
        batch_size: int,
        alpha: float,
        learning_rate: float,
        dtype: str,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.kind = kind
        self.hidden = hidden
        self.n_outputs = n_outputs
        self.epochs = epochs
        self.batch_size = batch_size
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.dtype = dtype
        self.threads = threads
        self.device = torch.device(device)

    def fit(self, X: Any, y: np.ndarray) -> TorchLoop:
        """Train for `epochs` epochs."""
        with n_threads(self.threads):
            return self._fit(X, y)

    def _fit(self, X: Any, y: np.ndarray) -> TorchLoop:
        device = self.device
        network = Network(X.shape[1], self.hidden, self.n_outputs)
        network = self.network = network.to(device, DTYPES[self.dtype])
        criterion = CRITERIA[self.kind]()
        weights = [p for p in network.parameters() if p.ndim == 2]
        biases = [p for p in network.parameters() if p.ndim == 1]
        optimizer = torch.optim.Adam(
            [{"params": weights, "weight_decay": self.alpha / self.batch_size}, {"params": biases}],
            lr=self.learning_rate,
            fused=True,
        )
        samples = X if sparse.issparse(X) else torch.from_numpy(X).to(device)
        targets = torch.from_numpy(encode_targets(y, self.kind, self.dtype)).to(device)
        self.loss_curve: list[float] = []
        network.train()
        for _ in range(self.epochs):
            loss_sum = torch.zeros((), device=device)
            for rows in torch.randperm(len(targets)).to(device).split(self.batch_size):
                optimizer.zero_grad(set_to_none=True)
                outputs = self._outputs(_take(samples, rows))
                loss = criterion(outputs, targets.index_select(0, rows))
                loss.backward()
                optimizer.step()
                loss_sum += loss.detach() * len(rows)
            self.loss_curve.append(loss_sum.item() / len(targets))
        network.eval()
        return self

    @property
    def n_iter_(self) -> int:
        """Number of epochs that were run."""
        return len(self.loss_curve)

    def _outputs(self, X: Tensor) -> Tensor:
        if self.dtype == "bfloat16":
            with torch.autocast(X.device.type, torch.bfloat16):
                outputs = self.network(X)
            outputs = outputs.float()
        else:
            outputs = self.network(X)
        return outputs if self.kind == "multiclass" else outputs.squeeze(1)

    @torch.inference_mode()
    def decision_function(self, X: np.ndarray) -> Tensor:
        """Return outputs of all rows at once."""
        return self._outputs(torch.from_numpy(X).to(self.device))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return classes or values."""
        outputs = self.decision_function(X)
        if self.kind == "multiclass":
            outputs = outputs.argmax(1)
        elif self.kind == "binary":
            outputs = outputs > 0
        return outputs.cpu().numpy()

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities of the classes."""
        outputs = self.decision_function(X)
        if self.kind == "multiclass":
            return outputs.softmax(1).cpu().numpy()
        positive = outputs.sigmoid()
        return torch.stack([1 - positive, positive], 1).cpu().numpy()


def _take(samples: Any, rows: Tensor) -> Tensor:
    if isinstance(samples, Tensor):
        return samples.index_select(0, rows)
    return torch.from_numpy(samples[rows.numpy()].toarray())
