"""A tour of sknn: six tasks, each from its data to a score.

Run it with `make demo`, or `python examples/tour.py`. Real data are taken from the folder named
by the environment variable SKNN_DATA (or ~/sknn_data), or downloaded into it. Where that fails,
the tour goes on with data that come with scikit-learn or are simulated, and the table at the end
says so. The figures are written to examples/output/.
"""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sknn import (
    ConvClassifier,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    TabularRegressor,
)
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
from matplotlib.ticker import LogFormatter, MaxNLocator

OUTPUT = Path(__file__).parent / "output"
BLUE, ORANGE, GREY = "#2a6fbb", "#d9661f", "#8a8f98"
# A bar of epochs for the longer fits, where somebody looks on.
VERBOSE = "bar" if sys.stderr.isatty() else False


# ------------------------------------------------------------------------ what all tasks share


@dataclass
class Result:
    """A row of the table, and what the figures show.

    `unseen` says on what the score was computed; `reference` is the score of another model on the
    same data, which `reference_model` names.
    """

    task: str
    data: str
    network: Any
    score: str
    unseen: str
    reference: str = "-"
    reference_model: str = ""
    details: str = ""
    seconds: float = 0.0
    figure_data: dict[str, Any] = field(default_factory=dict)


class Library:
    """Fetches real data; after one failed download it tries no other."""

    def __init__(self) -> None:
        self.online = True
        with contextlib.suppress(ImportError):
            import pooch

            pooch.get_logger().setLevel("WARNING")  # downloads have a bar

    def fetch(self, fetcher: Any, **options: Any) -> Any:
        """Return the data set, or None if it is neither here nor to be had from the network."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return fetcher(download_if_missing=self.online, **options)
            except (OSError, ImportError):
                name = fetcher.__name__.removeprefix("fetch_")
                print(f"   {name}: no file and no download, other data take their place")
                self.online = False
                return None


# ---------------------------------------------------------------------- 1. supernova distances


def fit_with_weights(
    redshift: np.ndarray, distance: np.ndarray, weight: np.ndarray
) -> tuple[Pipeline, dict[str, np.ndarray]]:
    """Cross-validate, then fit to four fifths; each step says whether it wants the weights."""
    network = NeuralRegressor(
        hidden_layer_sizes=(10,),
        activation="tanh",
        solver="lbfgs",
        max_iter=2000,
        random_state=0,
    ).set_fit_request(sample_weight=True, X_val=True, y_val=True)
    model = Pipeline(
        [
            ("logarithm", FunctionTransformer(np.log10)),
            ("scale", StandardScaler().set_fit_request(sample_weight=False)),
            ("network", network),
        ],
        transform_input=["X_val"],  # validation data go through the steps before the network
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
    x, x_val, y, y_val, w, _ = train_test_split(
        redshift, distance, weight, test_size=0.2, random_state=0
    )
    return model.fit(x, y, sample_weight=w, X_val=x_val, y_val=y_val), scores


def supernova(library: Library) -> Result:
    """Distances of supernovae from redshifts: errors become weights, 5-fold cross-validation."""
    union = library.fetch(fetch_supernova)
    if union is not None:
        data, redshift, distance, error = "Union2.1", union.data, union.target, union.mu_error
    else:
        data = "simulated"
        redshift, distance, error = make_supernova(random_state=0, return_error=True)

    with sklearn.config_context(enable_metadata_routing=True):
        model, scores = fit_with_weights(redshift, distance, 1 / error**2)
    plain, weighted = scores["test_plain"].mean(), scores["test_weighted"].mean()
    return Result(
        task="supernovae",
        data=data,
        network=model["network"],
        score=f"R2 {plain:.3f}",
        unseen="5 folds",
        reference="R2 0.989" if union is not None else "-",
        reference_model="MLPRegressor (5, 3, 4), other folds",
        details=f"10 hidden units; R2 weighted by the errors {weighted:.4f}",
        figure_data={"x": redshift, "y": distance, "error": error, "model": model, "data": data},
    )


# ------------------------------------------------------------------------------------- 2. wine


def wine(library: Library) -> Result:
    """Quality of wines from their chemistry: a grid search, scored on wines it has not seen."""
    white = library.fetch(fetch_wine_quality)
    if white is not None:
        data, X, y = "white wine", white.data, white.target
        network = TransformedTargetRegressor(
            NeuralRegressor(
                learning_rate="cosine",
                learning_rate_init=0.005,
                max_iter=40,
                early_stopping=True,  # sets a tenth of the training data aside
                random_state=0,
            ),
            transformer=StandardScaler(),
        )
        prefix, n_test, stratify = "network__regressor__", 784, None
    else:
        data, (X, y) = "small wine", load_wine(return_X_y=True)
        network = NeuralClassifier(
            learning_rate="cosine",
            learning_rate_init=0.01,
            max_iter=40,
            early_stopping=True,
            random_state=0,
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
        network=fitted,
        score=f"R2 {score:.3f}" if white is not None else percent(score),
        unseen=f"{n_test} wines",
        reference="R2 0.318" if white is not None else "-",
        reference_model="MLPRegressor (20, 10), another split",
        details=f"a grid search chose {sizes} hidden units and dropout {dropout:g}",
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


def classify_images(parts: Any, network: Any, **texts: str) -> Result:
    """Fit on the training images, score on the test images."""
    network.set_params(early_stopping=True, verbose=VERBOSE)
    network.fit(parts["X"], parts["y"])  # bytes, which become floats batch by batch
    predicted = network.predict(parts["X_test"])
    accuracy = np.mean(predicted == parts["y_test"])
    return Result(
        network=network,
        score=percent(accuracy),
        unseen=f"{len(predicted):,} images",
        details=f"filters {network.filters}, {network.n_iter_} epochs",
        figure_data={**parts, "accuracy": accuracy},
        **texts,
    )


def mnist(library: Library) -> Result:
    """Handwritten digits: a small convolutional network, two epochs."""
    parts, real = images_or_digits(library, fetch_mnist, (28, 28))
    network = ConvClassifier(
        architecture="airbench",
        filters=(12, 24, 48) if real else (16, 32),
        solver="adam",
        alpha=1e-4,
        learning_rate_init=0.01,
        label_smoothing=0.1,
        batch_size=128 if real else 32,
        max_iter=2 if real else 10,
        random_state=0,
    )
    return classify_images(
        parts,
        network,
        task="handwritten digits",
        data="MNIST" if real else "small digits",
        reference="98.15 %" if real else "-",
        reference_model="MLPClassifier (100, 100)",
    )


def cifar10(library: Library) -> Result:
    """Small photographs: the tutorials' convolutional network, two epochs."""
    parts, real = images_or_digits(library, fetch_cifar10, (32, 32, 3))
    network = ConvClassifier(
        filters=(32, 64, 64) if real else (8, 16),
        hidden_layer_sizes=(64,),
        solver="adam",
        alpha=1e-4,
        learning_rate_init=0.005,
        batch_size=128 if real else 32,
        max_iter=2 if real else 10,
        random_state=0,
    )
    return classify_images(
        parts,
        network,
        task="photographs" if real else "digits once more",
        data="CIFAR-10" if real else "small digits",
        reference="70.65 %" if real else "-",
        reference_model="the tutorials' convolutional network, ten epochs",
    )


