"""The encoder of numbers and categories before dense layers."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor

from sknn.nn import (
    DenseBackprop,
    DenseNetwork,
    FeatureEncoder,
    NumberEncoding,
    PeriodicEncoding,
    StackedBackprop,
    make_classification_loss,
    make_regression_loss,
)
from tests.helpers import assert_equal_up_to_rounding

rng = np.random.default_rng(0)
N = 17
# three numbers, the second with gaps; categories of 2, 3 and 12 levels
N_LEVELS = (2, 3, 12)
NUMBERS = rng.normal(size=(N, 3)) * [1, 5, 0.1] + [0, 2, 7]
NUMBERS[[2, 5, 6], 1] = np.nan
CODES = np.column_stack([rng.integers(0, n + 2, N) for n in N_LEVELS])
X = np.hstack([NUMBERS, CODES])
CENTERS, FACTORS = np.array([0.1, 2.0, 7.0]), np.array([1.0, 0.2, 10.0])
EDGES = [np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.0, 1.0]), np.array([6.9, 7.0, 7.3])]


def make_encoder(
    *, clips: bool = True, periodic: bool = True, max_onehot: int = 3, **parameters: Any
) -> FeatureEncoder:
    parameters = {"edges": EDGES, "n_levels": N_LEVELS, "dtype": torch.float64} | parameters
    numbers = NumberEncoding(CENTERS, FACTORS, clips, np.array([1]), parameters.pop("edges"))
    encoder = FeatureEncoder(
        numbers,
        parameters.pop("n_levels"),
        periodic=PeriodicEncoding(size=2, n_frequencies=4, scale=0.5) if periodic else None,
        max_onehot=max_onehot,
        embedding_size=5,
        **parameters,
    )
    encoder.initialize(np.random.RandomState(0))
    return encoder


def scaled(clips: bool) -> np.ndarray:
    """Return (x - center) * factor, 0 where x is missing, and x / sqrt(1 + (x / 3)^2) of that."""
    z = (np.where(np.isnan(NUMBERS), CENTERS, NUMBERS) - CENTERS) * FACTORS
    return z / np.sqrt(1 + (z / 3) ** 2) if clips else z


def shares_of_bins() -> np.ndarray:
    columns = []
    for j in (0, 2):  # two edges are no bins
        x, edges = NUMBERS[:, j], EDGES[j]
        widths = np.diff(edges)
        columns.append(np.clip((x[:, None] - edges[:-1]) / widths, 0, 1))
    return np.hstack(columns)


def hot(codes: np.ndarray, n_levels: int) -> np.ndarray:
    """Return a column for what is missing and for each level, none for what is unknown."""
    return np.eye(n_levels + 2)[codes][:, 1:]


def fixed(clips: bool = True) -> np.ndarray:
    missing = np.isnan(NUMBERS[:, 1:2])
    categories = [hot(CODES[:, j], N_LEVELS[j]) for j in (0, 1)]
    return np.hstack([scaled(clips), missing, *categories, shares_of_bins()])


def learned(encoder: FeatureEncoder) -> np.ndarray:
    """Return cos(2 pi f x + phase) @ W + b of each number, and the rows of the table."""
    f, phases, W, b, table = (
        getattr(encoder, name).detach().numpy()
        for name in ("frequencies", "phases", "projections", "shifts", "table")
    )
    z, parts = scaled(encoder.clips), []
    for j in range(3):
        waves = np.cos(2 * np.pi * z[:, j : j + 1] * f[j] + phases.reshape(3, 4)[j])
        parts.append(waves @ W[j] + b.reshape(3, 2)[j])
    return np.hstack([*parts, table[CODES[:, 2]]])


@pytest.mark.parametrize("clips", [True, False])
def test_encoding_is_its_formula(clips: bool) -> None:
    encoder = make_encoder(clips=clips)
    with torch.no_grad():
        encoder.shifts.copy_(torch.arange(6.0))
    encoded = encoder(torch.from_numpy(X)).detach().numpy()
    assert encoded.shape == (N, encoder.width)
    assert encoder.n_learned == 3 * 2 + 5
    assert_allclose(encoded, np.hstack([learned(encoder), fixed(clips)]), rtol=0, atol=1e-13)


def test_without_learned_parts_there_are_no_parameters() -> None:
    encoder = make_encoder(periodic=False, max_onehot=12)
    assert list(encoder.parameters()) == []
    encoded = encoder(torch.from_numpy(X)).numpy()
    rest = fixed()
    expected = np.hstack([rest[:, :11], hot(CODES[:, 2], 12), rest[:, 11:]])
    assert_allclose(encoded, expected, rtol=0, atol=1e-13)


def test_without_bins_and_categories_there_are_the_scaled_numbers() -> None:
    numbers = NumberEncoding(CENTERS, FACTORS)
    encoder = FeatureEncoder(numbers, dtype=torch.float64)
    assert_allclose(encoder(torch.from_numpy(NUMBERS)).numpy(), scaled(False), atol=1e-14)


def test_a_table_of_categories_alone() -> None:
    encoder = FeatureEncoder(
        NumberEncoding(np.empty(0), np.empty(0)), (2,), periodic=PeriodicEncoding()
    )
    assert not encoder.is_periodic
    codes = torch.tensor([[0.0], [1], [2], [3]])
    assert_array_equal(encoder(codes).numpy(), [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_first_weights_are_drawn_as_said() -> None:
    """Normal frequencies, uniform phases and projections, no shifts, a table of unit rows."""
    numbers = NumberEncoding(np.zeros(40), np.ones(40))
    encoder = FeatureEncoder(
        numbers, (5000,), periodic=PeriodicEncoding(n_frequencies=100, scale=0.3), embedding_size=4
    )
    encoder.initialize(np.random.RandomState(0))
    assert_allclose(encoder.frequencies.std().item(), 0.3, rtol=0.05)
    assert_allclose(encoder.phases.abs().max().item(), math.pi, rtol=0.01)
    assert_allclose(encoder.phases.mean().item(), 0, atol=0.1)
    assert_allclose(encoder.projections.abs().max().item(), 1 / math.sqrt(100), rtol=0.01)
    assert not encoder.shifts.any()
    assert_allclose((encoder.table[2:] ** 2).sum(1).mean().item(), 1, rtol=0.05)
    assert not encoder.table[:2].any()  # unknown and missing


def test_a_fresh_encoder_shares_no_weights() -> None:
    encoder = make_encoder()
    other = encoder.fresh()
    assert other.fixed_key() == encoder.fixed_key()
    with torch.no_grad():
        other.table.zero_()
    assert encoder.table.any()


@pytest.mark.parametrize(
    "change",
    [
        {"clips": False},
        {"periodic": False},
        {"max_onehot": 2},
        {"edges": [EDGES[0] * 2, *EDGES[1:]]},
        {"dtype": torch.float32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_keys_tell_encoders_apart(change: dict[str, Any]) -> None:
    assert make_encoder(**change).fixed_key() != make_encoder().fixed_key()


# --------------------------------------------------------------------------------------- gradients

PARTS = {
    "all": {},
    "fixed": {"periodic": False, "max_onehot": 12},
    "periodic": {"max_onehot": 12},
    "categories": {"periodic": False},
}


def make_network(number: int, n_outputs: int, dtype: torch.dtype, **parameters: Any) -> Any:
    encoder = make_encoder(dtype=dtype, **parameters)
    return DenseNetwork(
        encoder.width,
        (6, 4),
        n_outputs,
        encoder=encoder,
        random_state=np.random.RandomState(number),
        initialization="he",
        dtype=dtype,
    )


def by_autograd(
    network: Any, loss: Any, X: Tensor, targets: Tensor, weight: Tensor | None
) -> tuple[float, dict[str, Tensor]]:
    """Return the sum of the losses, and the gradients of their mean."""
    losses = loss(network(X), targets)
    if weight is not None:
        losses = losses * weight
    total = len(X) if weight is None else weight.sum()
    (losses.sum() / total).backward()
    gradients = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    return losses.sum().item(), gradients


def assert_gradients(network: Any, expected: dict[str, Tensor]) -> None:
    actual = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_equal_up_to_rounding(actual[name], gradient)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("parts", PARTS)
def test_gradients_are_those_of_autograd(parts: str, is_weighted: bool) -> None:
    loss = make_classification_loss("log_loss", "multiclass")
    rows, targets = torch.from_numpy(X), torch.arange(N) % 3
    weight = torch.linspace(0, 2, N, dtype=torch.float64) if is_weighted else None
    network = make_network(1, 3, torch.float64, **PARTS[parts])
    loss_sum, expected = by_autograd(network, loss, rows, targets, weight)

    network = make_network(1, 3, torch.float64, **PARTS[parts])
    backprop = DenseBackprop(network, loss)
    total = float(N if weight is None else weight.sum())
    with torch.no_grad():
        for _ in range(2):  # the gradients of a second batch replace those of the first
            _, our_sum = backprop(rows, targets, weight, total)
    assert_allclose(our_sum.item(), loss_sum, rtol=1e-12)
    assert_gradients(network, expected)


@pytest.mark.parametrize("parts", PARTS)
def test_gradients_of_a_stack_are_those_of_autograd(parts: str) -> None:
    """Three networks with all rows each, in another order, then two of them with fewer."""
    loss = make_regression_loss("squared_error")
    targets = torch.linspace(-1, 1, 2 * N, dtype=torch.float64).reshape(N, 2)
    networks = [make_network(i, 2, torch.float64, **PARTS[parts]) for i in range(3)]
    stack = StackedBackprop([DenseBackprop(each, loss) for each in networks], N, [None] * 3)
    orders = [np.random.default_rng(i).permutation(N) for i in range(3)]
    for start, stop, n in [(0, 3, N), (1, 3, N - 2)]:
        chosen = [order[:n] for order in orders[start:stop]]
        with torch.no_grad():
            stack(
                start,
                torch.from_numpy(np.stack([X[rows] for rows in chosen])),
                torch.cat([targets[rows] for rows in chosen]),
                None,
                torch.full((stop - start,), float(n), dtype=torch.float64),
            )
        for i, rows in zip(range(start, stop), chosen, strict=True):
            alone = make_network(i, 2, torch.float64, **PARTS[parts])
            _, expected = by_autograd(alone, loss, torch.from_numpy(X[rows]), targets[rows], None)
            assert_gradients(networks[i], expected)


def test_float32_gradients_are_near_those_of_float64() -> None:
    loss = make_regression_loss("squared_error")
    targets = torch.linspace(-1, 1, N).reshape(N, 1)
    single, double = (make_network(1, 1, dtype) for dtype in (torch.float32, torch.float64))
    _, expected = by_autograd(double, loss, torch.from_numpy(X), targets.double(), None)
    backprop = DenseBackprop(single, loss)
    with torch.no_grad():
        backprop(torch.from_numpy(X).float(), targets, None, float(N))
    for name, parameter in single.named_parameters():
        largest = expected[name].abs().max().item()
        assert_allclose(parameter.grad, expected[name], rtol=0, atol=2e-5 * largest)


@pytest.mark.filterwarnings("error")
def test_bins_too_narrow_to_divide_by_are_left_out() -> None:
    edges = np.array([-2e-39, 0, 1e-40, 3e-39, 1.0, 2.0])
    numbers = NumberEncoding(np.zeros(1), np.ones(1), edges=[edges])
    encoder = FeatureEncoder(numbers)
    encoded = encoder(torch.tensor([[-5.0], [0.5], [1e30]]))
    # the number, and how much of -2e-39 to 1 and of 1 to 2 lies below it
    assert_allclose(encoded, [[-5, 0, 0], [0.5, 0.5, 0], [1e30, 1, 1]])
    encoder = FeatureEncoder(numbers, dtype=torch.float64)
    assert encoder.width == 1 + 5
