import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import hyp2f1

from sknn.datasets import distance_modulus

SPEED_OF_LIGHT = 299_792.458  # km / s
REDSHIFTS = np.array([1e-3, 0.015, 0.3, 1.0, 1.414, 5.0, 50.0])


def to_modulus(comoving_integral: np.ndarray, H0: float) -> Any:
    megaparsec = (1 + REDSHIFTS) * SPEED_OF_LIGHT / H0 * comoving_integral
    return 5 * np.log10(megaparsec * 1e6 / 10)


def test_universe_of_matter() -> None:
    # Einstein and de Sitter: the integral of (1 + z)^(-3/2)
    expected = to_modulus(2 - 2 / np.sqrt(1 + REDSHIFTS), H0=70)
    assert_allclose(distance_modulus(REDSHIFTS, omega_m=1), expected, rtol=1e-14)


def test_empty_universe_of_dark_energy() -> None:
    # de Sitter: the integrand is 1
    assert_allclose(distance_modulus(REDSHIFTS, 60, 0), to_modulus(REDSHIFTS, 60), rtol=1e-14)


@pytest.mark.parametrize("omega_m", [0.05, 0.28, 0.9])
@pytest.mark.parametrize("H0", [50, 73.2])
def test_closed_form(H0: float, omega_m: float) -> None:
    # The antiderivative of (m a^3 + 1 - m)^(-1/2) with respect to a = 1 + z
    def antiderivative(a: np.ndarray) -> Any:
        ratio = -(1 - omega_m) / (omega_m * a**3)
        return -2 / np.sqrt(omega_m * a) * hyp2f1(1 / 6, 1 / 2, 7 / 6, ratio)

    integral = antiderivative(1 + REDSHIFTS) - antiderivative(np.ones_like(REDSHIFTS))
    assert_allclose(distance_modulus(REDSHIFTS, H0, omega_m), to_modulus(integral, H0), rtol=1e-12)


def test_adaptive_quadrature() -> None:
    def integrand(z: float) -> float:
        return 1 / math.sqrt(0.3 * (1 + z) ** 3 + 0.7)

    integral = np.array([quad(integrand, 0, z, epsrel=1e-12)[0] for z in REDSHIFTS])
    assert_allclose(distance_modulus(REDSHIFTS, 70, 0.3), to_modulus(integral, 70), rtol=1e-13)


def test_astropy() -> None:
    # astropy 8.0.2: FlatLambdaCDM(H0=70, Om0=0.3).distmod(z)
    expected = [34.06403523, 42.26118542, 45.03072476]
    assert_allclose(distance_modulus([0.015, 0.5, 1.414], H0=70, omega_m=0.3), expected, rtol=1e-9)


def test_shapes() -> None:
    z = np.linspace(0.1, 1, 6).reshape(2, 3)
    moduli = distance_modulus(z.astype(np.float32))
    assert moduli.shape == (2, 3)
    assert moduli.dtype == np.float64
    assert np.ndim(distance_modulus(0.1)) == 0
    assert_allclose(distance_modulus(z.tolist()), distance_modulus(z))


@pytest.mark.parametrize("redshift", [0, -0.1, np.nan, np.inf, [0.1, 0.0]])
def test_bad_redshift(redshift: float | list[float]) -> None:
    with pytest.raises(ValueError, match="`redshift` must contain positive, finite numbers"):
        distance_modulus(redshift)


@pytest.mark.parametrize("parameters", [{"H0": 0}, {"omega_m": 1.1}, {"omega_m": -0.1}])
def test_bad_parameter_is_named(parameters: dict[str, float]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        distance_modulus(0.5, **parameters)
