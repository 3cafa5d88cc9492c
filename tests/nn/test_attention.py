import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import erf, softmax
from torch import Tensor, nn

from sknn.nn import AttentionEncoder, sinusoidal_positions
from sknn.nn.attention import AttentionBlock
from sknn.nn.series import initialize_weights

WIDTH, HEADS, CHANNELS = 12, 3, 5


def prepare(module: nn.Module) -> nn.Module:
    """Give a module in float64 numbers of its own everywhere."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.copy_(torch.from_numpy(rng.normal(scale=0.4, size=parameter.shape)))
    return module.eval()


def make_encoder(**parameters: object) -> AttentionEncoder:
    parameters = {"n_layers": 2, "n_heads": HEADS} | parameters
    encoder = AttentionEncoder(CHANNELS, WIDTH, **parameters)  # type: ignore[arg-type]
    return prepare(encoder)  # type: ignore[return-value]


def make_series(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=shape))


# -------------------------------------------------------------------------------- NumPy's version


def linear(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def normalize(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    """Ba et al. (2016), equations 3 and 4, with the 1e-5 that keeps the variance from 0."""
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
    return scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def gelu(x: np.ndarray) -> np.ndarray:
    """Hendrycks and Gimpel (2016): x times the normal distribution function of x."""
    return x * (1 + erf(x / math.sqrt(2))) / 2


def attend(block: AttentionBlock, x: np.ndarray) -> np.ndarray:
    """Vaswani et al. (2017), equation 1 and section 3.2.2, for x of shape (steps, width)."""
    query, key, value = np.split(linear(block.query_key_value, x), 3, axis=1)
    size = WIDTH // HEADS
    heads = []
    for h in range(HEADS):
        part = slice(h * size, (h + 1) * size)
        scores = query[:, part] @ key[:, part].T / math.sqrt(size)
        heads.append(softmax(scores, axis=1) @ value[:, part])
    return linear(block.attention_output, np.hstack(heads))


def run_block(block: AttentionBlock, x: np.ndarray) -> np.ndarray:
    """Pre-norm, figure 1 (b) of Xiong et al. (2020)."""
    x = x + attend(block, normalize(block.attention_norm, x))
    return x + linear(block.dense2, gelu(linear(block.dense1, normalize(block.dense_norm, x))))


def positions(n_steps: int, width: int) -> np.ndarray:
    """Vaswani et al. (2017), section 3.5, with sines and cosines in halves, not in turns."""
    table = np.empty((n_steps, width))
    for position in range(n_steps):
        for i in range(width // 2):
            angle = position / 10000 ** (2 * i / width)
            table[position, i] = math.sin(angle)
            table[position, width // 2 + i] = math.cos(angle)
    return table


def run_encoder(encoder: AttentionEncoder, x: np.ndarray) -> np.ndarray:
    x = linear(encoder.projection, x)
    if encoder.positional_encoding is not None:
        x = x + positions(len(x), WIDTH)
    for block in encoder.blocks:
        x = run_block(block, x)  # type: ignore[arg-type]
    return normalize(encoder.norm, x)


# ----------------------------------------------------------------------------------- forward pass


def test_a_block_is_scaled_dot_product_attention_and_two_dense_layers() -> None:
    block = prepare(AttentionBlock(WIDTH, HEADS, "gelu", 0.0))
    states = make_series(2, 7, WIDTH)
    for found, each in zip(block(states).detach(), states.numpy(), strict=True):
        assert_allclose(found, run_block(block, each), atol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("positional_encoding", [None, "sinusoidal"])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_an_encoder_is_positions_blocks_and_a_normalization(
    n_layers: int, positional_encoding: str | None
) -> None:
    encoder = make_encoder(n_layers=n_layers, positional_encoding=positional_encoding)
    series = make_series(2, 9, CHANNELS)
    states = encoder(series).detach()
    assert states.shape == (2, 9, encoder.width)
    tolerance = 1e-12 if positional_encoding is None else 2e-6  # angles are computed in float32
    for found, each in zip(states, series.numpy(), strict=True):
        assert_allclose(found, run_encoder(encoder, each), atol=tolerance)


def test_steps_do_not_read_padding() -> None:
    encoder = make_encoder()
    lengths = [4, 1, 9, 6]
    series = make_series(4, 9, CHANNELS)
    states = encoder(series, torch.tensor(lengths)).detach()
    for found, each, n in zip(states, series.numpy(), lengths, strict=True):
        assert_allclose(found[:n], run_encoder(encoder, each[:n]), atol=2e-6)
        alone = encoder(torch.from_numpy(each[None, :n])).detach()[0]
        assert_allclose(found[:n], alone, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", nn.SiLU])
def test_the_activation_is_the_one_that_was_asked_for(activation: object) -> None:
    functions = {
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        nn.SiLU: lambda x: x / (1 + np.exp(-x)),
    }
    block = prepare(AttentionBlock(WIDTH, HEADS, activation, 0.0))
    x = make_series(1, 4, WIDTH)
    middle = x[0].numpy()
    middle = middle + attend(block, normalize(block.attention_norm, middle))  # type: ignore[arg-type]
    hidden = functions[activation](linear(block.dense1, normalize(block.dense_norm, middle)))  # type: ignore[index]
    expected = middle + linear(block.dense2, hidden)
    assert_allclose(block(x).detach()[0], expected, atol=1e-12)


# -------------------------------------------------------------------------------------- positions


@pytest.mark.parametrize(("n_steps", "width"), [(1, 2), (7, 12), (50, 8), (1000, 4)])
def test_positions_are_those_of_the_paper(n_steps: int, width: int) -> None:
    found = sinusoidal_positions(n_steps, width, torch.zeros((), dtype=torch.float64))
    assert found.dtype == torch.float64
    # float32 has seven digits, and angles of up to n_steps
    assert_allclose(found, positions(n_steps, width), atol=2e-7 * max(n_steps, 5))


def test_positions_do_not_depend_on_how_many_there_are() -> None:
    like = torch.zeros(())
    assert torch.equal(sinusoidal_positions(9, 6, like)[:4], sinusoidal_positions(4, 6, like))


@pytest.mark.parametrize(("positional_encoding", "matters"), [(None, False), ("sinusoidal", True)])
def test_the_order_of_the_steps_matters_with_positions_only(
    positional_encoding: str | None, matters: bool
) -> None:
    encoder = make_encoder(positional_encoding=positional_encoding)
    series = make_series(1, 8, CHANNELS)
    order = np.random.default_rng(0).permutation(8)
    difference = (encoder(series)[:, order] - encoder(series[:, order])).abs().max()
    assert (difference > 1e-3) == matters
    assert matters or difference < 1e-12


# --------------------------------------------------------------------- dropout and initial weights


def test_dropout_acts_in_training_only() -> None:
    encoder = make_encoder(dropout=0.3)
    series = make_series(2, 6, CHANNELS)
    expected = encoder(series)
    assert_allclose(expected.detach(), make_encoder()(series).detach(), atol=1e-14)
    encoder.train()
    assert not torch.allclose(encoder(series), expected)
    assert torch.equal(encoder.eval()(series), expected)


def test_attention_weights_are_not_dropped_out() -> None:
    """So that no kernel has to hold all of them."""
    block = prepare(AttentionBlock(WIDTH, HEADS, "gelu", 0.5)).train()
    states = make_series(1, 20, WIDTH)
    found = block.attend(states, None).detach()[0]  # type: ignore[operator]
    assert_allclose(found, attend(block, states[0].numpy()), atol=1e-12)  # type: ignore[arg-type]


def test_initial_weights_come_from_the_random_state_alone() -> None:
    def draw(seed: int) -> list[np.ndarray]:
        encoder = AttentionEncoder(CHANNELS, WIDTH, n_heads=HEADS)
        initialize_weights(encoder, np.random.RandomState(seed))
        return [parameter.detach().numpy() for parameter in encoder.parameters()]

    before = torch.get_rng_state()
    one, other = draw(0), draw(1)
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(one, draw(0), strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(one, other, strict=True):
        if a.ndim == 2:
            bound = math.sqrt(6 / sum(a.shape))
            assert 0.8 * bound < abs(a).max() <= bound
            assert not np.array_equal(a, b)
        else:  # biases, and normalizations that do nothing
            assert np.array_equal(a, b)
            assert set(a) in ({0.0}, {1.0})
