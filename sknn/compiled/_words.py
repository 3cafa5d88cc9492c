"""Word vectors: skip-gram and CBOW with negative sampling, and GloVe. Imports numba.

Threads write to the same vectors without locks (Hogwild): two rarely meet at a word.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._jit import compiled, fused, inner
from ._places import SIGMOID_END, SIGMOID_STEPS

RANDOM_FACTOR = np.uint64(0x2545F4914F6CDD1D)
SHIFTS = (np.uint64(12), np.uint64(25), np.uint64(27), np.uint64(32))


@inner
def draw(state: Any) -> Any:
    """Return the next 32 bits of a generator xorshift64* (Vigna, 2016), as an uint64."""
    x = state[0]
    x ^= x >> SHIFTS[0]
    x ^= x << SHIFTS[1]
    x ^= x >> SHIFTS[2]
    state[0] = x
    return (x * RANDOM_FACTOR) >> SHIFTS[3]


@inner
def draw_below(state: Any, n: Any) -> Any:
    """Return a random integer from 0 to n - 1."""
    return np.int64((draw(state) * np.uint64(n)) >> SHIFTS[3])


@inner
def draw_noise(state: Any, cuts: Any, others: Any) -> Any:
    """Return a word by Walker's alias method: cuts uint32 (n_tokens,), others int32 (n_tokens,)."""
    word = 1 + draw_below(state, len(cuts) - 1)
    if draw(state) < np.uint64(cuts[word]):
        return word
    return np.int64(others[word])


@fused
def dot(x: Any, y: Any) -> Any:
    """Return the product of two vectors (size,)."""
    total = np.float32(0)
    for d in range(len(x)):
        total += x[d] * y[d]
    return total


@fused
def add_to(x: Any, y: Any) -> None:
    """Add y (size,) to x."""
    for d in range(len(x)):
        x[d] += y[d]


@fused
def follow(x: Any, row: Any, change: Any, g: Any) -> None:
    """Add g times each other's vector to the change of x, and to the row of an output (size,)."""
    for d in range(len(x)):
        change[d] += g * row[d]
        row[d] += g * x[d]


@inner
def sigmoid(x: Any, table: Any) -> Any:
    """Return 1 / (1 + exp(-x)), interpolated in a table, to 5e-6."""
    place = (x + np.float32(SIGMOID_END)) * np.float32(SIGMOID_STEPS)
    if not place > 0:
        return table[0]
    last = len(table) - 1
    if place >= last:
        return table[last]
    left = np.int64(place)
    share = place - np.float32(left)
    return table[left] + share * (table[left + 1] - table[left])


@inner
def go_down(
    x: Any, outputs: Any, target: Any, negative: Any, rate: Any, table: Any, cuts: Any, others: Any,
    state: Any, change: Any, drawn: Any, slopes: Any,
) -> Any:  # fmt: skip
    """Do a step for one word that x (size,) should tell from `negative` others; return the loss.

    The outputs learn; what x is to learn is written to `change` (size,).
    """
    drawn[0] = target
    n = 1
    for _ in range(negative):
        word = draw_noise(state, cuts, others)
        if word != target:
            drawn[n] = word
            n += 1
    # all products first: memory brings the rows while others are multiplied
    for k in range(n):
        slopes[k] = dot(x, outputs[drawn[k]])
    loss = np.float32(1)  # a product of probabilities, one logarithm for all
    for k in range(n):
        share = sigmoid(slopes[k], table)
        if k == 0:
            loss *= share
            slopes[k] = rate * (np.float32(1) - share)
        else:
            loss *= np.float32(1) - share
            slopes[k] = -rate * share
    for d in range(len(x)):
        change[d] = 0
    for k in range(n):
        follow(x, outputs[drawn[k]], change, slopes[k])
    return -math.log(max(loss, np.float32(1e-38)))


