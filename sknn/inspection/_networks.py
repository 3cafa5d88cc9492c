"""The network inside of what a user passes: an estimator, or a pipeline that ends in one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknn.estimators import FittedParts, NeuralEstimator, parts_of


@dataclass(frozen=True)
class FittedNetwork:
    """A fitted estimator, and the pipeline steps before it."""

    model: Any  # the user's estimator or Pipeline: predicts for the user's X
    estimator: Any  # at its end
    steps: tuple[Pipeline, ...]  # before it

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.estimator.module_

    @cached_property
    def parts(self) -> FittedParts:
        """What the estimator consists of."""
        return parts_of(self.estimator)

    @property
    def takes_images(self) -> bool:
        """Whether the estimator is one for images."""
        return hasattr(self.estimator, "image_shape_")

    def transform(self, X: Any) -> Any:
        """Return X as the estimator at the end gets it."""
        for steps in self.steps:
            X = steps.transform(X)
        return X

    def as_images(self, X: Any) -> Tensor:
        """Return X as the network gets it, (n, channels, height, width)."""
        return self.parts.batch(self.transform(X))


def fitted_network(estimator: Any) -> FittedNetwork:
    """Find the network in a fitted estimator of ours or a pipeline that ends in one."""
    last, steps = estimator, []
    while isinstance(last, Pipeline):
        if len(last) > 1:
            steps.append(last[:-1])
        last = last.steps[-1][1]
    if not isinstance(last, NeuralEstimator):
        hint = " Pass its best_estimator_." if hasattr(estimator, "best_estimator_") else ""
        raise TypeError(
            "estimator must be one of sknn's, or a Pipeline that ends in one; got "
            f"{_name_type(estimator, last)}.{hint}"
        )
    check_is_fitted(last, "module_")
    return FittedNetwork(estimator, last, tuple(steps))


def image_network(estimator: Any) -> FittedNetwork:
    """Find the network as :func:`fitted_network` does; TypeError if it is not one for images."""
    network = fitted_network(estimator)
    if not network.takes_images:
        raise TypeError(
            "estimator must be one for images, ConvClassifier or ConvRegressor, or a Pipeline "
            f"that ends in one; got {_name_type(estimator, network.estimator)}."
        )
    return network


def _name_type(estimator: Any, last: Any) -> str:
    if isinstance(estimator, type):
        return f"the class {estimator.__name__}, not an instance of it"
    name = type(last).__name__
    return name if last is estimator else f"a {type(estimator).__name__} that ends in {name}"


def as_batch(network: FittedNetwork, image: Any) -> np.ndarray:
    """Return a single image, ``X[i]`` or ``X[i : i + 1]``, as a batch of one."""
    array = np.asarray(image)
    estimator = network.estimator
    height, width, channels = estimator.image_shape_
    is_flat_row = array.ndim == 2 and array.shape == (1, height * width * channels)
    is_grey = array.ndim == 3 and channels == 1 and array.shape == (1, height, width)
    if array.ndim == 4 and len(array) != 1:
        raise ValueError(f"image must be one image, X[i]; got an array of shape {array.shape}.")
    return array if array.ndim == 4 or is_flat_row or is_grey else array[np.newaxis]
