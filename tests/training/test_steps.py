"""Steps: what they write, and that the loop takes any."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn

from sknn.data import Batch
from sknn.training import train
from tests.training.helpers import make, make_network, make_samples

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = X[:, :1] - X[:, 1:2] ** 2
weights = rng.uniform(0.5, 2, size=40)


def weights_of(module: nn.Module) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in module.parameters()])


@pytest.mark.parametrize("max_grad_norm", [None, 0.1])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("written_out", [True, False])
def test_gradients_are_those_of_the_penalised_mean_loss(
    written_out: bool, alpha: float, max_grad_norm: float | None
) -> None:
    network = make_network(3)
    module = network if written_out else nn.Sequential(network)
    training = make(X, y, weights, module=module, alpha=alpha, max_grad_norm=max_grad_norm)
    (batch,) = make_samples(X, y, weights).batches(40)
    with torch.no_grad():
        outputs, loss_sum = training.step.gradient(batch)
    gradients = [parameter.grad.clone() for parameter in network.parameters()]  # type: ignore[union-attr]

    for parameter in network.parameters():
        parameter.grad = None
    losses = (network(torch.from_numpy(X)) - torch.from_numpy(y)).square()[:, 0] / 2
    penalty = sum(p.square().sum() for p in network.parameters() if p.ndim == 2)
    loss = (losses * torch.from_numpy(weights)).sum() + alpha / 2 * penalty
    (loss / weights.sum()).backward()
    expected = loss.detach()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(network.parameters(), max_grad_norm)
    assert_allclose(float(loss_sum), float(expected), rtol=1e-12)
    assert_allclose(outputs, network(torch.from_numpy(X)).detach(), rtol=1e-12)
    for gradient, parameter in zip(gradients, network.parameters(), strict=True):
        assert parameter.grad is not None
        assert_allclose(gradient, parameter.grad, rtol=1e-9, atol=1e-12)

    _, loss_sum = training.step.evaluate(batch)
    assert_allclose(
        float(loss_sum.detach()), float((loss - alpha / 2 * penalty).detach()), rtol=1e-12
    )


class ByHand:
    """Gradient descent in three lines."""

    optimizer = None

    def __init__(self, module: nn.Module, rate: float) -> None:
        self.module, self.rate = module, rate
        self.parameters = list(module.parameters())

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            outputs, loss_sum = self.evaluate(batch)
            self.gradients = torch.autograd.grad(loss_sum / batch.weight_sum, self.parameters)
        return outputs.detach(), loss_sum.detach()

    def update(self) -> None:
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter -= self.rate * gradient

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        outputs = self.module(batch.X)
        return outputs, ((outputs - batch.targets).square() / 2).sum()

    def figures(self, epoch: dict[str, Any]) -> dict[str, float]:
        return {"twice": 2 * epoch["train_loss"]}


def test_another_step_is_no_other_loop() -> None:
    validation = make_samples(X[::2], y[::2])
    plain = make(X, y, validation=validation)
    other = make(X, y, validation=validation)
    other.step = ByHand(other.module, 0.05)
    train(plain)
    train(other)
    assert_allclose(weights_of(other.module), weights_of(plain.module), rtol=1e-9)
    for key in ("train_loss", "train_score", "valid_loss", "valid_score"):
        assert_allclose(other.state.history[:, key], plain.state.history[:, key], rtol=1e-9)
    assert_allclose(
        other.state.history[:, "twice"], 2 * np.array(other.state.history[:, "train_loss"])
    )
