"""A tour of sknn: five tasks, each from its data to a score.

Run it with `make demo`, or `python examples/tour.py`. Real data are taken from the folder named
by the environment variable SKNN_DATA (or ~/sknn_data), or downloaded into it; where that fails,
the tour goes on with data that come with scikit-learn, or are simulated, and the table at the end
says so. The figures are written to examples/output/.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits, load_wine
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback
from tqdm import tqdm

from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor, RecurrentClassifier
from sknn.datasets import (
    fetch_cifar10,
    fetch_mnist,
    fetch_series,
    fetch_supernova,
    fetch_wine_quality,
    make_supernova,
)
from sknn.inspection import plot_images

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"
BLUE, ORANGE, GREY = "#2a6fbb", "#d9661f", "#8a8f98"


# ------------------------------------------------------------------------ what all tasks share


@dataclass
class Result:
    """A row of the table, and what the figures show."""

    task: str
    data: str
    estimator: str
    score: str
    reference: str
    history: list[dict[str, Any]]
    seconds: float = 0.0
    figure_data: dict[str, Any] = field(default_factory=dict)


class Progress(Callback):
    """A progress bar over the epochs of each fit; any skorch callback works in `callbacks=`."""

    def __init__(self, task: str) -> None:
        self.task = task

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        # Attributes that are not parameters end in _, so that the callback can be cloned.
        # disable=None: no bar where the output is not a terminal.
        self.bar_ = tqdm(
            total=net.max_epochs, desc=self.task, unit=" epochs", leave=False, disable=None
        )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.update()
        self.bar_.set_postfix(loss=f"{net.history[-1]['train_loss']:.4g}", refresh=False)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()
        del self.bar_  # so that the fitted estimator can be pickled


class Library:
    """Fetches real data; after one failed download it tries no other."""

    def __init__(self) -> None:
        self.online = True

    def fetch(self, fetcher: Any, **options: Any) -> Any:
        """Return the data set, or None if it is neither here nor to be had from the network."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return fetcher(download_if_missing=self.online, **options)
            except (OSError, ImportError) as error:
                if self.online:
                    print(f"No download ({type(error).__name__}); embedded data take its place.")
                self.online = False
                return None


# ---------------------------------------------------------------------- 1. supernova distances


def fit_with_weights(
    redshift: np.ndarray, distance: np.ndarray, weight: np.ndarray
) -> tuple[Pipeline, dict[str, np.ndarray]]:
    """Cross-validate, then fit to everything; each step says whether it wants the weights."""
    network = NeuralRegressor(
        hidden_layer_sizes=(10,),
        activation="tanh",
        solver="lbfgs",
        max_iter=2000,
        random_state=0,
        callbacks=[Progress("supernova distances")],
    )
    model = Pipeline(
        [
            ("logarithm", FunctionTransformer(np.log10)),
            ("scale", StandardScaler().set_fit_request(sample_weight=False)),
            ("network", network.set_fit_request(sample_weight=True)),
        ]
    )
    scores = cross_validate(
        model,
        redshift,
        distance,
        params={"sample_weight": weight},
        cv=KFold(5, shuffle=True, random_state=0),
        scoring={
            "plain": make_scorer(r2_score).set_score_request(sample_weight=False),
            "weighted": make_scorer(r2_score).set_score_request(sample_weight=True),
        },
    )
    return model.fit(redshift, distance, sample_weight=weight), scores


def supernova(library: Library) -> Result:
    """Distance modulus from redshift, with measurement errors as weights, cross-validated."""
    union = library.fetch(fetch_supernova)
    if union is not None:
        data, redshift, distance, error = "Union2.1", union.data, union.target, union.mu_error
    else:
        data = "simulated (make_supernova)"
        redshift, distance, error = make_supernova(random_state=0, return_error=True)

    with sklearn.config_context(enable_metadata_routing=True):
        model, scores = fit_with_weights(redshift, distance, 1 / error**2)
    plain, weighted = scores["test_plain"].mean(), scores["test_weighted"].mean()
    return Result(
        task="supernova distances",
        data=data,
        estimator="NeuralRegressor (10,) tanh lbfgs",
        score=f"R2 {plain:.4f} (weighted {weighted:.4f}), 5-fold",
        reference="0.989" if union is not None else "-",
        history=model["network"].history_,
        figure_data={"x": redshift, "y": distance, "error": error, "model": model, "data": data},
    )


# ------------------------------------------------------------------------------------- 2. wine


