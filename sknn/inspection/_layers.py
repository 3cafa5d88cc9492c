"""The filters of a convolution, and the outputs of layers."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from sknn._validation import POSITIVE_INTEGER, validated

from ._axes import picture_axes, value_scale
from ._networks import FittedNetwork, as_batch, image_network

# the attribute of the built-in networks that holds all layers, which users may leave out
PREFIX = "layers."
COLUMNS = 8


@validated(
    {
        "layer": [str, None],
        "channel": [Interval(Integral, 0, None, closed="left"), None],
        "n_filters": [POSITIVE_INTEGER],
        "n_columns": [POSITIVE_INTEGER, None],
    }
)
def plot_filters(
    estimator: Any,
    layer: str | None = None,
    *,
    channel: int | None = None,
    n_filters: int = 64,
    n_columns: int | None = None,
    axes: Any = None,
) -> np.ndarray:
    """Show the filters of a convolution.

    Filters that look at the three colours of images are shown in colours: grey is a weight of
    zero, and a weight of the largest absolute value in the figure is full or no red, green or
    blue. Of other filters the weights for one channel are shown: red is positive, blue negative,
    white zero. All filters have one scale.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted estimator for images, or a pipeline that ends in one.
    layer : str, default=None
        Name of a convolution, as in ``estimator.module_.named_modules()``; a leading "layers."
        can be left out: "conv2". None is the first one.
    channel : int, default=None
        Input channel whose weights are shown, from 0 on. None is colours for the first
        convolution of an estimator for colour images, else channel 0.
    n_filters : int, default=64
        How many filters to show, at most.
    n_columns : int, default=None
        Columns of a new figure. None is at most 8.
    axes : Axes or array-like of Axes, default=None
        Where to draw, one for each filter. None makes a figure, with a title and a colour bar.

    Returns
    -------
    ndarray of shape (n_shown,)
        The Axes, one for each filter.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no such convolution or channel.
    TypeError
        If the estimator is not one for images.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvClassifier
    >>> from sknn.inspection import plot_filters
    >>> digits = load_digits()
    >>> classifier = ConvClassifier(filters=(12, 24), max_iter=2, random_state=0)
    >>> classifier = classifier.fit(digits.images / 16, digits.target)
    >>> plot_filters(classifier).shape
    (12,)
    >>> plot_filters(classifier, "conv2", channel=3).shape
    (24,)
    """
    network = image_network(estimator)
    name, weights, is_first = _find_filters(network, layer)
    n_all, n_channels, height, width = weights.shape
    if channel is not None and channel >= n_channels:
        raise ValueError(
            f"channel={channel}, but the filters of {name!r} have {n_channels} input channel(s), "
            f"numbered 0 to {n_channels - 1}."
        )
    weights = weights[:n_filters]
    in_colour = channel is None and is_first and n_channels == 3
    pictures = _as_colours(weights) if in_colour else weights[:, channel or 0]
    heading = f"{name}: {_count(len(weights), n_all, 'filter')} of {height}×{width}"
    if not in_colour and n_channels > 1:
        heading += f", channel {channel or 0}"
    scale = {} if in_colour else _symmetric(pictures)
    return _show_all(pictures, scale, heading, axes, n_columns)


@validated(
    {
        "layer": [str, None],
        "n_maps": [POSITIVE_INTEGER],
        "n_columns": [POSITIVE_INTEGER, None],
    }
)
def plot_feature_maps(
    estimator: Any,
    image: Any,
    layer: str | None = None,
    *,
    n_maps: int = 64,
    n_columns: int | None = None,
    axes: Any = None,
) -> np.ndarray:
    """Show what a layer returns for an image: a map for each filter.

    All maps have one scale: from 0 (dark) to the largest value (light); or, where there are
    negative values, blue for negative, white for zero and red for positive.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted estimator for images, or a pipeline that ends in one.
    image : array-like
        One image, ``X[i]`` of some X that the estimator predicts for.
    layer : str, default=None
        Name of a layer, or of a block of layers, that returns images, as in
        ``estimator.module_.named_modules()``; a leading "layers." can be left out:
        "activation1". None is the first convolution.
    n_maps : int, default=64
        How many maps to show, at most.
    n_columns : int, default=None
        Columns of a new figure. None is at most 8.
    axes : Axes or array-like of Axes, default=None
        Where to draw, one for each map. None makes a figure, with a title and a colour bar.

    Returns
    -------
    ndarray of shape (n_shown,)
        The Axes, one for each map.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no such layer, it does not return images, or `image` is not one image.
    TypeError
        If the estimator is not one for images.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvClassifier
    >>> from sknn.inspection import plot_feature_maps
    >>> digits = load_digits()
    >>> classifier = ConvClassifier(filters=(12, 24), max_iter=2, random_state=0)
    >>> classifier = classifier.fit(digits.images / 16, digits.target)
    >>> plot_feature_maps(classifier, digits.images[0] / 16, "activation1").shape
    (12,)
    """
    network = image_network(estimator)
    images = network.as_images(as_batch(network, image))
    name = _first_convolution(network.module) if layer is None else layer
    full_name = _full_name(network.module, name)
    maps = _layer_output(network.module, full_name, images)
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        is_tensor = isinstance(maps, Tensor)
        what = f"numbers of shape {tuple(maps.shape[1:])}" if is_tensor else "no single tensor"
        raise ValueError(
            f"layer={name!r} returns {what} for an image, not maps of shape (filters, height, "
            "width). Take a convolution, or a layer that follows on one: "
            f"{_names_of_convolutions(network.module)}."
        )
    values = maps[0].float().cpu().numpy()
    n_all, height, width = values.shape
    values = values[:n_maps]
    heading = f"{_short(full_name)}: {_count(len(values), n_all, 'map')} of {height}×{width}"
    return _show_all(values, value_scale(values), heading, axes, n_columns)


def _show_all(
    pictures: np.ndarray, scale: dict[str, Any], heading: str, axes: Any, n_columns: int | None
) -> np.ndarray:
    """Show pictures of one scale, in a figure with title and colour bar unless axes are given."""
    chosen = picture_axes(
        len(pictures),
        axes,
        n_columns=n_columns or COLUMNS,
        aspect=pictures.shape[1] / pictures.shape[2],
        has_heading=True,
    )
    for ax, picture in zip(chosen, pictures, strict=True):
        shown = ax.imshow(picture, interpolation="nearest", **scale)
    if axes is None:
        figure = chosen[0].figure
        figure.suptitle(heading, fontsize="medium")
        if scale:
            figure.colorbar(shown, ax=figure.axes, fraction=0.05, aspect=30)
    return chosen


def _count(n_shown: int, n_all: int, noun: str) -> str:
    counted = f"{n_all} {noun}" + "s" * (n_all != 1)
    return counted if n_shown == n_all else f"the first {n_shown} of {counted}"


def _as_colours(weights: np.ndarray) -> np.ndarray:
    """Map weights (filters, 3, height, width) to colours (filters, height, width, 3)."""
    largest = np.abs(weights).max() or 1.0
    return (0.5 + weights / (2 * largest)).transpose(0, 2, 3, 1)


def _symmetric(values: np.ndarray) -> dict[str, Any]:
    largest = float(np.abs(values).max()) or 1.0
    return {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}


# ---------------------------------------------------------------------------------- finding layers


def _short(name: str) -> str:
    return name.removeprefix(PREFIX)


def _full_name(module: nn.Module, name: str) -> str:
    """Return the name in ``named_modules``; raise ValueError if there is none."""
    names = [each for each, _ in module.named_modules() if each]
    for candidate in (name, PREFIX + name):
        if candidate in names:
            return candidate
    known = ", ".join(_short(each) for each in names if each != PREFIX.rstrip("."))
    raise ValueError(f"layer={name!r} is not in the network. Its layers are: {known}.")


def _convolutions(module: nn.Module) -> dict[str, Tensor]:
    """Return the filters of each two-dimensional convolution, by the layer's name."""
    found: dict[str, Tensor] = {}
    for name, layer in module.named_modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, Tensor) or isinstance(layer, _ConvTransposeNd):
            continue
        # by the weights' form, since WhiteningConv and layers of users are convolutions too
        if weight.ndim == 4:
            found[name] = weight
    return found


