"""Learning rate schedules by name.

A schedule with a horizon gives the factor by which the peak learning rate is multiplied as a
function of the progress, from 0 at the first batch to 1 after `max_iter` epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, 2017, arXiv:1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """Rise from 1/25 to 1 over 30 % of the training, then fall to 1e-4 / 25.

    Both are half cosines (Smith and Topin, 2018, arXiv:1708.07120; numbers of fast.ai).
    """
    start, rise = 1 / 25, 0.3
    if progress < rise:
        return start + (1 - start) * (1 - cosine(progress / rise))
    return start * 1e-4 + (1 - start * 1e-4) * cosine((progress - rise) / (1 - rise))


def warmup_cosine(progress: float) -> float:
    """Rise linearly from 0 over 5 % of the training, then fall as half a cosine to 0."""
    warmup = 0.05
    return progress / warmup if progress < warmup else cosine((progress - warmup) / (1 - warmup))


def step(progress: float) -> float:
    """Divide by ten after one and after two thirds of the training."""
    return 0.1 ** min(int(3 * progress), 2)


HORIZON_SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "one_cycle": one_cycle,
    "warmup_cosine": warmup_cosine,
    "step": step,
}

# "adaptive" divides the rate by this number on a plateau, until the rate is this small.
ADAPTIVE_DIVISOR = 5.0
ADAPTIVE_MINIMUM = 1e-6


def inverse_scaling(learning_rate: float, n_samples_seen: int, power_t: float) -> float:
    """Return ``learning_rate / (t + 1)^power_t``, t the number of samples seen.

    Parameters
    ----------
    learning_rate : float
        The initial learning rate.
    n_samples_seen : int
        Samples seen so far, repetitions included.
    power_t : float
        The exponent.

    Returns
    -------
    float

    Examples
    --------
    >>> from sknn.training import inverse_scaling
    >>> inverse_scaling(0.1, 99, 0.5)
    0.01
    """
    return learning_rate / (n_samples_seen + 1) ** power_t
