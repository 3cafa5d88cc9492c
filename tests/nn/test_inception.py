import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from sknn.nn import InceptionEncoder, LiteEncoder, SeriesNetwork
from sknn.nn.inception import ChannelFilters, hand_crafted_filters, neighbours_maximum
from sknn.nn.series import StepNorm, initialize_weights

LENGTHS = [5, 1, 90, 3, 12, 90]


def make_list(channels: int, lengths: list[int] = LENGTHS) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=(n, channels))) for n in lengths]


def pad(series: list[Tensor], more: int = 0) -> tuple[Tensor, Tensor]:
    """Return a batch with zeros behind the end of each series, and the lengths."""
    lengths = torch.tensor([len(each) for each in series])
    batch = torch.zeros(len(series), int(lengths.max()) + more, series[0].shape[1]).double()
    for row, each in zip(batch, series, strict=True):
        row[: len(each)] = each
    return batch, lengths


def prepare(encoder: nn.Module) -> nn.Module:
    """Give an encoder in float64 numbers of its own everywhere, running statistics included."""
    rng = np.random.default_rng(1)
    initialize_weights(encoder.double(), np.random.RandomState(0))
    with torch.no_grad():
        for norm in encoder.modules():
            if isinstance(norm, nn.BatchNorm1d):
                shape = norm.running_mean.shape
                for values in (norm.weight, norm.bias, norm.running_mean):
                    values.copy_(torch.from_numpy(rng.normal(size=shape)))
                norm.running_var.copy_(torch.from_numpy(rng.uniform(0.5, 2, size=shape)))
    return encoder.eval()


# -------------------------------------------------------------------------------- NumPy's version


