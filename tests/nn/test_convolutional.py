import copy
import math
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from sknn.nn import (
    ACTIVATIONS,
    AirbenchNetwork,
    ConvNetwork,
    Convolution,
    ImageNetwork,
    ResidualNetwork,
    output_size,
    per_layer,
    trace_layers,
)
from sknn.nn.airbench import WhiteningConv
from sknn.nn.residual import ResidualBlock

NORMALIZATIONS = [None, "batch", "layer"]


def plain(
    image_shape: tuple[int, ...],
    filters: tuple[int, ...],
    n_outputs: int,
    *,
    hidden_layer_sizes: tuple[int, ...] = (),
    activation: str = "relu",
    dropout: Any = 0.0,
    normalization: str | None = None,
    **layers: Any,
) -> ConvNetwork:
    """Return a plain network; a single value of `layers` or `dropout` holds for all of them."""
    n_conv = len(filters)
    rates = per_layer("dropout", dropout, n_conv + len(hidden_layer_sizes))
    layers = {name: per_layer(name, value, n_conv) for name, value in layers.items()}
    return ConvNetwork(
        image_shape,
        [
            Convolution(
                filters[i],
                activation=activation,
                dropout=rates[i],
                **{name: values[i] for name, values in layers.items()},
            )
            for i in range(n_conv)
        ],
        n_outputs,
        hidden_layer_sizes=hidden_layer_sizes,
        activation=activation,
        dropout=rates[n_conv:],
        normalization=normalization,
    )


def prepare(network: Any, initialization: str = "he") -> Any:
    """Give a network weights in float64; norms and biases get numbers of their own too."""
    network.initialize(np.random.RandomState(0), initialization)
    network.double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator).double() / 2)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return network.eval()


def make_images(n: int, height: int, width: int, channels: int) -> Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=(n, channels, height, width)))


def shapes(network: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    height, width, channels = image_shape
    traces = trace_layers(network, torch.zeros(1, channels, height, width))
    return {
        trace.name.removeprefix("layers."): tuple(trace.output.shape[2:])
        for trace in traces
        if trace.output.ndim == 4
    }


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


# ---------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
def test_output_size_is_the_formula_and_torchs(kernel: int, stride: int) -> None:
    for size in (1, 2, 5, 8, 11):
        for padding in (0, 1, 2, 3):
            expected = math.floor(Fraction(size + 2 * padding - kernel, stride) + 1)
            assert output_size(size, kernel, stride, 2 * padding) == expected
            if size + 2 * padding >= kernel:
                signal = torch.zeros(1, 1, size)
                filtered = F.conv1d(
                    signal, torch.zeros(1, 1, kernel), stride=stride, padding=padding
                )
                assert filtered.shape[2] == expected


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("padding", ["valid", "same", 0, 1, 2])
def test_a_convolution_leaves_the_size_of_the_formula(
    padding: Any, kernel: int, stride: int
) -> None:
    height, width = 9, 6
    network = plain(
        (height, width, 2),
        (3,),
        1,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        pooling=None,
    )
    if padding == "same":
        expected = tuple(math.ceil(n / stride) for n in (height, width))
    else:
        p = 0 if padding == "valid" else padding
        expected = tuple((n + 2 * p - kernel) // stride + 1 for n in (height, width))
    assert shapes(network, (height, width, 2))["conv1"] == expected
    assert network.layers.output.in_features == 3 * math.prod(expected)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (2, 3), (5, 4)])
def test_same_padding_is_torchs(kernel: Any) -> None:
    network = prepare(plain((7, 6, 2), (3,), 1, kernel_size=[kernel], pooling=None))
    images = make_images(2, 7, 6, 2)
    weight, bias = network.layers.conv1.weight, network.layers.conv1.bias
    padded = network.layers.pad1(images) if hasattr(network.layers, "pad1") else images
    expected = F.conv2d(images, weight, bias, padding="same")
    assert_allclose(network.layers.conv1(padded).detach(), expected.detach(), atol=1e-12)


