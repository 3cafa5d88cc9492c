"""The five shapes of sequence problems, each with the estimator that carries it.

Four of them are about simulated oscillations that die out, each of which follows from three
numbers; the fifth reverses sequences of tokens. The scores are those of samples that were not
trained on. The script takes about a minute and prints a table.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from sknn import NeuralRegressor, RecurrentRegressor
from sknn.sequences import EncoderDecoderClassifier, EncoderDecoderRegressor, StepClassifier

TIMES = np.linspace(0, 10, 40)  # s
TRAIN, TEST = slice(0, 800), slice(800, 1000)


class Oscillations(NamedTuple):
    """Curves of 40 points, as they are and with noise, and the numbers that they follow from."""

    numbers: np.ndarray  # (1000, 3): amplitude, decay in 1 / s, frequency in rad / s
    curves: np.ndarray  # (1000, 40)
    noisy: np.ndarray


def simulate(rng: np.random.Generator) -> Oscillations:
    """Draw the numbers of x(t) = amplitude exp(-decay t) cos(frequency t), and compute it."""
    numbers = rng.uniform([0.5, 0.1, 0.5], [1.5, 0.5, 1.5], size=(1000, 3))
    amplitude, decay, frequency = numbers.T[:, :, None]
    curves = amplitude * np.exp(-decay * TIMES) * np.cos(frequency * TIMES)
    return Oscillations(numbers, curves, curves + rng.normal(scale=0.05, size=curves.shape))


def one_to_one(data: Oscillations) -> tuple[Any, str]:
    """Three numbers and the lowest point of their curve: a table, nothing is a series."""
    lowest = data.curves.min(1)
    model = NeuralRegressor(
        learning_rate="cosine", learning_rate_init=0.01, max_iter=50, random_state=0
    )
    model.fit(data.numbers[TRAIN], lowest[TRAIN])
    return model, f"R2 {model.score(data.numbers[TEST], lowest[TEST]):.3f}"


def one_to_many(data: Oscillations) -> tuple[Any, str]:
    """Three numbers and the whole curve: a series of one step, answered by 40 values."""
    X = data.numbers[:, None]  # (1000, 1 step, 3 channels)
    model = EncoderDecoderRegressor(learning_rate_init=0.01, max_iter=30, random_state=0)
    model.fit(X[TRAIN], data.curves[TRAIN])
    return model, f"R2 {model.score(X[TEST], data.curves[TEST]):.3f}, mean over the steps"


def many_to_one(data: Oscillations) -> tuple[Any, str]:
    """A noisy curve, of which 15 to 40 points are known, and its frequency."""
    lengths = np.random.default_rng(1).integers(15, 41, len(data.noisy))
    X = [curve[:length] for curve, length in zip(data.noisy, lengths, strict=True)]
    frequency = data.numbers[:, 2]
    model = RecurrentRegressor(max_iter=20, random_state=0)
    model.fit(X[TRAIN], frequency[TRAIN])
    return model, f"R2 {model.score(X[TEST], frequency[TEST]):.3f}"


def many_to_many_equal(data: Oscillations) -> tuple[Any, str]:
    """A noisy curve, and at each step what becomes of it: it falls, rests or rises."""
    slopes = np.gradient(data.curves, TIMES, axis=1)
    y = np.select([slopes < -0.1, slopes > 0.1], ["falls", "rises"], "rests")
    model = StepClassifier(max_iter=10, random_state=0)
    model.fit(data.noisy[TRAIN], y[TRAIN])
    labels, counts = np.unique(y[TRAIN], return_counts=True)
    majority = np.mean(y[TEST] == labels[counts.argmax()])
    accuracy = model.score(data.noisy[TEST], y[TEST])
    return model, f"{percent(accuracy)} of the steps; majority label {percent(majority)}"


def many_to_many(rng: np.random.Generator) -> tuple[Any, str]:
    """Tokens and their reverse: trained with up to 12 tokens, tested with up to 16."""

    def draw(n_sequences: int, shortest: int, longest: int) -> list[np.ndarray]:
        lengths = rng.integers(shortest, longest + 1, n_sequences)
        return [rng.integers(0, 10, length) for length in lengths]

    def reverse(sequences: list[np.ndarray]) -> list[np.ndarray]:
        return [tokens[::-1] for tokens in sequences]

    X, X_test, X_longer = draw(3000, 1, 12), draw(200, 1, 12), draw(200, 13, 16)
    model = EncoderDecoderClassifier(embedding_size=16, max_iter=20, random_state=0)
    model.fit(X, reverse(X))
    exact = model.score(X_test, reverse(X_test))
    longer = model.score(X_longer, reverse(X_longer))
    return model, f"{percent(exact)} exact; {percent(longer)} where longer than in training"


def percent(share: float) -> str:
    """Format a share, 0.981 as 98.1 %."""
    return f"{100 * share:.1f} %"


def main() -> None:
    """Solve the five problems, and print a row of the table for each."""
    rng = np.random.default_rng(0)
    data = simulate(rng)
    problems = [
        ("one to one", "numbers -> lowest point", one_to_one, data),
        ("one to many", "numbers -> curve", one_to_many, data),
        ("many to one", "curve -> frequency", many_to_one, data),
        ("many to many, equal", "curve -> label of each step", many_to_many_equal, data),
        ("many to many", "tokens -> reversed tokens", many_to_many, rng),
    ]
    line = "{:20s}  {:28s}  {:25s}  {:>4s}  {}"
    print(line.format("shape", "problem", "estimator", "s", "score"))
    for shape, problem, solve, argument in problems:
        start = time.perf_counter()
        model, score = solve(argument)
        seconds = f"{time.perf_counter() - start:.0f}"
        print(line.format(shape, problem, type(model).__name__, seconds, score), flush=True)


if __name__ == "__main__":
    main()
