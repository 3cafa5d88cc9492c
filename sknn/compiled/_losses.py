"""Losses, their gradients and scores, compiled: n rows of a batch, k outputs."""

from __future__ import annotations

import math

import numpy as np

from . import _places as at
from ._activations import exponential
from ._jit import inner


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
    kind, k, total, number = int(rule[at.LOSS]), len(z), 0.0, rule[at.NUMBER]
    one_of = rule[at.ONE_OF] != 0
    label = int(target[0]) if one_of else -1
    if kind == at.COSINE:
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
    if one_of and kind <= at.BRIER:  # probabilities that add up to 1
        largest, weight = np.float64(z[argmax(z)]), 0.0
        for j in range(k):
            weight += math.exp(z[j] - largest)
        log_weight = math.log(weight) + largest
        log_p = z[label] - log_weight
        p = math.exp(log_p)
        if kind == at.FOCAL:
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
        if kind == at.LOG_LOSS:
            y = y * (1 - number) + number / 2
            e = math.exp(-abs(x))
            loss = max(x, 0.0) - x * y + math.log1p(e)
            slope = (1 / (1 + e) if x >= 0 else e / (1 + e)) - y
        elif kind == at.FOCAL:
            s = 2 * y - 1
            log_p = min(s * x, 0.0) - math.log1p(math.exp(-abs(x)))
            p = math.exp(log_p)
            loss = -((1 - p) ** 2) * log_p
            slope = (2 * (1 - p) * p * log_p - (1 - p) ** 2) * s * (1 - p)
        elif kind == at.BRIER:
            p = 1 / (1 + math.exp(-x))
            loss = (p - y) ** 2
            slope = 2 * (p - y) * p * (1 - p)
        elif kind == at.HINGE or kind == at.SQUARED_HINGE:
            s = 2 * y - 1
            margin = 1 - s * x
            margin = 0.0 if margin <= 0 else margin
            loss, slope = margin, (0.0 if margin == 0 else -s)
            if kind == at.SQUARED_HINGE:
                loss, slope = margin * margin, -2 * s * margin
        elif kind == at.ABSOLUTE_ERROR:
            loss, slope = abs(r), sign(r)
        elif kind == at.MAPE:
            loss, slope = abs(r) / abs(y), sign(r) / abs(y)
        elif kind == at.HUBER:
            if abs(r) > 1:
                loss, slope = abs(r) - 0.5, sign(r)
        elif kind == at.LOG_COSH:
            loss = abs(r) + math.log1p(math.exp(-2 * abs(r))) - 0.6931471805599453
            slope = math.tanh(r)
        elif kind == at.POISSON:
            e = math.exp(x)
            log_y = 0.0 if y == 0 else y * math.log(y)
            loss, slope = log_y - y * x - y + e, e - y
        elif kind == at.GAMMA:
            e = y * math.exp(-x)
            loss, slope = x - math.log(y) + e - 1, 1 - e
        elif kind == at.QUANTILE:
            loss = max(-number * r, (1 - number) * r)
            slope = 0.5 - number if r == 0 else (1 - number if r > 0 else -number)
        elif kind == at.MSLE:
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
def weigh(delta, weights, row):
    """Multiply a row's gradient (k,) by its weight, in the gradient's type; return the weight."""
    if not len(weights):
        return 1.0
    weight = delta.dtype.type(weights[row])
    for j in range(len(delta)):
        delta[j] *= weight
    return np.float64(weight)


@inner
def cross_entropy(smoothing, z, delta, targets, weights, rows, largest):
    """Return what `judge` does, of one of k labels a row; `largest` (n,) is to work in."""
    n, k = z.shape
    for i in range(n):
        place = argmax(z[i])
        largest[i] = place
        for j in range(k):
            delta[i, j] = z[i, j] - z[i, place]
    flat = delta.reshape(n * k)
    for i in range(n * k):
        flat[i] = exponential(flat[i])
    total, right, spread = 0.0, 0.0, delta.dtype.type(smoothing / k)
    kept = delta.dtype.type(1 - smoothing)
    for i in range(n):
        row, place, sum_of_row = rows[i], int(largest[i]), 0.0
        for j in range(k):
            sum_of_row += delta[i, j]
        label, log_sum = int(targets[row, 0]), math.log(sum_of_row) + z[i, place]
        loss = (1 - smoothing) * (log_sum - z[i, label])
        if smoothing:
            mean = 0.0
            for j in range(k):
                mean += (z[i, j] - log_sum) / k
            loss -= smoothing * mean
        share = delta.dtype.type(1 / sum_of_row)
        for j in range(k):
            delta[i, j] = delta[i, j] * share - spread
        delta[i, label] -= kept
        weight = weigh(delta[i], weights, row)
        total += weight * loss
        right += weight if place == label else 0.0
    return total, right


@inner
def judge(rule, z, delta, targets, weights, rows, losses, residuals):
    """Return loss sum and rows (weights) that are right; gradients of the loss sum to (n, k)."""
    n, k = z.shape
    one_of, labels, link = rule[at.ONE_OF] != 0, rule[at.LABELS] != 0, rule[at.LINK]
    if one_of and rule[at.LOSS] == at.LOG_LOSS:
        return cross_entropy(rule[at.NUMBER], z, delta, targets, weights, rows, losses)
    total, right = 0.0, 0.0
    for i in range(n):
        row = rows[i]
        loss = row_loss(rule, z[i], delta[i], targets[row])
        weight = weigh(delta[i], weights, row)
        total += weight * loss
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
                x = math.exp(x) if link == at.EXP else math.expm1(x) if link == at.EXPM1 else x
                r = targets[row, j] - x
                residuals[j] += weight * r * r
    return total, right


@inner
def score(rule, right, weight_sum, residuals, totals):
    """Return accuracy, or R2 averaged over outputs (a constant target: 1 if it is hit, else 0)."""
    if rule[at.LABELS]:
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
