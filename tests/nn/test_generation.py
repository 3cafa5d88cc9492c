"""Generators and discriminators of adversarial networks."""

import numpy as np
import pytest
import torch

from sknn.nn.adversarial import AdversarialNetwork, squared_slopes
from sknn.nn.generation import (
    ConvDiscriminator,
    ConvGenerator,
    DenseDiscriminator,
    DenseGenerator,
    LabelledLayers,
    halvings,
    initialize,
)

NOISE = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (9, 13), (3, 3), (1, 40), (17, 8), (64, 48)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_are_made_and_judged(size: tuple[int, int], channels: int) -> None:
    shape = (channels, *size)
    for labels, n_classes in ((None, 0), (torch.tensor([0, 2, 1]), 3)):
        generator = ConvGenerator(5, shape, n_classes)
        discriminator = ConvDiscriminator(shape, n_classes)
        for each in (generator, discriminator):
            initialize(each, np.random.RandomState(0))
        samples = generator(NOISE, labels)
        assert samples.shape == (3, *shape)
        assert samples.abs().max() <= 1
        assert discriminator(samples, labels).shape == (3, 1)


def test_sizes_are_halved_until_few_pixels_are_left() -> None:
    assert halvings(28, 28) == [(28, 28), (14, 14), (7, 7)]
    assert halvings(33, 16) == [(33, 16), (17, 8), (9, 4)]
    assert halvings(1, 100) == [(1, 100)]


def test_labels_decide_by_a_product_with_the_features() -> None:
    discriminator = DenseDiscriminator((4,), (5,), 2)
    initialize(discriminator, np.random.RandomState(0))
    labels = torch.tensor([0, 1, 1])
    assert torch.equal(discriminator(NOISE, labels), discriminator(NOISE, 1 - labels))
    with torch.no_grad():
        discriminator.judgement.classes.weight.copy_(torch.arange(8.0).reshape(2, 4))
        features = discriminator.layers(NOISE)
        expected = discriminator.judgement.output(features)[:, 0]
        expected = expected + (features * torch.arange(8.0).reshape(2, 4)[labels]).sum(1)
    assert torch.allclose(discriminator(NOISE, labels)[:, 0], expected, atol=1e-6)


def test_layers_get_labels_as_columns_or_channels() -> None:
    seen = []

    class See(torch.nn.Module):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            seen.append(X)
            return X

    layers = LabelledLayers(See(), 2)
    layers(NOISE, torch.tensor([1, 0, 1]))
    layers(torch.ones(2, 3, 4, 4), torch.tensor([0, 1]))
    assert torch.equal(seen[0], torch.cat([NOISE, torch.tensor([[0.0, 1], [1, 0], [0, 1]])], 1))
    assert torch.equal(seen[1][:, 3:].mean((2, 3)), torch.eye(2))
    assert seen[1].shape == (2, 5, 4, 4)


def test_squared_slopes_are_those_of_a_quadratic() -> None:
    X = NOISE.clone().requires_grad_()
    slopes = squared_slopes((X**2).sum(1, keepdim=True), X)
    assert torch.allclose(slopes, 4 * (NOISE**2).sum(1))


def test_an_average_follows_weights_and_statistics() -> None:
    generator = DenseGenerator(5, (4,), (2,), course=True, squashed=True)
    initialize(generator, np.random.RandomState(0))
    network = AdversarialNetwork(generator, DenseDiscriminator((3,), (2,)), 5, averages=True)
    average = network.average
    before = [each.clone() for each in (*average.parameters(), *average.buffers())]
    generator.train()(NOISE)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(1)
    network.follow(0.9)
    now = [*average.parameters(), *average.buffers()]
    goals = [*generator.parameters(), *generator.buffers()]
    for start, reached, goal in zip(before, now, goals, strict=True):
        if start.is_floating_point():
            assert torch.allclose(reached, 0.9 * start + 0.1 * goal, atol=1e-6)
        else:
            assert reached == goal == 1
