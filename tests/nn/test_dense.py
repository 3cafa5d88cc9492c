import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.neural_network import MLPClassifier
from torch import nn

from sknn.nn import DenseNetwork
from sknn.nn.layers import Dropout


def make_network(*sizes: int, seed: int = 0, **parameters: Any) -> DenseNetwork:
    first, *hidden, last = sizes
    network = DenseNetwork(first, hidden, last, **parameters).double()
    network.initialize(np.random.RandomState(seed))
    return network


@pytest.mark.parametrize("hidden", [(), (7,), (7, 3), (7, 3, 5)])
def test_forward_is_a_chain_of_affine_maps_and_activations(hidden: tuple[int, ...]) -> None:
    network = make_network(4, *hidden, 2, activation="tanh")
    X = np.random.default_rng(0).normal(size=(6, 4))
    expected = X
    for i, layer in enumerate(network.linear_layers):
        expected = expected @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        if i < len(hidden):
            expected = np.tanh(expected)
    outputs = network(torch.from_numpy(X)).detach().numpy()
    assert outputs.shape == (6, 2)
    assert_allclose(outputs, expected, rtol=1e-12)


def test_each_layer_has_its_own_activation() -> None:
    network = make_network(3, 4, 5, 1, activation=("relu", nn.Hardsigmoid))
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.Hardsigmoid, nn.Linear]


@pytest.mark.parametrize(("name", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_normalization_comes_before_and_dropout_after_the_activation(
    name: str, kind: type[nn.Module]
) -> None:
    network = make_network(3, 4, 5, 1, normalization=name, dropout=(0.2, 0.0))
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [
        *[nn.Linear, kind, nn.ReLU, Dropout],
        *[nn.Linear, kind, nn.ReLU],
        nn.Linear,
    ]
    assert network.layers[3].p == 0.2


@pytest.mark.parametrize(
    ("parameters", "is_plain"),
    [
        ({}, True),
        ({"dropout": 0.0}, True),
        ({"dropout": 0.1}, True),
        ({"normalization": "batch"}, False),
    ],
)
def test_a_plain_network_has_no_normalization(parameters: dict[str, Any], is_plain: bool) -> None:
    assert make_network(3, 4, 4, 1, **parameters).is_plain is is_plain


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 3)])
def test_initial_weights_are_those_of_scikit_learn(
    activation: str, hidden: tuple[int, ...]
) -> None:
    mlp = MLPClassifier(hidden, activation=activation, learning_rate_init=1e-300, alpha=0)
    mlp.set_params(random_state=3, solver="sgd", momentum=0)
    X = np.random.default_rng(0).normal(size=(12, 4))
    mlp.partial_fit(X, np.arange(12) % 3, classes=[0, 1, 2])
    network = make_network(4, *hidden, 3, activation=activation, seed=3)
    for layer, coef, intercept in zip(
        network.linear_layers, mlp.coefs_, mlp.intercepts_, strict=True
    ):
        assert_allclose(layer.weight.detach().numpy(), coef.T, rtol=1e-15)
        assert_allclose(layer.bias.detach().numpy(), intercept, rtol=1e-15)


@pytest.mark.parametrize(("activation", "factor"), [("relu", 6), ("gelu", 6), ("logistic", 2)])
def test_initial_weights_are_uniform_within_glorots_bound(activation: str, factor: float) -> None:
    network = make_network(100, 200, 50, activation=activation)
    for layer in network.linear_layers:
        bound = np.sqrt(factor / (layer.in_features + layer.out_features))
        weight = layer.weight.detach().numpy()
        assert np.abs(weight).max() <= bound
        assert_allclose(weight.std(), bound / np.sqrt(3), rtol=0.05)
        assert np.abs(layer.bias.detach().numpy()).max() <= bound


def test_a_new_network_has_finite_weights_before_it_is_initialized() -> None:
    torch.full((400, 400), torch.nan)  # memory that is likely to be used again
    network = DenseNetwork(400, (400,), 400)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    assert network.linear_layers[0].weight.std() > 0


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")  # torch says them once a process
@pytest.mark.parametrize("normalization", [None, "layer"])
def test_sparse_rows_give_the_outputs_of_dense_ones(normalization: str | None) -> None:
    network = make_network(8, 5, 2, normalization=normalization)
    X = sparse.random_array((9, 8), density=0.3, rng=0, format="csr")
    tensor = torch.sparse_csr_tensor(
        torch.from_numpy(X.indptr.astype(np.int64)),
        torch.from_numpy(X.indices.astype(np.int64)),
        torch.from_numpy(X.data),
        size=X.shape,
    )
    expected = network(torch.from_numpy(X.toarray())).detach().numpy()
    assert_allclose(network(tensor).detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_is_independent_and_complete(duplicate: Any) -> None:
    network = make_network(4, 3, 2, activation="elu")
    duplicated = duplicate(network)
    X = torch.ones(2, 4, dtype=torch.float64)
    before = network(X).detach().numpy()
    assert_array_equal(duplicated(X).detach().numpy(), before)
    with torch.no_grad():
        duplicated.linear_layers[0].weight.add_(1)
    assert not np.allclose(duplicated(X).detach().numpy(), before)
    assert_array_equal(network(X).detach().numpy(), before)
