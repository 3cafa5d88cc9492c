"""Shares of positive values of dilated convolutions, for MiniRocket. Imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import compiled, inner, sums

KERNEL_LENGTH, HALF_LENGTH = 9, 4
N_KERNELS = 84  # the ways to choose three of nine places


@inner
def write_moved(x: Any, dilation: Any, moved: Any, totals: Any) -> None:
    """Write what each place of a kernel adds, three times (9, n), and the sum of all (n,)."""
    # All weights of a kernel add up to 0, so that x[t] may be subtracted from each: where a series
    # does not change, every convolution is exactly 0, whatever the level.
    n = len(x)
    for t in range(n):
        totals[t] = 0
    for j in range(KERNEL_LENGTH):
        shift = (j - HALF_LENGTH) * dilation
        start, stop = min(max(0, -shift), n), max(min(n, n - shift), 0)
        row = moved[j]
        for t in range(start):
            row[t] = -x[t]
        for t in range(max(start, stop), n):
            row[t] = -x[t]
        for t in range(start, stop):
            row[t] = x[t + shift] - x[t]
        for t in range(n):
            totals[t] += row[t]
            row[t] *= 3


@sums
def count_above(values: Any, bias: Any) -> Any:
    """Return how many values (n,) are above a bias, as a float32."""
    # whole numbers of as many bits as the values are, so that vectors hold as many of either
    above = np.float32(0)
    for t in range(len(values)):
        above += np.float32(1) if values[t] > bias else np.float32(0)
    return above


@compiled
def write_shares(
    values: Any,  # float32 (n_channels, n_values), all series one after the other
    starts: Any,  # int64 (n_series,) places of the first steps
    lengths: Any,  # int64 (n_series,)
    dilations: Any,  # int64 (n_dilations,)
    counts: Any,  # int64 (n_dilations,), biases of each kernel
    kernels: Any,  # int64 (84, 3), places of weight 2; the others are -1
    channels: Any,  # int64, of all convolutions one after the other
    ends: Any,  # int64 (n_dilations * 84,), where those of each convolution end
    biases: Any,  # float32 (n_features,)
    first: Any,  # number of the first series to go through
    last: Any,  # and of that after the last
    moved: Any,  # float32 (n_channels, 9, longest), overwritten
    totals: Any,  # float32 (n_channels, longest), overwritten
    output: Any,  # float32 (longest,), overwritten
    shares: Any,  # float32 (n_series, n_features), which is written
) -> None:
    """Write the share of steps at which each convolution is above each of its biases."""
    n_channels = values.shape[0]
    for i in range(first, last):
        n = lengths[i]
        row = shares[i]
        feature, convolution, channel = 0, 0, 0
        for d in range(len(dilations)):
            dilation = dilations[d]
            for c in range(n_channels):
                x = values[c, starts[i] : starts[i] + n]
                write_moved(x, dilation, moved[c, :, :n], totals[c, :n])
            margin = HALF_LENGTH * dilation
            for k in range(N_KERNELS):
                one, two, three = kernels[k, 0], kernels[k, 1], kernels[k, 2]
                is_first = True
                while channel < ends[convolution]:
                    c = channels[channel]
                    a, b, e = moved[c, one], moved[c, two], moved[c, three]
                    total = totals[c]
                    if is_first:
                        for t in range(n):
                            output[t] = a[t] + b[t] + e[t] - total[t]
                    else:
                        for t in range(n):
                            output[t] += a[t] + b[t] + e[t] - total[t]
                    is_first = False
                    channel += 1
                start, stop = 0, n
                if (d + k) % 2 and n > 2 * margin:  # the steps that do not look beyond the ends
                    start, stop = margin, n - margin
                for _ in range(counts[d]):
                    above = count_above(output[start:stop], biases[feature])
                    row[feature] = above / (stop - start)
                    feature += 1
                convolution += 1
