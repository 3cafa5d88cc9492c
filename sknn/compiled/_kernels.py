"""The training of a plain dense network, compiled: from one batch to whole trainings.

Loss, activations and solver are numbers, so that each float type is compiled once. Shapes: n rows
of a batch, d features, k outputs; a layer's weights are (fan_out, fan_in), as torch has them.
"""

from __future__ import annotations

import math

import numpy as np

from . import _places as at
from ._activations import activate
from ._encoder import encode, encode_backward, multiply
from ._jit import compiled, inner, product
from ._losses import judge, score
from ._randomness import drop, shuffle

ADAPTIVE_DIVISOR, ADAPTIVE_MINIMUM = 5.0, 1e-6  # as in the schedules


@product
def squares(a):
    """Return the sum of squares."""
    return np.dot(a, a)


@inner
def place_layer(net, i):
    """Return where the weights and the biases of a layer begin in a flat tensor."""
    start, bias = 0, net[at.N_WEIGHTS, 0]
    for j in range(i):
        start += net[at.WIDTHS, j] * net[at.WIDTHS, j + 1]
        bias += net[at.WIDTHS, j + 1]
    return start, bias


@inner
def forward(net, plan, constants, theta, work, x, masks, learns):
    """Write what each layer makes of x (n, d), with dropout while it learns."""
    n, last = len(x), net.shape[1] - 2
    h = x
    for i in range(last + 1):
        start, bias_start = place_layer(net, i)
        fan_in, width = net[at.WIDTHS, i], net[at.WIDTHS, i + 1]
        weights = theta[start : start + fan_in * width].reshape(width, fan_in)
        bias = theta[bias_start : bias_start + width]
        place, slope_place = net[at.PLACES, i + 1], net[at.SLOPES, i + 1]
        z = work[place : place + n * width].reshape(n, width)
        if plan is None:  # known when this is compiled
            multiply(h, weights.T, z)
        elif i == 0:
            encode(plan, constants, theta, work, x, weights, z)
        else:
            multiply(h, weights.T, z)
        if i == last:
            for row in range(n):
                for j in range(width):
                    z[row, j] += bias[j]
            break
        slopes = work[slope_place : slope_place + n * width].reshape(n, width)
        activate(net[at.ACTIVATION, i], z, bias, slopes)
        if learns and net[at.DROPPED, i]:
            if net[at.ACTIVATION, i] == at.RELU:
                for row in range(n):
                    for j in range(width):
                        slopes[row, j] = z[row, j] > 0
            drop(z.reshape(n * width), slopes.reshape(n * width), net[at.DROPPED, i], masks)
        h = z