@compiled
def learn_words(
    is_cbow: Any,
    tokens: Any,  # int32 (n,), all texts one after the other
    ends: Any,  # int64 (n_pieces + 1,), where each piece of a text begins and ends
    first: Any,  # number of the first piece to learn from
    last: Any,  # and of that after the last
    keep: Any,  # uint32 (n_tokens,), of 2^32 times the word occurs, so many are kept
    cuts: Any,  # uint32 (n_tokens,), see `draw_noise`
    others: Any,  # int32 (n_tokens,)
    table: Any,  # float32, see `sigmoid`
    inputs: Any,  # float32 (n_tokens, size), which learn
    outputs: Any,  # float32 (n_tokens, size), which learn
    rate: Any,  # float32
    window: Any,  # int64
    negative: Any,  # int64
    state: Any,  # uint64 (1,), see `draw`
    words: Any,  # int32, as long as the longest piece, overwritten
    change: Any,  # float32 (2, size), overwritten
    drawn: Any,  # int64 (negative + 1,), overwritten
    slopes: Any,  # float32 (negative + 1,), overwritten
    sums: Any,  # float64 (2,), to which losses are added, and their number
) -> None:
    """Go through texts once: skip-gram, or CBOW."""
    step, mean = change[0], change[1]
    for piece in range(first, last):
        n = 0
        for i in range(ends[piece], ends[piece + 1]):
            word = tokens[i]
            if keep[word] == np.uint32(0xFFFFFFFF) or draw(state) < np.uint64(keep[word]):
                words[n] = word
                n += 1
        for i in range(n):
            reach = 1 + draw_below(state, window)
            start, stop = max(0, i - reach), min(n, i + reach + 1)
            if is_cbow:
                if stop - start < 2:
                    continue
                for d in range(len(mean)):
                    mean[d] = 0
                for j in range(start, stop):
                    if j != i:
                        add_to(mean, inputs[words[j]])
                share = np.float32(1) / np.float32(stop - start - 1)
                for d in range(len(mean)):
                    mean[d] *= share
                sums[0] += go_down(
                    mean, outputs, words[i], negative, rate, table, cuts, others, state, step,
                    drawn, slopes,
                )  # fmt: skip
                sums[1] += 1
                # as word2vec does, each word takes all of the step, and not its share
                for j in range(start, stop):
                    if j != i:
                        add_to(inputs[words[j]], step)
            else:
                for j in range(start, stop):
                    if j != i:
                        x = inputs[words[j]]
                        sums[0] += go_down(
                            x, outputs, words[i], negative, rate, table, cuts, others, state, step,
                            drawn, slopes,
                        )  # fmt: skip
                        add_to(x, step)
                sums[1] += stop - start - 1


@inner
def adapt(x: Any, y: Any, x_squares: Any, y_squares: Any, slope: Any, rate: Any) -> None:
    """Do AdaGrad's step for two vectors (size,), of which each has the other as its gradient."""
    for d in range(len(x)):
        gx, gy = slope * y[d], slope * x[d]
        x_squares[d] += gx * gx
        y_squares[d] += gy * gy
        x[d] -= rate * gx / np.float32(math.sqrt(x_squares[d]))
        y[d] -= rate * gy / np.float32(math.sqrt(y_squares[d]))


@inner
def fit_count(
    row: Any, column: Any, count: Any, largest: Any, power: Any, rate: Any, inputs: Any,
    outputs: Any, input_squares: Any, output_squares: Any,
) -> Any:  # fmt: skip
    """Do a step of GloVe's for the count of two words; return its loss."""
    size = inputs.shape[1] - 1
    x, y = inputs[row], outputs[column]
    x_squares, y_squares = input_squares[row], output_squares[column]
    weight = np.float32(min(1.0, (count / largest) ** power))
    error = dot(x[:size], y[:size]) + x[size] + y[size] - np.float32(math.log(count))
    slope = weight * error
    adapt(x[:size], y[:size], x_squares[:size], y_squares[:size], slope, rate)
    x_squares[size] += slope * slope
    y_squares[size] += slope * slope
    x[size] -= rate * slope / np.float32(math.sqrt(x_squares[size]))
    y[size] -= rate * slope / np.float32(math.sqrt(y_squares[size]))
    return 0.5 * slope * error


@compiled
def fit_counts(
    rows: Any,  # int32 (n,)
    columns: Any,  # int32 (n,), of another word, or of the same
    counts: Any,  # float32 (n,)
    first: Any,
    last: Any,
    largest: Any,  # float32, from which on all counts have weight 1
    power: Any,  # float32, of the weights below
    rate: Any,  # float32
    inputs: Any,  # float32 (n_tokens, size + 1), of which the last is the bias; they learn
    outputs: Any,
    input_squares: Any,  # float32 (n_tokens, size + 1), sums of squared gradients
    output_squares: Any,
    sums: Any,  # float64 (2,), to which losses are added, and their number
) -> None:
    """Do GloVe's steps for some of its counts, each in both directions."""
    for place in range(first, last):
        row, column, count = rows[place], columns[place], counts[place]
        sums[0] += fit_count(
            row, column, count, largest, power, rate, inputs, outputs, input_squares,
            output_squares,
        )  # fmt: skip
        sums[1] += 1
        if row != column:
            sums[0] += fit_count(
                column, row, count, largest, power, rate, inputs, outputs, input_squares,
                output_squares,
            )  # fmt: skip
            sums[1] += 1
