from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sknn.nn import per_layer
from sknn.nn.layers import Conv2d, Dropout, Linear
from tests.helpers import case_name


@pytest.mark.parametrize(
    ("value", "n_layers", "expected"),
    [
        ("relu", 2, ["relu", "relu"]),
        (0.5, 3, [0.5, 0.5, 0.5]),
        (0.5, 0, []),
        (("relu", "tanh"), 2, ["relu", "tanh"]),
        ([0.1, 0.2], 2, [0.1, 0.2]),
        (np.array([0.1, 0.2]), 2, [0.1, 0.2]),
        ([], 0, []),
    ],
)
def test_per_layer_repeats_one_value_and_keeps_sequences(
    value: object, n_layers: int, expected: list[object]
) -> None:
    assert per_layer("parameter", value, n_layers) == expected


@pytest.mark.parametrize("value", [(0.1,), [0.1, 0.2, 0.3], np.array([0.1, 0.2, 0.3])])
def test_per_layer_refuses_another_length(value: object) -> None:
    with pytest.raises(ValueError, match="dropout has . values for 2 hidden layers"):
        per_layer("dropout", value, 2)


def test_strings_are_one_value_and_none_is_too() -> None:
    assert per_layer("padding", "same", 2, "convolutions") == ["same", "same"]
    assert per_layer("pooling", None, 3, "convolutions") == [None, None, None]
    assert per_layer("pooling", ("max", None), 2, "convolutions") == ["max", None]


def test_the_error_says_what_the_layers_are() -> None:
    with pytest.raises(ValueError, match="stride has 2 values for 3 convolutions"):
        per_layer("stride", (1, 2), 3, "convolutions")


@pytest.mark.parametrize("make", [lambda: Linear(3, 4), lambda: Conv2d(2, 3, 3)], ids=case_name)
def test_layers_draw_no_numbers(make: Any) -> None:
    before = torch.random.get_rng_state()
    make()
    assert torch.equal(torch.random.get_rng_state(), before)


# -------------------------------------------------------------------------------------- dropout


@pytest.fixture
def torch_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.usefixtures("torch_seed")
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_dropout_drops_the_share_and_scales_the_rest(
    rate: float, memory_format: torch.memory_format
) -> None:
    X = torch.rand(20, 30, 11, 13).add(1).contiguous(memory_format=memory_format)
    result = Dropout(rate)(X)
    kept = result != 0
    n = X.numel()
    # five standard deviations of a binomial share
    assert abs(float(kept.float().mean()) - (1 - rate)) < 5 * (rate * (1 - rate) / n) ** 0.5
    torch.testing.assert_close(result[kept], X[kept] / (1 - rate), rtol=1e-4, atol=0)
    assert result.is_contiguous(memory_format=memory_format)


@pytest.mark.usefixtures("torch_seed")
def test_what_is_dropped_is_independent_from_number_to_number() -> None:
    kept = (Dropout(0.5)(torch.ones(200_000)) != 0).double() - 0.5
    for distance in (1, 2, 3, 4, 5, 8):  # four numbers come from one word
        correlation = float((kept[:-distance] * kept[distance:]).mean()) / 0.25
        assert abs(correlation) < 5 / 200_000**0.5


@pytest.mark.usefixtures("torch_seed")
def test_the_gradient_goes_where_the_numbers_went() -> None:
    X = torch.rand(7, 5, dtype=torch.float64).add(1).requires_grad_()
    result = Dropout(0.3)(X)
    result.sum().backward()
    assert X.grad is not None
    torch.testing.assert_close(X.grad, result.detach() / X.detach())
    assert 0 < int((X.grad == 0).sum()) < 35


@pytest.mark.usefixtures("torch_seed")
def test_dropout_follows_torchs_generator() -> None:
    X, dropout = torch.ones(1000), Dropout(0.5)
    first, second = dropout(X), dropout(X)
    torch.manual_seed(0)
    assert torch.equal(dropout(X), first)
    assert torch.equal(dropout(X), second)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dropout", [Dropout(0.5).eval(), Dropout(0.0), Dropout(1e-9)])
def test_dropout_that_drops_nothing_is_the_identity(dropout: Dropout) -> None:
    X = torch.rand(100)
    assert torch.equal(dropout(X), X)


@pytest.mark.parametrize("stride", [2, 3, (1, 2), (2, 1)])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
def test_strided_convolutions_of_one_pixel_equal_a_product_of_matrices(
    stride: Any, padding: int, bias: bool
) -> None:
    layer = Conv2d(3, 4, 1, stride=stride, padding=padding, bias=bias)
    torch.manual_seed(0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    images = torch.randn(2, 3, 6, 7).to(memory_format=torch.channels_last)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    expected = np.einsum(
        "fc,nchw->nfhw", layer.weight.detach().numpy()[:, :, 0, 0], padded[:, :, ::down, ::right]
    )
    if layer.bias is not None:
        expected = expected + layer.bias.detach().numpy()[:, None, None]
    np.testing.assert_allclose(layer(images).detach().numpy(), expected, atol=1e-5)
