"""Handwritten digits with convolutional networks: the tutorials', a fast and an accurate one.

Run it with `python examples/mnist.py`, or name one of the networks below, for instance
`python examples/mnist.py accurate`. The data are looked for in the folder SKNN_DATA, and
downloaded if they are not there. Figures are written to examples/output/.
"""

from __future__ import annotations

import sys
import time

from _figures import save_figures

from sknn import ConvClassifier
from sknn.datasets import fetch_mnist
from sknn.inspection import summary

NETWORKS = {
    # Two convolutions of 10 and 16 filters of 5x5 pixels and a linear output, as in many courses.
    "small": ConvClassifier(
        filters=(10, 16),
        kernel_size=5,
        padding=2,
        hidden_layer_sizes=(),
        normalization=None,
        solver="adam",
        alpha=1e-4,
        learning_rate_init=0.003,
        batch_size=100,
        max_iter=4,
    ),
    # One convolution, pooling, dropout and a dense layer, as in the Keras tutorials.
    "keras": ConvClassifier(
        filters=32,
        kernel_size=5,
        padding="valid",
        dropout=(0.2, 0.0),
        hidden_layer_sizes=(128,),
        normalization=None,
        solver="adam",
        alpha=1e-4,
        learning_rate_init=0.003,
        batch_size=200,
        max_iter=8,
    ),
    # Whitening, batch normalization, smoothed labels: most for the time.
    "fast": ConvClassifier(
        architecture="airbench",
        filters=(12, 24, 48),
        solver="adamw",
        alpha=0.01,
        learning_rate_init=0.01,
        label_smoothing=0.1,
        batch_size=128,
        max_iter=2,
    ),
    # More filters and epochs, and digits that are shifted and turned a little.
    "accurate": ConvClassifier(
        architecture="airbench",
        filters=(16, 32, 64),
        solver="adamw",
        alpha=0.01,
        learning_rate_init=0.01,
        label_smoothing=0.1,
        augment={"shift": 1, "rotate": 10},
        batch_size=128,
        max_iter=5,
    ),
}


def main(name: str = "fast") -> None:
    """Fit one of the networks, print its score and draw what it has learned."""
    X, y = fetch_mnist(return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    # Rows of 784 bytes are taken for squares of 28 x 28 pixels.
    model = NETWORKS[name].set_params(random_state=0, verbose=True)

    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start

    summary(model)
    accuracy = model.score(X_test, y_test)
    print(f"{name}: {100 * accuracy:.2f} % of {len(y_test)} test images, fitted in {seconds:.0f} s")
    save_figures("mnist", model, X_test, y_test)


if __name__ == "__main__":
    main(*sys.argv[1:])
