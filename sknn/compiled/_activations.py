"""Activations and their slopes, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import intrinsic

from . import _places as at
from ._jit import inner

LEAKY_SLOPE = 0.01
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@intrinsic
def as_bits(typing_context, x):
    """Return the bits of a float64 as an int64."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic
def from_bits(typing_context, bits):
    """Return the float64 with these bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


@inner
def exponential(x):
    """Return exp(x), x between -708 and 709 (beyond, that of the bound), in a loop of vectors."""
    x = np.float64(x)
    x = -708.0 if x < -708.0 else x  # NaN stays
    x = 709.0 if x > 709.0 else x
    # exp(x) = 2^k exp(r), |r| <= log(2) / 2; the sum rounds to a whole number in the last bits
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
    p = 1.6059043836821613e-10  # 1 / 13!, and so on
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * from_bits((as_bits(shifted) << 52) + (1023 << 52))


@inner
def other_activation(kind, z):
    """Return value and slope of an activation that has no loop of its own."""
    if kind == at.SELU:
        if z > 0:
            return SELU_SCALE * z, SELU_SCALE
        return SELU_SCALE * SELU_ALPHA * math.expm1(z), SELU_SCALE * SELU_ALPHA * math.exp(z)
    if kind == at.GELU:
        share = 0.5 * (1 + math.erf(z * 0.7071067811865476))
        return z * share, share + z * 0.3989422804014327 * math.exp(-0.5 * z * z)
    if kind == at.SILU or kind == at.SWISH:
        gate = 1 / (1 + exponential(-z))
        return z * gate, gate * (1 + z * (1 - gate))
    if kind == at.MISH:
        t = math.tanh(z if z > 20 else math.log1p(math.exp(z)))
        return z * t, t + z * (1 - t * t) / (1 + exponential(-z))
    if kind == at.SOFTPLUS:
        if z > 20:
            return z, 1.0
        return math.log1p(math.exp(z)), 1 / (1 + exponential(-z))
    if kind == at.SOFTSIGN:
        return z / (1 + abs(z)), 1 / (1 + abs(z)) ** 2
    if kind == at.RELU6:
        return (0.0 if z <= 0 else (6.0 if z > 6 else z)), (1.0 if 0 < z < 6 else 0.0)
    if kind == at.HARDTANH:
        return (-1.0 if z < -1 else (1.0 if z > 1 else z)), (1.0 if -1 < z < 1 else 0.0)
    if z < -3:  # HARDSWISH
        return 0.0, 0.0
    return (z, 1.0) if z > 3 else (z * (z + 3) / 6, z / 3 + 0.5)


@inner
def activate(kind, h, bias, slopes):
    """Write f(h + bias) to h and f' to slopes, (n, width), but for ReLU, whose h tells it."""
    n, width = h.shape
    zero, one, leaky = h.dtype.type(0), h.dtype.type(1), h.dtype.type(LEAKY_SLOPE)
    if kind == at.RELU:
        for i in range(n):
            for j in range(width):
                z = h[i, j] + bias[j]
                h[i, j] = zero if z <= zero else z
        return
    for i in range(n):
        row, slope = h[i], slopes[i]
        for j in range(width):
            row[j] += bias[j]
        if kind == at.IDENTITY:
            for j in range(width):
                slope[j] = one
        elif kind == at.LOGISTIC:
            for j in range(width):
                a = row.dtype.type(1 / (1 + exponential(-row[j])))
                row[j] = a
                slope[j] = a * (one - a)
        elif kind == at.TANH:
            for j in range(width):
                # doubled before it is widened, as -2 z is exact
                a = row.dtype.type(1 - 2 / (exponential(row[j] + row[j]) + 1))
                row[j] = a
                slope[j] = one - a * a
        elif kind == at.LEAKY_RELU:
            for j in range(width):
                slope[j] = one if row[j] > zero else leaky
                row[j] *= slope[j]
        elif kind == at.ELU or kind == at.CELU:
            for j in range(width):
                e = row.dtype.type(exponential(zero if row[j] > zero else row[j]))
                row[j] = row[j] if row[j] > zero else e - one
                slope[j] = e
        else:
            for j in range(width):
                value, derivative = other_activation(kind, np.float64(row[j]))
                row[j] = value
                slope[j] = derivative
