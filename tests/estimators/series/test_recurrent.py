"""What only the recurrent family has; the rest is in test_series_family.py."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sknn import RecurrentClassifier, RecurrentRegressor
from sknn.estimators._modules import working_copy
from sknn.nn import SeriesNetwork

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 9, 2))
RAGGED = [each[: 3 + i % 7] for i, each in enumerate(X)]
y = (X[:, 0, 0] > 0).astype(int)


def make(estimator: Any = RecurrentClassifier, **parameters: Any) -> Any:
    small = {"hidden_size": 5, "filters": None, "dropout": 0.0, "max_iter": 1, "random_state": 0}
    return estimator(**(small | parameters))


def count_weights(n_gates: int, n_inputs: int, *, n_layers: int, n_directions: int) -> int:
    """Each gate has weights from the inputs and from the state, and two biases."""
    total = 0
    for _ in range(n_layers):
        total += n_directions * n_gates * 5 * (n_inputs + 5 + 2)
        n_inputs = 5 * n_directions
    return total + n_inputs + 1  # the output


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize(
    ("cell", "kind", "n_gates"), [("rnn", nn.RNN, 1), ("gru", nn.GRU, 3), ("lstm", nn.LSTM, 4)]
)
def test_parameters_describe_the_network(
    cell: str, kind: type, n_gates: int, n_layers: int, bidirectional: bool
) -> None:
    model = make(cell=cell, n_layers=n_layers, bidirectional=bidirectional).fit(RAGGED, y)
    assert type(model.module_) is SeriesNetwork
    layers = [module for module in model.module_.modules() if isinstance(module, nn.RNNBase)]
    n_directions = 2 if bidirectional else 1
    assert len(layers) == n_layers * n_directions
    assert all(isinstance(layer, kind) for layer in layers)
    expected = count_weights(n_gates, 2, n_layers=n_layers, n_directions=n_directions)
    assert model.n_parameters_ == expected
    alone = np.concatenate([model.predict_proba([each]) for each in RAGGED])
    assert_allclose(model.predict_proba(RAGGED), alone, rtol=0, atol=1e-5)


def test_defaults_are_a_bidirectional_gru() -> None:
    model = RecurrentClassifier(max_iter=1).fit(X, y)
    assert model.module_.pooling.kind == model.pooling
    assert len(model.module_.encoder.forward_layers) == 1
    assert len(model.module_.encoder.backward_layers) == 1
    assert isinstance(model.module_.encoder.forward_layers[0], nn.GRU)
    assert model.module_.encoder.width == 2 * 64
    assert model.module_.head.output.in_features == 2 * 64


@pytest.mark.parametrize("form", ["equal", "ragged"])
def test_a_forward_network_cannot_remember_what_a_backward_one_sees_last(form: str) -> None:
    """The gradient of the last output with respect to the first step, by differences."""
    series = X[:1] if form == "equal" else [X[0], X[0, :4]]
    changed = [each.copy() for each in series]
    changed[0][0] += 3
    for pooling, expected in [("last", True), ("mean", True)]:
        model = make(bidirectional=False, cell="rnn", pooling=pooling).fit(X, y)
        difference = abs(model.decision_function(series) - model.decision_function(changed))
        assert (difference[0] > 1e-7) == expected
        assert (difference[1:] == 0).all()


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_every_pooling_learns_from_the_first_step(pooling: str) -> None:
    model = make(RecurrentRegressor, pooling=pooling, max_iter=20, learning_rate_init=0.05)
    model.set_params(cell="lstm", hidden_size=8, batch_size=20)
    assert model.fit(RAGGED, X[:, 0, 0]).score(RAGGED, X[:, 0, 0]) > 0.7


def test_dropout_is_between_layers_and_before_dense_layers() -> None:
    model = make(n_layers=2, dropout=0.25, hidden_layer_sizes=(4,)).fit(X, y)
    rates = [module.p for module in model.module_.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.25] * 3  # encoder, and before both dense layers


def test_the_cost_of_a_step_decides_the_number_of_threads() -> None:
    """Steps go through a recurrent layer one after the other: long series are no more work."""
    short, long = (make().fit(np.ones((4, n, 1)), [0, 1, 0, 1]) for n in (5, 50))
    assert short._work.flops == long._work.flops
    assert long._work.layer_size == 10 * short._work.layer_size


def test_a_working_copy_has_its_recurrent_weights_put_in_one_piece(monkeypatch):
    flattened = []
    monkeypatch.setattr(torch.nn.GRU, "flatten_parameters", lambda layer: flattened.append(layer))
    module = torch.nn.Sequential(torch.nn.GRU(2, 3))
    flattened.clear()
    copied = working_copy(module)
    assert flattened == [copied[0]]
    assert not copied.training
    assert torch.equal(copied[0].weight_ih_l0, module[0].weight_ih_l0)
