"""Vectors or images in the units in which networks learn them easily, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sknn.data import Rows, ScaledRows, moments, number_range
from sknn.nn.inputs import BYTE_MAXIMUM, ScaleRows

from ._inputs import count_dimensions
from .dense import DenseFormat
from .images import ImageFormat, pixel_kind


class ScaledFormat(NamedTuple):
    """Vectors or images, of which networks get ``(x - location) / scale``.

    The family learns location and scale when the weights of the rows are known. Both are float64,
    and of the shape of a sample as the network gets it, or of one that broadcasts to it. Where the
    scale is 0, numbers are equal: they are divided by 1, and are exactly the location again.
    """

    form: Any  # a DenseFormat or an ImageFormat
    location: np.ndarray | None = None  # None leaves X as it is
    scale: np.ndarray | None = None
    is_unit: bool = False  # whether X has to be from 0 to 1

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[ScaledFormat, Any]:
        """Find out whether X holds vectors or images."""
        has_images = estimator.image_shape is not None or count_dimensions(X) > 2
        form, X = (ImageFormat if has_images else DenseFormat).learn(X, estimator)
        return cls(form), X

    def moments(self, X: Any, sample_weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the training samples that count, each of their shape."""
        rows = self.form.rows(X, torch.device("cpu"), torch.float64, None)
        return moments(rows, sample_weight)

    # ------------------------------------------------------------------- of vectors and of images

    @property
    def has_images(self) -> bool:
        """Whether X holds images."""
        return isinstance(self.form, ImageFormat)

    @property
    def has_bytes(self) -> bool:
        """Whether the training samples were bytes."""
        return np.dtype(self.form.form.dtype) == np.uint8

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
                'bytes (flat rows with image_shape), or use loss="squared_error".'
            )

    def rows(self, X: Any, device: torch.device, dtype: torch.dtype, module: nn.Module) -> Rows:
        """Wrap samples, which become scaled batches."""
        if self.location is None:
            return self.form.rows(X, device, dtype, module)
        wide = torch.float64  # a location may be much larger than its scale
        if device.type == "mps" or (X.dtype == np.uint8 and is_exact(self.location, dtype)):
            wide = dtype
        rows = self.form.rows(X, device, wide, module)
        return ScaledRows(rows, self.location, self.divisors, dtype)

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
        if self.location is None:
            return self.form.input_module(dtype)
        arranged = self.form.input_module(torch.float64)
        return nn.Sequential(arranged, ScaleRows(dtype, self.location, self.divisors))

    # ----------------------------------------------------------------------------- the way back

    @property
    def divisors(self) -> np.ndarray:
        """What numbers are divided by: the scale, or 1 where all are equal."""
        scale = np.array(1.0) if self.scale is None else self.scale
        return np.where(scale > 0, scale, 1.0)

    @property
    def units(self) -> np.ndarray:
        """What 1 is to the network in the units of X, for each of n_columns, float64."""
        units = (np.ones(self.sample) * self.divisors).ravel()
        if self.has_images and self.form.divides(pixel_kind(np.dtype(self.form.form.dtype))):
            return units * BYTE_MAXIMUM
        return units

    def restore(self, values: np.ndarray, estimator: Any, index: Any = None) -> Any:
        """Return samples as networks make them, (n, ...) or flattened, in the form of X."""
        values = values.reshape(-1, *self.sample).astype(np.float64)
        if self.location is not None and self.scale is not None:
            values *= self.scale
            values += self.location
        return self.form.restore(values, estimator, index)


def require_two(X: Any, sample_weight: np.ndarray | None) -> None:
    """Refuse training samples of which less than two count."""
    n_counted = X.shape[0] if sample_weight is None else np.count_nonzero(sample_weight)
    if n_counted < 2:
        raise ValueError(
            f"X has n_samples={n_counted}, of which there is nothing to learn: two samples with "
            "weights above 0 are needed at least."
        )


def is_exact(numbers: np.ndarray, dtype: torch.dtype) -> bool:
    """Say whether a type of floats has all of these numbers, float64."""
    return bool((torch.from_numpy(numbers).to(dtype).double().numpy() == numbers).all())
