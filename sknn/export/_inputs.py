"""What X looks like, and its way into the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sknn.data import BYTE_MAXIMUM, Ragged
from sknn.estimators._validation import torch_type
from sknn.estimators.images._convolutional import ConvFamily
from sknn.estimators.series._family import SeriesFamily
from sknn.estimators.series._format import as_list_of_series, join_series

from ._columns import has_encoders
from ._fitted import FittedModel
from ._quiet import quiet
from ._traceable import fewest_steps

# Types of pixels that may be divided by 255, see `ImageFormat.divides`.
PIXEL_TYPES = {
    "bytes": [torch.uint8],
    "integers": [torch.int8, torch.int16, torch.int32, torch.int64],
}

# Rows of the sample that are made up, and rows of the user's that are compared, at most.
SAMPLE_ROWS = 7
COMPARED_ROWS = 64

# Steps of a made-up series, if the network can do with so few.
SAMPLE_STEPS = 40


@dataclass(frozen=True)
class InputFormat:
    """What X looks like."""

    sample: np.ndarray  # some rows
    fewest_steps: int | None  # X may have so many steps or more; None: their number is fixed


class AsRows(nn.Module):
    """Rows on their way into a dense network of type `dtype`."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, X: Tensor) -> Tensor:
        """Cast (batch, n_features)."""
        return X.to(self.dtype)


class AsImages(nn.Module):
    """Images on their way into the network, as :class:`sknn.data.ImageRows` has it."""

    def __init__(
        self,
        dtype: torch.dtype,
        image_shape: tuple[int, int, int],  # height, width, channels
        channels_first: bool,
        divided: Sequence[torch.dtype] = (torch.uint8,),  # types of pixels divided by 255
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.image_shape = image_shape
        self.channels_first = channels_first
        self.divided = divided

    def forward(self, X: Tensor) -> Tensor:
        """Map images or flat rows to (batch, channels, height, width)."""
        height, width, channels = self.image_shape
        if self.channels_first:
            images = X.reshape(-1, channels, height, width)
        else:
            images = X.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        images = images.to(self.dtype)
        return images / BYTE_MAXIMUM if X.dtype in self.divided else images


class AsSeries(nn.Module):
    """Series on their way into the network, as :class:`sknn.data.SeriesRows` has it."""

    def __init__(self, dtype: torch.dtype, tokens: bool) -> None:
        super().__init__()
        self.dtype = dtype
        self.tokens = tokens

    def forward(self, X: Tensor) -> Tensor:
        """Map (batch, steps[, channels]) to (batch, steps, channels), or tokens to integers."""
        if self.tokens:
            return X.long()
        series = X.to(self.dtype)
        return series if series.ndim == 3 else series.unsqueeze(2)


def input_layer(model: FittedModel) -> nn.Module:
    """Return the module that turns X into the network's input."""
    estimator, dtype = model.estimator, model.estimator._compute_dtype
    if isinstance(estimator, ConvFamily):
        divides = estimator._format.divides
        types = [each for kind, group in PIXEL_TYPES.items() if divides(kind) for each in group]
        return AsImages(dtype, estimator.image_shape_, estimator._channels_first, types)
    if isinstance(estimator, SeriesFamily):
        return AsSeries(dtype, estimator.n_tokens_ is not None)
    return AsRows(dtype)


def find_format(model: FittedModel, X: Any) -> InputFormat:
    """Find out what X looks like, from the user's X or else from the estimator; check it."""
    estimator = model.estimator
    with quiet():  # columns have lost their names
        if X is None:
            sample = _random_sample(model)
        else:
            sample = _as_numbers(model, X) if model.text_columns else _as_array(X)
        estimator._check_X(model.transform(sample))
    return InputFormat(sample[:COMPARED_ROWS], _fewest_steps(estimator, sample))


def _fewest_steps(estimator: Any, sample: np.ndarray) -> int | None:
    if not isinstance(estimator, SeriesFamily):
        return None
    if sample.ndim == 2 and estimator._format.n_steps is not None:
        return None  # who was fitted with a table takes tables of that width only
    fewest = fewest_steps(estimator.module_)
    return fewest if sample.shape[1] >= fewest else None


def runtime_inputs(model: FittedModel, X: np.ndarray) -> dict[str, np.ndarray]:
    """Return an ONNX runtime's inputs by name: X, or columns of shape (n, 1) if some hold text."""
    if not model.text_columns:
        return {"X": X}
    table = model.as_given(X)
    return {
        model.column_names[i]: table[:, [i]].astype(
            object if i in model.text_columns else np.float64
        )
        for i in model.used_columns
    }


def _as_numbers(model: FittedModel, X: Any) -> np.ndarray:
    """Return the user's table with the numbers of its words."""
    table = np.array(X, dtype=object)
    table[:, [i for i in range(table.shape[1]) if i not in model.used_columns]] = 0
    places = {word: place for place, word in enumerate(model.words)}
    for i in model.text_columns:
        table[:, i] = [places.get(word, -1) for word in table[:, i]]
    return table.astype(np.float64)


def _as_array(X: Any) -> np.ndarray:
    """Return the user's samples as an array of a type that ONNX and torch share."""
    if sparse.issparse(X):
        raise TypeError(
            "X is a sparse matrix; exported models take dense rows. Pass some rows with "
            "X[:10].toarray()."
        )
    series = as_list_of_series(X)
    array = np.asarray(X) if series is None else join_series(series)
    if isinstance(array, Ragged):
        raise ValueError(
            "X holds series of different lengths; exported models take series of equal length, "
            "of any length where the network allows it. Pass some of one length."
        )
    if array.dtype.kind not in "biuf" or array.dtype == np.float16:
        raise TypeError(
            f"X has type {array.dtype}; cast it to float32, float64 or an integer type."
        )
    array = torch_type(array)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _random_sample(model: FittedModel) -> np.ndarray:
    """Make up samples of the shape and type that the estimator was fitted with."""
    estimator = model.estimator
    random = np.random.default_rng(0)
    shape = (SAMPLE_ROWS, *_sample_shape(estimator))
    if getattr(estimator, "n_tokens_", None) is not None:
        return random.integers(estimator.n_tokens_, size=shape)
    dtype = torch.zeros(0, dtype=estimator._compute_dtype).numpy().dtype
    if isinstance(estimator, ConvFamily) and not model.steps:
        return random.random(shape).astype(dtype)
    if has_encoders(model.steps):  # categories are numbers of float64
        dtype = np.dtype(np.float64)
    return model.made_up(random.normal(size=shape), random).astype(dtype)


def _sample_shape(estimator: Any) -> tuple[int, ...]:
    if isinstance(estimator, ConvFamily):
        height, width, channels = estimator.image_shape_
        if hasattr(estimator, "n_features_in_"):  # flat rows
            return (height * width * channels,)
        if channels == 1:
            return height, width
        by_channel = (channels, height, width)
        return by_channel if estimator._channels_first else (height, width, channels)
    if not isinstance(estimator, SeriesFamily):
        return (estimator.n_features_in_,)
    found = estimator._format
    if found.n_steps is not None:
        return (found.n_steps,)
    n_steps = max(fewest_steps(estimator.module_), min(found.longest, SAMPLE_STEPS))
    return (n_steps,) if found.n_tokens is not None else (n_steps, found.channels)
