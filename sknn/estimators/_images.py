"""The input convention of the image estimators: which arrays are images, and of which shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_array

from ._validation import torch_type

# Pixels from 0 to 1, or standardized ones, stay far below; those from 0 to 255 do not.
UNSCALED_PIXELS = 50
# Images that are looked at together for NaN, infinity and large values.
BYTES_AT_ONCE = 2**24


class ImageFormat(NamedTuple):
    """What the images of a fitted estimator look like.

    Attributes
    ----------
    height, width, channels : int
        Their size.
    is_guess : bool
        Whether it was guessed from the length of flat rows.
    """

    height: int
    width: int
    channels: int
    is_guess: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    def __str__(self) -> str:
        return f"{self.height}x{self.width} pixels with {self.channels} channel(s)"


def count_dimensions(X: Any) -> int:
    """Count the dimensions of an array-like; sparse matrices and tables have two.

    Parameters
    ----------
    X : array-like
        The input.

    Returns
    -------
    int
        At least 3 for arrays and lists of images of different shapes.
    """
    if not hasattr(X, "dtype") and hasattr(X, "shape"):  # a table
        return len(X.shape)
    try:
        array = X if hasattr(X, "shape") else np.asarray(X)
    except ValueError:  # lists of different lengths
        return 3
    if len(array.shape) == 1 and array.dtype == object:
        first: Any = next(iter(array), None)
        return 3 if np.ndim(first) > 1 else 1
    return len(array.shape)


def check_images(X: Any) -> np.ndarray:
    """Turn images of three or four dimensions into an array that torch can take.

    Nothing is copied or cast that need not be: bytes stay bytes, memory-mapped files stay on the
    disk.

    Parameters
    ----------
    X : array-like
        The images.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If the array is empty, not numeric, not finite, or has other dimensions.
    """
    if not isinstance(X, np.ndarray):
        X = _stack(X)
    if X.dtype == object:
        raise ValueError(
            "X is an array of objects; images must be numbers and all have one shape. Resize or "
            "pad them, and stack them with numpy.stack."
        )
    if X.ndim not in (3, 4):
        raise ValueError(
            f"X has shape {X.shape}, which is {X.ndim} dimensions; images have the shape "
            "(n_samples, height, width) or (n_samples, height, width, channels), or come as flat "
            "rows of shape (n_samples, n_pixels)."
        )
    if 0 in X.shape:
        raise ValueError(
            f"Found array with {X.shape[0]} sample(s) (shape={X.shape}) while a minimum of 1 is "
            "required: no dimension of the images may be 0."
        )
    if X.dtype.kind not in "fbui":
        X = check_array(X, ensure_2d=False, allow_nd=True, ensure_all_finite=False)
    return torch_type(X)


def _stack(X: Any) -> np.ndarray:
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X cannot be made one array: images must all have one shape. Resize or pad them, and "
            f"stack them with numpy.stack. ({error})"
        ) from error


def check_pixels(X: np.ndarray, *, warn: bool) -> None:
    """Refuse pixels that are not finite, and warn where they seem not to be scaled.

    Parameters
    ----------
    X : ndarray
        Images or flat rows.
    warn : bool
        Whether to warn.

    Raises
    ------
    ValueError
        If a pixel is NaN or infinite.
    """
    if X.dtype == np.uint8 or X.dtype.kind == "b" or (X.dtype.kind != "f" and not warn):
        return
    smallest, largest = math.inf, -math.inf
    step = max(1, BYTES_AT_ONCE // max(X[0].nbytes, 1))
    for start in range(0, len(X), step):
        part = X[start : start + step]
        # NaN and infinity survive minimum and maximum
        low, high = float(part.min()), float(part.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(
                "Input X contains NaN or infinity; images must be finite. Look at "
                "numpy.isfinite(X), and fill or drop what is missing."
            )
        smallest, largest = min(smallest, low), max(largest, high)
    # standardized pixels may be large too, but some of them are negative
    if warn and smallest >= 0 and largest > UNSCALED_PIXELS:
        warnings.warn(
            f"X has values up to {largest:g}, which look like pixels that are not scaled, and "
            "networks learn badly from large numbers. Pass them as uint8, which is divided by "
            "255 batch by batch, or scale them, for instance X / 255.",
            UserWarning,
            stacklevel=2,
        )


def find_format(
    X: np.ndarray, image_shape: Sequence[int] | None, *, channels_first: bool
) -> ImageFormat:
    """Say what the images are that an array holds.

    Parameters
    ----------
    X : ndarray of shape (n, pixels), (n, height, width) or (n, height, width, channels)
        Images or flat rows.
    image_shape : sequence of int or None
        The parameter `image_shape`: height and width, and channels if there are several.
    channels_first : bool
        Whether four dimensions are (n, channels, height, width).

    Returns
    -------
    ImageFormat

    Raises
    ------
    ValueError
        If X and `image_shape` contradict each other.
    """
    wanted = _check_image_shape(image_shape)
    if X.ndim == 2:
        return _format_of_rows(X.shape[1], wanted)
    found = _format_of_images(X.shape, channels_first)
    if wanted is not None and found.shape[: len(wanted)] != wanted:
        raise ValueError(
            f"X of shape {X.shape} holds images of {found}, but image_shape={image_shape!r}. Leave "
            "image_shape out where X is not flat."
        )
    return found


def _check_image_shape(image_shape: Any) -> tuple[int, ...] | None:
    if image_shape is None:
        return None
    sizes = tuple(image_shape)
    if len(sizes) not in (2, 3) or any(
        not isinstance(size, Integral) or size < 1 for size in sizes
    ):
        raise ValueError(
            f"image_shape={image_shape!r} must be (height, width) or (height, width, channels), "
            "each at least 1."
        )
    return tuple(int(size) for size in sizes)


def _format_of_rows(n_pixels: int, wanted: tuple[int, ...] | None) -> ImageFormat:
    if wanted is None:
        side = math.isqrt(n_pixels)
        # a square where there is one, else a strip
        height, width = (side, side) if side * side == n_pixels else (1, n_pixels)
        return ImageFormat(height, width, 1, is_guess=True)
    height, width, channels = (*wanted, 1)[:3]
    if height * width * channels != n_pixels:
        factors = "*".join(str(size) for size in wanted)
        hint = ""
        if len(wanted) == 2 and n_pixels % (height * width) == 0:
            hint = f" For {n_pixels // (height * width)} channels write "
            hint += f"image_shape=({height}, {width}, {n_pixels // (height * width)})."
        raise ValueError(
            f"X has rows of {n_pixels} values, but image_shape={wanted} needs "
            f"{factors} = {height * width * channels}.{hint}"
        )
    return ImageFormat(height, width, channels)


def _format_of_images(shape: tuple[int, ...], channels_first: bool) -> ImageFormat:
    if len(shape) == 3:
        return ImageFormat(shape[1], shape[2], 1)
    if channels_first:
        return ImageFormat(shape[2], shape[3], shape[1])
    _, height, width, channels = shape
    if height in (1, 3) and channels > 4 and width > 4:
        warnings.warn(
            f"X of shape {shape} is read as images of {height}x{width} pixels with {channels} "
            "channels. If the channels come first, set data_format='channels_first'.",
            UserWarning,
            stacklevel=2,
        )
    return ImageFormat(height, width, channels)


def check_same_format(X: np.ndarray, fitted: ImageFormat, *, channels_first: bool) -> None:
    """Raise ValueError if images are not what the estimator was fitted with.

    Parameters
    ----------
    X : ndarray
        Images, or flat rows of them.
    fitted : ImageFormat
        What the estimator was fitted with.
    channels_first : bool
        As in :func:`find_format`.
    """
    if X.ndim == 2:
        height, width, channels = fitted.shape
        if X.shape[1] != height * width * channels:
            raise ValueError(
                f"X has rows of {X.shape[1]} values, but the estimator was fitted with images of "
                f"{fitted}, which are {height * width * channels}. A single image needs a "
                "first dimension of 1: X[numpy.newaxis]."
            )
        return
    found = _format_of_images(X.shape, channels_first)
    if found.shape != fitted.shape:
        raise ValueError(
            f"X of shape {X.shape} holds images of {found}, but the estimator was fitted with "
            f"images of {fitted}."
        )
