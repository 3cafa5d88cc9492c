"""The training of a plain dense network, compiled: from one batch to whole trainings.

All of it is in one file, since numba's cache of a function does not see changes in other files.
Loss, activations and solver are numbers, so that each float type is compiled once. Shapes: n rows
of a batch, d features, k outputs; a layer's weights are (fan_out, fan_in), as torch has them.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import intrinsic

from ._jit import compiled, inner, product

# What `perform` does
TRAIN, GO_THROUGH, GRADIENT, UPDATE, EVALUATE = range(5)

# Structures of several arrays take numba long to compile, so what belongs together is an array,
# and these are places in it.

# Rows of `net`, int64 (8, n_layers + 1). Column i has the width of what goes into layer i, counted
# from 0, and its place in `work`; for a hidden layer its activation, how many of 2^16 units dropout
# drops, and in column i + 1 the place of the slopes; the first column of the others has where two
# blocks for gradients begin, their size, and the number of weights
WIDTHS, PLACES, ACTIVATION, DROPPED, SLOPES, SPARE, BLOCK, N_WEIGHTS = range(8)

# Places in `rule`, float64: what is minimised, and how
(
    LOSS, ONE_OF, LABELS, LINK, NUMBER, ALPHA, DECAY, MAX_NORM, SOLVER, BETA_1, BETA_2, EPSILON,
    MOMENTUM, NESTEROV, BATCH_SIZE, SHUFFLES, STOPS_EARLY, TOL, PATIENCE, SCHEDULE, INITIAL_RATE,
    POWER_T, N_EPOCHS,
) = range(23)  # fmt: skip

# Places in `counters`, int64
EPOCHS, BATCH, COUNT, STEPS, UPDATES, SEEN, STOP, LOGGED = range(8)
# and what counters[STOP] may be
GOES_ON, CONVERGED, DIVERGED = range(3)

# Places in `sums`, float64: of the epoch's batches, and what goes on from epoch to epoch
TOTAL, WEIGHT, RIGHT, BEST, RATE, FIRST_RATE, ALL_WEIGHT, HELD_OUT_WEIGHT = range(8)

# Columns of `log`, float64
TRAIN_LOSS, TRAIN_SCORE, VALID_LOSS, VALID_SCORE, LEARNING_RATE = range(5)

SCHEDULES = ("constant", "horizon", "invscaling", "adaptive")
CONSTANT, HORIZON, INVSCALING, ADAPTIVE = range(4)
SOLVERS = ("sgd", "adam", "adamw")
SGD, ADAM, ADAMW = range(3)

ACTIVATIONS = (
    "identity", "relu", "logistic", "tanh", "leaky_relu", "elu", "celu", "selu", "gelu", "silu",
    "swish", "mish", "softplus", "softsign", "relu6", "hardtanh", "hardswish",
)  # fmt: skip
(
    IDENTITY, RELU, LOGISTIC, TANH, LEAKY_RELU, ELU, CELU, SELU, GELU, SILU,
    SWISH, MISH, SOFTPLUS, SOFTSIGN, RELU6, HARDTANH, HARDSWISH,
) = range(17)  # fmt: skip

LOSSES = (
    "log_loss", "focal", "brier", "hinge", "squared_hinge", "squared_error", "absolute_error",
    "huber", "log_cosh", "poisson", "gamma", "quantile", "mape", "msle", "cosine",
)  # fmt: skip
(
    LOG_LOSS, FOCAL, BRIER, HINGE, SQUARED_HINGE, SQUARED_ERROR, ABSOLUTE_ERROR,
    HUBER, LOG_COSH, POISSON, GAMMA, QUANTILE, MAPE, MSLE, COSINE,
) = range(15)  # fmt: skip

LINKS = ("identity", "exp", "expm1")
LINEAR, EXP, EXPM1 = range(3)

LEAKY_SLOPE = 0.01
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
DROPOUT_LEVELS = 2**16  # as in sknn.nn.layers
ADAPTIVE_DIVISOR, ADAPTIVE_MINIMUM = 5.0, 1e-6  # as in the schedules


# ------------------------------------------------------------------------------------ randomness


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


# ----------------------------------------------------------------------------------- activations


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
    if kind == SELU:
        if z > 0:
            return SELU_SCALE * z, SELU_SCALE
        return SELU_SCALE * SELU_ALPHA * math.expm1(z), SELU_SCALE * SELU_ALPHA * math.exp(z)
    if kind == GELU:
        share = 0.5 * (1 + math.erf(z * 0.7071067811865476))
        return z * share, share + z * 0.3989422804014327 * math.exp(-0.5 * z * z)
    if kind == SILU or kind == SWISH:
        gate = 1 / (1 + exponential(-z))
        return z * gate, gate * (1 + z * (1 - gate))
    if kind == MISH:
        t = math.tanh(z if z > 20 else math.log1p(math.exp(z)))
        return z * t, t + z * (1 - t * t) / (1 + exponential(-z))
    if kind == SOFTPLUS:
        if z > 20:
            return z, 1.0
        return math.log1p(math.exp(z)), 1 / (1 + exponential(-z))
    if kind == SOFTSIGN:
        return z / (1 + abs(z)), 1 / (1 + abs(z)) ** 2
    if kind == RELU6:
        return (0.0 if z <= 0 else (6.0 if z > 6 else z)), (1.0 if 0 < z < 6 else 0.0)
    if kind == HARDTANH:
        return (-1.0 if z < -1 else (1.0 if z > 1 else z)), (1.0 if -1 < z < 1 else 0.0)
    if z < -3:  # HARDSWISH
        return 0.0, 0.0
    return (z, 1.0) if z > 3 else (z * (z + 3) / 6, z / 3 + 0.5)


@inner
def activate(kind, h, bias, slopes):
    """Write f(h + bias) to h and f' to slopes, (n, width), but for ReLU, whose h tells it."""
    n, width = h.shape
    zero, one, leaky = h.dtype.type(0), h.dtype.type(1), h.dtype.type(LEAKY_SLOPE)
    if kind == RELU:
        for i in range(n):
            for j in range(width):
                z = h[i, j] + bias[j]
                h[i, j] = zero if z <= zero else z
        return
    for i in range(n):
        row, slope = h[i], slopes[i]
        for j in range(width):
            row[j] += bias[j]
        if kind == IDENTITY:
            for j in range(width):
                slope[j] = one
        elif kind == LOGISTIC:
            for j in range(width):
                a = row.dtype.type(1 / (1 + exponential(-row[j])))
                row[j] = a
                slope[j] = a * (one - a)
        elif kind == TANH:
            for j in range(width):
                # doubled before it is widened, as -2 z is exact
                a = row.dtype.type(1 - 2 / (exponential(row[j] + row[j]) + 1))
                row[j] = a
                slope[j] = one - a * a
        elif kind == LEAKY_RELU:
            for j in range(width):
                slope[j] = one if row[j] > zero else leaky
                row[j] *= slope[j]
        elif kind == ELU or kind == CELU:
            for j in range(width):
                e = row.dtype.type(exponential(zero if row[j] > zero else row[j]))
                row[j] = row[j] if row[j] > zero else e - one
                slope[j] = e
        else:
            for j in range(width):
                value, derivative = other_activation(kind, np.float64(row[j]))
                row[j] = value
                slope[j] = derivative