def test_each_convolution_has_its_own_sizes() -> None:
    network = plain(
        (20, 16, 1),
        (2, 3, 4),
        1,
        kernel_size=(5, (3, 1), (1, 3)),
        stride=(1, (2, 1), 1),
        padding=("same", "valid", 1),
        pooling=("max", None, "average"),
        pool_size=(2, 7, (3, 2)),
    )
    found = shapes(network, (20, 16, 1))
    assert found["conv1"] == (20, 16)
    assert found["pool1"] == (10, 8)
    assert found["conv2"] == ((10 - 3) // 2 + 1, 8)
    assert found["conv3"] == (4 + 2 - 1 + 1, 8 + 2 - 3 + 1)
    assert found["pool3"] == (2, 4)
    assert "pool2" not in found
    kinds = {name: type(layer) for name, layer in network.layers.named_children()}
    assert (kinds["pool1"], kinds["pool3"]) == (nn.MaxPool2d, nn.AvgPool2d)
    assert network.layers.output.in_features == 4 * 2 * 4


def test_strips_have_kernels_and_pools_of_their_own_height() -> None:
    network = plain((1, 13, 1), (4, 8), 3)
    found = shapes(network, (1, 13, 1))
    assert network.layers.conv1.kernel_size == (1, 3)
    assert (found["pool1"], found["pool2"]) == ((1, 6), (1, 3))
    valid = plain((13, 1, 1), (4,), 3, kernel_size=5, padding="valid", pooling=None)
    assert valid.layers.conv1.kernel_size == (5, 1)
    padded = plain((1, 13, 1), (4,), 3, padding=1, pooling=None)
    assert padded.layers.conv1.kernel_size == (3, 3)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 5), (3, 2)])
