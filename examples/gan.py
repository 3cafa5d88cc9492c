"""A network that learns to write digits, and what its samples look like while it learns.

Every few hundred steps a row of samples is kept, always of the same noise, so that the figure shows
how each of them becomes a digit. A second generator is told the labels, and asked for digits from
0 to 9. `SCALE` is how long both learn: 1 takes about two minutes on two cores, 5 gives good digits.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib
import numpy as np

from sknn.datasets import fetch_mnist
from sknn.generative import AdversarialGenerator

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

SCALE = 1
STEPS_BETWEEN = 150 * SCALE  # two rows of the figure
N_ROWS, N_COLUMNS = 7, 12
BATCH_SIZE = 64
OUTPUT = Path(__file__).parent / "output"


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, height, width) and labels: MNIST, or scikit-learn's small digits."""
    try:
        X, y = fetch_mnist(return_X_y=True)
        return X.reshape(-1, 28, 28), y
    except OSError as error:
        from sklearn.datasets import load_digits as load_small_digits

        print(f"MNIST is not at hand ({error}); scikit-learn's digits take its place.")
        digits = load_small_digits()
        return (digits.images * 15).astype(np.uint8), digits.target.astype(str)


def watch(X: np.ndarray) -> np.ndarray:
    """Fit part by part; return the samples of some noise after each, (rows, columns, h, w)."""
    gan = AdversarialGenerator(batch_size=BATCH_SIZE, random_state=0)
    random_state = np.random.default_rng(0)
    rows = []
    for number in range(N_ROWS):
        start = time.perf_counter()
        chosen = random_state.integers(len(X), size=STEPS_BETWEEN * BATCH_SIZE)
        gan.partial_fit(X[chosen])
        rows.append(gan.sample(N_COLUMNS, random_state=0))
        epoch = gan.history_[-1]
        print(
            f"after {(number + 1) * STEPS_BETWEEN:5d} steps: loss of the discriminator "
            f"{epoch['discriminator_loss']:.2f}, of the generator {epoch['generator_loss']:.2f} "
            f"({time.perf_counter() - start:.0f} s)"
        )
    return np.array(rows)


def ask_for_digits(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit with labels; return samples of each, (digits, columns, h, w)."""
    gan = AdversarialGenerator(batch_size=BATCH_SIZE, random_state=0)
    chosen = np.random.default_rng(0).integers(len(X), size=N_ROWS * STEPS_BETWEEN * BATCH_SIZE)
    gan.partial_fit(X[chosen], y[chosen])
    return np.array([gan.sample(N_COLUMNS, y=label, random_state=0) for label in gan.classes_])


def save_grid(images: np.ndarray, name: str) -> None:
    """Write images (rows, columns, height, width) as one figure."""
    OUTPUT.mkdir(exist_ok=True)
    rows, columns, height, width = images.shape
    picture = images.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    plt.imsave(OUTPUT / name, np.kron(picture, np.ones((3, 3))), cmap="gray")
    print(f"figure: {OUTPUT / name}")


def main() -> None:
    """Fit both generators, and write their figures."""
    X, y = load_digits()
    save_grid(watch(X), "gan_learning.png")
    save_grid(ask_for_digits(X, y), "gan_digits.png")


if __name__ == "__main__":
    main()
