"""Images, with predicted and true labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _num_samples

from sknn._validation import POSITIVE_INTEGER, validated

from ._axes import picture_axes
from ._captions import CLASS_NAMES, TargetNames, true_targets, write_caption
from ._networks import FittedNetwork, fitted_network
from ._pictures import as_pictures, brightness_range, show_picture, take


@validated(
    {
        "which": [StrOptions({"first", "worst"})],
        "n_images": [POSITIVE_INTEGER],
        "n_columns": [POSITIVE_INTEGER, None],
        "class_names": CLASS_NAMES,
        "image_shape": ["array-like", None],
        "data_format": [StrOptions({"channels_last", "channels_first"}), None],
    }
)
def plot_images(
    X: Any,
    y: Any = None,
    *,
    estimator: Any = None,
    which: str = "first",
    n_images: int = 16,
    n_columns: int | None = None,
    class_names: Mapping[Any, str] | Sequence[str] | None = None,
    image_shape: Sequence[int] | None = None,
    data_format: str | None = None,
    axes: Any = None,
) -> np.ndarray:
    """Show images, with the predicted and the true labels.

    Above an image is the prediction if there is an estimator, else the label in `y`. Where a
    predicted label is wrong, it is red, and the true one follows in a second line. Predicted
    values of a regressor are always followed by the true ones.

    Bytes are shown from 0 (black) to 255 (white), numbers between 0 and 1 from 0 to 1, others
    from the smallest to the largest of the images shown.

    Parameters
    ----------
    X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_pixels)
        Images of 1, 3 or 4 channels, or flat rows of them.
    y : array-like of shape (n,) or (n, n_outputs), default=None
        True labels or values.
    estimator : estimator or Pipeline, default=None
        A fitted estimator of this package (one for images or not), or a pipeline that ends in
        one. It predicts for X as it is given here.
    which : {"first", "worst"}, default="first"
        "worst" shows the worst mistakes, the worst one first: the images whose true label has
        the lowest probability, which is shown too, or the lowest output where the loss defines
        no probabilities. With several labels an image, the least probable counts. For
        regressors it is the largest absolute error, as a mean over the targets. Needs `y` and
        `estimator`.
    n_images : int, default=16
        How many images to show, at most.
    n_columns : int, default=None
        Columns of a new figure. None makes it about square.
    class_names : sequence of str or mapping, default=None
        A name for each class, in the order of ``classes_`` (without an estimator, of the labels
        0, 1, 2, ...); or a mapping from labels to names.
    image_shape : sequence of int, default=None
        Height, width and, if there are several, channels of flat rows. None takes those of an
        estimator for images, else a square.
    data_format : {"channels_last", "channels_first"}, default=None
        Order of the dimensions of colour images. None takes that of an estimator for images,
        else "channels_last".
    axes : Axes or array-like of Axes, default=None
        Where to draw, one for each image. None makes a figure.

    Returns
    -------
    ndarray of shape (n_shown,)
        The Axes, one for each image.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If X does not hold images that can be shown, or which="worst" lacks `y` or `estimator`.
    TypeError
        If the estimator is not one of this package.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import NeuralClassifier
    >>> from sknn.inspection import plot_images
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = NeuralClassifier(max_iter=5, learning_rate="cosine", random_state=0)
    >>> classifier = classifier.fit(X[:1500] / 16, y[:1500])
    >>> axes = plot_images(X[1500:] / 16, y[1500:], estimator=classifier, which="worst")
    >>> axes.shape
    (16,)
    >>> axes[0].figure.savefig("mistakes.png")  # doctest: +SKIP
    """
    network = None if estimator is None else fitted_network(estimator)
    X = X if hasattr(X, "shape") else np.asarray(X)
    y = true_targets(X, y)
    names = TargetNames(class_names, network, y)

    confidences = None
    if which == "first":
        rows = np.arange(min(n_images, _num_samples(X)))
    else:
        rows, confidences = _find_worst(network, X, y, n_images)
    shown = take(X, rows)
    pictures = as_pictures(shown, network=network, image_shape=image_shape, data_format=data_format)
    predictions = None if network is None else network.model.predict(shown)
    chosen = picture_axes(
        len(rows),
        axes,
        n_columns=n_columns,
        width=1.6,
        aspect=pictures.shape[1] / pictures.shape[2],
        n_lines=1 if y is None or network is None else 2,
    )
    brightness = brightness_range(pictures)
    for i, (row, ax) in enumerate(zip(rows, chosen, strict=True)):
        show_picture(ax, pictures[i], brightness)
        write_caption(
            ax,
            names,
            None if predictions is None else predictions[i],
            None if y is None else y[row],
            None if confidences is None else confidences[i],
        )
    return chosen


def _find_worst(
    network: FittedNetwork | None, X: Any, y: np.ndarray | None, n_images: int
) -> tuple[np.ndarray, list[tuple[float, float]] | None]:
    """Return the rows of the worst mistakes, and the probabilities of prediction and truth."""
    if network is None or y is None:
        missing = "estimator" if network is None else "y"
        raise ValueError(f"which='worst' needs {missing}: mistakes are predictions unlike y.")
    if not is_classifier(network.estimator):
        return np.argsort(-_errors(network, X, y), kind="stable")[:n_images], None
    outputs, of_truth = _confidence_in_truth(network, X, y)
    rows = np.argsort(of_truth, kind="stable")[:n_images]
    if not _has_probabilities(network) or network.parts.targets.task == "multilabel":
        return rows, None
    return rows, [(float(outputs[row].max()), float(of_truth[row])) for row in rows]


def _errors(network: FittedNetwork, X: Any, y: np.ndarray) -> np.ndarray:
    """Return absolute errors, of shape (n,)."""
    predictions = network.model.predict(X)
    if predictions.shape != y.shape:
        raise ValueError(f"y has shape {y.shape}, but the predictions have {predictions.shape}.")
    errors = np.abs(predictions - y)
    return errors if errors.ndim == 1 else errors.mean(axis=1)


def _has_probabilities(network: FittedNetwork) -> bool:
    return hasattr(network.estimator, "predict_proba")


def _confidence_in_truth(
    network: FittedNetwork, X: Any, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (else outputs), (n, n_classes), and that of the true label, (n,)."""
    targets = network.parts.targets.encode(y)
    if _has_probabilities(network):
        outputs = network.model.predict_proba(X)
        opposite = 1 - outputs
    else:
        outputs = network.model.decision_function(X)
        opposite = -outputs
    task = network.parts.targets.task
    if task == "binary" and outputs.ndim == 1:
        outputs = np.stack([opposite, outputs], axis=1)
    if task == "multilabel":
        return outputs, np.where(targets > 0, outputs, opposite).min(axis=1)
    return outputs, outputs[np.arange(len(outputs)), targets.ravel().astype(np.intp)]
