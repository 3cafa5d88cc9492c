"""Keras' side of the images: a script for an interpreter that has tensorflow, keras and numpy.

It reads requests from stdin and answers on stdout, both lines of JSON:

==========================================================  =====================================
``{"do": "versions"}``                                      ``{"keras": ..., "tensorflow": ...}``
``{"do": "build", "folder", "layers", "batch_size",         ``{"parameters": ...}``
"learning_rate"}``; the folder has X, y, X_test and
y_test as .npy, layers are as in _image_problems
``{"do": "epoch"}``                                         ``{"seconds": ...}``
``{"do": "score"}``                                         ``{"accuracy": ...}``
==========================================================  =====================================

A request that fails is answered with ``{"error": traceback}``.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

# what the libraries print is not to get between the answers
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow  # noqa: E402


class Clock(keras.callbacks.Callback):
    """Seconds of the epochs alone, without the preparations of `fit`."""

    seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start


def make_layers(layers):
    """Return Keras' layers."""
    kinds = {
        "conv": lambda filters, kernel: keras.layers.Conv2D(filters, kernel, activation="relu"),
        "pool": keras.layers.MaxPooling2D,
        "dropout": keras.layers.Dropout,
        "flatten": keras.layers.Flatten,
        "dense": lambda units: keras.layers.Dense(units, activation="relu"),
        "output": keras.layers.Dense,
    }
    return [kinds[kind](*arguments) for kind, *arguments in layers]


class Trainer:
    """A compiled model and its data, as float32 from 0 to 1, as Keras' tutorials have them."""

    def __init__(self, folder, layers, batch_size, learning_rate):
        def load(name):
            return np.load(Path(folder, f"{name}.npy"))

        self.X = load("X").astype("float32") / np.float32(255)
        self.X_test = load("X_test").astype("float32") / np.float32(255)
        self.y, self.y_test = load("y"), load("y_test")
        self.batch_size = batch_size
        keras.utils.set_random_seed(0)
        self.model = keras.Sequential([keras.Input(self.X.shape[1:]), *make_layers(layers)])
        self.model.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )

    def epoch(self):
        """Train for one epoch."""
        clock = Clock()
        self.model.fit(
            self.X, self.y, batch_size=self.batch_size, epochs=1, verbose=0, callbacks=[clock]
        )
        return {"seconds": clock.seconds}

    def score(self):
        """Score the test images."""
        outputs = self.model.predict(self.X_test, batch_size=1000, verbose=0)
        return {"accuracy": float((outputs.argmax(1) == self.y_test).mean())}


def main():
    """Answer requests until stdin ends."""
    trainer = None
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        try:
            if do == "versions":
                answer = {"keras": keras.__version__, "tensorflow": tensorflow.__version__}
            elif do == "build":
                trainer = None
                keras.utils.clear_session()
                trainer = Trainer(**request)
                answer = {"parameters": trainer.model.count_params()}
            else:
                answer = getattr(trainer, do)()
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
