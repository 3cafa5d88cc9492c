"""Type Ia supernovae: the Union2.1 compilation, and simulated ones."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sknn._validation import NOT_NEGATIVE, POSITIVE_INTEGER, validated

from ._cosmology import COSMOLOGY_CONSTRAINTS, distance_modulus
from ._fetching import Fetched, bundle, describe, fetcher
from ._store import RemoteFile, corrupt_file, decoding, locate

# The publisher gives no hash. This one was recorded by the download script of
# https://github.com/HugoDinizz/T1aSuper (data/download_union21.sh), and a copy of the file that
# was obtained independently of it has the same.
_UNION21 = RemoteFile(
    path="supernova/SCPUnion2.1_mu_vs_z.txt",
    url="https://supernova.lbl.gov/Union/figures/SCPUnion2.1_mu_vs_z.txt",
    known_hash="sha256:98fc24a6eef71ebd0c90e25b69271c0a3a8ffe23e7e3c2fada37b9334b1101eb",
)
_N_SUPERNOVAE = 580


@fetcher()
def fetch_supernova(
    *,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Fetched:
    """Load the Union2.1 compilation of type Ia supernovae (regression).

    =================   ==================
    Samples total                      580
    Dimensionality                       1
    Features            real, 0.015 - 1.42
    Target                real, 33.2 - 46.
    =================   ==================

    Parameters
    ----------
    {data_home}
    {download_if_missing}
    {return_X_y}
    {as_frame}

    Returns
    -------
    {dataset}

        data : ndarray of shape (580, 1), or DataFrame
            Redshift in the frame of the cosmic microwave background.
        target : ndarray of shape (580,), or Series
            Distance modulus in magnitudes.
        mu_error : ndarray of shape (580,)
            Standard deviation of the distance modulus. ``1 / mu_error**2`` is the
            `sample_weight` of a fit.
        low_mass_host_probability : ndarray of shape (580,)
            Probability that the host galaxy is of low mass.
        names : ndarray of shape (580,)
            Names of the supernovae.
        feature_names : list of str
            ``["redshift"]``.
        target_names : list of str
            ``["distance_modulus"]``.
        {frame}
        DESCR : str
            Description, source and citation.

    {data_and_target}

    Raises
    ------
    {missing_file}
    ValueError
        If a file is damaged.

    References
    ----------
    .. [1] N. Suzuki et al., `The Hubble Space Telescope Cluster Supernova Survey. V
       <https://arxiv.org/abs/1105.3470>`_, The Astrophysical Journal 746, 85, 2012.

    Examples
    --------
    >>> from sknn.datasets import fetch_supernova
    >>> supernova = fetch_supernova()  # doctest: +SKIP
    >>> weight = 1 / supernova.mu_error**2  # doctest: +SKIP
    """
    path = locate(_UNION21, data_home, download_if_missing)
    names, (redshift, mu, mu_error, low_mass_host_probability) = _read(path)
    return bundle(
        redshift[:, np.newaxis],
        mu,
        feature_names=["redshift"],
        target_names=["distance_modulus"],
        target_column="distance_modulus",
        description=describe("supernova"),
        return_X_y=return_X_y,
        as_frame=as_frame,
        mu_error=mu_error,
        low_mass_host_probability=low_mass_host_probability,
        names=names,
    )


def _read(path: Path) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Return the names, and the other four columns as the rows of an array."""
    with decoding(path):
        lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if len(rows) != _N_SUPERNOVAE:
        raise corrupt_file(path, f"it has {len(rows)} supernovae, expected {_N_SUPERNOVAE}")
    try:
        columns = np.array([row[1:] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise corrupt_file(path, f"a row is not a name and four numbers ({error})") from error
    if columns.shape[1] != 4:
        raise corrupt_file(path, f"rows have {columns.shape[1] + 1} columns, expected 5")
    if not (np.isfinite(columns).all() and (columns[:, [0, 2]] > 0).all()):
        raise corrupt_file(path, "a number is not finite, or a redshift or an error not positive")
    return np.array([row[0] for row in rows]), np.ascontiguousarray(columns.T)


@validated(
    {
        "n_samples": [POSITIVE_INTEGER],
        **COSMOLOGY_CONSTRAINTS,
        "noise": [NOT_NEGATIVE, None],
        "random_state": ["random_state"],
        "return_error": ["boolean"],
    }
)
def make_supernova(
    n_samples: int = 580,
    *,
    H0: float = 70.0,
    omega_m: float = 0.28,
    noise: float | None = None,
    random_state: int | np.random.RandomState | None = None,
    return_error: bool = False,
) -> tuple[NDArray[np.float64], ...]:
    """Simulate redshifts and distance moduli of type Ia supernovae (regression).

    The redshifts are spread as those of the Union2.1 compilation [1]_, from 0.015 to 1.414. The
    distance moduli are those of a flat Lambda-CDM universe, see :func:`distance_modulus`, with
    Gaussian noise.

    Parameters
    ----------
    n_samples : int, default=580
        Number of supernovae.
    H0 : float, default=70.0
        Hubble constant in km / s / Mpc.
    omega_m : float, default=0.28
        Matter density today as a fraction of the critical density, from 0 to 1.
    noise : float, default=None
        Standard deviation of the noise in magnitudes, the same for all samples. If None, each
        sample has its own, which depends on redshift and scatters as the errors in Union2.1
        do: about 0.19 in the median, and never below 0.08 or above 1.
    random_state : int, RandomState instance or None, default=None
        Determines redshifts and noise. Pass an int for reproducible output.
    return_error : bool, default=False
        If True, also return the standard deviation of the noise of each sample.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
        Redshifts.
    y : ndarray of shape (n_samples,)
        Distance moduli in magnitudes.
    error : ndarray of shape (n_samples,)
        Standard deviations of `y`, only if `return_error`. ``1 / error**2`` is the
        `sample_weight` of a fit.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    .. [1] N. Suzuki et al., `The Hubble Space Telescope Cluster Supernova Survey. V
       <https://arxiv.org/abs/1105.3470>`_, The Astrophysical Journal 746, 85, 2012.

    Examples
    --------
    >>> from sknn.datasets import make_supernova
    >>> X, y, error = make_supernova(100, random_state=0, return_error=True)
    >>> X.shape, y.shape, error.shape
    ((100, 1), (100,), (100,))
    """
    rng = check_random_state(random_state)
    redshift = _draw_redshifts(n_samples, rng)
    error = _draw_errors(redshift, rng) if noise is None else np.full(n_samples, float(noise))
    y = distance_modulus(redshift, H0=H0, omega_m=omega_m) + error * rng.standard_normal(n_samples)
    X = redshift[:, np.newaxis]
    return (X, y, error) if return_error else (X, y)


# The deciles of the redshifts in Union2.1.
_REDSHIFT_DECILES = [0.015, 0.024, 0.036, 0.094, 0.204, 0.294, 0.388, 0.494, 0.619, 0.840, 1.414]
# The median of the errors in Union2.1, and the standard deviation of their logarithms, at a few
# redshifts: the peculiar velocities of galaxies blur the near ones, faintness the far ones.
_ERROR_REDSHIFTS = [0.015, 0.05, 0.15, 0.3, 0.5]
_ERROR_MEDIANS = [0.21, 0.165, 0.12, 0.17, 0.25]
_ERROR_LOG_SCATTERS = [0.25, 0.25, 0.3, 0.4, 0.45]
_ERROR_RANGE = (0.08, 1.0)


def _draw_redshifts(n_samples: int, rng: np.random.RandomState) -> NDArray[np.float64]:
    """Sample the piecewise uniform distribution that has the deciles."""
    return np.interp(rng.uniform(size=n_samples), np.linspace(0, 1, 11), _REDSHIFT_DECILES)


def _draw_errors(redshift: NDArray[np.float64], rng: np.random.RandomState) -> NDArray[np.float64]:
    """Sample errors log-normally about their median at each redshift."""
    median = np.interp(redshift, _ERROR_REDSHIFTS, _ERROR_MEDIANS)
    log_scatter = np.interp(redshift, _ERROR_REDSHIFTS, _ERROR_LOG_SCATTERS)
    error = median * np.exp(log_scatter * rng.standard_normal(len(redshift)))
    return np.clip(error, *_ERROR_RANGE)
