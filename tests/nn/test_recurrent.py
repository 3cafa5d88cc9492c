import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from torch import Tensor, nn

from sknn.nn import CELLS, RecurrentEncoder
from sknn.nn.series import initialize_weights

HIDDEN, CHANNELS = 4, 3


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rnn_step(i: np.ndarray, s: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple:
    """``h' = tanh(W x + b + U h + c)``; `i` is ``W x + b`` and `s` is ``U h + c``."""
    return np.tanh(i + s), c


def gru_step(i: np.ndarray, s: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple:
    """Cho et al. (2014), equations 5 to 8, in the variant that cuDNN and torch compute.

    In the paper the reset gate acts on the state, ``tanh(W x + U (r h))``; here on the product
    with it, bias included: ``tanh(W x + b + r (U h + c))``. The update gate keeps the old state.
    """
    (i_r, i_z, i_n), (s_r, s_z, s_n) = np.split(i, 3), np.split(s, 3)
    r, z = sigmoid(i_r + s_r), sigmoid(i_z + s_z)
    return z * h + (1 - z) * np.tanh(i_n + r * s_n), c


def lstm_step(i: np.ndarray, s: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple:
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000).

    torch has the gates in the order input, forget, cell, output, and no peepholes.
    """
    gate_i, gate_f, gate_g, gate_o = np.split(i + s, 4)
    c = sigmoid(gate_f) * c + sigmoid(gate_i) * np.tanh(gate_g)
    return sigmoid(gate_o) * np.tanh(c), c


STEPS: dict[str, Callable[..., tuple]] = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}


def run_cell(cell: str, layer: nn.RNNBase, series: np.ndarray) -> np.ndarray:
    """One layer over one series of shape (steps, channels), step by step from a state of zeros."""
    W, U, b, c = (
        getattr(layer, f"{name}_l0").detach().numpy()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    state, memory, states = np.zeros(HIDDEN), np.zeros(HIDDEN), []
    for x in series:
        state, memory = STEPS[cell](W @ x + b, U @ state + c, state, memory)
        states.append(state)
    return np.array(states)


def run_encoder(cell: str, encoder: RecurrentEncoder, series: np.ndarray) -> np.ndarray:
    for i, layer in enumerate(encoder.forward_layers):
        states = run_cell(cell, layer, series)
        if encoder.backward_layers:
            backward = run_cell(cell, encoder.backward_layers[i], series[::-1])[::-1]
            states = np.hstack([states, backward])
        series = states
    return series


def make_encoder(cell: str = "gru", **parameters: object) -> RecurrentEncoder:
    """An encoder in float64 all of whose weights, biases included, differ."""
    encoder = RecurrentEncoder(CHANNELS, HIDDEN, cell=cell, **parameters).double()  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(scale=0.5, size=parameter.shape)))
    return encoder.eval()


def make_batch(lengths: list[int]) -> Tensor:
    """Numbers everywhere, behind the ends of the series too."""
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.normal(size=(len(lengths), max(lengths), CHANNELS)))


# ---------------------------------------------------------------------------------- forward pass


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_forward_pass_is_that_of_the_published_equations(
    cell: str, n_layers: int, bidirectional: bool
) -> None:
    encoder = make_encoder(cell, n_layers=n_layers, bidirectional=bidirectional)
    series = make_batch([7, 7, 7])
    states = encoder(series).detach()
    assert states.shape == (3, 7, encoder.width) == (3, 7, HIDDEN * (2 if bidirectional else 1))
    for found, each in zip(states, series.numpy(), strict=True):
        assert_allclose(found, run_encoder(cell, encoder, each), atol=1e-13)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_padded_series_has_the_states_that_it_has_alone(cell: str, bidirectional: bool) -> None:
    encoder = make_encoder(cell, n_layers=2, bidirectional=bidirectional)
    lengths = [5, 1, 8, 3]
    series = make_batch(lengths)
    states = encoder(series, torch.tensor(lengths)).detach()
    for found, each, n in zip(states, series.numpy(), lengths, strict=True):
        assert_allclose(found[:n], run_encoder(cell, encoder, each[:n]), atol=1e-13)


def test_backward_layers_see_what_comes_and_forward_layers_what_was() -> None:
    encoder = make_encoder(bidirectional=True)
    assert (encoder.width, encoder.n_backward) == (2 * HIDDEN, HIDDEN)
    series = make_batch([6])
    changed = series.clone()
    changed[0, 3] += 1
    differs = (encoder(series) - encoder(changed)).abs()[0].detach().numpy() > 0
    assert_array_equal(differs[:, :HIDDEN].any(1), np.arange(6) >= 3)
    assert_array_equal(differs[:, HIDDEN:].any(1), np.arange(6) <= 3)
    assert make_encoder().n_backward == 0


def test_dropout_is_between_the_layers_alone() -> None:
    series = make_batch([6, 6])
    for n_layers, is_changed in [(1, False), (2, True)]:
        encoder = make_encoder(n_layers=n_layers, dropout=0.5)
        expected = encoder(series)
        encoder.train()
        assert torch.equal(encoder(series), expected) != is_changed
        assert torch.equal(encoder.eval()(series), expected)


# ------------------------------------------------------------------------------- initial weights


def initialized(cell: str, seed: int = 0, hidden_size: int = 8) -> RecurrentEncoder:
    encoder = RecurrentEncoder(5, hidden_size, n_layers=2, cell=cell, bidirectional=True)
    initialize_weights(encoder, np.random.RandomState(seed))
    return encoder


def layers_of(encoder: RecurrentEncoder) -> list[nn.RNNBase]:
    return [*encoder.forward_layers, *encoder.backward_layers]  # type: ignore[list-item]


N_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@pytest.mark.parametrize("cell", CELLS)
def test_weights_from_state_to_state_are_orthogonal_gate_by_gate(cell: str) -> None:
    matrices = [
        gate.detach().numpy()
        for layer in layers_of(initialized(cell))
        for gate in layer.weight_hh_l0.split(8)
    ]
    assert len(matrices) == 4 * N_GATES[cell]
    for matrix in matrices:
        assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-6)
    assert len({matrix[0, 0] for matrix in matrices}) == len(matrices)


def test_orthogonal_matrices_are_uniform() -> None:
    """A column of a uniform 3x3 orthogonal matrix is uniform on the sphere, and by Archimedes
    each of its coordinates in [-1, 1]."""
    layer = CELLS["gru"](1, 3)
    draws = []
    random_state = np.random.RandomState(0)
    for _ in range(200):
        initialize_weights(layer, random_state)
        draws += [gate.detach().numpy().copy() for gate in layer.weight_hh_l0.split(3)]
    for row, column in [(0, 0), (1, 1), (2, 2), (0, 2), (2, 0)]:
        sample = np.array([matrix[row, column] for matrix in draws])
        assert stats.kstest(sample, stats.uniform(-1, 2).cdf).pvalue > 0.001


@pytest.mark.parametrize("cell", CELLS)
def test_weights_of_inputs_are_uniform_within_the_bounds_of_each_gate(cell: str) -> None:
    for layer in layers_of(initialized(cell)):
        n_inputs = layer.input_size
        bound = math.sqrt(6 / (n_inputs + 8))
        for gate in layer.weight_ih_l0.detach().numpy().reshape(N_GATES[cell], -1):
            assert 0.8 * bound < abs(gate).max() <= bound  # which one for all gates would not be
            assert stats.kstest(gate, stats.uniform(-bound, 2 * bound).cdf).pvalue > 0.001


@pytest.mark.parametrize("cell", CELLS)
def test_biases_are_zero_but_for_the_forget_gate(cell: str) -> None:
    for layer in layers_of(initialized(cell)):
        total = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
        expected = np.zeros(N_GATES[cell] * 8)
        if cell == "lstm":
            expected[8:16] = 1  # input, forget, cell, output
        assert_array_equal(total, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_initial_weights_come_from_the_random_state_alone(cell: str) -> None:
    def weights(encoder: RecurrentEncoder) -> list[np.ndarray]:
        return [parameter.detach().numpy() for parameter in encoder.parameters()]

    before = torch.get_rng_state()
    one, other = weights(initialized(cell)), weights(initialized(cell, seed=1))
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        again = weights(initialized(cell))
    for a, b in zip(one, again, strict=True):
        assert_array_equal(a, b)
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True) if a.ndim == 2)


def test_an_encoder_is_copied_with_its_weights() -> None:
    encoder = make_encoder("lstm", bidirectional=True)
    series = make_batch([4])
    assert torch.equal(copy.deepcopy(encoder)(series), encoder(series))
