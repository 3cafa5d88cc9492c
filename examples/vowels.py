"""Nine speakers told apart by how they say "ae": series of different lengths.

The Japanese vowels are 640 utterances of 7 to 29 steps with 12 coefficients of the spectrum at
each. Both families of series estimators take them as they are, a list of arrays, with default
parameters. The data are looked for in the folder SKNN_DATA, and downloaded if they are not there.
The figure is written to examples/output/.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from sknn import AttentionClassifier, RecurrentClassifier
from sknn.datasets import fetch_series

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"


def difference_when_alone(model: Any, X: np.ndarray) -> float:
    """Compare the probabilities of series among others, and of each by itself."""
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba([series]) for series in X])
    return float(np.abs(together - alone).max())


def draw(models: list[Any], X: np.ndarray, y: np.ndarray) -> None:
    """Draw who was taken for whom."""
    figure, axes = plt.subplots(1, len(models), figsize=(10, 4.8), layout="constrained")
    for model, axis in zip(models, axes, strict=True):
        shown = ConfusionMatrixDisplay.from_estimator(
            model, X, y, ax=axis, colorbar=False, cmap="Blues"
        )
        for number in shown.text_.ravel():
            number.set_visible(number.get_text() != "0")
        axis.set(
            title=f"{type(model).__name__}, {100 * model.score(X, y):.2f} % are right",
            xlabel="predicted speaker",
            ylabel="true speaker",
        )
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "vowels.png", dpi=150)
    plt.close(figure)


def main() -> None:
    """Fit both families, score them, and draw the confusion matrices."""
    X, y = fetch_series("JapaneseVowels", return_X_y=True)
    X_test, y_test = fetch_series("JapaneseVowels", subset="test", return_X_y=True)
    lengths = [len(series) for series in X]
    print(
        f"{len(X)} series of {min(lengths)} to {max(lengths)} steps and {X[0].shape[1]} channels "
        f"for training, {len(X_test)} for testing\n"
    )

    models = [RecurrentClassifier(random_state=0), AttentionClassifier(random_state=0)]
    for model in models:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        accuracy = model.score(X_test, y_test)
        print(f"{type(model).__name__}, {model.n_parameters_} parameters")
        print(f"  {100 * accuracy:.2f} % of the test series, fitted in {seconds:.0f} s")
        difference = difference_when_alone(model, X_test[:50])
        print(f"  largest difference of a series' probabilities, alone or not: {difference:.0e}\n")

    draw(models, X_test, y_test)
    print(f"figure: {OUTPUT / 'vowels.png'}")


if __name__ == "__main__":
    main()
