"""Which pixels a network's answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _num_samples
from torch import Tensor, nn

from sknn._optional import require
from sknn._validation import POSITIVE_INTEGER, validated

from ._axes import picture_axes, value_scale
from ._captions import CLASS_NAMES, TargetNames, true_targets, write_caption
from ._networks import FittedNetwork, image_network
from ._pictures import as_pictures, brightness_range, show_picture, take

IMAGES_AT_ONCE = 32
# Integrated gradients are a mean over so many images between black and the image itself.
INTEGRATION_STEPS = 50


class Method(NamedTuple):
    """A method of captum."""

    name: str  # of its class in ``captum.attr``
    options: dict[str, Any]  # arguments of ``attribute``
    over_channels: Callable[[Tensor], Tensor]  # (n, channels, height, width) -> (n, height, width)


def _largest(numbers: Tensor) -> Tensor:
    return numbers.abs().amax(1)


def _sum(numbers: Tensor) -> Tensor:
    return numbers.sum(1)


METHODS = {
    "saliency": Method("Saliency", {"abs": False}, _largest),
    "input_x_gradient": Method("InputXGradient", {}, _sum),
    "integrated_gradients": Method(
        "IntegratedGradients",
        {"n_steps": INTEGRATION_STEPS, "internal_batch_size": 4 * IMAGES_AT_ONCE},
        _sum,
    ),
}


@validated({"method": [StrOptions(set(METHODS))]})
def saliency(estimator: Any, X: Any, *, target: Any = None, method: str = "saliency") -> np.ndarray:
    """Compute how much each pixel matters for the network's answer.

    The maps are of one output of the network: a class's logit, before any softmax, or a
    regressor's output before the loss's link. A binary classifier has one logit for
    ``classes_[1]``; its negative is that of ``classes_[0]``.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted estimator for images, or a pipeline that ends in one. The maps are of the images
        that the pipeline's earlier steps return.
    X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_pixels)
        Images that it predicts for.
    target : label or array-like of shape (n,), default=None
        The class that the maps are for, one of ``classes_``, or one for each image. None is the
        predicted class; with several labels an image, the one with the largest logit. For
        regressors it is the number of an output, from 0 on, and None is the only one.
    method : {"saliency", "input_x_gradient", "integrated_gradients"}, default="saliency"
        What is computed.

        - "saliency": absolute value of the output's gradient, the largest of the channels
          (Simonyan et al., 2014). It is never negative, and says where a change would matter.
        - "input_x_gradient": the gradient times the image, summed over the channels. Positive
          pixels speak for the class, negative ones against it.
        - "integrated_gradients": the same with a mean of gradients, over images from black to
          this one. The pixels' sum is the output's difference between the image and a black one
          (Sundararajan et al., 2017). It takes about 50 times as long.

    Returns
    -------
    ndarray of shape (n, height, width)
        The maps.

    Raises
    ------
    ImportError
        If captum is not installed.
    ValueError
        If the target is not one of the classes or outputs, or X are not the images that the
        estimator was fitted with.
    TypeError
        If the estimator is not one for images.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    References
    ----------
    .. [1] K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional networks:
       visualising image classification models and saliency maps", ICLR 2014, arXiv:1312.6034.
    .. [2] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic attribution for deep networks", ICML
       2017, arXiv:1703.01365.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvClassifier
    >>> from sknn.inspection import saliency
    >>> digits = load_digits()
    >>> classifier = ConvClassifier(filters=(12, 24), max_iter=2, random_state=0)
    >>> classifier = classifier.fit(digits.images / 16, digits.target)
    >>> saliency(classifier, digits.images[:3] / 16).shape
    (3, 8, 8)
    >>> saliency(classifier, digits.images[:3] / 16, target=7).shape
    (3, 8, 8)
    """
    network = image_network(estimator)
    images = network.as_images(X)
    columns, signs, _ = _find_outputs(network, images, target)
    return _attribute(network, images, columns, signs, method)


@validated(
    {
        "method": [StrOptions(set(METHODS))],
        "n_images": [POSITIVE_INTEGER],
        "n_columns": [POSITIVE_INTEGER, None],
        "class_names": CLASS_NAMES,
    }
)
def plot_saliency(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    target: Any = None,
    method: str = "saliency",
    n_images: int = 8,
    n_columns: int | None = None,
    class_names: Mapping[Any, str] | Sequence[str] | None = None,
    axes: Any = None,
) -> np.ndarray:
    """Show images, and beside each the map of the pixels that matter.

    Each map has a scale of its own, since gradients differ much in size from image to image:
    from 0 (dark) to its largest value (light); or, for the methods with signs, blue for negative,
    white for zero and red for positive.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted estimator for images, or a pipeline that ends in one.
    X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_pixels)
        Images of 1, 3 or 4 channels that it predicts for.
    y : array-like of shape (n,) or (n, n_outputs), default=None
        True labels or values, which are shown as in :func:`plot_images`.
    target : label or array-like of shape (n,), default=None
        The class that the maps are for, as in :func:`saliency`.
    method : {"saliency", "input_x_gradient", "integrated_gradients"}, default="saliency"
        What is computed, see :func:`saliency`.
    n_images : int, default=8
        How many images to show, at most.
    n_columns : int, default=None
        Pairs of image and map in a row of a new figure. None is at most 4.
    class_names : sequence of str or mapping, default=None
        A name for each class, in the order of ``classes_``, or a mapping from labels to names.
    axes : array-like of Axes, default=None
        Where to draw, two for each image. None makes a figure.

    Returns
    -------
    ndarray of shape (2 * n_shown,)
        The Axes of image, map, image, map, ...

    Raises
    ------
    ImportError
        If matplotlib or captum is not installed.
    ValueError
        As :func:`saliency`, or if X does not hold images that can be shown.
    TypeError
        If the estimator is not one for images.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvClassifier
    >>> from sknn.inspection import plot_saliency
    >>> digits = load_digits()
    >>> classifier = ConvClassifier(filters=(12, 24), max_iter=2, random_state=0)
    >>> classifier = classifier.fit(digits.images / 16, digits.target)
    >>> plot_saliency(classifier, digits.images / 16, digits.target, n_images=4).shape
    (8,)
    """
    network = image_network(estimator)
    X = X if hasattr(X, "shape") else np.asarray(X)
    n_all = _num_samples(X)
    rows = np.arange(min(n_images, n_all))
    y = true_targets(X, y)
    if np.ndim(target) == 1 and len(target) == n_all:
        target = np.asarray(target)[rows]
    names = TargetNames(class_names, network, y)
    shown = take(X, rows)
    pictures = as_pictures(shown, network=network)
    predictions = network.model.predict(shown)
    images = network.as_images(shown)
    columns, signs, targets = _find_outputs(network, images, target)
    maps = _attribute(network, images, columns, signs, method)

    chosen = picture_axes(
        2 * len(rows),
        axes,
        n_columns=2 * (n_columns or 4),
        width=1.25,
        aspect=pictures.shape[1] / pictures.shape[2],
        n_lines=2,
    )
    brightness = brightness_range(pictures)
    for i in rows:
        show_picture(chosen[2 * i], pictures[i], brightness)
        write_caption(chosen[2 * i], names, predictions[i], None if y is None else y[i])
        chosen[2 * i + 1].imshow(maps[i], interpolation="nearest", **value_scale(maps[i]))
        name = names.name(targets[i]) if names.has_classes else f"output {targets[i]}"
        chosen[2 * i + 1].set_title(f"for {name}", fontsize="small")
    return chosen


def _attribute(
    network: FittedNetwork, images: Tensor, columns: Tensor, signs: Tensor, method: str
) -> np.ndarray:
    """Return one map an image."""
    attr = require("captum.attr", extra="images")
    name, options, over_channels = METHODS[method]
    module: nn.Module = network.parts.predictor.eval()
    compute = getattr(attr, name)(module).attribute
    maps = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = slice(start, start + IMAGES_AT_ONCE)
        # a copy: the images may be a view of the user's array
        inputs = images[part].detach().clone().requires_grad_()
        numbers = compute(inputs, target=columns[part], **options).detach()
        maps.append(over_channels(numbers * signs[part, None, None, None]))
    return torch.cat(maps).cpu().numpy()


# -------------------------------------------------------------------------------- which output


def _find_outputs(
    network: FittedNetwork, images: Tensor, target: Any
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return for each image the output's number, the sign it counts with, and the target."""
    estimator, n = network.estimator, len(images)
    if is_classifier(estimator):
        if target is None:
            index = _predict_index(network, images)
        else:
            index = _index_of_labels(estimator.classes_, target, n)
        targets = estimator.classes_[index]
        is_binary = network.parts.targets.task == "binary"
    else:
        index = targets = _output_numbers(estimator.n_outputs_, target, n)
        is_binary = False
    columns = np.zeros_like(index) if is_binary else index
    signs = 2 * index - 1 if is_binary else np.ones_like(index)
    to = images.device
    return torch.tensor(columns, device=to), torch.tensor(signs, device=to), targets


