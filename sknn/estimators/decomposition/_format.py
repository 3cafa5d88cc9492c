"""Vectors or images in units in which their numbers are about 1."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sknn.data import Rows, ScaledRows, moments, number_range
from sknn.estimators._inputs import count_dimensions
from sknn.estimators.dense import DenseFormat
from sknn.estimators.images import ImageFormat, pixel_kind
from sknn.nn.inputs import BYTE_MAXIMUM, ScaleRows


class ReconstructedFormat(NamedTuple):
    """Vectors, or images, as the network gets them: less their mean, and scaled.

    Both have the shape of a sample as the network gets it; None leaves X as it is.
    """

    form: Any  # a DenseFormat or an ImageFormat
    location: np.ndarray | None = None
    scale: np.ndarray | None = None
    is_unit: bool = False  # whether X has to be from 0 to 1

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[ReconstructedFormat, Any]:
        """Find out whether X holds vectors or images, and what else is to be known of them."""
        has_images = estimator.image_shape is not None or count_dimensions(X) > 2
        form, X = (ImageFormat if has_images else DenseFormat).learn(X, estimator)
        if X.shape[0] < 2:
            raise ValueError(
                "X has n_samples=1, of which there is nothing to learn: an autoencoder needs two "
                "samples at least."
            )
        return cls(form), X

    def scaled(
        self, X: Any, sample_weight: np.ndarray | None, kind: str | None
    ) -> tuple[ReconstructedFormat, float]:
        """Return the format with scales of training samples, and the variance of what they become.

        "columns" are divided by their own standard deviations, "whole" samples by one for all. The
        variance is summed over columns.
        """
        rows = self.form.rows(X, torch.device("cpu"), torch.float64, None)
        mean, variance = moments(rows, sample_weight)
        total = float(variance.sum())
        if kind is None:
            return self, total or 1.0
        if kind == "columns":
            scale = np.sqrt(variance)
            scale[scale == 0] = 1.0
            shared = float(np.count_nonzero(variance))
        else:
            deviation = math.sqrt(total / variance.size) or 1.0
            scale = np.full_like(variance, deviation)
            shared = float(variance.size) if total else 0.0
        return self._replace(location=mean, scale=scale), shared or 1.0

    # --------------------------------------------------------------------- of vectors and images

    @property
    def has_images(self) -> bool:
        """Whether X holds images."""
        return isinstance(self.form, ImageFormat)

    @property
    def sample(self) -> tuple[int, ...]:
        """Shape of a sample as the network gets it: (n_features,), (channels, height, width)."""
        if not self.has_images:
            return (self.form.n_features,)
        return self.form.channels, self.form.height, self.form.width

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: vectors."""
        return self.form.may_be_float64

    @property
    def may_vary_in_length(self) -> bool:
        """Never."""
        return False

    def check(self, X: Any, estimator: Any) -> Any:
        """Return a validated X of the form of the training samples."""
        if not self.has_images and count_dimensions(X) > 2:
            raise ValueError(
                f"Found array with dim {count_dimensions(X)}, but the estimator was fitted with "
                f"rows of {self.form.n_features} features: dim <= 2 is required."
            )
        X = self.form.check(X, estimator)
        if self.is_unit:
            self.check_unit(X)
        return X

    def check_unit(self, X: Any) -> None:
        """Refuse what is not from 0 to 1 to the network."""
        if self.has_images and self.form.divides(pixel_kind(X.dtype)):
            return
        numbers = X.data if sparse.issparse(X) else X
        low, high = number_range(numbers) if numbers.size else (0.0, 0.0)
        if low < 0 or high > 1:
            raise ValueError(
                f'loss="log_loss" needs X from 0 to 1, and X has values from {low:g} to {high:g}. '
                "Scale X (sklearn.preprocessing.MinMaxScaler with clip=True), pass images as "
                'bytes, or use loss="squared_error".'
            )

    def rows(self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module) -> Rows:
        """Wrap samples, which become scaled batches."""
        if self.location is None or self.scale is None:
            return self.form.rows(X, device, dtype, module)
        wide = torch.float32 if device.type == "mps" else torch.float64
        rows = self.form.rows(X, device, wide, module)
        return ScaledRows(rows, self.location, self.scale, dtype)

    def module_arguments(self) -> dict[str, Any]:
        """Return the number of features, or the size of the images."""
        return self.form.module_arguments()

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return a sample of zeros as a batch."""
        return self.form.empty_batch(device, dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return the shape of one sample of X."""
        return self.form.sample_shape(fewest_steps)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that does what :meth:`rows` does, from a tensor of X."""
        if self.location is None or self.scale is None:
            return self.form.input_module(dtype)
        arranged = self.form.input_module(torch.float64)
        return nn.Sequential(arranged, ScaleRows(dtype, self.location, self.scale))

    @property
    def units(self) -> np.ndarray:
        """What 1 is to the network in the units of X, for each of n_columns, float64."""
        units = np.ones(math.prod(self.sample)) if self.scale is None else self.scale.reshape(-1)
        if self.has_images and self.form.divides(pixel_kind(np.dtype(self.form.form.dtype))):
            return units * BYTE_MAXIMUM
        return units

    def unscaled(self, values: np.ndarray) -> np.ndarray:
        """Return reconstructions (n, n_columns) in the units in which X is read, float64."""
        values = values.astype(np.float64)
        if self.location is not None and self.scale is not None:
            values *= self.scale.reshape(-1)
            values += self.location.reshape(-1)
        return values

    def restore(self, values: np.ndarray, estimator: Any, index: Any = None) -> Any:
        """Return reconstructions (n, n_columns) in the form of X."""
        return self.form.restore(self.unscaled(values), estimator, index)