# ---------------------------------------------------------------------------------------- losses


@inner
def argmax(z):
    """Return the place of the largest of some outputs (k,); the first NaN is larger than all."""
    place = 0
    for j in range(1, len(z)):
        if z[j] > z[place] or (z[j] != z[j] and z[place] == z[place]):
            place = j
    return place


@inner
def row_loss(rule, z, delta, target):
    """Return a row's loss and write its gradient (k,); see sknn.nn.losses for the formulas."""
    # target (k,), or, if one of k labels is right, its number (1,)
    kind, k, total, number = int(rule[LOSS]), len(z), 0.0, rule[NUMBER]
    one_of = rule[ONE_OF] != 0
    label = int(target[0]) if one_of else -1
    if kind == COSINE:
        dot, zz, tt = 0.0, 0.0, 0.0
        for j in range(k):
            a, b = np.float64(z[j]), np.float64(target[j])
            dot += a * b
            zz += a * a
            tt += b * b
        zz, tt = math.sqrt(zz), math.sqrt(tt)
        length, other = max(zz, 1e-8), max(tt, 1e-8)
        for j in range(k):
            slope = 0.0 if zz < 1e-8 else dot * z[j] / (length * length * length * other)
            delta[j] = slope - target[j] / (length * other)
        return 1 - dot / (length * other)
    if one_of and kind <= BRIER:  # probabilities that add up to 1
        largest, weight = np.float64(z[argmax(z)]), 0.0
        for j in range(k):
            weight += math.exp(z[j] - largest)
        log_weight = math.log(weight) + largest
        log_p = z[label] - log_weight
        p = math.exp(log_p)
        if kind == FOCAL:
            outer = 2 * (1 - p) * p * log_p - (1 - p) ** 2
            for j in range(k):
                delta[j] = outer * ((1.0 if j == label else 0.0) - math.exp(z[j] - log_weight))
            return -((1 - p) ** 2) * log_p
        inner_product = 0.0
        for j in range(k):
            p = math.exp(z[j] - log_weight)
            r = p - (1.0 if j == label else 0.0)
            inner_product += r * p
            total += r * r
        for j in range(k):
            p = math.exp(z[j] - log_weight)
            delta[j] = 2 * p * (p - (1.0 if j == label else 0.0) - inner_product)
        return total
    for j in range(k):
        x = np.float64(z[j])
        y = (1.0 if j == label else 0.0) if one_of else np.float64(target[j])
        r = x - y
        loss, slope = 0.5 * r * r, r  # SQUARED_ERROR
        if kind == LOG_LOSS:
            y = y * (1 - number) + number / 2
            e = math.exp(-abs(x))
            loss = max(x, 0.0) - x * y + math.log1p(e)
            slope = (1 / (1 + e) if x >= 0 else e / (1 + e)) - y
        elif kind == FOCAL:
            s = 2 * y - 1
            log_p = min(s * x, 0.0) - math.log1p(math.exp(-abs(x)))
            p = math.exp(log_p)
            loss = -((1 - p) ** 2) * log_p
            slope = (2 * (1 - p) * p * log_p - (1 - p) ** 2) * s * (1 - p)
        elif kind == BRIER:
            p = 1 / (1 + math.exp(-x))
            loss = (p - y) ** 2
            slope = 2 * (p - y) * p * (1 - p)
        elif kind == HINGE or kind == SQUARED_HINGE:
            s = 2 * y - 1
            margin = 1 - s * x
            margin = 0.0 if margin <= 0 else margin
            loss, slope = margin, (0.0 if margin == 0 else -s)
            if kind == SQUARED_HINGE:
                loss, slope = margin * margin, -2 * s * margin
        elif kind == ABSOLUTE_ERROR:
            loss, slope = abs(r), sign(r)
        elif kind == MAPE:
            loss, slope = abs(r) / abs(y), sign(r) / abs(y)
        elif kind == HUBER:
            if abs(r) > 1:
                loss, slope = abs(r) - 0.5, sign(r)
        elif kind == LOG_COSH:
            loss = abs(r) + math.log1p(math.exp(-2 * abs(r))) - 0.6931471805599453
            slope = math.tanh(r)
        elif kind == POISSON:
            e = math.exp(x)
            log_y = 0.0 if y == 0 else y * math.log(y)
            loss, slope = log_y - y * x - y + e, e - y
        elif kind == GAMMA:
            e = y * math.exp(-x)
            loss, slope = x - math.log(y) + e - 1, 1 - e
        elif kind == QUANTILE:
            loss = max(-number * r, (1 - number) * r)
            slope = 0.5 - number if r == 0 else (1 - number if r > 0 else -number)
        elif kind == MSLE:
            slope = x - math.log1p(y)
            loss = 0.5 * slope * slope
        total += loss
        delta[j] = slope
    return total


