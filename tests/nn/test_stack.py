from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sknn.nn import (
    DenseBackprop,
    DenseNetwork,
    Loss,
    StackedBackprop,
    make_classification_loss,
    make_regression_loss,
)
from tests.helpers import assert_equal_up_to_rounding

# Three networks with equal batches, two with one row less, and one with two less.
RUNS = [(0, 3, 0), (3, 5, 1), (5, 6, 2)]
N_NETWORKS = 6

# Shapes for which torch has routines of their own: one output, few products, wide inputs, no
# hidden layer, one row.
SHAPES = [
    (142, 13, (100,), 3, "multiclass"),
    (200, 30, (100,), 1, "binary"),
    (200, 64, (100,), 10, "multiclass"),
    (39, 8, (20, 10), 4, "multilabel"),
    (200, 11, (50,), 1, "squared_error"),
    (37, 5, (9,), 2, "huber"),
    (7, 4, (5,), 3, "multiclass"),
    (5, 3, (), 1, "squared_error"),
    (150, 4, (1,), 1, "squared_error"),
    (64, 784, (30,), 10, "multiclass"),
]


def make_loss(kind: str, label_smoothing: float = 0.0) -> Loss:
    if kind in ("binary", "multiclass", "multilabel"):
        return make_classification_loss("log_loss", kind, label_smoothing=label_smoothing)
    return make_regression_loss(kind)


def make_step(
    number: int,
    shape: tuple[int, tuple[int, ...], int],
    loss: Loss,
    dtype: torch.dtype,
    **parameters: Any,
) -> DenseBackprop:
    n_features, hidden, n_outputs = shape
    network = DenseNetwork(
        n_features,
        hidden,
        n_outputs,
        random_state=np.random.RandomState(number),
        dtype=dtype,
        **parameters,
    )
    return DenseBackprop(network, loss)


def make_data(
    n_rows: int, n_features: int, n_outputs: int, kind: str, dtype: torch.dtype
) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    data = []
    for _ in range(N_NETWORKS):
        X = torch.randn(n_rows, n_features, generator=generator, dtype=dtype)
        if kind == "multiclass":
            targets = torch.randint(0, n_outputs, (n_rows,), generator=generator)
        else:
            targets = torch.rand(n_rows, n_outputs, generator=generator, dtype=dtype).round()
        data.append((X, targets))
    return data


def assert_same_sums(actual: Tensor, expected: Tensor, *n_terms: int) -> None:
    """Compare sums of products, a layer after the other, whose terms come in any order.

    A sum of n terms is off by n precisions of its largest partial sum at most; the errors of the
    layers add up.
    """
    assert_equal_up_to_rounding(actual, expected, roundings=4 * sum(n_terms))


