"""NumPy's order of rows and torch's dropout masks: Mersenne Twisters, uint32 (625,).

624 words of the state, and the place of the next.
"""

from __future__ import annotations

import numpy as np

from ._jit import inner

DROPOUT_LEVELS = 2**16  # as in sknn.nn.layers


@inner
def next_word(state):
    """Return the next 32 bits of a Mersenne Twister (Matsumoto and Nishimura, 1998)."""
    place = np.int64(state[624])
    if place == 624:
        for i in range(624):
            y = (np.int64(state[i]) & 0x80000000) | (np.int64(state[(i + 1) % 624]) & 0x7FFFFFFF)
            word = np.int64(state[(i + 397) % 624]) ^ (y >> 1)
            if y & 1:
                word ^= 0x9908B0DF
            state[i] = word
        place = 0
    state[624] = place + 1
    y = np.int64(state[place])
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    return y ^ (y >> 18)


@inner
def shuffle(order, permutation, state):
    """Permute the order (n,) of the rows as RandomState.shuffle does."""
    n = len(order)
    for i in range(n):
        permutation[i] = i
    for i in range(n - 1, 0, -1):
        mask = i
        for shift in (1, 2, 4, 8, 16):
            mask |= mask >> shift
        j = next_word(state) & mask
        while j > i:
            j = next_word(state) & mask
        permutation[i], permutation[j] = permutation[j], permutation[i]
    for i in range(n):
        permutation[i] = order[permutation[i]]
    for i in range(n):
        order[i] = permutation[i]


@inner
def drop(h, slopes, n_dropped, state):
    """Drop units: h and slopes (n,) are multiplied by 0 or by 1 over the share that is kept."""
    scale = h.dtype.type(DROPOUT_LEVELS / (DROPOUT_LEVELS - n_dropped))
    zero = h.dtype.type(0)
    n = len(h)
    for i in range(0, n, 4):
        high = next_word(state)
        low = next_word(state)
        for j in range(min(4, n - i)):
            word = low if j < 2 else high
            number = (word >> (16 * (j % 2))) & 0xFFFF
            # torch compares them as signed numbers
            factor = scale if (number ^ 0x8000) >= n_dropped else zero
            h[i + j] *= factor
            slopes[i + j] *= factor