@inner
def sign(r):
    """Return -1, 0 or 1; NaN for NaN."""
    return r if r == 0 or r != r else (1.0 if r > 0 else -1.0)


@inner
def cross_entropy(smoothing, z, delta, targets, rows, losses):
    """Write the losses (n,) of one of k labels a row, and gradients (n, k)."""
    n, k = z.shape
    for i in range(n):
        losses[i] = z[i, argmax(z[i])]
        for j in range(k):
            delta[i, j] = z[i, j] - z.dtype.type(losses[i])
    flat = delta.reshape(n * k)
    for i in range(n * k):
        flat[i] = exponential(flat[i])
    for i in range(n):
        weight, mean = 0.0, 0.0
        for j in range(k):
            weight += delta[i, j]
        label, log_weight = int(targets[rows[i], 0]), math.log(weight) + losses[i]
        losses[i] = (1 - smoothing) * (log_weight - z[i, label])
        if smoothing:
            for j in range(k):
                mean += (z[i, j] - log_weight) / k
            losses[i] -= smoothing * mean
        share = delta.dtype.type(1 / weight)
        for j in range(k):
            delta[i, j] = delta[i, j] * share - delta.dtype.type(smoothing / k)
        delta[i, label] -= delta.dtype.type(1 - smoothing)