def _names_of_convolutions(module: nn.Module) -> str:
    return ", ".join(map(_short, _convolutions(module))) or "there is none in this network"


def _first_convolution(module: nn.Module) -> str:
    names = list(_convolutions(module))
    if not names:
        raise ValueError("the network has no convolution; name a layer of it with layer=.")
    return _short(names[0])


def _find_filters(network: FittedNetwork, layer: str | None) -> tuple[str, np.ndarray, bool]:
    """Return a convolution's name, its filters, and whether it is the first one."""
    convolutions = _convolutions(network.module)
    first = _first_convolution(network.module)
    full_name = _full_name(network.module, first if layer is None else layer)
    if full_name not in convolutions:
        known = _names_of_convolutions(network.module)
        raise ValueError(f"layer={layer!r} is not a convolution. The convolutions are: {known}.")
    weights = convolutions[full_name].detach().float().cpu().numpy()
    return _short(full_name), weights, _short(full_name) == first


@torch.no_grad()
def _layer_output(module: nn.Module, name: str, images: Tensor) -> Any:
    """Run the network; return the output of one of its layers, in the layer's first call."""
    outputs: list[Any] = []
    hook = module.get_submodule(name).register_forward_hook(
        # a layer that follows may work in place
        lambda layer, inputs, output: outputs.append(
            output.clone() if isinstance(output, Tensor) else output
        )
    )
    was_training = module.training
    try:
        module.eval()(images)
    finally:
        module.train(was_training)
        hook.remove()
    if not outputs:
        raise ValueError(f"layer={_short(name)!r} takes no part in predictions.")
    return outputs[0]
