"""Handwritten digits as a few numbers: reconstructions, a map of the digits, and new ones.

Run it with `python examples/autoencoder.py`; it takes a minute or two. The data are looked for in
the folder SKNN_DATA, and downloaded if they are not there. Figures are written to
examples/output/.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from sknn.datasets import fetch_mnist
from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"
N_TRAINING = 20_000


def main() -> None:
    """Compress, draw, and find what is no digit."""
    OUTPUT.mkdir(exist_ok=True)
    X, y = fetch_mnist(return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    images, y = X.reshape(-1, 28, 28)[:N_TRAINING], y[:N_TRAINING]
    test = X_test.reshape(-1, 28, 28)
    reconstructions(images, test)
    map_of_digits(images, y, test, y_test)
    new_digits(images)
    outliers(images[y == 8], test, y_test)
    print(f"figures: {OUTPUT}/autoencoder_*.png")


def fitted(model: Autoencoder, images: np.ndarray) -> Autoencoder:
    """Fit a model, and say how long it took."""
    start = time.perf_counter()
    model.fit(images)
    print(f"{model.n_components_} numbers a digit: {time.perf_counter() - start:.0f} s")
    return model


def reconstructions(images: np.ndarray, test: np.ndarray) -> None:
    """Compare digits that come back from 32 numbers with those of principal components."""
    model = fitted(Autoencoder(32, max_iter=5, random_state=0), images)
    pca = PCA(32, random_state=0).fit(images.reshape(len(images), -1))
    flat = test.reshape(len(test), -1)
    linear = pca.inverse_transform(pca.transform(flat)).reshape(test.shape)
    of_pca = np.square(linear - test).sum((1, 2)).mean() / 255**2
    error = model.reconstruction_error(test).mean() / 255**2
    print(f"squared error of a test digit: {error:.2f}, of principal components: {of_pca:.2f}")
    rows = {
        "digits": test[:10],
        "32 numbers": model.inverse_transform(model.transform(test[:10])),
        "32 principal\ncomponents": linear[:10].clip(0, 255),
    }
    draw_rows("reconstructions", rows)


def map_of_digits(images: np.ndarray, y: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> None:
    """Draw test digits where their two numbers are."""
    model = fitted(Autoencoder(2, max_iter=8, random_state=0), images)
    codes, codes_test = model.transform(images), model.transform(test)
    accuracy = KNeighborsClassifier(5).fit(codes, y).score(codes_test, y_test)
    print(f"five nearest neighbours in two numbers are right about {100 * accuracy:.0f} %")
    figure, axes = plt.subplots(figsize=(7, 6))
    shown = axes.scatter(*codes_test[:4000].T, c=y_test[:4000].astype(int), s=4, cmap="tab10")
    figure.colorbar(shown, ax=axes, ticks=range(10), label="digit")
    axes.set(xlabel="autoencoder0", ylabel="autoencoder1")
    save("map", figure)


def new_digits(images: np.ndarray) -> None:
    """Draw digits that nobody has written."""
    model = Autoencoder(10, variational=True, loss="log_loss", max_iter=5, random_state=0)
    samples = fitted(model, images).sample(30, random_state=0)
    draw_rows("samples", {"": samples[:10], " ": samples[10:20], "  ": samples[20:]})


def outliers(eights: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> None:
    """Find what is no eight, and the strangest eights."""
    detector = AutoencoderOutlierDetector(random_state=0).fit(eights)
    is_eight = y_test.astype(int) == 8
    labels = detector.predict(test)
    print(
        f"outliers: {100 * np.mean(labels[is_eight] == -1):.0f} % of the eights, "
        f"{100 * np.mean(labels[~is_eight] == -1):.0f} % of the other digits"
    )
    own, others = test[is_eight], test[~is_eight]
    strange = own[np.argsort(detector.score_samples(own))[:10]]
    alike = others[np.argsort(-detector.score_samples(others))[:10]]
    draw_rows("outliers", {"strangest\neights": strange, "others most\nlike eights": alike})


def draw_rows(name: str, rows: dict[str, np.ndarray]) -> None:
    """Draw rows of ten images."""
    figure, axes = plt.subplots(len(rows), 10, figsize=(10, 1.1 * len(rows)), squeeze=False)
    for (title, images), row in zip(rows.items(), axes, strict=True):
        for image, each in zip(images, row, strict=True):
            each.imshow(image, cmap="gray_r", vmin=0, vmax=255)
            each.set(xticks=[], yticks=[])
        row[0].set_ylabel(title.strip(), rotation=0, ha="right", va="center")
    save(name, figure)


def save(name: str, figure: plt.Figure) -> None:
    """Write a figure."""
    figure.savefig(OUTPUT / f"autoencoder_{name}.png", dpi=150, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    main()