@inner
def judge(rule, z, delta, targets, weights, rows, losses, residuals):
    """Return loss sum and rows (weights) that are right; gradients of the loss sum to (n, k)."""
    n, k = z.shape
    total, right = 0.0, 0.0
    one_of, labels, link = rule[ONE_OF] != 0, rule[LABELS] != 0, rule[LINK]
    if one_of and rule[LOSS] == LOG_LOSS:
        cross_entropy(rule[NUMBER], z, delta, targets, rows, losses)
    else:
        for i in range(n):
            losses[i] = row_loss(rule, z[i], delta[i], targets[rows[i]])
    for i in range(n):
        row = rows[i]
        weight = 1.0
        if len(weights):
            rounded = delta.dtype.type(weights[row])
            weight = np.float64(rounded)
            for j in range(k):
                delta[i, j] *= rounded
        total += weight * losses[i]
        if labels:
            hits = 0
            if one_of:
                hits = k if argmax(z[i]) == int(targets[row, 0]) else 0
            else:
                for j in range(k):
                    hits += (z[i, j] > 0) == (targets[row, j] > 0.5)
            right += weight if hits == k else 0.0
        else:
            for j in range(k):
                x = np.float64(z[i, j])
                x = math.exp(x) if link == EXP else math.expm1(x) if link == EXPM1 else x
                r = targets[row, j] - x
                residuals[j] += weight * r * r
    return total, right


@inner
def score(rule, right, weight_sum, residuals, totals):
    """Return accuracy, or R2 averaged over outputs (a constant target: 1 if it is hit, else 0)."""
    if rule[LABELS]:
        return right / weight_sum
    total = 0.0
    for j in range(len(residuals)):
        if not math.isfinite(residuals[j]):
            return np.nan
        if totals[j] == 0:
            total += 1.0 if residuals[j] == 0 else 0.0
        else:
            total += 1 - residuals[j] / totals[j]
    return total / len(residuals)


# ------------------------------------------------------------------------------------- one batch


@product
def multiply(a, b, out):
    """Write the product of two matrices."""
    np.dot(a, b, out)


@product
def squares(a):
    """Return the sum of squares."""
    return np.dot(a, a)


@inner
def place_layer(net, i):
    """Return where the weights and the biases of a layer begin in a flat tensor."""
    start, bias = 0, net[N_WEIGHTS, 0]
    for j in range(i):
        start += net[WIDTHS, j] * net[WIDTHS, j + 1]
        bias += net[WIDTHS, j + 1]
    return start, bias


@inner
def forward(net, theta, work, x, masks, learns):
    """Write what each layer makes of x (n, d), with dropout while it learns."""
    n, last = len(x), net.shape[1] - 2
    h = x
    for i in range(last + 1):
        start, bias_start = place_layer(net, i)
        fan_in, width = net[WIDTHS, i], net[WIDTHS, i + 1]
        weights = theta[start : start + fan_in * width].reshape(width, fan_in)
        bias = theta[bias_start : bias_start + width]
        place, slope_place = net[PLACES, i + 1], net[SLOPES, i + 1]
        z = work[place : place + n * width].reshape(n, width)
        multiply(h, weights.T, z)
        if i == last:
            for row in range(n):
                for j in range(width):
                    z[row, j] += bias[j]
            break
        slopes = work[slope_place : slope_place + n * width].reshape(n, width)
        activate(net[ACTIVATION, i], z, bias, slopes)
        if learns and net[DROPPED, i]:
            if net[ACTIVATION, i] == RELU:
                for row in range(n):
                    for j in range(width):
                        slopes[row, j] = z[row, j] > 0
            drop(z.reshape(n * width), slopes.reshape(n * width), net[DROPPED, i], masks)
        h = z


