"""From X in any of its forms to pictures that matplotlib can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

from sknn.estimators.images import check_images, find_format

from ._networks import FittedNetwork

# grey, RGB, RGBA
CHANNELS_THAT_CAN_BE_SHOWN = (1, 3, 4)


def take(X: Any, rows: np.ndarray) -> Any:
    """Return the given rows of an array, matrix or table."""
    return _safe_indexing(X, rows)


def as_pictures(
    X: Any,
    *,
    network: FittedNetwork | None = None,
    image_shape: Sequence[int] | None = None,
    data_format: str | None = None,
) -> np.ndarray:
    """Return images or flat rows as pictures, (n, height, width[, channels])."""
    X = X.toarray() if issparse(X) else np.asarray(X)
    if X.ndim != 2:
        X = check_images(X)
    elif image_shape is None:
        image_shape = _shape_of_rows(X.shape[1], network)
    if data_format is None:
        estimator = None if network is None else network.estimator
        data_format = getattr(estimator, "data_format", "channels_last")
    channels_first = data_format == "channels_first"
    height, width, channels = find_format(X, image_shape, channels_first=channels_first).shape
    if channels not in CHANNELS_THAT_CAN_BE_SHOWN:
        raise ValueError(
            f"X holds images of {channels} channels; 1 (grey), 3 (RGB) or 4 (RGBA) can be shown. "
            "If the channels come first, pass data_format='channels_first'."
        )
    if not np.isfinite(X).all():
        raise ValueError("X contains NaN or infinity; images must be finite.")
    if channels_first:
        X = X.reshape(len(X), channels, height, width).transpose(0, 2, 3, 1)
    return X.reshape(
        (len(X), height, width) if channels == 1 else (len(X), height, width, channels)
    )


def _shape_of_rows(n_pixels: int, network: FittedNetwork | None) -> tuple[int, ...] | None:
    """Find the shape of flat rows; None is left to be a square."""
    if network is not None and network.takes_images:
        height, width, channels = network.estimator.image_shape_
        if height * width * channels == n_pixels:
            return height, width, channels
    if math.isqrt(n_pixels) ** 2 != n_pixels:
        raise ValueError(
            f"X has rows of {n_pixels} values, which is not the area of a square. Pass "
            "image_shape=(height, width) or (height, width, channels)."
        )
    return None


def brightness_range(pictures: np.ndarray) -> tuple[float, float]:
    """Return the values that are shown as black and as white, from all pictures of one scale."""
    if pictures.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(pictures.min()), float(pictures.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


def show_picture(ax: Any, picture: np.ndarray, brightness: tuple[float, float]) -> None:
    """Show one picture, (height, width) or (height, width, channels)."""
    low, high = brightness
    scaled = (np.asarray(picture, dtype=np.float64) - low) / (high - low)
    ax.imshow(scaled.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
