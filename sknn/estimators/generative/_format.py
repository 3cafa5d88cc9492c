"""Rows or images, scaled to what networks make easily, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sknn.data import Rows, ScaledRows, moments, number_range, row_parts
from sknn.estimators._inputs import count_dimensions
from sknn.estimators.dense._format import DenseFormat
from sknn.estimators.images._format import ImageFormat
from sknn.nn.inputs import BYTE_MAXIMUM, ScaleRows


class ScaledFormat(NamedTuple):
    """Rows and columns, or images, of which networks see ``(x - location) / scale``.

    Images and bytes come to lie between -1 and 1, by their range, and so do the columns of other
    rows for ``architecture="dense"``; else columns have a mean of 0 and a variance of 1.
    """

    data: Any  # DenseFormat or ImageFormat
    is_bounded: bool  # whether networks see numbers from -1 to 1
    # float64, () or (n_features,), of the numbers that `data` gives networks
    location: np.ndarray = np.array(0.0)
    scale: np.ndarray = np.array(1.0)  # 0 where all numbers are equal

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[ScaledFormat, Any]:
        """Find out whether X holds vectors or images."""
        if sparse.issparse(X):
            raise TypeError(
                "X is sparse, but samples are dense rows, and the discriminator compares them with "
                "those of X: use '.toarray()'."
            )
        is_image = estimator.image_shape is not None or count_dimensions(X) > 2
        data, X = (ImageFormat if is_image else DenseFormat).learn(X, estimator)
        if len(X) < 2:
            raise ValueError(
                f"Found array with 1 sample(s) (shape={X.shape}) while a minimum of 2 is required: "
                "one row says nothing about others."
            )
        is_bounded = is_image or X.dtype == np.uint8 or estimator.architecture == "dense"
        return cls(data, is_bounded), X

    def scaled(self, X: Any, sample_weight: np.ndarray | None) -> ScaledFormat:
        """Return the format with the location and scale of rows, those that count."""
        if X.dtype == np.uint8:
            middle = np.array(BYTE_MAXIMUM / 2)
            if isinstance(self.data, ImageFormat):
                middle /= BYTE_MAXIMUM
            return self._replace(location=middle, scale=middle)
        if not self.is_bounded:
            rows = self.data.rows(X, torch.device("cpu"), torch.float64, None)
            location, variance = moments(rows, sample_weight)
            return self._replace(location=location, scale=np.sqrt(variance))
        if sample_weight is not None and not sample_weight.all():
            X = X[sample_weight > 0]
        if isinstance(self.data, ImageFormat):
            low, high = (np.array(each) for each in number_range(X))
        else:
            ranges = [(part.min(0), part.max(0)) for part in row_parts(X)]
            lows, highs = (np.array(each, np.float64) for each in zip(*ranges, strict=True))
            low, high = lows.min(0), highs.max(0)
        half = high / 2 - low / 2  # which does not overflow
        return self._replace(location=np.asarray(low + half), scale=np.asarray(half))

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: not here, where it would cost too much."""
        return False

    @property
    def may_vary_in_length(self) -> bool:
        """Never."""
        return False

    def check(self, X: Any, estimator: Any) -> Any:
        """Return a validated X like the training data."""
        return self.data.check(X, estimator)

    def rows(self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module) -> Rows:
        """Wrap X so that batches of it are scaled."""
        exact = dtype
        if isinstance(self.data, DenseFormat) and X.dtype.kind != "u" and device.type != "mps":
            exact = torch.float64  # locations may be much larger than scales
        rows = self.data.rows(X, device, exact, module)
        return ScaledRows(rows, self.location, self._divisors, dtype)

    def restore(self, scaled: np.ndarray, estimator: Any) -> Any:
        """Return samples (n, ...), as networks make them, in the form of X."""
        values = scaled.astype(np.float64) * self.scale + self.location
        return self.data.restore(values, estimator)

    def module_arguments(self) -> dict[str, Any]:
        """Return what module factories of the user's may ask for, by name."""
        return self.data.module_arguments()

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return a sample of zeros as a batch."""
        return self.data.empty_batch(device, dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return the shape of one sample of X."""
        return self.data.sample_shape(fewest_steps)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that scales as :meth:`rows` does."""
        arranged = self.data.input_module(torch.float64)
        return nn.Sequential(arranged, ScaleRows(dtype, self.location, self._divisors))

    @property
    def _divisors(self) -> np.ndarray:
        """What networks see is divided by: 1 where all numbers are equal."""
        return np.where(self.scale > 0, self.scale, 1.0)