@inner
def backward(net, theta, gradient, work, x, delta):
    """Write the gradients, from those of the outputs, delta (n, k)."""
    n, last, zero = len(x), net.shape[1] - 2, theta.dtype.type(0)
    for i in range(last, -1, -1):
        start, bias_start = place_layer(net, i)
        fan_in, width = net[WIDTHS, i], net[WIDTHS, i + 1]
        place = net[PLACES, i]
        h = x
        if i > 0:
            h = work[place : place + n * fan_in].reshape(n, fan_in)
        multiply(delta.T, h, gradient[start : start + fan_in * width].reshape(width, fan_in))
        bias = gradient[bias_start : bias_start + width]
        for j in range(width):
            bias[j] = zero
        for row in range(n):
            for j in range(width):
                bias[j] += delta[row, j]
        if i == 0:
            break
        spare = net[SPARE, 0] + ((last - i + 1) % 2) * net[BLOCK, 0]
        before = work[spare : spare + n * fan_in].reshape(n, fan_in)
        multiply(delta, theta[start : start + fan_in * width].reshape(width, fan_in), before)
        if net[ACTIVATION, i - 1] == RELU and not net[DROPPED, i - 1]:
            for row in range(n):
                for j in range(fan_in):
                    before[row, j] = before[row, j] if h[row, j] > zero else zero
        else:
            place = net[SLOPES, i]
            slopes = work[place : place + n * fan_in].reshape(n, fan_in)
            for row in range(n):
                for j in range(fan_in):
                    before[row, j] *= slopes[row, j]
        delta = before


@inner
def run_batch(
    net, rule, theta, gradient, work, X, targets, weights, rows, weight_sum, masks, losses,
    residuals,
):  # fmt: skip
    """Return the loss sum of a batch and the rows that are right; write the gradients of the mean.

    A weight sum of 0 learns nothing: no gradients, no dropout, and no penalty in the loss.
    """
    n, d, k, m = len(rows), X.shape[1], net[WIDTHS, -1], net[N_WEIGHTS, 0]
    follow = True  # each other; then they need not be gathered
    for i in range(1, n):
        follow &= rows[i] == rows[i - 1] + 1
    x = work[: n * d].reshape(n, d)
    if follow:
        x = X[rows[0] : rows[0] + n]
    else:
        for i in range(n):
            row = rows[i]
            for j in range(d):
                x[i, j] = X[row, j]
    forward(net, theta, work, x, masks, weight_sum > 0)
    place, spare = net[PLACES, -1], net[SPARE, 0]
    z = work[place : place + n * k].reshape(n, k)
    delta = work[spare : spare + n * k].reshape(n, k)
    total, right = judge(rule, z, delta, targets, weights, rows, losses, residuals)
    if weight_sum == 0:
        return total, right
    scale = theta.dtype.type(weight_sum)
    for i in range(n):
        for j in range(k):
            delta[i, j] /= scale
    backward(net, theta, gradient, work, x, delta)
    if rule[ALPHA]:
        total += 0.5 * rule[ALPHA] * squares(theta[:m])
        scale = theta.dtype.type(rule[ALPHA] / weight_sum)
        for i in range(m):
            gradient[i] += scale * theta[i]
    if rule[MAX_NORM] < np.inf:
        norm = math.sqrt(squares(gradient))
        scale = theta.dtype.type(min(rule[MAX_NORM] / (norm + 1e-6), 1.0))
        for i in range(len(gradient)):
            gradient[i] *= scale
    return total, right


