"""The classical filters of image processing, which are convolutions with known weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional as F


def _kernel(rows: ArrayLike, divisor: int = 1) -> np.ndarray:
    kernel = np.array(rows, dtype=np.float64) / divisor
    kernel.setflags(write=False)
    return kernel


# Of 5x5 pixels: binomial weights, and the pixel in the middle alone.
_BLUR = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
_MIDDLE = np.outer([0, 0, 1, 0, 0], [0, 0, 1, 0, 0])

# Described in the docstring of `filter_image`. Arrays of shape (height, width), read-only.
FILTER_KERNELS: Mapping[str, np.ndarray] = MappingProxyType(
    {
        "identity": _kernel([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        "ridge": _kernel([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]),
        "ridge_diagonal": _kernel([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        "sharpen": _kernel([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "box_blur": _kernel([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 9),
        "gaussian_blur_3x3": _kernel([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16),
        "gaussian_blur_5x5": _kernel(_BLUR, 256),
        "unsharp_mask_5x5": _kernel(512 * _MIDDLE - _BLUR, 256),  # twice the image, less the blur
    }
)


def filter_image(image: Any, kernel: Any) -> np.ndarray:
    """Apply a filter to an image by a convolution.

    As in the convolutions of networks, the kernel is not mirrored: each pixel becomes the sum of
    its neighbours, multiplied by the kernel as it is written. (The kernels with names are
    symmetric, so that mirroring would change nothing.) At the borders the outermost pixels are
    repeated.

    Parameters
    ----------
    image : array-like of shape (height, width) or (height, width, channels)
        The image, of numbers. Each channel is filtered by itself.
    kernel : str or array-like of shape (kernel_height, kernel_width)
        The weights, both sizes odd, or a name in the mapping ``FILTER_KERNELS``, which has the
        published values [1]_:

        - "identity" changes nothing;
        - "ridge" and "ridge_diagonal" find edges, the latter diagonal ones too;
        - "sharpen" adds the edges to the image;
        - "box_blur" is the mean of 3x3 pixels;
        - "gaussian_blur_3x3" and "gaussian_blur_5x5" give near pixels more weight;
        - "unsharp_mask_5x5" adds what a blur of 5x5 pixels takes away.

    Returns
    -------
    ndarray of the shape of `image`
        Of bytes (``uint8``) if the image has bytes: rounded, and clipped to 0 to 255. Else
        float32 if the image is, or float64, and not clipped.

    Raises
    ------
    ValueError
        If the image or the kernel has another shape, or a name is not known.

    References
    ----------
    .. [1] Wikipedia, `Kernel (image processing)
       <https://en.wikipedia.org/wiki/Kernel_(image_processing)>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.inspection import FILTER_KERNELS, filter_image
    >>> edge = np.array([[0, 0, 9, 9]] * 3)
    >>> filter_image(edge, "box_blur")[1]
    array([0., 3., 6., 9.])
    >>> FILTER_KERNELS["sharpen"]
    array([[ 0., -1.,  0.],
           [-1.,  5., -1.],
           [ 0., -1.,  0.]])
    """
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or pixels.size == 0 or pixels.dtype.kind not in "buif":
        raise ValueError(
            f"image has shape {pixels.shape} and type {pixels.dtype}; it must hold numbers in the "
            "shape (height, width) or (height, width, channels)."
        )
    weights = _find_kernel(kernel)
    dtype = np.float32 if pixels.dtype == np.float32 else np.float64
    # each channel is an image of its own: (channels, 1, height, width)
    images = torch.tensor(np.atleast_3d(pixels).astype(dtype)).permute(2, 0, 1)[:, None]
    above, beside = (size // 2 for size in weights.shape)
    padded = F.pad(images, (beside, beside, above, above), mode="replicate")
    filtered = F.conv2d(padded, torch.tensor(weights.astype(dtype))[None, None])
    result = filtered[:, 0].permute(1, 2, 0).numpy().reshape(pixels.shape)
    if pixels.dtype == np.uint8:
        return result.round().clip(0, 255).astype(np.uint8)
    return result


def _find_kernel(kernel: Any) -> np.ndarray:
    if isinstance(kernel, str):
        if kernel not in FILTER_KERNELS:
            raise ValueError(
                f"kernel={kernel!r} is not known; use an array or one of {list(FILTER_KERNELS)}."
            )
        return FILTER_KERNELS[kernel]
    weights = np.asarray(kernel, dtype=np.float64)
    if weights.ndim != 2 or any(size % 2 == 0 for size in weights.shape):
        raise ValueError(
            f"kernel has shape {weights.shape}; it must have two dimensions of odd size, so that "
            "there is a pixel in the middle."
        )
    return weights
