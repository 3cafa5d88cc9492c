"""Distances in a flat universe of matter and a cosmological constant."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval

from sknn._validation import POSITIVE, validated

_SPEED_OF_LIGHT = 299_792.458  # km / s

COSMOLOGY_CONSTRAINTS = {
    "H0": [POSITIVE],
    "omega_m": [Interval(Real, 0, 1, closed="both")],
}


@validated({"redshift": ["array-like", Real], **COSMOLOGY_CONSTRAINTS})
def distance_modulus(
    redshift: ArrayLike, H0: float = 70.0, omega_m: float = 0.28
) -> NDArray[np.float64] | np.float64:
    r"""Distance modulus as a function of redshift in a flat Lambda-CDM universe.

    The distance modulus is how much fainter a source appears, in magnitudes, than it would from
    10 parsec away,

    .. math:: \mu = 5 \log_{10} \frac{d_L}{10\,\mathrm{pc}}, \qquad
        d_L = (1 + z) \frac{c}{H_0} \int_0^z
        \frac{\mathrm{d}z'}{\sqrt{\Omega_m (1 + z')^3 + 1 - \Omega_m}},

    where :math:`d_L` is the luminosity distance. Radiation is neglected.

    Parameters
    ----------
    redshift : float or array-like of float
        Redshifts z, all of them positive and finite.
    H0 : float, default=70.0
        Hubble constant in km / s / Mpc.
    omega_m : float, default=0.28
        Matter density today as a fraction of the critical density, from 0 to 1. The rest is dark
        energy.

    Returns
    -------
    float or ndarray of the shape of `redshift`
        Distance moduli in magnitudes, in double precision.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a redshift is not a positive number.

    References
    ----------
    .. [1] D. W. Hogg, `Distance measures in cosmology <https://arxiv.org/abs/astro-ph/9905116>`_,
       1999, equations 14 to 16, 21 and 25.

    Examples
    --------
    >>> from sknn.datasets import distance_modulus
    >>> distance_modulus([0.1, 1.0], H0=70, omega_m=0.3).round(2)
    array([38.32, 44.1 ])
    """
    z = np.asarray(redshift, dtype=np.float64)
    if not np.all((z > 0) & np.isfinite(z)):
        raise ValueError("`redshift` must contain positive, finite numbers only.")
    luminosity_distance = (1 + z) * _SPEED_OF_LIGHT / H0 * _comoving_integral(z, omega_m)
    # 25 = 5 log10(1 Mpc / 10 pc)
    return 5 * np.log10(luminosity_distance) + 25


def _comoving_integral(z: NDArray[np.float64], omega_m: float) -> NDArray[np.float64]:
    """Integrate 1 / E(z') from 0 to each z by the Gauss-Legendre rule."""
    # As a function of ln(1 + z') the integrand is so smooth that 48 nodes give all the digits of
    # a float64 up to z = 100.
    half = np.log1p(z) / 2
    integral = np.zeros_like(half)
    # Node by node, so that the memory needed is a few times that of z.
    for node, weight in zip(*np.polynomial.legendre.leggauss(48), strict=True):
        scale = np.exp(half * (1 + node))  # 1 + z'
        integral += weight * scale / np.sqrt(omega_m * scale**3 + 1 - omega_m)
    return half * integral