@inner
def update(rule, theta, g, first, second, m, n_updates, rate):
    """Update the weights, m of them, and biases; `n_updates` is their number, this one included."""
    n, number = len(theta), theta.dtype.type
    if rule[SOLVER] == SGD:
        lr, momentum = number(rate), number(rule[MOMENTUM])
        if rule[MOMENTUM] == 0:
            for i in range(n):
                theta[i] -= lr * g[i]
        elif rule[NESTEROV]:
            for i in range(n):
                first[i] = momentum * first[i] + g[i]
                theta[i] -= lr * (g[i] + momentum * first[i])
        else:
            for i in range(n):
                first[i] = momentum * first[i] + g[i]
                theta[i] -= lr * first[i]
        return
    correction = math.sqrt(1 - rule[BETA_2] ** n_updates)
    lr = number(rate * correction / (1 - rule[BETA_1] ** n_updates))
    epsilon = number(rule[EPSILON])
    if rule[SOLVER] == ADAMW:  # epsilon inside the bias correction, as torch has it
        epsilon = number(rule[EPSILON] * correction)
        kept = number(1 - rate * rule[DECAY])
        for i in range(m):
            theta[i] *= kept
    beta_1, beta_2 = number(rule[BETA_1]), number(rule[BETA_2])
    rest_1, rest_2 = number(1 - rule[BETA_1]), number(1 - rule[BETA_2])
    for i in range(n):
        first[i] = beta_1 * first[i] + rest_1 * g[i]
        second[i] = beta_2 * second[i] + rest_2 * (g[i] * g[i])
        theta[i] -= lr * first[i] / (np.sqrt(second[i]) + epsilon)


# ------------------------------------------------------------------------------- epochs and more


@inner
def number_rows(rows, order, start, stop, batch):
    """Write the numbers in all of X of the rows from start to stop, of those that belong here."""
    # an empty order, or no rows, stands for all as they are
    for i in range(stop - start):
        row = order[start + i] if len(order) else start + i
        batch[i] = rows[row] if len(rows) else row


@inner
def change_rate(first, sums, rate):
    """Set the learning rate of SGD; the velocity, rate times momentum, stays what it was."""
    ratio = first.dtype.type(sums[RATE] / rate)
    for i in range(len(first)):
        first[i] *= ratio
    sums[RATE] = rate


@inner
def follow_plateau(rule, theta, first, best, counters, sums, value):
    """Take in an epoch's loss or score: keep the best weights, lower the rate, or end training."""
    if rule[STOPS_EARLY]:
        reached, better = value >= sums[BEST] + rule[TOL], value > sums[BEST]
    else:
        reached, better = value <= sums[BEST] - rule[TOL], value < sums[BEST]
    counters[COUNT] = 0 if reached else counters[COUNT] + 1
    if better:
        sums[BEST] = value
        for i in range(len(best)):
            best[i] = theta[i]
    if rule[SCHEDULE] == INVSCALING:
        change_rate(first, sums, rule[INITIAL_RATE] / (counters[SEEN] + 1) ** rule[POWER_T])
    if rule[SCHEDULE] == HORIZON or counters[COUNT] <= rule[PATIENCE]:
        return
    if rule[SCHEDULE] == ADAPTIVE and sums[RATE] > ADAPTIVE_MINIMUM:
        change_rate(first, sums, sums[RATE] / ADAPTIVE_DIVISOR)
        counters[COUNT] = 0
    else:
        counters[STOP] = CONVERGED


