"""Word vectors: skip-gram and CBOW with negative sampling, and GloVe. Imports numba.

Threads write to the same vectors without locks (Hogwild): two rarely meet at a word.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._jit import compiled, inner
from ._lanes import fetch, load, multiply_add, over_root, spread, store, total
from ._places import N_LANES, SIGMOID_END, SIGMOID_STEPS

RANDOM_FACTOR, LOWER_BITS = np.uint64(0x2545F4914F6CDD1D), np.uint64(0xFFFFFFFF)
SHIFTS = (np.uint64(12), np.uint64(25), np.uint64(27), np.uint64(32))

# What a product of probabilities is multiplied by when it gets small: they all share a logarithm.
SCALE = 2.0**512


@inner
def next_state(state: Any) -> Any:
    """Return the next state of a generator xorshift64* (Vigna, 2016), uint64."""
    state ^= state >> SHIFTS[0]
    state ^= state << SHIFTS[1]
    return state ^ (state >> SHIFTS[2])


@inner
def draw(state: Any) -> Any:
    """Return the upper 32 bits that a state stands for, as an uint64."""
    return (state * RANDOM_FACTOR) >> SHIFTS[3]


@inner
def draw_below(state: Any, n: Any) -> Any:
    """Return a random integer from 0 to n - 1."""
    return np.int64((draw(state) * np.uint64(n)) >> SHIFTS[3])


@inner
def draw_noise(state: Any, noise: Any) -> Any:
    """Return a word by Walker's alias method: uint32 (n_tokens, 2), cuts and others."""
    word = 1 + draw_below(state, len(noise) - 1)
    if (state * RANDOM_FACTOR) & LOWER_BITS < np.uint64(noise[word, 0]):
        return word
    return np.int64(noise[word, 1])


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
def fetch_row(rows: Any, row: Any) -> None:
    """Have the memory bring a row (width,)."""
    for b in range(rows.shape[1] // N_LANES):
        fetch(rows, row, b)


@inner
def draw_ahead(
    word: Any, outputs: Any, noise: Any, negative: Any, state: Any, drawn: Any
) -> Any:  # fmt: skip
    """Draw what a word is told from, write all to `drawn`; return the state and their number."""
    drawn[0] = word
    fetch_row(outputs, word)
    n = 1
    for _ in range(negative):
        state = next_state(state)
        other = draw_noise(state, noise)
        if other != word:
            drawn[n] = other
            fetch_row(outputs, other)
            n += 1
    return state, n


@inner
def tell_apart(
    inputs: Any, row: Any, outputs: Any, drawn: Any, n: Any, rate: Any, table: Any, slopes: Any,
    change: Any, likelihood: Any, n_scaled: Any,
) -> Any:  # fmt: skip
    """Do a step for an input, which should tell the first of n words drawn from the others.

    The outputs learn; what the input is to learn is written to `change` (1, width). The likelihood,
    multiplied by the step's, is returned, and how many times it has been scaled.
    """
    n_blocks = inputs.shape[1] // N_LANES
    for k in range(n):
        product = spread(np.float32(0))
        for b in range(n_blocks):
            product = multiply_add(load(inputs, row, b), load(outputs, drawn[k], b), product)
        slopes[k] = total(product)
    for k in range(n):
        share = sigmoid(slopes[k], table)
        if k == 0:
            likelihood *= share
            slopes[k] = rate * (np.float32(1) - share)
        else:
            likelihood *= np.float32(1) - share
            slopes[k] = -rate * share
        if likelihood < 1 / SCALE:
            likelihood *= SCALE
            n_scaled += 1
    for b in range(n_blocks):
        x, step = load(inputs, row, b), spread(np.float32(0))
        for k in range(n):
            y, slope = load(outputs, drawn[k], b), spread(slopes[k])
            step = multiply_add(slope, y, step)
            store(outputs, drawn[k], b, multiply_add(slope, x, y))
        store(change, 0, b, step)
    return likelihood, n_scaled


@inner
def average(inputs: Any, words: Any, start: Any, i: Any, stop: Any, mean: Any) -> None:
    """Write the mean of the words around one to `mean` (1, width)."""
    share = spread(np.float32(1) / np.float32(stop - start - 1))
    for b in range(inputs.shape[1] // N_LANES):
        lanes = spread(np.float32(0))
        for j in range(start, stop):
            if j != i:
                lanes = multiply_add(share, load(inputs, words[j], b), lanes)
        store(mean, 0, b, lanes)


@inner
def add(change: Any, inputs: Any, row: Any) -> None:
    """Add a change (1, width) to a row."""
    one = spread(np.float32(1))
    for b in range(inputs.shape[1] // N_LANES):
        store(inputs, row, b, multiply_add(one, load(change, 0, b), load(inputs, row, b)))


@compiled
def learn_words(
    is_cbow: Any,
    tokens: Any,  # int32 (n,), all texts one after the other
    ends: Any,  # int64 (n_pieces + 1,), where each piece of a text begins and ends
    first: Any,  # number of the first piece to learn from
    last: Any,  # and of that after the last
    keep: Any,  # uint32 (n_tokens,), of 2^32 times the word occurs, so many are kept
    noise: Any,  # uint32 (n_tokens, 2), see `draw_noise`
    table: Any,  # float32, see `sigmoid`
    inputs: Any,  # float32 (n_tokens, width), which learn; the width is that of whole blocks
    outputs: Any,  # float32 (n_tokens, width), which learn
    rate: Any,  # float32
    window: Any,  # int64
    negative: Any,  # int64
    states: Any,  # uint64 (1,), see `next_state`
    words: Any,  # int32, as long as the longest piece, overwritten
    mean: Any,  # float32 (1, width), overwritten
    change: Any,  # float32 (1, width), overwritten
    drawn: Any,  # int64 (2, negative + 1 or more), overwritten
    slopes: Any,  # float32 (negative + 1 or more,), overwritten
    sums: Any,  # float64 (2,), to which losses are added, and their number
) -> None:
    """Go through texts once: skip-gram, or CBOW.

    All neighbours of a word are told from the same random ones (Ji et al., arXiv:1604.04661). What
    the next word takes is drawn before the step of the present one, so that memory has the time to
    bring it.
    """
    # here, and not in memory, which other threads write next to
    state, likelihood, n_scaled, count = states[0], 1.0, 0, 0
    for piece in range(first, last):
        n = 0
        for i in range(ends[piece], ends[piece + 1]):
            word = tokens[i]
            if keep[word] != np.uint32(0xFFFFFFFF):
                state = next_state(state)
                if draw(state) >= np.uint64(keep[word]):
                    continue
            words[n] = word
            n += 1
        next_reach = next_n_drawn = 0
        for i in range(-1, n):
            reach, n_drawn = next_reach, next_n_drawn
            if i + 1 < n:
                state = next_state(state)
                next_reach = 1 + draw_below(state, window)
                state, next_n_drawn = draw_ahead(
                    words[i + 1], outputs, noise, negative, state, drawn[(i + 1) % 2]
                )
            if i + 1 + window < n:
                fetch_row(inputs, words[i + 1 + window])
            start, stop = max(0, i - reach), min(n, i + reach + 1)
            if i < 0 or stop - start < 2:
                continue
            if is_cbow:
                average(inputs, words, start, i, stop, mean)
                likelihood, n_scaled = tell_apart(
                    mean, 0, outputs, drawn[i % 2], n_drawn, rate, table, slopes, change,
                    likelihood, n_scaled,
                )  # fmt: skip
                # as word2vec does, each word takes all of the step, and not its share
                for j in range(start, stop):
                    if j != i:
                        add(change, inputs, words[j])
                count += 1
            else:
                for j in range(start, stop):
                    if j != i:
                        likelihood, n_scaled = tell_apart(
                            inputs, words[j], outputs, drawn[i % 2], n_drawn, rate, table, slopes,
                            change, likelihood, n_scaled,
                        )  # fmt: skip
                        add(change, inputs, words[j])
                count += stop - start - 1
    states[0] = state
    sums[0] += n_scaled * math.log(SCALE) - math.log(likelihood)
    sums[1] += count


@inner
def fit_count(
    row: Any, column: Any, count: Any, largest: Any, power: Any, rate: Any, inputs: Any,
    outputs: Any, input_squares: Any, output_squares: Any, size: Any,
) -> Any:  # fmt: skip
    """Do a step of GloVe's, by AdaGrad, for the count of two words; return its loss."""
    n_blocks, zero = inputs.shape[1] // N_LANES, spread(np.float32(0))
    product = zero
    for b in range(n_blocks):
        product = multiply_add(load(inputs, row, b), load(outputs, column, b), product)
    error = total(product) - np.float32(math.log(count))
    slope = np.float32(min(1.0, (count / largest) ** power)) * error
    lanes, down = spread(slope), spread(-rate)
    for b in range(n_blocks):
        x, y = load(inputs, row, b), load(outputs, column, b)
        gx, gy = multiply_add(lanes, y, zero), multiply_add(lanes, x, zero)
        x_squares = multiply_add(gx, gx, load(input_squares, row, b))
        y_squares = multiply_add(gy, gy, load(output_squares, column, b))
        store(input_squares, row, b, x_squares)
        store(output_squares, column, b, y_squares)
        store(inputs, row, b, multiply_add(down, over_root(gx, x_squares), x))
        store(outputs, column, b, multiply_add(down, over_root(gy, y_squares), y))
    inputs[row, size + 1] = outputs[column, size] = 1  # which the others' biases are multiplied by
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
    inputs: Any,  # float32 (n_tokens, width): vectors, their biases and ones; they learn
    outputs: Any,  # float32 (n_tokens, width): vectors, ones and their biases
    input_squares: Any,  # float32 (n_tokens, width), sums of squared gradients
    output_squares: Any,
    size: Any,  # int64, of a vector
    sums: Any,  # float64 (2,), to which losses are added, and their number
) -> None:
    """Do GloVe's steps for some of its counts, each in both directions."""
    loss, n = 0.0, 0
    for place in range(first, last):
        row, column, count = rows[place], columns[place], counts[place]
        if place + 1 < last:
            for word in (rows[place + 1], columns[place + 1]):
                fetch_row(inputs, word)
                fetch_row(outputs, word)
                fetch_row(input_squares, word)
                fetch_row(output_squares, word)
        loss += fit_count(
            row, column, count, largest, power, rate, inputs, outputs, input_squares,
            output_squares, size,
        )  # fmt: skip
        n += 1
        if row != column:
            loss += fit_count(
                column, row, count, largest, power, rate, inputs, outputs, input_squares,
                output_squares, size,
            )  # fmt: skip
            n += 1
    sums[0] += loss
    sums[1] += n