@torch.no_grad()
def _predict_index(network: FittedNetwork, images: Tensor) -> np.ndarray:
    module = network.parts.predictor.eval()
    outputs = torch.cat([module(part) for part in images.split(IMAGES_AT_ONCE)])
    if network.parts.targets.task == "multilabel":
        return outputs.argmax(1).cpu().numpy()
    # for two classes a boolean of shape (n, 1)
    return network.parts.decide(outputs).reshape(-1).cpu().numpy().astype(np.int64)


def _index_of_labels(classes: np.ndarray, target: Any, n: int) -> np.ndarray:
    labels = _one_each(target, n).tolist()
    index = {label: i for i, label in enumerate(classes.tolist())}
    unknown = [label for label in labels if label not in index]
    if unknown:
        raise ValueError(f"target has {unknown[0]!r}, but the classes are {classes.tolist()}.")
    return np.array([index[label] for label in labels])


def _output_numbers(n_outputs: int, target: Any, n: int) -> np.ndarray:
    if target is None:
        if n_outputs > 1:
            raise ValueError(
                f"target must say which of the {n_outputs} outputs the maps are for: 0 to "
                f"{n_outputs - 1}."
            )
        target = 0
    numbers = _one_each(target, n)
    if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= n_outputs:
        raise ValueError(
            f"target={target!r} must be the number of one of the {n_outputs} output(s), from 0 to "
            f"{n_outputs - 1}."
        )
    return numbers.astype(np.int64)


def _one_each(target: Any, n: int) -> np.ndarray:
    array = np.asarray(target)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != n):
        raise ValueError(
            f"target has shape {array.shape}; it must be one value, or one for each of the {n} "
            "images."
        )
    return np.broadcast_to(array, (n,))
