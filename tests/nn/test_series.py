import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from torch import Tensor, nn

from sknn.nn import (
    CELLS,
    SERIES_POOLINGS,
    AttentionEncoder,
    Noise,
    RecurrentEncoder,
    SeriesNetwork,
    Standardize,
    Stem,
    Unstandardize,
    valid_steps,
)
from sknn.nn.series import Pooling, SeriesConvolution, StepNorm, mask_padding, reverse_steps

LENGTHS = [5, 1, 8, 3, 8, 2]
CHANNELS = 3


def make_list(lengths: list[int] = LENGTHS, channels: int = CHANNELS) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=(n, channels))) for n in lengths]


def pad(series: list[Tensor], more: int = 0, value: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return a batch in which `value` stands behind the end of each series, and the lengths."""
    lengths = torch.tensor([len(each) for each in series])
    shape = (len(series), int(lengths.max()) + more, *series[0].shape[1:])
    batch = torch.full(shape, value, dtype=series[0].dtype)
    for row, each in zip(batch, series, strict=True):
        row[: len(each)] = each
    return batch, lengths


# --------------------------------------------------------------------------- masks and directions


def test_steps_are_valid_up_to_the_length() -> None:
    found = valid_steps(torch.tensor([2, 1, 4]), 5)
    expected = [[i < n for i in range(5)] for n in (2, 1, 4)]
    assert_array_equal(found, expected)


def test_padding_is_set_to_zero_and_the_rest_stays() -> None:
    series = make_list()
    garbage, lengths = pad(series, more=2, value=math.nan)
    assert_array_equal(mask_padding(garbage, lengths), pad(series, more=2)[0])
    assert mask_padding(garbage, None) is garbage


def test_each_series_is_turned_round_by_its_own_length() -> None:
    series = make_list()
    batch, lengths = pad(series, more=1, value=7.0)
    turned = reverse_steps(batch, lengths)
    expected, _ = pad([each.flip(0) for each in series], more=1, value=7.0)
    assert_array_equal(turned, expected)
    assert_array_equal(reverse_steps(turned, lengths), batch)
    assert_array_equal(reverse_steps(batch, None), batch.numpy()[:, ::-1])


# ------------------------------------------------------------------------- scales, normalizations


def test_series_are_standardized_and_outputs_scaled_back() -> None:
    X = torch.cat(make_list()).numpy() * [1, 100, 0.01] + [3, -50, 0]
    mean, scale = (torch.from_numpy(each) for each in (X.mean(0), X.std(0)))
    standardize = Standardize(mean, scale)
    Z = standardize(torch.from_numpy(X))
    assert_allclose(Z.mean(0), 0, atol=1e-12)
    assert_allclose(Z.std(0, correction=0), 1)
    assert_allclose(Unstandardize(mean, scale)(Z), X)
    assert not list(standardize.parameters())
    assert set(standardize.state_dict()) == {"mean", "scale"}  # it is stored with the network


def test_noise_is_normal_and_of_training_alone() -> None:
    series = torch.ones(200, 50, 2)
    noise = Noise(0.1)
    assert noise.eval()(series) is series
    drawn = noise.train()(series) - 1
    assert stats.kstest(drawn.flatten().numpy() / 0.1, "norm").pvalue > 0.001
    assert (noise(series) - 1 != drawn).any()  # anew in each batch


def test_batch_normalization_takes_its_statistics_from_valid_steps() -> None:
    series = make_list()
    norm = StepNorm("batch", CHANNELS).double()
    with torch.no_grad():
        norm.norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        norm.norm.bias.copy_(torch.tensor([0.5, 0.0, -1.0]))
    for more in (0, 5):
        norm.norm.reset_running_stats()
        batch, lengths = pad(series, more, value=100.0)
        found = norm.train()(batch, lengths).detach()
        steps = torch.cat(series).numpy()
        mean, variance = steps.mean(0), steps.var(0)
        expected = (steps - mean) / np.sqrt(variance + 1e-5) * [1, 2, 3] + [0.5, 0, -1]
        for row, each in zip(found, np.split(expected, np.cumsum(LENGTHS)[:-1]), strict=True):
            assert_allclose(row[: len(each)], each, atol=1e-12)
            assert not row[len(each) :].any()
        # what evaluation uses: a tenth of the batch's mean and unbiased variance
        assert_allclose(norm.norm.running_mean, 0.1 * mean)
        assert_allclose(norm.norm.running_var, 0.9 + 0.1 * steps.var(0, ddof=1))
        shift = norm.norm.running_mean.numpy()
        scale = np.sqrt(norm.norm.running_var.numpy() + 1e-5)
        expected = (series[0].numpy() - shift) / scale * [1, 2, 3] + [0.5, 0, -1]
        assert_allclose(norm.eval()(batch, lengths).detach()[0, :5], expected, atol=1e-12)


def test_batch_normalization_of_equal_lengths_is_that_of_all_steps() -> None:
    batch = torch.stack(make_list([6, 6, 6]))
    norm = StepNorm("batch", CHANNELS).double().train()
    steps = batch.numpy().reshape(-1, CHANNELS)
    expected = (steps - steps.mean(0)) / np.sqrt(steps.var(0) + 1e-5)
    found = norm(batch, None).detach()
    assert_allclose(found.reshape(-1, CHANNELS), expected, atol=1e-12)
    assert_allclose(norm(batch, torch.tensor([6, 6, 6])).detach(), found, atol=1e-14)


def test_layer_normalization_is_over_the_channels_of_each_step() -> None:
    series = make_list()
    batch, lengths = pad(series)
    found = StepNorm("layer", CHANNELS).double().train()(batch, lengths).detach()
    for row, each in zip(found, series, strict=True):
        x = each.numpy()
        centred = x - x.mean(1, keepdims=True)
        expected = centred / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        assert_allclose(row[: len(x)], expected, atol=1e-12)


# ------------------------------------------------------------------------------------ convolution


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """One series of shape (steps, channels), number by number; what lies outside of it is zero.

    Where kernels overlap, their positions are centred: half of the overlap, rounded down, lies
    before the first step.
    """
    n_filters, channels, kernel_size = weight.shape
    before = max(kernel_size - stride, 0) // 2
    filtered = np.zeros((math.ceil(len(x) / stride), n_filters))
    for position in range(len(filtered)):
        for f in range(n_filters):
            for k in range(kernel_size):
                step = position * stride + k - before
                if 0 <= step < len(x):
                    for c in range(channels):
                        filtered[position, f] += weight[f, c, k] * x[step, c]
    return filtered + bias


def make_convolution(kernel_size: int, stride: int, **parameters: Any) -> SeriesConvolution:
    parameters = {"activation": "tanh", "normalization": None} | parameters
    layer = SeriesConvolution(CHANNELS, 2, kernel_size, stride, **parameters).double()
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=parameter.shape)))
    return layer


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 7])
def test_a_convolution_is_a_loop_over_the_steps(kernel_size: int, stride: int) -> None:
    layer = make_convolution(kernel_size, stride)
    weight, bias = layer.conv.weight.detach().numpy()[:, :, 0], layer.conv.bias.detach().numpy()
    series = make_list([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expected = [np.tanh(convolve(each.numpy(), weight, bias, stride)) for each in series]
    for each, result in zip(series, expected, strict=True):
        found, lengths = layer(each[None], None)
        assert lengths is None
        assert_allclose(found.detach()[0], result, atol=1e-13)
    found, lengths = layer(*pad(series, more=3))
    assert lengths.tolist() == [len(each) for each in expected]
    for row, result in zip(found.detach(), expected, strict=True):
        assert_allclose(row[: len(result)], result, atol=1e-13)
        assert not row[len(result) :].any()


def test_a_kernel_as_long_as_its_stride_cuts_patches() -> None:
    layer = make_convolution(4, 4, activation="identity")
    (series,) = make_list([12])
    weight, bias = layer.conv.weight.detach().numpy()[:, :, 0], layer.conv.bias.detach().numpy()
    patches = series.numpy().reshape(3, 4, CHANNELS)
    expected = np.einsum("pkc,fck->pf", patches, weight) + bias
    assert_allclose(layer(series[None], None)[0].detach()[0], expected, atol=1e-13)


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalization_comes_before_the_activation_and_has_the_bias(normalization: str) -> None:
    layer = make_convolution(3, 2, normalization=normalization).train()
    assert layer.conv.bias is None
    series = make_list()
    weight = layer.conv.weight.detach().numpy()[:, :, 0]
    filtered = [convolve(each.numpy(), weight, np.zeros(2), 2) for each in series]
    axis = 0 if normalization == "batch" else 1
    steps = np.concatenate(filtered)
    steps = steps - steps.mean(axis, keepdims=True)
    steps /= np.sqrt(np.square(steps).mean(axis, keepdims=True) + 1e-5)
    norm = layer.norm.norm
    expected = np.tanh(steps * norm.weight.detach().numpy() + norm.bias.detach().numpy())
    batch, lengths = pad(series)
    found, lengths = layer(batch, lengths)
    assert_allclose(found[valid_steps(lengths, found.shape[1])].detach(), expected, atol=1e-12)


# ---------------------------------------------------------------------------------------- pooling

EXPECTED_POOLING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "last": lambda x: x[-1],
    "mean": lambda x: x.mean(0),
    "max": lambda x: x.max(0),
}


@pytest.mark.parametrize("kind", SERIES_POOLINGS)
def test_pooling_is_that_of_each_series(kind: str) -> None:
    series = [each - 5 for each in make_list()]  # a maximum over padding would be its zero
    expected = [EXPECTED_POOLING[kind](each.numpy()) for each in series]
    assert_allclose(Pooling(kind)(*pad(series, more=2)), expected, rtol=1e-13)
    for each, result in zip(series, expected, strict=True):
        assert_allclose(Pooling(kind)(each[None], None)[0], result, rtol=1e-13)


@pytest.mark.parametrize("kind", SERIES_POOLINGS)
def test_the_last_state_of_backward_channels_is_at_the_first_step(kind: str) -> None:
    series = make_list()
    expected = [EXPECTED_POOLING[kind](each.numpy()) for each in series]
    if kind == "last":
        expected = [[each[-1, 0], each[0, 1], each[0, 2]] for each in series]
    pooling = Pooling(kind, n_backward=2)
    assert_allclose(pooling(*pad(series)), np.array(expected), rtol=1e-13)
    assert_allclose(pooling(series[0][None], None)[0], expected[0], rtol=1e-13)


# --------------------------------------------------------------------- padding changes nothing

ENCODERS: dict[str, Any] = {
    cell: partial(RecurrentEncoder, hidden_size=6, n_layers=2, cell=cell, bidirectional=True)
    for cell in CELLS
}
ENCODERS["one way"] = partial(RecurrentEncoder, hidden_size=6)
ENCODERS["attention"] = partial(AttentionEncoder, hidden_size=6, n_heads=3)
ENCODERS["attention without positions"] = partial(
    AttentionEncoder, hidden_size=6, n_heads=1, n_layers=1, positional_encoding=None
)
STEMS = {
    "no stem": Stem(),
    "stem": Stem((5, 4), (5, 3), (1, 1)),
    "strides": Stem((4, 5), (3, 4), (2, 3)),
    "patches": Stem((4,), (3,), (3,)),
}


def make_network(
    encoder: str = "gru",
    stem: str = "stem",
    *,
    pooling: str | None = "mean",
    normalization: str | None = None,
    input_layer: nn.Module | None = None,
    dtype: torch.dtype = torch.float64,
) -> SeriesNetwork:
    """A network in evaluation mode all of whose parameters and statistics differ."""
    if input_layer is None:
        # not zero where the padding is
        input_layer = Standardize(torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.5, 1.0, 2.0]))
    network = SeriesNetwork(
        input_layer,
        CHANNELS,
        ENCODERS[encoder],
        2,
        stem=STEMS[stem],
        pooling=pooling,
        hidden_layer_sizes=(7,),
        activation="tanh",
        dropout=0.0,
        normalization=normalization,
    )
    network.initialize(np.random.RandomState(0))
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.ndim == 1 and not name.startswith("input"):
                tensor.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, len(tensor))))
    return network.to(dtype).eval()


def assert_padding_changes_nothing(network: SeriesNetwork, series: list[Tensor]) -> None:
    dtype = next(network.parameters()).dtype
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    if series[0].is_floating_point():
        series = [each.to(dtype) for each in series]
    alone = torch.cat([network(each[None]) for each in series]).detach()
    for more, value in [(0, 0), (4, 0), (2, 1)]:
        batch, lengths = pad(series, more, value)
        assert_allclose(network(batch, lengths).detach(), alone, rtol=0, atol=tolerance)
    # the test could fail: nothing is as it is without the lengths
    assert abs(network(batch).detach()[: len(alone)] - alone).max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_series_gives_the_same_alone_and_in_any_padding(
    encoder: str, stem: str, dtype: torch.dtype
) -> None:
    assert_padding_changes_nothing(make_network(encoder, stem, dtype=dtype), make_list())


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("pooling", [*SERIES_POOLINGS, None])
@pytest.mark.parametrize("encoder", ["lstm", "attention"])
def test_every_pooling_and_normalization_leaves_padding_out(
    encoder: str, pooling: str | None, normalization: str | None
) -> None:
    for dtype in (torch.float32, torch.float64):
        network = make_network(encoder, pooling=pooling, normalization=normalization, dtype=dtype)
        assert_padding_changes_nothing(network, make_list())


@pytest.mark.parametrize("stem", ["no stem", "strides"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_tokens_behind_the_end_are_padding_too(encoder: str, stem: str) -> None:
    rng = np.random.default_rng(0)
    tokens = [torch.from_numpy(rng.integers(0, 9, n)) for n in LENGTHS]
    network = make_network(encoder, stem, input_layer=nn.Embedding(9, CHANNELS))
    assert_padding_changes_nothing(network, tokens)


def test_outputs_of_each_step_come_one_series_after_the_other() -> None:
    network = make_network(pooling=None)
    batch, lengths = pad(make_list())
    outputs = network(batch, lengths)
    assert outputs.shape == (sum(LENGTHS), 2)
    (part,) = network.prepare(batch, lengths)
    states = network.encoder(*part)
    assert_array_equal(part.lengths, lengths)
    rows = [network.head(states[i, :n]) for i, n in enumerate(LENGTHS)]
    assert_allclose(outputs.detach(), torch.cat(rows).detach(), rtol=1e-12)
    equal = torch.stack(make_list([4, 4]))
    states = network.encoder(*network.prepare(equal)[0])
    expected = network.head(states.reshape(8, -1))
    assert_allclose(network(equal).detach(), expected.detach(), rtol=1e-12)


def gradients(
    network: SeriesNetwork, batches: list[tuple[Tensor, Tensor | None]], targets: Tensor
) -> list[np.ndarray]:
    """Gradients of the squared errors of all batches together."""
    network.zero_grad()
    loss, start = torch.zeros((), dtype=torch.float64), 0
    for batch, lengths in batches:
        outputs = network(batch, lengths)
        loss = loss + (outputs - targets[start : start + len(outputs)]).square().sum()
        start += len(outputs)
    loss.backward()
    return [
        np.zeros(p.shape) if p.grad is None else p.grad.numpy().copy() for p in network.parameters()
    ]


def assert_same_gradients(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    largest = max(abs(gradient).max() for gradient in one)
    for a, b in zip(one, other, strict=True):
        assert_allclose(a, b, rtol=0, atol=1e-12 * largest)
    # some weight of every layer has a gradient, or nothing would be compared
    assert all(abs(gradient).max() > 0 for gradient in one if gradient.ndim >= 2)


@pytest.mark.parametrize("normalization", [None, "layer"])
@pytest.mark.parametrize("pooling", SERIES_POOLINGS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_gradients_are_those_of_each_series_alone(
    encoder: str, pooling: str, normalization: str | None
) -> None:
    network = make_network(encoder, "strides", pooling=pooling, normalization=normalization)
    series = make_list()
    targets = torch.cat(make_list([6], 2))
    alone = gradients(network.train(), [(each[None], None) for each in series], targets)
    together = gradients(network, [pad(series, more=3, value=1.0)], targets)
    assert_same_gradients(alone, together)


@pytest.mark.parametrize("pooling", [*SERIES_POOLINGS, None])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_more_padding_leaves_a_batchs_gradients_and_statistics(
    encoder: str, pooling: str | None
) -> None:
    """With batch normalization a series is not alone, but its padding still counts for nothing."""
    series = make_list()
    found = []
    for more, value in [(0, 0.0), (4, 1.0)]:
        network = make_network(encoder, pooling=pooling, normalization="batch").train()
        targets = torch.cat(make_list([sum(LENGTHS)], 2))
        batch = pad(series, more, value)
        statistics = [buffer for name, buffer in network.named_buffers() if "running" in name]
        found.append(gradients(network, [batch], targets) + [s.numpy() for s in statistics])
    assert_same_gradients(*found)


# ------------------------------------------------------------------------------- initial weights


def initialized(seed: int = 0) -> SeriesNetwork:
    network = SeriesNetwork(
        nn.Embedding(500, 6),
        6,
        ENCODERS["gru"],
        30,
        stem=Stem((40,), (5,), (1,)),
        pooling="mean",
        hidden_layer_sizes=(50,),
        activation="relu",
        dropout=0.5,
        normalization=None,
    )
    network.initialize(np.random.RandomState(seed))
    return network


def test_initial_weights_have_the_distributions_of_their_papers() -> None:
    network = initialized()
    embedding = network.input.weight.detach().numpy().ravel()
    assert stats.kstest(embedding, "norm").pvalue > 0.01
    conv = network.stem[0].conv
    layers = [
        (conv, 5 * 6, 5 * 40),  # fans: channels or filters times the kernel's size
        (network.head.dense1, 12, 50),
        (network.head.output, 50, 30),
    ]
    for layer, fan_in, fan_out in layers:
        bound = math.sqrt(6 / (fan_in + fan_out))
        weights = layer.weight.detach().numpy().ravel()
        assert 0.97 * bound < abs(weights).max() <= bound
        assert stats.kstest(weights, stats.uniform(-bound, 2 * bound).cdf).pvalue > 0.01
        assert not layer.bias.any()


def test_initial_weights_come_from_the_random_state_alone() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        return [parameter.detach().numpy() for parameter in initialized(seed).parameters()]

    one, other = weights(0), weights(1)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        again = weights(0)
    for a, b, c in zip(one, again, other, strict=True):
        assert_array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)


def test_layers_that_do_nothing_are_left_out() -> None:
    network = make_network(stem="no stem")
    assert not len(network.stem)
    assert [name for name, _ in network.head.named_children()] == [
        "dense1",
        "dense_activation1",
        "output",
    ]
    names = [name for name, _ in initialized().head.named_children()]
    assert names == ["dropout", "dense1", "dense_activation1", "dense_dropout1", "output"]
