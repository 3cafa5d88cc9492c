import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn

from sknn.nn import EnsembleNetwork, GaussianLoss, SideBySide
from sknn.nn.ensemble import AVERAGES
from sknn.nn.losses import OUTPUT_ACTIVATIONS


class Constant(nn.Module):
    """Returns the same outputs whatever it gets."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, X: Tensor) -> Tensor:
        return self.outputs


def average(outputs: Tensor, out_activation: str) -> Tensor:
    return EnsembleNetwork(map(Constant, outputs), out_activation)(torch.zeros(1)).detach()


def test_every_output_activation_has_its_average() -> None:
    assert set(AVERAGES) == {*OUTPUT_ACTIVATIONS, "gaussian"}


@pytest.mark.parametrize("n_networks", [1, 4])
def test_normal_distributions_have_the_moments_of_their_mixture(n_networks: int) -> None:
    rng = np.random.default_rng(0)
    means, s = rng.normal(size=(2, n_networks, 5, 2))
    outputs = average(torch.from_numpy(np.concatenate([means, s], 2)), "gaussian")
    loss = GaussianLoss()
    variances = np.exp(s) + 1e-6
    # E[y^2] - E[y]^2 of a mixture with equal weights
    expected = (variances + means**2).mean(0) - means.mean(0) ** 2
    assert_allclose(loss.activate(outputs), means.mean(0), rtol=1e-12, atol=1e-15)
    assert_allclose(loss.variances(outputs), expected, rtol=1e-12)


def test_networks_side_by_side() -> None:
    networks = [nn.Linear(3, 2) for _ in range(4)]
    X = torch.randn(5, 3)
    expected = np.concatenate([each(X).detach() for each in networks], 1)
    assert_allclose(SideBySide(networks)(X).detach(), expected)


@pytest.mark.parametrize("n_networks", [1, 2, 7])
@pytest.mark.parametrize("out_activation", OUTPUT_ACTIVATIONS)
def test_the_activated_average_is_the_mean_of_what_is_activated(
    out_activation: str, n_networks: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = 3 * torch.randn(n_networks, 5, 4, dtype=torch.float64, generator=generator)
    activate = OUTPUT_ACTIVATIONS[out_activation]
    expected = torch.stack([activate(each) for each in outputs]).mean(0)
    assert_allclose(activate(average(outputs, out_activation)), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_averages_are_exact_where_probabilities_round_to_zero_or_one(dtype: torch.dtype) -> None:
    """Both networks say no with e^-1000 and e^-1001: the average is e^-1000 (1 + 1/e) / 2."""
    expected = -1000 + math.log((1 + math.exp(-1)) / 2)
    outputs = torch.tensor([[[-1000.0]], [[-1001.0]]], dtype=dtype)
    assert_allclose(average(outputs, "logistic"), [[expected]], rtol=1e-6)
    assert_allclose(average(-outputs, "logistic"), [[-expected]], rtol=1e-6)
    pairs = torch.cat([outputs, torch.zeros_like(outputs)], 2)
    log_probabilities = torch.log_softmax(average(pairs, "softmax"), 1)
    assert_allclose(log_probabilities, [[expected, 0]], rtol=1e-6)
    assert_allclose(average(outputs, "exp"), [[expected]], rtol=1e-6)


def test_networks_that_contradict_each_other_leave_it_open() -> None:
    outputs = torch.tensor([[[1e4]], [[-1e4]]])
    assert average(outputs, "logistic").item() == pytest.approx(0)


def test_outputs_in_bfloat16_are_averaged_in_float32() -> None:
    outputs = torch.tensor([[[1.0]], [[1.0078125]]], dtype=torch.bfloat16)  # neighbours
    mean = average(outputs, "identity")
    assert mean.dtype == torch.float32
    assert mean.item() == np.float32(1.00390625)


def test_the_networks_are_held_and_counted_once() -> None:
    networks = [nn.Linear(3, 2) for _ in range(4)]
    ensemble = EnsembleNetwork(networks, "softmax")
    assert all(own is given for own, given in zip(ensemble.networks, networks, strict=True))
    assert sum(p.numel() for p in ensemble.parameters()) == 4 * (3 * 2 + 2)
    assert "out_activation='softmax'" in repr(ensemble)


def test_an_unknown_output_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="out_activation='probit' is unknown; use one of"):
        EnsembleNetwork([nn.Linear(1, 1)], "probit")
