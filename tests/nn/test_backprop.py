from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from torch import Tensor, nn

from sknn.nn import (
    ACTIVATIONS,
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    DenseBackprop,
    DenseNetwork,
    Loss,
    make_classification_loss,
    make_regression_loss,
)

# torch says them once a process.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse:UserWarning")

N_ROWS, N_FEATURES = 13, 6
SUPPORTED = [name for name, activation in ACTIVATIONS.items() if activation.backward]
HIDDEN = [(), (7,), (7, 5), (7, 5, 4)]


def make_network(
    hidden: tuple[int, ...], n_outputs: int, dtype: torch.dtype = torch.float64, **parameters: Any
) -> DenseNetwork:
    network = DenseNetwork(N_FEATURES, hidden, n_outputs, **parameters).to(dtype)
    network.initialize(np.random.RandomState(0))
    return network


def make_batch(dtype: torch.dtype, is_sparse: bool) -> tuple[Tensor, Tensor]:
    """Return a batch, dense or CSR, and the same batch dense."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.4)
    dense = torch.from_numpy(X).to(dtype)
    return (dense.to_sparse_csr() if is_sparse else dense), dense


def autograd(
    network: nn.Module,
    loss: Loss,
    X: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    weight_sum: float,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    network.zero_grad()
    outputs = network(X)
    losses = loss(outputs, targets)
    if weight is not None:
        losses = losses * weight
    (losses.sum() / weight_sum).backward()
    gradients = {name: p.grad.clone() for name, p in network.named_parameters()}
    return outputs.detach(), losses.sum().detach(), gradients


def check_equal_autograd(
    hidden: tuple[int, ...],
    loss: Loss,
    targets: Tensor,
    n_outputs: int,
    *,
    activation: Any = "relu",
    is_weighted: bool = False,
    is_sparse: bool = False,
    dtype: torch.dtype = torch.float64,
    tolerance: float = 1e-11,
) -> None:
    X, dense = make_batch(dtype, is_sparse)
    weight = torch.linspace(0, 2, N_ROWS, dtype=dtype) if is_weighted else None
    weight_sum = N_ROWS if weight is None else float(weight.sum())
    outputs, loss_sum, expected = autograd(
        make_network(hidden, n_outputs, dtype, activation=activation),
        loss,
        dense,
        targets,
        weight,
        weight_sum,
    )
    network = make_network(hidden, n_outputs, dtype, activation=activation)
    step = DenseBackprop(network, loss)
    with torch.no_grad():
        for _ in range(2):  # the gradients of a second batch replace those of the first
            ours, our_sum = step(X, targets, weight, weight_sum)
    assert_allclose(ours, outputs, rtol=tolerance, atol=tolerance)
    assert_allclose(our_sum, loss_sum, rtol=tolerance)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert_allclose(parameter.grad, expected[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("activation", SUPPORTED)
def test_gradients_equal_autograd(
    activation: str, hidden: tuple[int, ...], is_weighted: bool, is_sparse: bool
) -> None:
    targets = torch.arange(N_ROWS) % 3
    loss = make_classification_loss("log_loss", "multiclass")
    check_equal_autograd(
        hidden,
        loss,
        targets,
        3,
        activation=activation,
        is_weighted=is_weighted,
        is_sparse=is_sparse,
    )


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("name", CLASSIFICATION_LOSSES)
def test_gradients_of_every_classification_loss_equal_autograd(
    name: str, task: str, is_weighted: bool
) -> None:
    n_outputs = 1 if task == "binary" else 3
    targets = torch.arange(N_ROWS) % 3
    if task != "multiclass":
        targets = (targets.unsqueeze(1) == torch.arange(n_outputs)).double()
    loss = make_classification_loss(name, task)
    check_equal_autograd((5,), loss, targets, n_outputs, activation="tanh", is_weighted=is_weighted)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_gradients_of_every_regression_loss_equal_autograd(name: str, n_outputs: int) -> None:
    targets = torch.linspace(0.1, 3, N_ROWS * n_outputs, dtype=torch.float64)
    loss = make_regression_loss(name)
    targets = targets.reshape(N_ROWS, n_outputs)
    check_equal_autograd((5, 4), loss, targets, n_outputs * loss.outputs_per_target)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_float32_gradients_equal_autograd(is_sparse: bool) -> None:
    check_equal_autograd(
        (7, 5),
        make_regression_loss("squared_error"),
        torch.ones(N_ROWS, 2),
        2,
        is_sparse=is_sparse,
        is_weighted=True,
        dtype=torch.float32,
        tolerance=2e-5,
    )


def test_layers_of_different_activation_equal_autograd() -> None:
    check_equal_autograd(
        (7, 5, 4),
        make_regression_loss("squared_error"),
        torch.ones(N_ROWS, 1, dtype=torch.float64),
        1,
        activation=("tanh", "elu", "logistic"),
    )


def test_bfloat16_gradients_are_near_those_of_float32() -> None:
    X, _ = make_batch(torch.float32, False)
    targets = torch.arange(N_ROWS) % 3
    loss = make_classification_loss("log_loss", "multiclass")
    network = make_network((16, 8), 3, torch.float32)
    _, _, expected = autograd(network, loss, X, targets, None, N_ROWS)
    mixed = make_network((16, 8), 3, torch.float32)
    step = DenseBackprop(mixed, loss, torch.bfloat16)
    with torch.no_grad():
        outputs, loss_sum = step(X, targets, None, N_ROWS)
    assert outputs.dtype == loss_sum.dtype == torch.float32
    for name, parameter in mixed.named_parameters():
        assert parameter.dtype == parameter.grad.dtype == torch.float32
        error = (parameter.grad - expected[name]).norm() / expected[name].norm()
        assert 0 < error < 0.03


def test_one_hidden_layer_by_hand() -> None:
    """The gradients of scikit-learn's worked example, one row, in NumPy."""
    network = make_network((2,), 1, activation="logistic")
    W1, W2 = (layer.weight.detach().numpy().copy() for layer in network.linear_layers)
    b1, b2 = (layer.bias.detach().numpy().copy() for layer in network.linear_layers)
    step = DenseBackprop(network, make_classification_loss("log_loss", "binary"))
    X = np.linspace(-1, 1, N_FEATURES)[None, :]
    with torch.no_grad():
        step(torch.from_numpy(X), torch.zeros(1, 1, dtype=torch.float64), None, 1.0)

    hidden = expit(X @ W1.T + b1)
    output_delta = expit(hidden @ W2.T + b2) - 0
    hidden_delta = output_delta @ W2 * hidden * (1 - hidden)
    first, second = network.linear_layers
    assert_allclose(second.weight.grad, output_delta.T @ hidden, rtol=1e-12)
    assert_allclose(second.bias.grad, output_delta[0], rtol=1e-12)
    assert_allclose(first.weight.grad, hidden_delta.T @ X, rtol=1e-12)
    assert_allclose(first.bias.grad, hidden_delta[0], rtol=1e-12)


