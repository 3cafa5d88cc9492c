"""How far samples are from rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknn.data import check_numbers


def frechet_distance(features: Any, other_features: Any) -> float:
    """Return the squared Fréchet distance of two sets of rows, each taken as a normal distribution.

    ``|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`` with the means m and covariances S of both
    [1]_. Of images it is usually taken of features: what a layer of a classifier, which was
    trained for something else, makes of them (the Fréchet inception distance has those of an
    Inception network). Few rows make it too large: compare distances of equally many.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of samples.
    other_features : array-like of shape (n_other_samples, n_features)
        Those of the rows that they are compared with.

    Returns
    -------
    float
        0 where means and covariances are equal.

    Raises
    ------
    ValueError
        If the columns are not equally many, or there are fewer than two rows.

    References
    ----------
    .. [1] M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
       equilibrium", 2017, arXiv:1706.08500.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.generative import frechet_distance
    >>> X = np.random.default_rng(0).normal(size=(1000, 3))
    >>> round(frechet_distance(X, X + [3, 4, 0]), 6)
    25.0
    """
    first, second = (
        check_numbers(each, dtype=np.float64, ensure_min_samples=2, name=name)
        for name, each in (("features", features), ("other_features", other_features))
    )
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"features has {first.shape[1]} columns and other_features {second.shape[1]}; they "
            "must be the same ones."
        )
    with np.errstate(over="ignore", invalid="ignore"):  # is refused
        means = first.mean(0) - second.mean(0)
        covariances = [np.atleast_2d(np.cov(each, rowvar=False)) for each in (first, second)]
    if not (np.isfinite(means).all() and np.isfinite(covariances).all()):
        raise ValueError(
            "features are so large that their squares overflow; divide both by a number."
        )
    # tr (S_1 S_2)^(1/2) by the eigenvalues of S_1^(1/2) S_2 S_1^(1/2), which are real
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariances[1] @ root)
    common = np.sqrt(np.clip(product, 0, None)).sum()
    traces = sum(np.trace(each) for each in covariances)
    return max(float(means @ means + traces - 2 * common), 0.0)