@compiled
def perform(
    task, net, rule, theta, gradient, first, second, best, work,
    X, targets, weights, rows, held_out_X, held_out_targets, held_out_weights, held_out_rows,
    totals, orders, masks, order, permutation, batch, losses,
    counters, sums, residuals, rates, log, most,
):  # fmt: skip
    """Do a task: all that is called from Python, so that all is compiled at once.

    TRAIN goes on up to the end, or for about `most` batches; GO_THROUGH up to the epoch's end,
    likewise; EVALUATE writes mean loss and score of the held-out rows to sums[TOTAL] and [RIGHT].
    """
    n, size = len(rows) if len(rows) else len(X), int(rule[BATCH_SIZE])
    n_held_out, at_once = len(held_out_rows) if len(held_out_rows) else len(held_out_X), len(batch)
    no_order = order[:0]
    shuffles = rule[SHUFFLES] != 0 and n > size
    if task == GRADIENT:  # of all rows
        number_rows(rows, no_order, 0, n, batch)
        sums[TOTAL], sums[RIGHT] = run_batch(
            net, rule, theta, gradient, work, X, targets, weights, batch[:n], sums[WEIGHT], masks,
            losses, residuals,
        )  # fmt: skip
    elif task == UPDATE:
        update(
            rule, theta, gradient, first, second, net[N_WEIGHTS, 0], counters[UPDATES],
            sums[RATE],
        )  # fmt: skip
    if task == GRADIENT or task == UPDATE:
        return
    done, learned = 0, 0
    while True:
        # --------------------------------------------------------------------- batches
        if task != EVALUATE:
            if counters[STOP] != GOES_ON or done >= most:
                return
            if task == TRAIN and counters[BATCH] == 0:
                if counters[EPOCHS] >= rule[N_EPOCHS]:
                    return
                sums[TOTAL] = sums[WEIGHT] = sums[RIGHT] = 0
                for j in range(len(residuals)):
                    residuals[j] = 0
                if shuffles:
                    shuffle(order, permutation, orders)
                sums[FIRST_RATE] = rates[learned] if rule[SCHEDULE] == HORIZON else sums[RATE]
            start = counters[BATCH] * size
            stop = min(start + size, n)
            number_rows(rows, order if shuffles else no_order, start, stop, batch)
            weight_sum = np.float64(stop - start)
            if len(weights):
                weight_sum = 0.0
                for i in range(stop - start):
                    weight_sum += weights[batch[i]]
            if weight_sum > 0:  # else there is nothing to learn from
                if rule[SCHEDULE] == HORIZON:
                    sums[RATE] = rates[learned]
                total, right = run_batch(
                    net, rule, theta, gradient, work, X, targets, weights, batch[: stop - start],
                    weight_sum, masks, losses, residuals,
                )  # fmt: skip
                counters[UPDATES] += 1
                counters[STEPS] += 1
                learned += 1
                update(
                    rule, theta, gradient, first, second, net[N_WEIGHTS, 0],
                    counters[UPDATES], sums[RATE],
                )  # fmt: skip
                sums[TOTAL] += total
                sums[WEIGHT] += weight_sum
                sums[RIGHT] += right
            counters[BATCH] += 1
            done += 1
            if stop < n:
                continue
            if task == GO_THROUGH:
                return
            # ------------------------------------------------------------------ epoch
            counters[BATCH] = 0
            counters[EPOCHS] += 1
            counters[SEEN] += n
            row = log[counters[LOGGED]]
            counters[LOGGED] += 1
            row[LEARNING_RATE] = sums[FIRST_RATE]
            row[TRAIN_LOSS] = sums[TOTAL] / sums[WEIGHT]
            row[TRAIN_SCORE] = score(rule, sums[RIGHT], sums[ALL_WEIGHT], residuals, totals[0])
        # ------------------------------------------------------------------ validation
        if n_held_out:
            total, right = 0.0, 0.0
            for j in range(len(residuals)):
                residuals[j] = 0
            for start in range(0, n_held_out, at_once):
                stop = min(start + at_once, n_held_out)
                number_rows(held_out_rows, no_order, start, stop, batch)
                of_batch, hits = run_batch(
                    net, rule, theta, gradient, work, held_out_X, held_out_targets,
                    held_out_weights, batch[: stop - start], 0.0, masks, losses, residuals,
                )  # fmt: skip
                total += of_batch
                right += hits
            total /= sums[HELD_OUT_WEIGHT]
            right = score(rule, right, sums[HELD_OUT_WEIGHT], residuals, totals[1])
            if task == EVALUATE:
                sums[TOTAL], sums[RIGHT] = total, right
                return
            log[counters[LOGGED] - 1, VALID_LOSS] = total
            log[counters[LOGGED] - 1, VALID_SCORE] = right
        last = log[counters[LOGGED] - 1]
        value = last[VALID_SCORE] if rule[STOPS_EARLY] else last[TRAIN_LOSS]
        follow_plateau(rule, theta, first, best, counters, sums, value)
        if not math.isfinite(last[TRAIN_LOSS]):
            counters[STOP] = DIVERGED