def test_parameters_and_gradients_are_views_of_one_flat_tensor() -> None:
    network = make_network((5, 4), 2)
    expected = torch.cat(
        [layer.weight.detach().reshape(-1) for layer in network.linear_layers]
        + [layer.bias.detach() for layer in network.linear_layers]
    )
    step = DenseBackprop(network, make_regression_loss("squared_error"))
    (theta,), (weights,) = step.parameters, step.weights
    assert_array_equal(theta.detach(), expected)
    assert len(weights) == sum(layer.weight.numel() for layer in network.linear_layers)
    with torch.no_grad():
        theta.zero_()
        step.gradients[0].fill_(2)
    assert not weights.any()
    for parameter in network.parameters():
        assert not parameter.any()
        assert (parameter.grad == 2).all()


def test_the_batch_is_not_changed() -> None:
    X, _ = make_batch(torch.float64, False)
    before, targets = X.clone(), torch.ones(N_ROWS, 1, dtype=torch.float64)
    step = DenseBackprop(
        make_network((5,), 1, activation="identity"), make_regression_loss("squared_error")
    )
    with torch.no_grad():
        step(X, targets, torch.linspace(1, 2, N_ROWS, dtype=torch.float64), 2.0)
    assert_array_equal(X, before)
    assert_array_equal(targets, torch.ones(N_ROWS, 1))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, True),
        ({"activation": ("tanh", "leaky_relu")}, True),
        ({"activation": "gelu"}, False),
        ({"activation": nn.ReLU}, False),
        ({"activation": ("relu", "prelu")}, False),
        ({"dropout": 0.1}, True),
        ({"normalization": "layer"}, False),
    ],
)
def test_supports_networks_without_normalization_only(
    parameters: dict[str, Any], expected: bool
) -> None:
    assert DenseBackprop.supports(make_network((4, 3), 2, **parameters)) is expected


def test_subclasses_and_other_modules_are_not_supported() -> None:
    class Doubled(DenseNetwork):
        def forward(self, X: Tensor) -> Tensor:
            return 2 * super().forward(X)

    assert not DenseBackprop.supports(Doubled(3, (2,), 1))
    assert not DenseBackprop.supports(nn.Linear(3, 1))


@pytest.mark.parametrize("activation", SUPPORTED)
@pytest.mark.parametrize("dropout", [0.3, (0.0, 0.5), (0.5, 0.0)])
def test_dropout_is_that_of_the_module(activation: str, dropout: Any) -> None:
    parameters = {"activation": activation, "dropout": dropout}
    loss = make_regression_loss("squared_error")
    X, _ = make_batch(torch.float64, False)
    targets = torch.linspace(-1, 1, N_ROWS, dtype=torch.float64).unsqueeze(1)
    plain = make_network((7, 5), 1, **parameters).train()
    torch.manual_seed(3)
    outputs, loss_sum, expected = autograd(plain, loss, X, targets, None, N_ROWS)
    network = make_network((7, 5), 1, **parameters)
    step = DenseBackprop(network, loss)
    torch.manual_seed(3)
    with torch.no_grad():
        step_outputs, step_loss_sum = step(X, targets, None, N_ROWS)
    assert_allclose(step_outputs, outputs, rtol=1e-12)
    assert_allclose(step_loss_sum, loss_sum, rtol=1e-12)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert_allclose(parameter.grad, expected[name], rtol=1e-11, atol=1e-14)
