"""The encoder of a table's columns and the layer behind it, compiled.

Most of what an encoder returns is 0, or 1 bin after bin up to the one that a number lies in. So the
layer's product is not taken: the rows of its transposed weights that count are added up, and what
full bins add is one row of their running sums. Shapes: n rows of a batch, c columns, w numbers that
the encoder returns, l of them learned, u units of the layer, m bins.
"""

from __future__ import annotations

import math

import numpy as np

from . import _places as at
from ._jit import inner, product, sums


@product
def multiply(a, b, out):
    """Write the product of two matrices."""
    np.dot(a, b, out)


@inner
def wave(angle):
    """Return cosine and sine of an angle in radians, in a loop of vectors."""
    turns = np.float64(angle) * 0.15915494309189535
    # the sum rounds to a whole number in the last bits
    turns -= (turns + 6755399441055744.0) - 6755399441055744.0
    # cos(x) = 1 - 2 sin(x / 2)^2 and sin(x) = 2 sin(x / 2) cos(x / 2), |x / 2| <= pi / 2
    y = turns * 3.141592653589793
    z = y * y
    s = 1.957294106339126e-20  # 1 / 21!, and so on
    s = s * z - 8.22063524662433e-18
    s = s * z + 2.8114572543455206e-15
    s = s * z - 7.647163731819816e-13
    s = s * z + 1.6059043836821613e-10
    s = s * z - 2.505210838544172e-08
    s = s * z + 2.7557319223985893e-06
    s = s * z - 0.0001984126984126984
    s = s * z + 0.008333333333333333
    s = s * z - 0.16666666666666666
    s = y + y * z * s
    c = 8.896791392450574e-22  # 1 / 22!, and so on
    c = 4.110317623312165e-19 - c * z
    c = c * z - 1.5619206968586225e-16
    c = c * z + 4.779477332387385e-14
    c = c * z - 1.1470745597729725e-11
    c = c * z + 2.08767569878681e-09
    c = c * z - 2.755731922398589e-07
    c = c * z + 2.48015873015873e-05
    c = c * z - 0.001388888888888889
    c = c * z + 0.041666666666666664
    c = c * z - 0.5
    c = 1.0 + z * c
    return 1.0 - 2.0 * s * s, 2.0 * s * c


@inner
def transpose(a, out):
    """Write a matrix (u, w) as (w, u), a block that stays in the cache at a time."""
    u, w = a.shape
    for start in range(0, w, 16):
        stop = min(start + 16, w)
        for i in range(u):
            for j in range(start, stop):
                out[j, i] = a[i, j]


@inner
def scaled_number(plan, constants, j, x):
    """Return number j of a row, scaled; of NaN, that of the center, 0."""
    p = plan[at.SIZES, at.N_NUMBERS]
    a = (x - constants[j]) * constants[p + j] if x == x else constants.dtype.type(0)
    if plan[at.SIZES, at.CLIPS]:
        third = a / constants.dtype.type(3)
        a = a / np.sqrt(constants.dtype.type(1) + third * third)
    return a


@inner
def share_of_bin(plan, constants, j, x):
    """Return the last bin that begins at or below number j, and its share that lies below it.

    Bins are counted from 0, and -1 is none. Of NaN they are those of the center.
    """
    p, m = plan[at.SIZES, at.N_NUMBERS], plan[at.SIZES, at.N_BINS]
    first = plan[at.FIRST_BIN, j]
    factors, offsets, lefts = constants[2 * p :], constants[2 * p + m :], constants[2 * p + 2 * m :]
    x = x if x == x else constants[j]
    low, high = 0, plan[at.BIN_COUNT, j]
    while low < high:
        middle = (low + high) // 2
        if lefts[first + middle] <= x:
            low = middle + 1
        else:
            high = middle
    b, one = low - 1, constants.dtype.type(1)
    return b, (min(x * factors[first + b] + offsets[first + b], one) if b >= 0 else one)


@inner
def add_row(out, row):
    """Add a row (u,) to another."""
    for i in range(len(out)):
        out[i] += row[i]


@inner
def add_multiple(out, factor, row):
    """Add a multiple of a row (u,) to another."""
    for i in range(len(out)):
        out[i] += factor * row[i]


@sums
def inner_product(a, b):
    """Return the sum of products of two vectors."""
    total = a[0] * b[0]
    for i in range(1, len(a)):
        total += a[i] * b[i]
    return total


@sums
def total_of(a):
    """Return the sum of a vector."""
    total = a[0]
    for i in range(1, len(a)):
        total += a[i]
    return total


