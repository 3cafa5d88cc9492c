import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import erf, expit
from torch import nn

from sknn.nn import ACTIVATIONS, find_activation

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def softplus(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, z)


FORMULAS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "logistic": expit,
    "tanh": np.tanh,
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "celu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z)),
    "prelu": lambda z: np.where(z > 0, z, 0.25 * z),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "silu": lambda z: z * expit(z),
    "swish": lambda z: z * expit(z),
    "mish": lambda z: z * np.tanh(softplus(z)),
    "softplus": softplus,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "relu6": lambda z: np.clip(z, 0, 6),
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "hardswish": lambda z: z * np.clip(z + 3, 0, 6) / 6,
}
HAVE_BACKWARD = [name for name, activation in ACTIVATIONS.items() if activation.backward]


@pytest.fixture
def z() -> torch.Tensor:
    return torch.cat(
        [torch.linspace(-8, 8, 33, dtype=torch.float64), torch.tensor([-0.3, 0.7, 2.5])]
    ).to(torch.float64)


def test_every_activation_has_a_formula_here() -> None:
    assert set(FORMULAS) == set(ACTIVATIONS)


def test_the_fast_path_knows_scikit_learns_activations() -> None:
    assert {"identity", "relu", "logistic", "tanh"} <= set(HAVE_BACKWARD)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_module_computes_the_formula(name: str, z: torch.Tensor) -> None:
    module = ACTIVATIONS[name].module().to(torch.float64)
    assert_allclose(module(z).detach().numpy(), FORMULAS[name](z.numpy()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", HAVE_BACKWARD)
def test_in_place_function_computes_the_formula_in_place(name: str, z: torch.Tensor) -> None:
    apply_ = ACTIVATIONS[name].apply_
    assert apply_ is not None
    values = z.clone()
    result = apply_(values)
    assert result.data_ptr() == values.data_ptr()
    assert_allclose(values.numpy(), FORMULAS[name](z.numpy()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", HAVE_BACKWARD)
def test_backward_from_the_output_is_the_derivative(name: str, z: torch.Tensor) -> None:
    backward = ACTIVATIONS[name].backward
    assert backward is not None
    smooth = z[(z.abs() > 1e-3) & (z.abs() < 6)]
    step = 1e-6
    formula = FORMULAS[name]
    slope = (formula(smooth.numpy() + step) - formula(smooth.numpy() - step)) / (2 * step)
    gradient = torch.linspace(-1, 2, len(smooth), dtype=torch.float64)
    output = torch.from_numpy(formula(smooth.numpy()))
    assert_allclose(
        backward(gradient.clone(), output).numpy(), gradient.numpy() * slope, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("name", HAVE_BACKWARD)
def test_backward_agrees_with_autograd_at_the_kink(name: str) -> None:
    variable = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    output = ACTIVATIONS[name].module()(variable)
    (expected,) = torch.autograd.grad(output.sum(), variable)
    backward = ACTIVATIONS[name].backward
    assert backward is not None
    result = backward(torch.ones(3, dtype=torch.float64), output.detach())
    assert_allclose(result.numpy(), expected.numpy())


def test_find_activation_looks_names_up_and_wraps_factories() -> None:
    assert find_activation("tanh") is ACTIVATIONS["tanh"]
    wrapped = find_activation(nn.Hardsigmoid)
    assert isinstance(wrapped.module(), nn.Hardsigmoid)
    assert wrapped.backward is None


def test_unknown_activation_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="activation='rellu' is unknown.*'relu'"):
        find_activation("rellu")
