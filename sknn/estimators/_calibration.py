"""What rows that a network has not learned from teach about its answers.

Functions of plain arrays: raw outputs of held-out rows, and their targets as the loss takes them.
Weights (n,) are relative to each other; a row that weighs 0 is no row. Outputs of the members of an
ensemble do not quite stand for its own: an average is less sure of itself, and its errors are
smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit, softmax
from torch import Tensor

# between which temperatures are sought
TEMPERATURES = 0.1, 10.0

# 1 / temperature is taken for normally distributed around 1 before a row is seen, so that few rows
# change little; the variance is that of the estimate of some 16 rows.
PRIOR_VARIANCE = 1 / 16

# Rows that are as surely predicted as the network says, which count beside those that are given.
PRIOR_ROWS = 10.0


@dataclass(frozen=True)
class Calibration:
    """Corrections of a fitted estimator's answers; part of its file.

    Quantiles and variances are in the units in which the loss sees y.
    """

    temperature: float = 1.0  # logits are divided by it
    quantile_shift: np.ndarray | None = None  # (n_columns, n_levels), added to quantiles
    variance_factor: np.ndarray | None = None  # (n_columns,), of a "gaussian" loss

    def logits(self, outputs: Tensor) -> Tensor:
        """Return logits (n, n_outputs) of calibrated probabilities; their order stays."""
        return outputs if self.temperature == 1 else outputs / self.temperature

    def answers(self, values: Tensor) -> Tensor:
        """Return predictions (n, n_columns), or calibrated quantiles (n, n_columns, n_levels)."""
        if self.quantile_shift is None or values.ndim == 2:
            return values
        shift = torch.from_numpy(self.quantile_shift).to(values)
        return (values + shift).sort(2).values

    def variances(self, variances: Tensor) -> Tensor:
        """Return calibrated variances (n, n_columns)."""
        if self.variance_factor is None:
            return variances
        return variances * torch.from_numpy(self.variance_factor).to(variances)


def fit_temperature(logits: Any, targets: Any, sample_weight: Any = None) -> float:
    """Return the temperature that held-out rows are the most likely at (Guo et al., 2017).

    It minimises the log loss of ``logits / temperature``, a convex function of its inverse, between
    0.1 and 10, with a penalty that keeps it near 1 where there are few rows.

    Parameters
    ----------
    logits : array-like of shape (n, n_outputs)
        Raw outputs of the network, or of an average of networks.
    targets : array-like of shape (n,) or (n, n_outputs)
        Class indices where one class of several is right, else 0 and 1 for each output.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows.

    Returns
    -------
    float

    Examples
    --------
    A network that is right in three of four rows, and says 95 %:

    >>> import numpy as np
    >>> from sknn.estimators import fit_temperature
    >>> logits = np.full((4000, 1), np.log(0.95 / 0.05))
    >>> targets = np.tile([1.0, 1.0, 1.0, 0.0], 1000)[:, np.newaxis]
    >>> temperature = fit_temperature(logits, targets)
    >>> round(float(1 / (1 + np.exp(-logits[0, 0] / temperature))), 2)
    0.75
    """
    z = np.asarray(logits, np.float64)
    y = np.asarray(targets)
    weights = _relative_weights(sample_weight, len(z))
    is_one_of = y.ndim == 1
    if is_one_of:
        z = (z - z.max(1, keepdims=True)).clip(-1e4)  # a module may rule a class out by -inf
        right = z[np.arange(len(z)), y.astype(np.int64)]
    else:
        right = (y * z).sum(1)

    def slope(inverse: float) -> float:
        """Return the derivative of the penalised log loss, which grows with `inverse`."""
        if is_one_of:
            expected = (softmax(inverse * z, axis=1) * z).sum(1)
        else:
            expected = (expit(inverse * z) * z).sum(1)
        return float(weights @ (expected - right) + (inverse - 1) / PRIOR_VARIANCE)

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    if slope(low) >= 0:
        return 1 / low
    if slope(high) <= 0:
        return 1 / high
    return 1 / float(brentq(slope, low, high, xtol=1e-6))


def fit_quantile_shift(
    quantiles: Any, targets: Any, levels: Any, sample_weight: Any = None
) -> np.ndarray:
    """Return what to add to each quantile, so that the level's share of held-out rows is below.

    It is conformalized quantile regression (Romano, Patterson and Candes, 2019) for each level by
    itself: the quantile, at that level, of the differences between targets and predictions. Of n
    rows, the i-th smallest stands for the level i / (n + 1), so that a new row is below as often as
    the level says; levels beyond the first and the last row take that row.

    Parameters
    ----------
    quantiles : array-like of shape (n, n_columns, n_levels)
        Predicted quantiles.
    targets : array-like of shape (n, n_columns)
        True values.
    levels : array-like of shape (n_levels,)
        The levels.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_columns, n_levels)

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.estimators import fit_quantile_shift
    >>> y = np.arange(1.0, 100.0).reshape(-1, 1)
    >>> quantiles = np.zeros((99, 1, 2))
    >>> fit_quantile_shift(quantiles, y, levels=(0.1, 0.9))
    array([[10., 90.]])
    """
    q, y = np.asarray(quantiles, np.float64), np.asarray(targets, np.float64)
    weights = _relative_weights(sample_weight, len(q))
    counted = weights > 0
    weights = weights[counted]
    differences = (y[:, :, np.newaxis] - q)[counted]
    shifts = np.empty(q.shape[1:])
    for column, place in np.ndindex(*shifts.shape):
        order = np.argsort(differences[:, column, place], kind="stable")
        w = weights[order]
        # the middle of the ranks that a row has, which are one where it weighs 1
        ranks = w.cumsum() - (w - 1) / 2
        shares = ranks / (w.sum() + 1)
        shifts[column, place] = np.interp(
            np.asarray(levels)[place], shares, differences[order, column, place]
        )
    return shifts


def fit_variance_factor(
    means: Any, variances: Any, targets: Any, sample_weight: Any = None
) -> np.ndarray:
    """Return by what to multiply variances, so that held-out errors are as large as they say.

    It is the mean of squared errors over their variances, the factor that normally distributed
    errors are the most likely with; ten rows whose errors are as large as predicted count beside.

    Parameters
    ----------
    means : array-like of shape (n, n_columns)
        Predictions.
    variances : array-like of shape (n, n_columns)
        Predicted variances.
    targets : array-like of shape (n, n_columns)
        True values.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_columns,)

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.estimators import fit_variance_factor
    >>> errors = np.full((990, 1), 2.0)
    >>> fit_variance_factor(np.zeros((990, 1)), np.ones((990, 1)), errors)
    array([3.97])
    """
    errors = np.asarray(targets, np.float64) - np.asarray(means, np.float64)
    ratios = errors**2 / np.asarray(variances, np.float64)
    weights = _relative_weights(sample_weight, len(ratios))
    return (weights @ ratios + PRIOR_ROWS) / (weights.sum() + PRIOR_ROWS)


def _relative_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Return weights (n,) whose sum is the number of equal rows that say as much (Kish, 1965)."""
    if sample_weight is None:
        return np.ones(n)
    weights = np.asarray(sample_weight, np.float64)
    weights = weights / weights.max()
    return weights * (weights.sum() / (weights**2).sum())