def make_generator(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(("n_rows", "n_features", "hidden", "n_outputs", "kind"), SHAPES)
def test_each_network_has_the_gradients_that_it_has_alone(
    n_rows: int,
    n_features: int,
    hidden: tuple[int, ...],
    n_outputs: int,
    kind: str,
    is_weighted: bool,
    dropout: float,
    dtype: torch.dtype,
) -> None:
    shape = (n_features, hidden, n_outputs)
    smoothing = 0.1 if kind in ("binary", "multiclass", "multilabel") else 0.0
    # losses and dropout differ between the networks
    losses = [make_loss(kind, smoothing * (i > 2)) for i in range(N_NETWORKS)]
    rates = [dropout * (i != 1) for i in range(N_NETWORKS)]
    steps = [
        make_step(i, shape, losses[i], dtype, dropout=rates[i] or 0.0) for i in range(N_NETWORKS)
    ]
    generators = [make_generator(i) for i in range(N_NETWORKS)]
    stack = StackedBackprop(steps, n_rows, generators)
    data = make_data(n_rows, n_features, n_outputs, kind, dtype)

    for start, stop, n_missing in RUNS:
        n = n_rows - n_missing
        weight = torch.linspace(0.5, 2, n, dtype=dtype) if is_weighted else None
        weight_sum = float(n if weight is None else weight.sum())
        with torch.no_grad():
            outputs, loss_sums = stack(
                start,
                torch.stack([X[:n] for X, _ in data[start:stop]]),
                torch.cat([targets[:n] for _, targets in data[start:stop]]),
                None if weight is None else weight.expand(stop - start, n),
                torch.full((stop - start,), weight_sum, dtype=dtype),
            )
        for i, own_outputs in enumerate(outputs.split(n), start):
            alone = make_step(i, shape, losses[i], dtype, dropout=rates[i] or 0.0)
            torch.manual_seed(i)
            with torch.no_grad():
                expected = alone(data[i][0][:n].clone(), data[i][1][:n], weight, weight_sum)
            assert_same_sums(own_outputs, expected[0], n_rows, n_features, *hidden)
            assert_same_sums(loss_sums[i - start], expected[1], n_rows, n_features, *hidden)
            gradients = steps[i].gradients[0], alone.gradients[0]
            assert_same_sums(*gradients, n_rows, n_features, *hidden)


@pytest.mark.parametrize(
    "activation", ["identity", "relu", "logistic", "tanh", "leaky_relu", "elu"]
)
def test_activations_are_those_of_a_network_alone(activation: str) -> None:
    shape, n_rows = (6, (7, 5), 1), 43
    loss = make_loss("squared_error")
    parameters: dict[str, Any] = {"activation": activation}
    steps = [make_step(i, shape, loss, torch.float64, **parameters) for i in range(N_NETWORKS)]
    stack = StackedBackprop(steps, n_rows, [None] * N_NETWORKS)
    data = make_data(n_rows, 6, 1, "squared_error", torch.float64)
    X, targets = (torch.stack(part) for part in zip(*data, strict=True))
    with torch.no_grad():
        stack(0, X, targets.flatten(0, 1), None, torch.full((N_NETWORKS,), 43.0))
    for i, step in enumerate(steps):
        alone = make_step(i, shape, loss, torch.float64, **parameters)
        with torch.no_grad():
            alone(*data[i], None, 43.0)
        assert_same_sums(step.gradients[0], alone.gradients[0], n_rows, 6, 7, 5)


def test_penalties_are_half_the_squared_weights() -> None:
    steps = [make_step(i, (3, (4,), 1), make_loss("huber"), torch.float64) for i in range(4)]
    stack = StackedBackprop(steps, 5, [None] * 4)
    losses = torch.zeros(2, dtype=torch.float64)
    stack.add_penalty(1, losses, 0.5, 2.0)
    for step, loss in zip(steps[1:3], losses, strict=True):
        weights = list(step._layer_weights)
        squares = sum(float((weight.numpy() ** 2).sum()) for weight in weights)
        assert float(loss) == pytest.approx(0.25 * squares, rel=1e-12)
        flat = np.concatenate([weight.numpy().ravel() for weight in weights])
        np.testing.assert_allclose(step.weight_gradients[0], 0.25 * flat, rtol=1e-12)
    assert not steps[0].gradients[0].any()
    assert not steps[3].gradients[0].any()


def test_networks_that_leave_have_memory_of_their_own() -> None:
    steps = [make_step(i, (3, (4,), 1), make_loss("huber"), torch.float64) for i in range(4)]
    before = [step.theta.detach().clone() for step in steps]
    stack = StackedBackprop(steps, 5, [None] * 4)
    n_parameters = len(before[0])
    assert steps[0].theta.untyped_storage().nbytes() > 4 * n_parameters * 8
    stack.keep([1, 3])
    assert stack.steps == [steps[1], steps[3]]
    stack.keep([])
    for step, values in zip(steps, before, strict=True):
        assert torch.equal(step.theta, values)
        assert step.theta.untyped_storage().nbytes() == n_parameters * 8
        # network, optimizer and gradients see the same memory still
        step.theta.data.fill_(1.0)
        assert all(bool((weight == 1).all()) for weight in step._layer_weights)
        assert bool((step.weights[0] == 1).all())
        assert step.theta.grad is step.gradients[0]