def wine(library: Library) -> Result:
    """Wine by its chemistry: a small grid search, scored on wines that it has not seen."""
    white = library.fetch(fetch_wine_quality)
    progress = [Progress("wine grid search")]
    if white is not None:
        data, X, y = "white wine", white.data, white.target
        network = TransformedTargetRegressor(
            NeuralRegressor(
                learning_rate="cosine",
                learning_rate_init=0.005,
                max_iter=40,
                random_state=0,
                callbacks=progress,
            ),
            transformer=StandardScaler(),
        )
        prefix, n_test, stratify = "network__regressor__", 784, None
    else:
        data, (X, y) = "wine (scikit-learn)", load_wine(return_X_y=True)
        network = NeuralClassifier(
            learning_rate="cosine",
            learning_rate_init=0.01,
            max_iter=40,
            random_state=0,
            callbacks=progress,
        )
        prefix, n_test, stratify = "network__", 45, y

    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=n_test, stratify=stratify, random_state=0
    )
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("network", network)]),
        {
            f"{prefix}hidden_layer_sizes": [(64,), (64, 64)],
            f"{prefix}dropout": [0.0, 0.2],
        },
        cv=3,
    ).fit(X_train, y_train)

    fitted = search.best_estimator_["network"]
    fitted = getattr(fitted, "regressor_", fitted)  # what TransformedTargetRegressor has fitted
    sizes = search.best_params_[f"{prefix}hidden_layer_sizes"]
    dropout = search.best_params_[f"{prefix}dropout"]
    score = search.score(X_test, y_test)
    return Result(
        task="wine quality" if white is not None else "wine cultivars",
        data=data,
        estimator=f"{type(fitted).__name__} {sizes} dropout {dropout:g}",
        score=(f"R2 {score:.3f}" if white is not None else percent(score)) + f", {n_test} unseen",
        reference="0.318" if white is not None else "-",
        history=fitted.history_,
    )


# ---------------------------------------------------------------- 3. and 4. digits and photographs


def embedded_digits() -> dict[str, Any]:
    """Scikit-learn's 8 x 8 digits, as bytes, in a training and a test part."""
    images, y = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    X, X_test, y, y_test = train_test_split(images, y, test_size=450, stratify=y, random_state=0)
    names = [str(digit) for digit in range(10)]
    return {"X": X, "y": y, "X_test": X_test, "y_test": y_test, "names": names}


def images_or_digits(library: Library, fetcher: Any, shape: tuple[int, ...]) -> Any:
    """Return training and test part of an image data set, or of the embedded digits."""
    train = library.fetch(fetcher)
    test = None if train is None else library.fetch(fetcher, subset="test")
    if train is None or test is None:
        return embedded_digits(), False
    parts = {
        "X": train.data.reshape(-1, *shape),
        "y": train.target,
        "X_test": test.data.reshape(-1, *shape),
        "y_test": test.target,
        "names": [str(name) for name in train.target_names],
    }
    return parts, True


def classify_images(task: str, data: str, reference: str, parts: Any, network: Any) -> Result:
    """Fit on the training images, score on the test images."""
    network.set_params(callbacks=[Progress(task)])
    network.fit(parts["X"], parts["y"])  # bytes, which become floats batch by batch
    predicted = network.predict(parts["X_test"])
    accuracy = np.mean(predicted == parts["y_test"])
    return Result(
        task=task,
        data=data,
        estimator=f"ConvClassifier {network.filters} {network.architecture}",
        score=f"{percent(accuracy)}, {len(predicted)} test images",
        reference=reference,
        history=network.history_,
        figure_data={**parts, "network": network, "accuracy": accuracy},
    )


def mnist(library: Library) -> Result:
    """Handwritten digits: a small network, batch normalization and two epochs."""
    parts, real = images_or_digits(library, fetch_mnist, (28, 28))
    network = ConvClassifier(
        architecture="airbench",
        filters=(12, 24, 48) if real else (16, 32),
        learning_rate_init=0.01,
        label_smoothing=0.1,
        batch_size=128 if real else 32,
        max_iter=2 if real else 10,
        random_state=0,
    )
    data, reference = ("MNIST", "98.15 % (dense)") if real else ("digits (scikit-learn)", "-")
    return classify_images("handwritten digits", data, reference, parts, network)


def cifar10(library: Library) -> Result:
    """Small photographs: the tutorials' network, for two epochs of larger batches."""
    parts, real = images_or_digits(library, fetch_cifar10, (32, 32, 3))
    network = ConvClassifier(
        filters=(32, 64, 64) if real else (8, 16),
        normalization="batch",
        learning_rate_init=0.005,
        batch_size=128 if real else 32,
        max_iter=2 if real else 10,
        random_state=0,
    )
    data, reference = ("CIFAR-10", "70.65 %") if real else ("digits (scikit-learn)", "-")
    task = "photographs" if real else "digits, second network"
    return classify_images(task, data, reference, parts, network)


# --------------------------------------------------------------------------------- 5. speakers


def speakers(library: Library) -> Result:
    """Who said "ae"? Series of 7 to 29 steps, a list of arrays, with most of the defaults."""
    train = library.fetch(fetch_series, name="JapaneseVowels")
    test = (
        None if train is None else library.fetch(fetch_series, name="JapaneseVowels", subset="test")
    )
    real = train is not None and test is not None
    if real:
        X, y, X_test, y_test = train.data, train.target, test.data, test.target
    else:  # the rows of a digit are the steps of a series
        X, y, X_test, y_test = [embedded_digits()[part] for part in ("X", "y", "X_test", "y_test")]
    task = "speakers by a vowel" if real else "digits, row by row"
    network = RecurrentClassifier(
        max_iter=30 if real else 5, random_state=0, callbacks=[Progress(task)]
    ).fit(X, y)
    return Result(
        task=task,
        data="JapaneseVowels" if real else "digits (scikit-learn)",
        estimator=f"RecurrentClassifier {network.cell} {network.hidden_size}",
        score=f"{percent(network.score(X_test, y_test))}, {len(y_test)} test series",
        reference="96.22 % (dense)" if real else "-",
        history=network.history_,
    )