# --------------------------------------------------------------------------------- 5. speakers


def speakers(library: Library) -> Result:
    """Who said "ae"? A recurrent network on series of 7 to 29 steps, with default parameters."""
    train = library.fetch(fetch_series, name="JapaneseVowels")
    test = (
        None if train is None else library.fetch(fetch_series, name="JapaneseVowels", subset="test")
    )
    real = train is not None and test is not None
    if real:
        X, y, X_test, y_test = train.data, train.target, test.data, test.target
    else:  # the rows of a digit are the steps of a series
        X, y, X_test, y_test = [embedded_digits()[part] for part in ("X", "y", "X_test", "y_test")]
    task = "speakers by vowel" if real else "digits, row by row"
    network = RecurrentClassifier(
        max_iter=30 if real else 5, early_stopping=True, random_state=0, verbose=VERBOSE
    ).fit(X, y)
    return Result(
        task=task,
        data="JapaneseVowels" if real else "small digits",
        network=network,
        score=percent(network.score(X_test, y_test)),
        unseen=f"{len(y_test)} series",
        reference="96.22 %" if real else "-",
        reference_model="MLPClassifier (100,) on the means of the channels",
        details=f"{network.hidden_size} units of kind {network.cell}",
    )


# ----------------------------------------------------------------------------------- 6. houses


