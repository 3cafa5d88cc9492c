"""Small photographs with convolutional networks: the tutorials' and a more accurate one.

Run it with `python examples/cifar10.py`, or name one of the networks below, for instance
`python examples/cifar10.py airbench`. The data are looked for in the folder SKNN_DATA, and
downloaded if they are not there. Figures are written to examples/output/.
"""

from __future__ import annotations

import sys
import time

from _figures import save_figures

from sknn import ConvClassifier
from sknn.datasets import fetch_cifar10
from sknn.inspection import summary

NETWORKS = {
    # The network of 122,570 parameters of the TensorFlow tutorial.
    "tutorial": ConvClassifier(
        filters=(32, 64, 64),
        padding="valid",
        pooling=("max", "max", None),
        hidden_layer_sizes=(64,),
        normalization=None,
        solver="adam",
        alpha=1e-4,
        learning_rate_init=0.003,
        batch_size=32,
        max_iter=10,
    ),
    # Whitening, batch normalization, one cycle of the learning rate, smoothed labels, flips and
    # shifts, and an average over flips and shifts when predicting: each of them helps.
    "airbench": ConvClassifier(
        architecture="airbench",
        filters=(32, 128, 128),
        solver="adamw",
        alpha=0.05,
        learning_rate_init=0.008,
        label_smoothing=0.1,
        augment={"flip": 0.5, "shift": 2},
        test_time_augment="flip_shift",
        batch_size=250,
        max_iter=6,
    ),
}


def main(name: str = "tutorial") -> None:
    """Fit one of the networks, print its score and draw what it has learned."""
    train, test = fetch_cifar10(), fetch_cifar10(subset="test")
    # (n, 32, 32, 3) bytes: they stay bytes, and become floats batch by batch.
    model = NETWORKS[name].set_params(random_state=0, verbose=True)

    start = time.perf_counter()
    model.fit(train.data, train.target)
    seconds = time.perf_counter() - start

    summary(model)
    accuracy = model.score(test.data, test.target)
    print(f"{name}: {100 * accuracy:.2f} % of the test images, fitted in {seconds:.0f} s")
    save_figures("cifar10", model, test.data, test.target, train.target_names)


if __name__ == "__main__":
    main(*sys.argv[1:])