# ------------------------------------------------------------------------------------- figures


def draw_supernova(figure_data: dict[str, Any], path: Path) -> None:
    """Data with their error bars and the fit; below, what the fit leaves over."""
    x, y, error = figure_data["x"][:, 0], figure_data["y"], figure_data["error"]
    model = figure_data["model"]
    grid = np.geomspace(x.min(), x.max(), 300)
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, figsize=(7, 6), height_ratios=[3, 1], layout="constrained"
    )
    bars = {"fmt": ".", "color": GREY, "ecolor": "#c9ccd1", "elinewidth": 0.8, "markersize": 4}
    top.errorbar(x, y, error, label=f"{len(x)} supernovae, {figure_data['data']}", **bars)
    top.plot(grid, model.predict(grid[:, None]), color=ORANGE, lw=2, zorder=3, label="network")
    top.set(ylabel="distance modulus / mag", title="Distance of supernovae from their redshift")
    top.legend(frameon=False)
    bottom.errorbar(x, y - model.predict(x[:, None]), error, **bars)
    bottom.axhline(0, color=ORANGE, lw=2, zorder=3)
    bottom.set(xscale="log", xlabel="redshift", ylabel="residual / mag")
    bottom.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
    save(figure, path)


def draw_loss_curves(results: list[Result], path: Path) -> None:
    """Training loss of the five fits, and validation loss where there is a validation part."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 6), layout="constrained")
    axes.flat[-1].set_axis_off()
    for axis, result in zip(axes.flat, results, strict=False):
        epochs = np.arange(1, len(result.history) + 1)
        axis.plot(epochs, [e["train_loss"] for e in result.history], color=BLUE, label="training")
        if "valid_loss" in result.history[0]:
            losses = [e["valid_loss"] for e in result.history]
            axis.plot(epochs, losses, color=ORANGE, label="validation")
        is_lbfgs = "lbfgs" in result.estimator
        axis.set(
            title=f"{result.task}: {result.data}",
            xlabel="iteration" if is_lbfgs else "epoch",
            ylabel="loss",
            yscale="log" if is_lbfgs else "linear",
            xscale="log" if is_lbfgs else "linear",
        )
        axis.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axis.legend(frameon=False)
    save(figure, path)


def draw_images(result: Result, path: Path) -> None:
    """Test images with what the network says; and the worst of its mistakes."""
    shown = result.figure_data
    figure, axes = plt.subplots(4, 8, figsize=(11, 7), layout="constrained")
    for which, some in (("first", axes[:2]), ("worst", axes[2:])):
        plot_images(
            shown["X_test"],
            shown["y_test"],
            estimator=shown["network"],
            which=which,
            n_images=16,
            class_names=shown["names"],
            axes=some.ravel(),
        )
    accuracy = percent(shown["accuracy"])
    figure.suptitle(f"{result.data}, {accuracy} are right; lower half: the worst mistakes")
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure without the frame's upper and right line."""
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


# --------------------------------------------------------------------------------------- table


def percent(share: float) -> str:
    """Format a share, 0.9815 as 98.15 %."""
    return f"{100 * share:.2f} %"


def print_table(results: list[Result]) -> None:
    """Print one row a task, columns aligned."""
    rows = [("task", "data", "estimator", "score", "reference", "seconds")]
    rows += [
        (r.task, r.data, r.estimator, r.score, r.reference, f"{r.seconds:.1f}") for r in results
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def main() -> None:
    """Run the tasks, print the table, write the figures."""
    OUTPUT.mkdir(exist_ok=True)
    library = Library()
    begin = time.perf_counter()
    results = []
    for task in (supernova, wine, mnist, cifar10, speakers):
        start = time.perf_counter()
        result = task(library)
        result.seconds = time.perf_counter() - start
        print(f"{result.task}: {result.score} ({result.seconds:.1f} s)", flush=True)
        results.append(result)

    draw_supernova(results[0].figure_data, OUTPUT / "supernova.png")
    draw_loss_curves(results, OUTPUT / "loss_curves.png")
    draw_images(results[2], OUTPUT / "digits.png")
    (OUTPUT / "photographs.png").unlink(missing_ok=True)  # of an earlier run
    if results[3].data == "CIFAR-10":
        draw_images(results[3], OUTPUT / "photographs.png")

    print_table(results)
    if any(result.reference != "-" for result in results):
        print(
            "\nreference: MLPRegressor (5, 3, 4) and (20, 10) on other splits of the same data;"
            "\nMLPClassifier (100, 100); the tutorials' convolutional network after ten epochs;"
            "\nMLPClassifier (100,) on the means of the channels"
        )
    print(f"\n{time.perf_counter() - begin:.0f} s; figures in {OUTPUT}")


if __name__ == "__main__":
    main()