@inner
def learned_values(plan, constants, theta, work, x):
    """Write the learned values (n, l) of rows x (n, c), and the waves that they are made of.

    What is periodic lies in columns, rows side by side, so that its loops are of vectors.
    """
    n = len(x)
    p, h = plan[at.SIZES, at.N_NUMBERS], plan[at.SIZES, at.N_WAVES]
    d = plan[at.SIZES, at.N_PERIODIC]
    width = plan[at.SIZES, at.N_LEARNED]
    learned = work[plan[at.MEMORY, at.LEARNED] :][: n * width].reshape(n, width)
    if d:
        cosines = work[plan[at.MEMORY, at.COSINES] :][: p * h * n].reshape(p * h, n)
        sines = work[plan[at.MEMORY, at.SINES] :][: p * h * n].reshape(p * h, n)
        angles = work[plan[at.MEMORY, at.ANGLES] :][: p * n].reshape(p, n)
        columns = work[plan[at.MEMORY, at.COLUMNS] :][: p * d * n].reshape(p * d, n)
        frequencies = theta[plan[at.PARAMETERS, at.FREQUENCIES] :]
        phases = theta[plan[at.PARAMETERS, at.PHASES] :]
        projections = theta[plan[at.PARAMETERS, at.PROJECTIONS] :]
        shifts = theta[plan[at.PARAMETERS, at.SHIFTS] :]
        for j in range(p):
            of_number = angles[j]
            for row in range(n):
                a = scaled_number(plan, constants, j, x[row, j])
                of_number[row] = theta.dtype.type(2 * math.pi) * a
            for k in range(d):
                columns[j * d + k, :] = shifts[j * d + k]
            for i in range(j * h, j * h + h):
                cosine, sine = cosines[i], sines[i]
                phase, frequency = phases[i], frequencies[i]
                for row in range(n):
                    cosine[row], sine[row] = wave(phase + of_number[row] * frequency)
                for k in range(d):
                    add_multiple(columns[j * d + k], projections[i * d + k], cosine)
        for i in range(p * d):
            for row in range(n):
                learned[row, i] = columns[i, row]
    size = plan[at.SIZES, at.EMBEDDING]
    for e in range(plan[at.SIZES, at.N_EMBEDDED]):
        table = theta[plan[at.PARAMETERS, at.TABLE] + plan[at.TABLE_OFFSET, e] * size :]
        column, start = plan[at.EMBEDDED_COLUMN, e], p * d + e * size
        for row in range(n):
            code = int(x[row, column])
            for k in range(size):
                learned[row, start + k] = table[code * size + k]


@inner
def encode(plan, constants, theta, work, x, weights, z):
    """Write the products (n, u) of what rows x (n, c) become and the layer's weights (u, w)."""
    n, (u, w) = len(x), weights.shape
    n_learned, m = plan[at.SIZES, at.N_LEARNED], plan[at.SIZES, at.N_BINS]
    transposed = work[plan[at.MEMORY, at.TRANSPOSED] :][: w * u].reshape(w, u)
    running = work[plan[at.MEMORY, at.RUNNING_SUMS] :][: m * u].reshape(m, u)
    transpose(weights, transposed)
    p = plan[at.SIZES, at.N_NUMBERS]
    for j in range(p):  # what full bins add: the sum of those before each
        first, start = plan[at.FIRST_BIN, j], plan[at.BIN_OUTPUT, j]
        for b in range(plan[at.BIN_COUNT, j]):
            for i in range(u):
                running[first + b, i] = 0
                if b:
                    before = running[first + b - 1, i] + transposed[start + b - 1, i]
                    running[first + b, i] = before
    if n_learned:
        learned_values(plan, constants, theta, work, x)
        learned = work[plan[at.MEMORY, at.LEARNED] :][: n * n_learned].reshape(n, n_learned)
        multiply(learned, transposed[:n_learned], z)
    else:
        z[:] = 0
    for row in range(n):
        out = z[row]
        for j in range(p):
            value = x[row, j]
            if value != value and plan[at.INDICATOR, j] >= 0:
                add_row(out, transposed[plan[at.INDICATOR, j]])
            add_multiple(out, scaled_number(plan, constants, j, value), transposed[n_learned + j])
            b, share = share_of_bin(plan, constants, j, value)
            if b > 0:
                add_row(out, running[plan[at.FIRST_BIN, j] + b])
            if b >= 0:
                add_multiple(out, share, transposed[plan[at.BIN_OUTPUT, j] + b])
        for e in range(plan[at.SIZES, at.N_HOT]):
            code = int(x[row, plan[at.HOT_COLUMN, e]])
            if code > 0:
                add_row(out, transposed[plan[at.HOT_OUTPUT, e] + code - 1])