def houses(_: Library) -> Result:
    """Prices of houses from a table with gaps and categories: no preprocessing, no tuning."""
    file = (
        Path(os.environ.get("SKNN_DATA") or "~/sknn_data").expanduser()
        / "tabular"
        / "california.csv.gz"
    )
    if file.exists():
        frame = pd.read_csv(file).astype({"ocean_proximity": "category"})
        X, y = frame.drop(columns="median_house_value"), frame["median_house_value"]
    else:
        X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
        X = X.astype({"sex": "category"})
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    X, y, X_test, y_test = X[:6000], y[:6000], X_test[:6000], y_test[:6000]
    network = TabularRegressor(random_state=0).fit(X, y)
    trees = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    return Result(
        task="house prices" if file.exists() else "diabetes",
        data="California" if file.exists() else "small diabetes",
        network=network,
        score=f"R2 {network.score(X_test, y_test):.3f}",
        unseen=f"{len(y_test)} rows",
        reference=f"R2 {trees.fit(X, y).score(X_test, y_test):.3f}",
        reference_model="HistGradientBoostingRegressor, now",
        details=f"{len(network.estimators_)} networks, {X.shape[1]} columns, "
        f"{int(X.isna().sum().sum())} gaps",
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


class PlainNumbers(LogFormatter):
    """Ticks of a logarithmic axis as 0.5, not as 5 x 10^-1."""

    def __call__(self, x: float, pos: Any = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def draw_loss_curves(results: list[Result], path: Path) -> None:
    """Loss of the training and of the validation data, epoch by epoch; of an ensemble the first."""
    figure, axes = plt.subplot_mosaic(
        [[0, 1, 2], [3, 4, 5]], figsize=(12, 6.5), layout="constrained"
    )
    for number, result in enumerate(results):
        network = getattr(result.network, "estimators_", [result.network])[0]
        axis, history = axes[number], network.history_
        for part, colour in (("train", BLUE), ("valid", ORANGE)):
            losses = [epoch[f"{part}_loss"] for epoch in history]
            marker = "o" if len(history) <= 30 else None
            label = "training" if part == "train" else "validation"
            epochs = np.arange(1, len(history) + 1)
            axis.plot(epochs, losses, color=colour, marker=marker, markersize=3, label=label)
        axis.set(
            title=f"{result.task}: {result.data}",
            xlabel="iteration" if result.network.solver == "lbfgs" else "epoch",
            ylabel="loss",
            yscale="log",
        )
        axis.set_xlim(left=0.5)  # there is no epoch 0
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axis.yaxis.set_major_formatter(PlainNumbers())
        axis.yaxis.set_minor_formatter(PlainNumbers(minor_thresholds=(2, 0.5)))
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
            estimator=result.network,
            which=which,
            n_images=16,
            class_names=shown["names"],
            axes=some.ravel(),
        )
    accuracy = percent(shown["accuracy"])
    figure.suptitle(
        f"{result.data}: {accuracy} of the test images are right. "
        "Upper half: the first ones; lower half: the worst answers, with probabilities"
    )
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
    """Print one row a task, columns aligned, and what the reference scores are."""
    rows = [("task", "data", "estimator", "score", "unseen", "reference", "seconds")]
    for r in results:
        name = type(r.network).__name__
        rows.append((r.task, r.data, name, r.score, r.unseen, r.reference, f"{r.seconds:.1f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))
    print()
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())

    print("\nunseen: what the score was computed on. R2 is 1 for a perfect regression.")
    referenced = [result for result in results if result.reference != "-"]
    if referenced:
        print("reference: what another model scores on the same data:")
    for result in referenced:
        print(f"  {result.task.ljust(widths[0])}  {result.reference_model}")
    if any(result.data.startswith("small") for result in results):
        print("small wine, digits, diabetes: data sets that come with scikit-learn")


def main() -> None:
    """Run the tasks, print the table, write the figures."""
    OUTPUT.mkdir(exist_ok=True)
    library = Library()
    begin = time.perf_counter()
    tasks = (supernova, wine, mnist, cifar10, speakers, houses)
    print("Six tasks, each from its data to a score; some minutes on two cores.")
    results = []
    for number, task in enumerate(tasks, 1):
        print(f"{number}. {task.__doc__}", flush=True)
        start = time.perf_counter()
        result = task(library)
        result.seconds = time.perf_counter() - start
        text = f"{result.data}: {result.score} ({result.details}), {result.seconds:.1f} s"
        indent = "   "
        print(textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent), flush=True)
        results.append(result)

    draw_supernova(results[0].figure_data, OUTPUT / "supernova.png")
    draw_loss_curves(results, OUTPUT / "loss_curves.png")
    draw_images(results[2], OUTPUT / "digits.png")
    (OUTPUT / "photographs.png").unlink(missing_ok=True)  # of an earlier run
    if results[3].data == "CIFAR-10":
        draw_images(results[3], OUTPUT / "photographs.png")

    print_table(results)
    minutes, seconds = divmod(round(time.perf_counter() - begin), 60)
    print(f"\n{minutes} min {seconds} s in all. Figures: {OUTPUT}")


if __name__ == "__main__":
    main()