def test_a_kernel_that_is_cut_down_computes_what_the_whole_one_does(
    size: tuple[int, int], kernel: int
) -> None:
    network = prepare(plain((*size, 2), (3,), 1, kernel_size=kernel, pooling=None))
    images = make_images(4, *size, 2)
    cut = network.layers.conv1
    whole = torch.randn(3, 2, kernel, kernel, dtype=torch.float64)
    before = [(kernel - 1) // 2 - (k - 1) // 2 for k in cut.kernel_size]
    rows, columns = (slice(b, b + k) for b, k in zip(before, cut.kernel_size, strict=True))
    with torch.no_grad():
        cut.weight.copy_(whole[:, :, rows, columns])
    after = (kernel // 2, kernel - 1 - kernel // 2)
    padded = F.pad(images, (after[1], after[0], after[1], after[0]))
    found = cut(network.layers.pad1(images) if hasattr(network.layers, "pad1") else images)
    assert_allclose(found.detach(), F.conv2d(padded, whole, cut.bias).detach(), atol=1e-12)


SMALL = [(7, 7), (4, 4), (3, 3), (1, 64), (20, 1), (2, 30), (1, 1)]


@pytest.mark.parametrize("size", SMALL, ids=str)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_pools_take_what_is_there(size: tuple[int, int], pooling: str) -> None:
    found = shapes(plain((*size, 2), (2, 3, 4), 1, pooling=pooling), (*size, 2))
    left = size
    for i in (1, 2, 3):
        left = tuple(max(n // 2, 1) for n in left)
        assert found.get(f"pool{i}", left) == left
    assert found["conv3"] == tuple(max(n // 4, 1) for n in size)
    network = prepare(AirbenchNetwork((*size, 2), (2, 3, 4), 1))
    assert network(make_images(5, *size, 2)).shape == (5, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: plain((6, 6, 1), (2, 2, 2), 1, padding="valid", pooling=None),
            r"convolution 3 \(kernel_size=3, stride=1, padding='valid'\) leaves nothing of images "
            "that are 2x2 pixels",
        ),
        (lambda: plain((2, 9, 1), (2,), 1, padding="valid"), "convolution 1"),
    ],
    ids=range(2),
)
def test_an_impossible_plan_names_the_layer(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_strip_goes_through_every_network() -> None:
    for network in (
        plain((1, 13, 2), (4, 4), 3),
        ResidualNetwork((1, 13, 2), (4, 4), 3),
        AirbenchNetwork((1, 13, 2), (4, 4, 4), 3),
    ):
        prepare(network)
        assert network(make_images(2, 1, 13, 2)).shape == (2, 3)


# ----------------------------------------------------------------------------- parameter counts


def test_the_cifar_tutorial_network_has_its_published_number_of_parameters() -> None:
    network = plain(
        (32, 32, 3),
        (32, 64, 64),
        10,
        padding="valid",
        pooling=("max", "max", None),
        hidden_layer_sizes=(64,),
    )
    assert count(network) == 122_570


def test_the_mnist_tutorial_networks_have_their_number_of_parameters() -> None:
    network = plain(
        (28, 28, 1),
        (32,),
        10,
        kernel_size=5,
        padding="valid",
        hidden_layer_sizes=(128,),
        dropout=(0.2, 0),
    )
    expected = (25 * 32 + 32) + (12 * 12 * 32 * 128 + 128) + (128 * 10 + 10)
    assert count(network) == expected == 592_074
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.2]
    network = plain((28, 28, 1), (10, 16), 10, kernel_size=5, padding=2)
    expected = (25 * 10 + 10) + (25 * 10 * 16 + 16) + (7 * 7 * 16 * 10 + 10)
    assert count(network) == expected == 12_126


def test_resnet_18_for_small_images_has_its_published_number_of_parameters() -> None:
    assert count(ResidualNetwork((32, 32, 3), (64, 128, 256, 512), 10)) == 11_173_962


def test_airbench_has_the_parameters_of_its_layers() -> None:
    network = AirbenchNetwork((32, 32, 3), (64, 256, 256), 10)
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    norms = 2 * (2 * 64 + 4 * 256)
    assert count(network) == 24 + convolutions + norms + 256 * 10 + 10
    assert "layers.whitening.weight" not in dict(network.named_parameters())
    assert network.layers.whitening.weight.shape == (24, 3, 2, 2)


@pytest.mark.parametrize("kind", [plain, ResidualNetwork, AirbenchNetwork])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_normalization_takes_the_place_of_the_convolutions_biases(
    normalization: str | None, kind: Any
) -> None:
    network = kind((9, 9, 1), (2, 3), 1, normalization=normalization)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert {layer.bias is None for layer in convolutions} == {normalization is not None}


# ------------------------------------------------------------------------------ forward by hand


def normalize(kind: str | None, z: Tensor, layer: Any) -> Tensor:
    """Batch normalization with the running statistics, layer normalization over an image."""
    if kind is None:
        return z
    shape = (-1, 1, 1) if z.ndim == 4 else (-1,)
    if kind == "batch":
        mean, variance = layer.running_mean.view(shape), layer.running_var.view(shape)
    else:
        dims = tuple(range(1, z.ndim))
        mean = z.mean(dims, keepdim=True)
        variance = (z - mean).square().mean(dims, keepdim=True)
    return (z - mean) / (variance + 1e-5).sqrt() * layer.weight.view(shape) + layer.bias.view(shape)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("pooling", ["max", "average", None])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu"])
def test_a_plain_network_is_its_layers_one_after_the_other(
    activation: str, pooling: str | None, normalization: str | None
) -> None:
    network = prepare(
        plain(
            (8, 7, 2),
            (3, 4),
            2,
            pooling=pooling,
            hidden_layer_sizes=(5,),
            activation=activation,
            normalization=normalization,
            dropout=0.3,  # not when predicting
        )
    )
    act = {"relu": F.relu, "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu}[activation]
    pool = {
        "max": lambda z: F.max_pool2d(z, 2),
        "average": lambda z: F.avg_pool2d(z, 2),
        None: lambda z: z,
    }[pooling]
    images = make_images(6, 8, 7, 2)
    layers = network.layers
    z = images
    for i in (1, 2):
        conv = getattr(layers, f"conv{i}")
        z = F.conv2d(z, conv.weight, conv.bias, padding=1)
        z = pool(act(normalize(normalization, z, getattr(layers, f"norm{i}", None))))
    z = F.linear(z.flatten(1), layers.dense1.weight, layers.dense1.bias)
    z = act(normalize(normalization, z, getattr(layers, "dense_norm1", None)))
    expected = F.linear(z, layers.output.weight, layers.output.bias)
    assert_allclose(network(images).detach(), expected.detach(), atol=1e-11)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_pooling_first_changes_nothing_where_it_comes_first(name: str) -> None:
    network = prepare(plain((6, 6, 1), (4,), 1, activation=name))
    layers = network.layers
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            nn.init.constant_(module.weight, -0.7)  # no longer increasing
    images = 3 * make_images(5, 6, 6, 1)
    z = F.conv2d(images, layers.conv1.weight, layers.conv1.bias, padding=1)
    z = F.max_pool2d(getattr(layers, "activation1", nn.Identity())(z), 2)
    expected = F.linear(z.flatten(1), layers.output.weight, layers.output.bias)
    assert_allclose(network(images).detach(), expected.detach(), atol=1e-12)
    names = list(dict(layers.named_children()))
    if ACTIVATIONS[name].is_nondecreasing and name != "identity":
        assert names.index("pool1") < names.index("activation1")
        grid = torch.linspace(-9, 9, 2001, dtype=torch.float64)
        assert (ACTIVATIONS[name].module().double()(grid).diff() >= -1e-15).all()


def test_a_batch_is_normalized_by_its_own_statistics_in_training() -> None:
    network = prepare(plain((4, 4, 1), (3,), 2, pooling=None, normalization="batch")).train()
    images = make_images(5, 4, 4, 1)
    layers = network.layers
    z = F.conv2d(images, layers.conv1.weight, padding=1)
    mean = z.mean((0, 2, 3), keepdim=True)
    z = (z - mean) / ((z - mean).square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    z = z * layers.norm1.weight.view(-1, 1, 1) + layers.norm1.bias.view(-1, 1, 1)
    expected = F.linear(F.relu(z).flatten(1), layers.output.weight, layers.output.bias)
    assert_allclose(network(images).detach(), expected.detach(), atol=1e-11)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(("channels", "stride"), [(3, 1), (2, 1), (3, 2)])
def test_a_residual_block_adds_its_input(
    channels: int, stride: int, normalization: str | None
) -> None:
    block = ResidualBlock(channels, 3, stride, "relu", normalization)
    prepare(ImageNetwork(nn.Sequential(block)))
    images = make_images(4, 6, 5, channels)
    z = F.conv2d(images, block.conv1.weight, block.conv1.bias, stride=stride, padding=1)
    z = F.relu(normalize(normalization, z, block.norm1))
    z = normalize(
        normalization, F.conv2d(z, block.conv2.weight, block.conv2.bias, padding=1), block.norm2
    )
    if channels == 3 and stride == 1:
        assert isinstance(block.shortcut, nn.Identity)
        shortcut = images
    else:
        conv, norm = block.shortcut
        shortcut = F.conv2d(images[:, :, ::stride, ::stride], conv.weight, conv.bias)
        shortcut = normalize(normalization, shortcut, norm)
    assert_allclose(block(images).detach(), F.relu(z + shortcut).detach(), atol=1e-11)


def test_a_residual_network_halves_the_image_in_each_stage_but_the_first() -> None:
    network = prepare(ResidualNetwork((12, 10, 2), (3, 4, 5), 2, hidden_layer_sizes=(6,)))
    images = make_images(3, 12, 10, 2)
    layers = network.layers
    z = F.relu(normalize("batch", F.conv2d(images, layers.conv.weight, padding=1), layers.norm))
    for stage, size in [(1, (12, 10)), (2, (6, 5)), (3, (3, 3))]:
        for block in (1, 2):
            z = getattr(layers, f"stage{stage}_block{block}")(z)
        assert z.shape[2:] == size
    z = F.linear(z.mean((2, 3)), layers.dense1.weight, layers.dense1.bias)
    z = F.relu(normalize("batch", z, layers.dense_norm1))
    expected = F.linear(z, layers.output.weight, layers.output.bias)
    assert_allclose(network(images).detach(), expected.detach(), atol=1e-11)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_airbench_is_its_layers_one_after_the_other(normalization: str | None) -> None:
    images = make_images(3, 9, 8, 2)
    network = AirbenchNetwork((9, 8, 2), (3, 4), 2, activation="gelu", normalization=normalization)
    network.layers.whitening.fit(images)
    layers = prepare(network).layers
    z = F.gelu(F.conv2d(images, layers.whitening.weight, layers.whitening.bias))
    for stage in (1, 2):
        for half in ("a", "b"):
            conv = getattr(layers, f"conv{stage}{half}")
            z = F.conv2d(z, conv.weight, conv.bias, padding=1)
            if half == "a":
                z = F.max_pool2d(z, 2)
            z = F.gelu(normalize(normalization, z, getattr(layers, f"norm{stage}{half}", None)))
    expected = F.linear(z.amax((2, 3)), layers.output.weight, layers.output.bias)
    assert_allclose(network(images).detach(), expected.detach(), atol=1e-11)


@pytest.mark.parametrize(
    "kind", [plain, ResidualNetwork, AirbenchNetwork], ids=lambda kind: kind.__name__
)
def test_memory_order_does_not_matter_and_copies_compute_the_same(kind: Any) -> None:
    network = prepare(kind((8, 8, 3), (3, 4), 2))
    images = make_images(3, 8, 8, 3)
    expected = network(images).detach()
    in_order = network(images.to(memory_format=torch.channels_last)).detach()
    assert_allclose(in_order, expected, atol=1e-12)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert_array_equal(other(images).detach(), expected)


# -------------------------------------------------------------------------------- initial weights


def layers_of(network: nn.Module) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def fans(layer: Any) -> tuple[int, int]:
    area = math.prod(getattr(layer, "kernel_size", ()))
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels * area, layer.out_channels * area
    return layer.in_features, layer.out_features


def initialized(initialization: str, seed: int = 0) -> ConvNetwork:
    network = plain((8, 8, 8), (24, 64), 30, hidden_layer_sizes=(60,))
    network.initialize(np.random.RandomState(seed), initialization)
    return network


def test_glorot_weights_are_uniform_in_their_bounds() -> None:
    for layer in layers_of(initialized("glorot")):
        bound = math.sqrt(6 / sum(fans(layer)))
        weights = layer.weight.detach().numpy().ravel()
        assert np.abs(weights).max() <= bound * (1 + 1e-6)
        assert stats.kstest(weights, "uniform", args=(-bound, 2 * bound)).pvalue > 1e-3


def test_he_weights_are_normal_with_their_variance_but_the_outputs_are_glorots() -> None:
    *hidden, output = layers_of(initialized("he"))
    for layer in hidden:
        weights = layer.weight.detach().numpy().ravel()
        assert stats.kstest(weights, "norm", args=(0, math.sqrt(2 / fans(layer)[0]))).pvalue > 1e-3
    assert output.weight.abs().max() <= math.sqrt(6 / 90) * (1 + 1e-6)
    assert output.weight.var().item() == pytest.approx(6 / 90 / 3, rel=0.1)


def test_dirac_filters_pass_channels_through() -> None:
    network = initialized("dirac").double()
    images = make_images(2, 8, 8, 8)
    first, second = network.layers.conv1, network.layers.conv2
    passed = first(images).detach()
    assert passed.shape[1] == 24
    assert_array_equal(passed[:, :8], images)
    assert_array_equal(second(passed).detach()[:, :24], passed)
    others = first.weight[8:].detach().numpy().ravel()
    assert stats.kstest(others, "norm", args=(0, math.sqrt(2 / 72))).pvalue > 1e-3


def test_dirac_filters_are_as_many_as_there_are() -> None:
    network = plain((4, 4, 5), (2,), 1, pooling=None)
    network.initialize(np.random.RandomState(0), "dirac")
    images = make_images(2, 4, 4, 5).float()
    assert_array_equal(network.layers.conv1(images).detach(), images[:, :2])


@pytest.mark.parametrize("initialization", ["glorot", "he", "dirac"])
def test_weights_come_from_the_random_state_alone(initialization: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (initialized(initialization, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    for one, same, another in zip(
        layers_of(first), layers_of(again), layers_of(other), strict=True
    ):
        assert torch.equal(one.weight, same.weight)
        assert not torch.equal(one.weight, another.weight)
        assert not one.bias.any()


@pytest.mark.parametrize("kind", [ResidualNetwork, AirbenchNetwork])
def test_norms_begin_as_the_identity(kind: Any) -> None:
    network = kind((8, 8, 2), (4, 4), 2)
    network.initialize(np.random.RandomState(0), "he")
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) >= 4
    for norm in norms:
        assert (norm.weight == 1).all()
        assert not norm.bias.any()


# ------------------------------------------------------------------------------------- whitening


def whiten(images: Tensor, kernel: tuple[int, int] = (2, 2)) -> tuple[WhiteningConv, np.ndarray]:
    """Fit a whitening layer; return it and its outputs, one row a patch."""
    layer = WhiteningConv(images.shape[1], kernel).double()
    layer.fit(images)
    outputs = layer(images).detach()
    return layer, outputs.permute(0, 2, 3, 1).flatten(0, 2).numpy()


def patches_of(images: Tensor, kernel: tuple[int, int]) -> np.ndarray:
    """All patches, one a row, of shape (n * positions, channels * area)."""
    windows = sliding_window_view(images.numpy(), kernel, axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1] * math.prod(kernel))


@pytest.mark.parametrize("kernel", [(2, 2), (1, 2)])
def test_whitened_patches_are_uncorrelated_with_variance_one(kernel: tuple[int, int]) -> None:
    images = make_images(30, 9, 8, 3)
    images = images + 2 * images.cumsum(3) + images[:, [1, 2, 0]] + 5  # neighbours are alike
    layer, outputs = whiten(images, kernel)
    n = 3 * math.prod(kernel)
    variances = np.linalg.eigvalsh(np.cov(patches_of(images, kernel), rowvar=False, ddof=0))[::-1]
    assert outputs.shape == (30 * (10 - kernel[0]) * (9 - kernel[1]), 2 * n)
    assert_allclose(outputs[:, :n].mean(0), 0, atol=1e-10)
    # a small number is added to the variances that are divided by
    expected = np.diag(variances / (variances + layer.EPSILON))
    assert_allclose(np.cov(outputs[:, :n], rowvar=False, ddof=0), expected, atol=1e-9)
    assert_allclose(expected, np.eye(n), atol=0.01)
    assert_allclose(outputs[:, n:], -outputs[:, :n], atol=1e-12)


def test_constant_directions_stay_finite() -> None:
    images = make_images(6, 5, 5, 2)
    images[:, 1] = 0.7
    _, outputs = whiten(images)
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() < 20
    _, outputs = whiten(torch.full((3, 1, 4, 4), 0.3, dtype=torch.float64))
    assert_allclose(outputs, 0, atol=1e-9)


def test_the_whitening_filters_are_not_trained_but_their_bias_is() -> None:
    network = AirbenchNetwork((8, 8, 1), (4, 4), 2)
    network.layers.whitening.fit(make_images(9, 8, 8, 1))
    weight = network.layers.whitening.weight.clone()
    network.initialize(np.random.RandomState(0), "dirac")
    assert torch.equal(network.layers.whitening.weight, weight)
    network(make_images(3, 8, 8, 1).float()).sum().backward()
    assert network.layers.whitening.bias.grad.any()
    assert network.layers.whitening.weight.grad is None


# ------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("kind", [plain, ResidualNetwork, AirbenchNetwork])
def test_gradients_are_central_differences(kind: Any, normalization: str | None) -> None:
    network = kind((5, 5, 1), (2, 2), 2, activation="tanh", normalization=normalization)
    prepare(network).train()
    images, targets = make_images(4, 5, 5, 1), torch.tensor([0, 1, 1, 0])
    parameters = [p for p in network.parameters() if p.requires_grad]

    def loss() -> Tensor:
        return F.cross_entropy(network(images), targets)

    gradients = torch.autograd.grad(loss(), parameters)
    step = 1e-5
    for parameter, gradient in zip(parameters, gradients, strict=True):
        flat = parameter.data.permute(tuple(range(parameter.ndim)))  # a view, whatever the order
        for index in np.ndindex(*parameter.shape):
            if sum(index) % 3:  # a third of them
                continue
            before = flat[index].item()
            values = []
            for sign in (1, -1):
                flat[index] = before + sign * step
                values.append(loss().item())
            flat[index] = before
            slope = (values[0] - values[1]) / (2 * step)
            assert gradient[index].item() == pytest.approx(slope, rel=1e-6, abs=1e-8)
