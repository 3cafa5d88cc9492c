"""Which words are drawn to be told apart, and which occurrences are left out."""

from __future__ import annotations

import numpy as np

NOISE_POWER = 0.75
SCALE = 2.0**32  # numbers of 32 bits, with which the random ones of the loops are compared


def kept_shares(counts: np.ndarray, subsample: float) -> np.ndarray:
    """Return the share of its occurrences that each token (n_tokens,) keeps in an epoch.

    Of a word of relative frequency f, sqrt(t / f) + t / f are kept, t being `subsample`.
    """
    shares = np.ones(len(counts))
    if subsample > 0:
        is_there = counts > 0
        ratio = subsample * counts.sum() / counts[is_there]
        shares[is_there] = np.minimum(1, np.sqrt(ratio) + ratio)
    return shares


def noise_probabilities(counts: np.ndarray) -> np.ndarray:
    """Return the probability with which each token (n_tokens,) is drawn; 0 is never."""
    powers = counts.astype(np.float64) ** NOISE_POWER
    powers[0] = 0
    return powers / powers.sum()


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Walker's table of the tokens from 1 on: cuts uint32 and others int32 (n_tokens,).

    One of them is drawn, each with the same probability; below its cut it is the one, else the
    other.
    """
    n = len(probabilities) - 1
    cuts = np.full(n + 1, SCALE - 1)
    others = np.arange(n + 1, dtype=np.int32)
    shares = (probabilities * n).tolist()
    small = [i for i in range(1, n + 1) if shares[i] < 1]
    large = [i for i in range(1, n + 1) if shares[i] >= 1]
    while small and large:
        one, other = small.pop(), large[-1]
        cuts[one], others[one] = shares[one] * SCALE, other
        shares[other] -= 1 - shares[one]
        if shares[other] < 1:
            small.append(large.pop())
    return np.minimum(cuts, SCALE - 1).astype(np.uint32), others