def filter_steps(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    """One series (steps, channels); of a dilated kernel's zeros, the odd one is behind the end."""
    weight = layer.weight.detach().numpy()[:, :, 0]
    n_filters, per_group, size = weight.shape
    dilation = layer.dilation[1]
    before = dilation * (size - 1) // 2
    padded = np.zeros((len(x) + dilation * (size - 1), x.shape[1]))
    padded[before : before + len(x)] = x
    found = np.zeros((len(x), n_filters))
    for f in range(n_filters):
        first = 0 if layer.groups == 1 else f
        for k in range(size):
            taps = padded[k * dilation : k * dilation + len(x), first : first + per_group]
            found[:, f] += taps @ weight[f, :, k]
    return found


def normalize(x: np.ndarray, layer: StepNorm) -> np.ndarray:
    norm = layer.norm
    mean, variance = norm.running_mean.numpy(), norm.running_var.numpy()
    weight, bias = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def matrix(layer: nn.Linear) -> np.ndarray:
    return layer.weight.detach().numpy().T


def run_module(x: np.ndarray, module: nn.Module) -> np.ndarray:
    """Figure 1 of Ismail Fawaz et al. (2020)."""
    narrow = x if x.shape[1] == 1 else x @ matrix(module.bottleneck)
    maximum = np.stack([x[max(t - 1, 0) : t + 2].max(0) for t in range(len(x))])
    branches = [filter_steps(narrow, layer) for layer in module.filters]
    branches.append(maximum @ matrix(module.of_maximum))
    return relu(normalize(np.hstack(branches), module.norm))


def run_inception(x: np.ndarray, encoder: InceptionEncoder) -> np.ndarray:
    earlier = x
    for i, block in enumerate(encoder.blocks):
        x = run_module(x, block)
        if i in (2, 5):
            shortcut = encoder.shortcuts[i // 3]
            x = relu(x + normalize(earlier @ matrix(shortcut.linear), shortcut.norm))
            earlier = x
    return x


def run_separable(x: np.ndarray, layer: nn.Sequential) -> np.ndarray:
    return filter_steps(x, layer[0]) @ matrix(layer[1])


def hand_craft(x: np.ndarray) -> np.ndarray:
    """Section 3.2 of Ismail-Fawaz et al. (2024) for one channel of shape (steps,)."""
    found = []
    for sign in (1, -1):
        for size in (2, 4, 8, 16, 32, 64):
            kernel = sign * np.array([1 if i % 2 else -1 for i in range(size)])
            found.append(same(x, kernel))
    for size in (4, 8, 16, 32, 64):
        q = size // 4
        up = (np.arange(1, q + 1) / q) ** 2
        down = up[::-1]
        found.append(same(x, np.hstack([-up, -down, 2 * up, 2 * down, -up, -down])))
    return relu(np.stack(found, 1))


def same(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    n = len(kernel)
    padded = np.pad(x, ((n - 1) // 2, n // 2))
    return np.correlate(padded, kernel, mode="valid")


def run_lite(x: np.ndarray, encoder: LiteEncoder) -> np.ndarray:
    several = x.shape[1] > 1
    branches = [(run_separable if several else filter_steps)(x, each) for each in encoder.filters]
    branches += [hand_craft(channel) for channel in x.T]
    x = relu(normalize(np.hstack(branches), encoder.norms[0]))
    for layer, norm in zip(encoder.separable, list(encoder.norms)[1:], strict=True):
        x = relu(normalize(run_separable(x, layer), norm))
    return x


RUNS = {InceptionEncoder: run_inception, LiteEncoder: run_lite}


def make_encoder(kind: type, channels: int) -> nn.Module:
    more = {"bottleneck": 5} if kind is InceptionEncoder else {}
    return prepare(kind(channels, 4, **more))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", RUNS)
def test_encoders_compute_what_the_papers_draw(kind: type, channels: int) -> None:
    encoder = make_encoder(kind, channels)
    for x in make_list(channels, [70, 9, 1]):
        found = encoder(x[None]).detach()[0]
        assert found.shape == (len(x), encoder.width)
        assert_allclose(found, RUNS[kind](x.numpy(), encoder), atol=1e-10)


# ---------------------------------------------------------------------------------------- padding


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", RUNS)
def test_a_series_has_the_same_states_alone_in_a_batch_and_padded(
    kind: type, channels: int
) -> None:
    encoder = make_encoder(kind, channels)
    series = make_list(channels)
    for more in (0, 50):
        states = encoder(*pad(series, more)).detach()
        for row, each in zip(states, series, strict=True):
            assert_allclose(row[: len(each)], encoder(each[None]).detach()[0], atol=1e-12)
            assert not row[len(each) :].any()


@pytest.mark.parametrize("kind", RUNS)
def test_in_float32_the_output_is_the_same_to_two_millionths(kind: type) -> None:
    network = SeriesNetwork(nn.Identity(), 2, kind, 3, pooling="mean")
    network.initialize(np.random.RandomState(0))
    network.eval()
    series = [each.float() for each in make_list(2)]
    batch, lengths = pad(series, 30)
    together = network(batch.float(), lengths).detach()
    for row, each in zip(together, series, strict=True):
        alone = network(each[None]).detach()[0]
        assert_allclose(row, alone, rtol=2e-6, atol=2e-6 * float(alone.abs().max()))


@pytest.mark.parametrize("kind", RUNS)
def test_training_does_not_see_the_padding(kind: type) -> None:
    gradients, statistics = [], []
    for more in (0, 40):
        encoder = make_encoder(kind, 2).train()
        batch, lengths = pad(make_list(2), more)
        encoder(batch, lengths).square().sum().backward()
        gradients.append([p.grad for p in encoder.parameters()])
        statistics.append(
            [m.running_var for m in encoder.modules() if isinstance(m, nn.BatchNorm1d)]
        )
    for some, others in (gradients, statistics):
        assert len(some) == len(others) >= 3
        for one, other in zip(some, others, strict=True):
            assert_allclose(one, other, rtol=1e-8, atol=1e-8)


def test_the_maximum_is_of_neighbours_within_the_series() -> None:
    series = [torch.tensor([[-3.0], [-5.0], [-4.0]]), torch.tensor([[-2.0]])]
    batch, lengths = pad([each.double() for each in series])
    found = neighbours_maximum(batch, lengths)[..., 0]
    assert_array_equal(found, [[-3, -3, -4], [-2, 0, 0]])


@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (5, 1), (4, 2), (3, 3)])
def test_filters_of_channels_have_the_gradient_of_their_outputs(size: int, dilation: int) -> None:
    layer = ChannelFilters(3, size, dilation).double()
    initialize_weights(layer, np.random.RandomState(0))
    series = torch.stack(make_list(3, [7, 7])).requires_grad_()
    factors = torch.stack(make_list(3, [7, 7])).flip(1)
    training = layer.train()(series)
    gradients = torch.autograd.grad((training * factors).sum(), [series, layer.weight])
    evaluation = layer.eval()(series)  # torch's own gradient
    expected = torch.autograd.grad((evaluation * factors).sum(), [series, layer.weight])
    assert_allclose(training.detach(), evaluation.detach(), atol=1e-14)
    for one, other in zip(gradients, expected, strict=True):
        assert_allclose(one, other, atol=1e-12)


# ----------------------------------------------------------------------------------- sizes, filters


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_those_of_the_papers() -> None:
    # table 2 of Ismail-Fawaz et al. (2024), without the layer of the classes
    assert count(InceptionEncoder(1)) == 420_192
    assert count(LiteEncoder(1)) == 9_814
    for channels in (1, 6):
        width = 3 * 32 + 17 * channels
        first = (10 + 20 + 40) * 32 if channels == 1 else channels * 70 + 3 * channels * 32
        second, third = width * (20 + 32), 32 * (10 + 32)
        assert count(LiteEncoder(channels)) == first + second + third + 2 * (width + 64)


@pytest.mark.parametrize(("depth", "shortcuts"), [(1, 0), (2, 0), (3, 1), (5, 1), (9, 3)])
def test_each_third_module_has_a_shortcut(depth: int, shortcuts: int) -> None:
    encoder = InceptionEncoder(2, 4, depth=depth)
    assert len(encoder.blocks) == depth
    assert len(encoder.shortcuts) == shortcuts
    assert encoder(torch.zeros(2, 5, 2)).shape == (2, 5, 16)


def test_hand_crafted_filters_find_what_they_are_made_for() -> None:
    filters = hand_crafted_filters()
    assert filters.shape == (17, 96)
    assert_array_equal(filters[6:12], -filters[:6])
    assert_allclose(filters.sum(1), 0, atol=1e-12)  # the level of a series is nothing to them
    steps = np.arange(96)
    assert (filters[:6] @ steps > 0).all()
    hill = np.exp(-((steps - 47.5) ** 2) / 50)
    assert (filters[12:] @ hill > 0).all()


def test_hand_crafted_filters_are_not_trained() -> None:
    encoder = LiteEncoder(2, 4)
    assert encoder.hand_crafted.weight.shape == (17, 1, 96)
    assert "hand_crafted.weight" in encoder.state_dict()
    assert all(name != "hand_crafted.weight" for name, _ in encoder.named_parameters())


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_activation_and_normalization_are_the_callers(kind: type, normalization: str) -> None:
    encoder = kind(2, 4, activation="gelu", normalization=normalization).double()
    initialize_weights(encoder, np.random.RandomState(0))
    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm1d | nn.LayerNorm)]
    expected = nn.BatchNorm1d if normalization == "batch" else nn.LayerNorm
    assert norms
    assert all(isinstance(norm, expected) for norm in norms)
    states = encoder(*pad(make_list(2), 3))
    assert (states < 0).any()  # unlike relu