@inner
def encode_backward(plan, constants, theta, gradient, work, x, delta, weights_gradient):
    """Write the gradients of the layer's weights (u, w) and of what the encoder learns.

    `delta` (n, u) are those of what :func:`encode` has written, last of all for these rows.
    """
    n, (u, w) = len(x), weights_gradient.shape
    n_learned, m = plan[at.SIZES, at.N_LEARNED], plan[at.SIZES, at.N_BINS]
    p = plan[at.SIZES, at.N_NUMBERS]
    back = work[plan[at.MEMORY, at.BACK] :][: w * u].reshape(w, u)
    back[n_learned:] = 0
    running = work[plan[at.MEMORY, at.BACK_SUMS] :][: m * u].reshape(m, u)
    running[:] = 0
    for row in range(n):
        own = delta[row]
        for j in range(p):
            value = x[row, j]
            if value != value and plan[at.INDICATOR, j] >= 0:
                add_row(back[plan[at.INDICATOR, j]], own)
            add_multiple(back[n_learned + j], scaled_number(plan, constants, j, value), own)
            b, share = share_of_bin(plan, constants, j, value)
            if b > 0:
                add_row(running[plan[at.FIRST_BIN, j] + b], own)
            if b >= 0:
                add_multiple(back[plan[at.BIN_OUTPUT, j] + b], share, own)
        for e in range(plan[at.SIZES, at.N_HOT]):
            code = int(x[row, plan[at.HOT_COLUMN, e]])
            if code > 0:
                add_row(back[plan[at.HOT_OUTPUT, e] + code - 1], own)
    for j in range(p):
        first, start, n_bins = plan[at.FIRST_BIN, j], plan[at.BIN_OUTPUT, j], plan[at.BIN_COUNT, j]
        for b in range(n_bins - 1, 0, -1):
            if b < n_bins - 1:
                add_row(running[first + b], running[first + b + 1])
            add_row(back[start + b - 1], running[first + b])
    if n_learned:
        learned = work[plan[at.MEMORY, at.LEARNED] :][: n * n_learned].reshape(n, n_learned)
        multiply(learned.T, delta, back[:n_learned])
        transposed = work[plan[at.MEMORY, at.TRANSPOSED] :][: w * u].reshape(w, u)
        multiply(delta, transposed[:n_learned].T, learned)  # from here on, its gradients
        learned_backward(plan, constants, theta, gradient, work, x)
    transpose(back, weights_gradient)


@inner
def learned_backward(plan, constants, theta, gradient, work, x):
    """Write the gradients of what is learned, from those of its values (n, n_learned)."""
    n = len(x)
    p, h = plan[at.SIZES, at.N_NUMBERS], plan[at.SIZES, at.N_WAVES]
    d = plan[at.SIZES, at.N_PERIODIC]
    width = plan[at.SIZES, at.N_LEARNED]
    deltas = work[plan[at.MEMORY, at.LEARNED] :][: n * width].reshape(n, width)
    if d:
        cosines = work[plan[at.MEMORY, at.COSINES] :][: p * h * n].reshape(p * h, n)
        sines = work[plan[at.MEMORY, at.SINES] :][: p * h * n].reshape(p * h, n)
        angles = work[plan[at.MEMORY, at.ANGLES] :][: p * n].reshape(p, n)
        columns = work[plan[at.MEMORY, at.COLUMNS] :][: p * d * n].reshape(p * d, n)
        projections = theta[plan[at.PARAMETERS, at.PROJECTIONS] :]
        of_frequencies = gradient[plan[at.PARAMETERS, at.FREQUENCIES] :]
        of_phases = gradient[plan[at.PARAMETERS, at.PHASES] :]
        of_projections = gradient[plan[at.PARAMETERS, at.PROJECTIONS] :]
        of_shifts = gradient[plan[at.PARAMETERS, at.SHIFTS] :]
        for i in range(p * d):
            for row in range(n):
                columns[i, row] = deltas[row, i]
            of_shifts[i] = total_of(columns[i])
        for j in range(p):
            for i in range(j * h, j * h + h):
                cosine, sine = cosines[i], sines[i]
                for k in range(d):
                    of_projections[i * d + k] = inner_product(cosine, columns[j * d + k])
                # the waves are read for the last time: the sines become gradients of the angles
                for row in range(n):
                    cosine[row] = 0
                for k in range(d):
                    add_multiple(cosine, projections[i * d + k], columns[j * d + k])
                for row in range(n):
                    sine[row] *= -cosine[row]
                of_phases[i] = total_of(sine)
                of_frequencies[i] = inner_product(sine, angles[j])
    size = plan[at.SIZES, at.EMBEDDING]
    if plan[at.SIZES, at.N_EMBEDDED]:
        start = plan[at.PARAMETERS, at.TABLE]
        gradient[start : start + plan[at.SIZES, at.TABLE_ROWS] * size] = 0
    for e in range(plan[at.SIZES, at.N_EMBEDDED]):
        table = gradient[plan[at.PARAMETERS, at.TABLE] + plan[at.TABLE_OFFSET, e] * size :]
        column, start = plan[at.EMBEDDED_COLUMN, e], p * d + e * size
        for row in range(n):
            code = int(x[row, column])
            for k in range(size):
                table[code * size + k] += deltas[row, start + k]
