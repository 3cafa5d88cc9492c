from typing import Any

import numpy as np
import pytest
import torch

from sknn.nn import per_layer
from sknn.nn.layers import Conv2d, Linear


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


@pytest.mark.parametrize("make", [lambda: Linear(3, 4), lambda: Conv2d(2, 3, 3)], ids=str)
def test_layers_draw_no_numbers(make: Any) -> None:
    before = torch.random.get_rng_state()
    make()
    assert torch.equal(torch.random.get_rng_state(), before)