@inner
def add_rows(a, total):
    """Write the sum (width,) of the rows (n, width)."""
    n, width = a.shape
    for j in range(width):
        total[j] = a[0, j]
    # four rows at a time: the sum stays in the cache, but not in registers
    for i in range(1, n - 3, 4):
        for j in range(width):
            total[j] += (a[i, j] + a[i + 1, j]) + (a[i + 2, j] + a[i + 3, j])
    for i in range(1 + 4 * ((n - 1) // 4), n):
        for j in range(width):
            total[j] += a[i, j]


@inner
def backward(net, plan, constants, theta, gradient, work, x, delta):
    """Write the gradients, from those of the outputs, delta (n, k)."""
    n, last, zero = len(x), net.shape[1] - 2, theta.dtype.type(0)
    _, bias_start = place_layer(net, last)
    k = net[at.WIDTHS, -1]
    add_rows(delta, gradient[bias_start : bias_start + k])
    for i in range(last, -1, -1):
        start, _ = place_layer(net, i)
        fan_in, width = net[at.WIDTHS, i], net[at.WIDTHS, i + 1]
        place = net[at.PLACES, i]
        h = x
        if i > 0:
            h = work[place : place + n * fan_in].reshape(n, fan_in)
        of_weights = gradient[start : start + fan_in * width].reshape(width, fan_in)
        if plan is None:
            multiply(delta.T, h, of_weights)
        elif i == 0:
            encode_backward(plan, constants, theta, gradient, work, x, delta, of_weights)
        else:
            multiply(delta.T, h, of_weights)
        if i == 0:
            break
        spare = net[at.SPARE, 0] + ((last - i + 1) % 2) * net[at.BLOCK, 0]
        before = work[spare : spare + n * fan_in].reshape(n, fan_in)
        multiply(delta, theta[start : start + fan_in * width].reshape(width, fan_in), before)
        if net[at.ACTIVATION, i - 1] == at.RELU and not net[at.DROPPED, i - 1]:
            for row in range(n):
                for j in range(fan_in):
                    before[row, j] = before[row, j] if h[row, j] > zero else zero
        else:
            place = net[at.SLOPES, i]
            slopes = work[place : place + n * fan_in].reshape(n, fan_in)
            for row in range(n):
                for j in range(fan_in):
                    before[row, j] *= slopes[row, j]
        _, bias_start = place_layer(net, i - 1)
        add_rows(before, gradient[bias_start : bias_start + fan_in])
        delta = before


@inner
def run_batch(
    net, plan, constants, rule, theta, gradient, work, X, targets, weights, rows, weight_sum, masks,
    losses, residuals,
):  # fmt: skip
    """Return the loss sum of a batch and the rows that are right; write the gradients of the mean.

    A weight sum of 0 learns nothing: no gradients, no dropout, and no penalty in the loss.
    """
    n, d, k, m = len(rows), X.shape[1], net[at.WIDTHS, -1], net[at.N_WEIGHTS, 0]
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
    forward(net, plan, constants, theta, work, x, masks, weight_sum > 0)
    place, spare = net[at.PLACES, -1], net[at.SPARE, 0]
    z = work[place : place + n * k].reshape(n, k)
    delta = work[spare : spare + n * k].reshape(n, k)
    total, right = judge(rule, z, delta, targets, weights, rows, losses, residuals)
    if weight_sum == 0:
        return total, right
    scale = theta.dtype.type(weight_sum)
    for i in range(n):
        for j in range(k):
            delta[i, j] /= scale
    backward(net, plan, constants, theta, gradient, work, x, delta)
    if rule[at.ALPHA]:
        total += 0.5 * rule[at.ALPHA] * squares(theta[:m])
        scale = theta.dtype.type(rule[at.ALPHA] / weight_sum)
        for i in range(m):
            gradient[i] += scale * theta[i]
    if rule[at.MAX_NORM] < np.inf:
        norm = math.sqrt(squares(gradient))
        scale = theta.dtype.type(min(rule[at.MAX_NORM] / (norm + 1e-6), 1.0))
        for i in range(len(gradient)):
            gradient[i] *= scale
    return total, right


@inner
def update(rule, theta, g, first, second, m, n_updates, rate):
    """Update the weights, m of them, and biases; `n_updates` is their number, this one included."""
    n, number = len(theta), theta.dtype.type
    if rule[at.SOLVER] == at.SGD:
        lr, momentum = number(rate), number(rule[at.MOMENTUM])
        if rule[at.MOMENTUM] == 0:
            for i in range(n):
                theta[i] -= lr * g[i]
        elif rule[at.NESTEROV]:
            for i in range(n):
                first[i] = momentum * first[i] + g[i]
                theta[i] -= lr * (g[i] + momentum * first[i])
        else:
            for i in range(n):
                first[i] = momentum * first[i] + g[i]
                theta[i] -= lr * first[i]
        return
    correction = math.sqrt(1 - rule[at.BETA_2] ** n_updates)
    lr = number(rate * correction / (1 - rule[at.BETA_1] ** n_updates))
    epsilon = number(rule[at.EPSILON])
    if rule[at.SOLVER] == at.ADAMW:  # epsilon inside the bias correction, as torch has it
        epsilon = number(rule[at.EPSILON] * correction)
        kept = number(1 - rate * rule[at.DECAY])
        for i in range(m):
            theta[i] *= kept
    beta_1, beta_2 = number(rule[at.BETA_1]), number(rule[at.BETA_2])
    rest_1, rest_2 = number(1 - rule[at.BETA_1]), number(1 - rule[at.BETA_2])
    for i in range(n):
        m1 = beta_1 * first[i] + rest_1 * g[i]
        m2 = beta_2 * second[i] + rest_2 * (g[i] * g[i])
        first[i], second[i] = m1, m2
        theta[i] -= lr * m1 / (np.sqrt(m2) + epsilon)


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
    ratio = first.dtype.type(sums[at.RATE] / rate)
    for i in range(len(first)):
        first[i] *= ratio
    sums[at.RATE] = rate


@inner
def follow_plateau(rule, theta, first, best, counters, sums, value):
    """Take in an epoch's loss or score: keep the best weights, lower the rate, or end training."""
    if rule[at.STOPS_EARLY]:
        for i in range(len(theta) if value > sums[at.BEST] else 0):
            if not math.isfinite(theta[i]):
                value = np.nan  # labels have a score, whatever they are decided from
        reached, better = value >= sums[at.BEST] + rule[at.TOL], value > sums[at.BEST]
    else:
        reached, better = value <= sums[at.BEST] - rule[at.TOL], value < sums[at.BEST]
    counters[at.COUNT] = 0 if reached else counters[at.COUNT] + 1
    if better:
        sums[at.BEST] = value
        for i in range(len(best)):
            best[i] = theta[i]
    if rule[at.SCHEDULE] == at.INVSCALING:
        change_rate(
            first, sums, rule[at.INITIAL_RATE] / (counters[at.SEEN] + 1) ** rule[at.POWER_T]
        )
    if counters[at.COUNT] <= rule[at.PATIENCE]:
        return
    if rule[at.SCHEDULE] == at.HORIZON and not rule[at.STOPS_BY_LOSS]:
        return
    if rule[at.SCHEDULE] == at.ADAPTIVE and sums[at.RATE] > ADAPTIVE_MINIMUM:
        change_rate(first, sums, sums[at.RATE] / ADAPTIVE_DIVISOR)
        counters[at.COUNT] = 0
    else:
        counters[at.STOP] = at.CONVERGED


@compiled
def perform(
    task, net, plan, constants, rule, theta, gradient, first, second, best, work,
    X, targets, weights, rows, held_out_X, held_out_targets, held_out_weights, held_out_rows,
    totals, orders, masks, order, permutation, batch, losses,
    counters, sums, residuals, rates, log, most,
):  # fmt: skip
    """Do a task: all that is called from Python, so that all is compiled at once.

    TRAIN goes on up to the end, or for about `most` batches; GO_THROUGH up to the epoch's end,
    likewise; EVALUATE writes mean loss and score of the held-out rows to sums[TOTAL] and [RIGHT].
    """
    n, size = len(rows) if len(rows) else len(X), int(rule[at.BATCH_SIZE])
    n_held_out, at_once = len(held_out_rows) if len(held_out_rows) else len(held_out_X), len(batch)
    no_order = order[:0]
    shuffles = rule[at.SHUFFLES] != 0 and n > size
    if task == at.GRADIENT:  # of all rows
        number_rows(rows, no_order, 0, n, batch)
        sums[at.TOTAL], sums[at.RIGHT] = run_batch(
            net, plan, constants, rule, theta, gradient, work, X, targets, weights, batch[:n],
            sums[at.WEIGHT], masks, losses, residuals,
        )  # fmt: skip
    elif task == at.UPDATE:
        update(
            rule, theta, gradient, first, second, net[at.N_WEIGHTS, 0], counters[at.UPDATES],
            sums[at.RATE],
        )  # fmt: skip
    if task == at.GRADIENT or task == at.UPDATE:
        return
    done, learned = 0, 0
    while True:
        # --------------------------------------------------------------------- batches
        if task != at.EVALUATE:
            if counters[at.STOP] != at.GOES_ON or done >= most:
                return
            if task == at.TRAIN and counters[at.BATCH] == 0:
                if counters[at.EPOCHS] >= rule[at.N_EPOCHS]:
                    return
                sums[at.TOTAL] = sums[at.WEIGHT] = sums[at.RIGHT] = 0
                for j in range(len(residuals)):
                    residuals[j] = 0
                if shuffles:
                    shuffle(order, permutation, orders)
                sums[at.FIRST_RATE] = (
                    rates[learned] if rule[at.SCHEDULE] == at.HORIZON else sums[at.RATE]
                )
            start = counters[at.BATCH] * size
            stop = min(start + size, n)
            number_rows(rows, order if shuffles else no_order, start, stop, batch)
            weight_sum = np.float64(stop - start)
            if len(weights):
                weight_sum = 0.0
                for i in range(stop - start):
                    weight_sum += weights[batch[i]]
            if weight_sum > 0:  # else there is nothing to learn from
                if rule[at.SCHEDULE] == at.HORIZON:
                    sums[at.RATE] = rates[learned]
                total, right = run_batch(
                    net, plan, constants, rule, theta, gradient, work, X, targets, weights,
                    batch[: stop - start], weight_sum, masks, losses, residuals,
                )  # fmt: skip
                counters[at.UPDATES] += 1
                counters[at.STEPS] += 1
                learned += 1
                update(
                    rule, theta, gradient, first, second, net[at.N_WEIGHTS, 0],
                    counters[at.UPDATES], sums[at.RATE],
                )  # fmt: skip
                sums[at.TOTAL] += total
                sums[at.WEIGHT] += weight_sum
                sums[at.RIGHT] += right
            counters[at.BATCH] += 1
            done += 1
            if stop < n:
                continue
            if task == at.GO_THROUGH:
                return
            # ------------------------------------------------------------------ epoch
            counters[at.BATCH] = 0
            counters[at.EPOCHS] += 1
            counters[at.SEEN] += n
            row = log[counters[at.LOGGED]]
            counters[at.LOGGED] += 1
            row[at.LEARNING_RATE] = sums[at.FIRST_RATE]
            row[at.TRAIN_LOSS] = sums[at.TOTAL] / sums[at.WEIGHT]
            row[at.TRAIN_SCORE] = score(
                rule, sums[at.RIGHT], sums[at.ALL_WEIGHT], residuals, totals[0]
            )
        # ------------------------------------------------------------------ validation
        if n_held_out:
            total, right = 0.0, 0.0
            for j in range(len(residuals)):
                residuals[j] = 0
            for start in range(0, n_held_out, at_once):
                stop = min(start + at_once, n_held_out)
                number_rows(held_out_rows, no_order, start, stop, batch)
                of_batch, hits = run_batch(
                    net, plan, constants, rule, theta, gradient, work, held_out_X,
                    held_out_targets, held_out_weights, batch[: stop - start], 0.0, masks, losses,
                    residuals,
                )  # fmt: skip
                total += of_batch
                right += hits
            total /= sums[at.HELD_OUT_WEIGHT]
            right = score(rule, right, sums[at.HELD_OUT_WEIGHT], residuals, totals[1])
            if task == at.EVALUATE:
                sums[at.TOTAL], sums[at.RIGHT] = total, right
                return
            log[counters[at.LOGGED] - 1, at.VALID_LOSS] = total
            log[counters[at.LOGGED] - 1, at.VALID_SCORE] = right
        last = log[counters[at.LOGGED] - 1]
        value = last[at.TRAIN_LOSS]
        if rule[at.STOPS_EARLY]:
            value = -last[at.VALID_LOSS] if rule[at.STOPS_BY_LOSS] else last[at.VALID_SCORE]
        follow_plateau(rule, theta, first, best, counters, sums, value)
        if not math.isfinite(last[at.TRAIN_LOSS]):
            counters[at.STOP] = at.DIVERGED
