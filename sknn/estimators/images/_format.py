"""The input convention of the image estimators: which arrays are images, and of which shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import ImageRows, check_numbers, number_range, row_parts
from sknn.estimators._form import Form
from sknn.estimators._inputs import count_dimensions
from sknn.nn import ImageNetwork
from sknn.nn.inputs import BYTE_MAXIMUM, ArrangeImages

# Pixels from 0 to 1, or standardized ones, stay far below; those from 0 to 255 do not.
UNSCALED_PIXELS = 50
# Share of the pixels other than 0 that tells a scale: fewer are outliers, which standardized
# columns that hardly vary have.
TELLING_SHARE = 0.05
# Ranges of the training pixels by which others may lie outside: beyond the first they are warned
# of, beyond the second they are of another scale.
UNUSUAL, OTHER_SCALE = 1, 10
# Share of the range that noise and resizing leave below 0, where pixels around 0 (from -1 to 1, or
# standardized) leave more.
SIGNED = 0.4
# Rows of fewer values are hardly images.
FEWEST_PIXELS = 32
# Types of pixels that may be divided by 255, see `ImageFormat.divides`.
PIXEL_TYPES = {
    "bytes": [torch.uint8],
    "integers": [torch.int8, torch.int16, torch.int32, torch.int64],
}


class ImageFormat(NamedTuple):
    """Images of one size, as arrays or as flat rows."""

    height: int
    width: int
    channels: int
    is_guess: bool = False  # whether the size was guessed from the length of flat rows
    # type of the training pixels: "bytes", "integers" (booleans too), "floats", or "unknown" in
    # files of version 0.1.0
    pixels: str = "unknown"
    low: float = 0.0  # the range of those that are no bytes
    high: float = 0.0
    channels_first: bool = False  # the order of the dimensions of X
    is_flat: bool = False  # whether X had a row an image
    has_channels: bool = True  # whether X that is not flat had a dimension for them
    form: Form = Form()

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: never, which would cost too much."""
        return False

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[ImageFormat, np.ndarray]:
        """Find size and pixels of training images."""
        channels_first = estimator.data_format == "channels_first"
        is_flat = count_dimensions(X) <= 2
        given = X
        X = check_numbers(X, estimator, dtype="numeric") if is_flat else check_images(X)
        found = find_format(X, estimator.image_shape, channels_first=channels_first)
        if not is_flat:
            for name in ("n_features_in_", "feature_names_in_"):
                estimator.__dict__.pop(name, None)  # of an earlier fit
        return found._replace(
            **first_pixels(X, warns=not estimator._scales_data),
            channels_first=channels_first,
            is_flat=is_flat,
            has_channels=X.ndim == 4,
            form=Form.of(given, X),
        ), X

    def check(self, X: Any, estimator: Any) -> np.ndarray:
        """Return validated images of the size and with the pixels of the training data."""
        if count_dimensions(X) > 2:
            X = check_images(X)
        elif self.is_flat:
            X = check_numbers(X, estimator, reset=False, dtype="numeric")
        else:
            X = check_numbers(X, dtype="numeric")
        given = self._replace(channels_first=estimator.data_format == "channels_first")
        check_same_format(X, given)
        check_same_pixels(X, given)
        return X if given.channels_first == self.channels_first else given.in_other_order(X)

    def in_other_order(self, X: np.ndarray) -> np.ndarray:
        """Return images, or flat rows, with their channels at the other end."""
        if X.ndim == 3:  # without a dimension for channels
            return X
        order = (self.channels, self.height, self.width)
        images = X.reshape(len(X), *(order if self.channels_first else self.shape))
        source, end = (1, -1) if self.channels_first else (-1, 1)
        moved = np.moveaxis(images, source, end)
        return moved if X.ndim == 4 else moved.reshape(len(X), -1)

    def rows(
        self, X: np.ndarray, device: torch.device, dtype: torch.dtype, module: nn.Module | None
    ) -> ImageRows:
        """Wrap images, which become batches of shape (n, channels, height, width)."""
        # modules of users often call `view`, which needs contiguous tensors
        own = isinstance(module, ImageNetwork)
        return ImageRows(
            X,
            device,
            dtype,
            image_shape=self.shape,
            channels_first=self.channels_first,
            memory_format=torch.channels_last if own else torch.contiguous_format,
            is_divided=self.divides(pixel_kind(X.dtype)),
        )

    @property
    def may_vary_in_length(self) -> bool:
        """Never."""
        return False

    def module_arguments(self) -> dict[str, Any]:
        """Return the size of the images, and of flat rows."""
        arguments: dict[str, Any] = {"image_shape": self.shape, "n_channels": self.channels}
        if self.is_flat:
            arguments["n_features_in"] = math.prod(self.shape)
        return arguments

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return zeros (1, channels, height, width)."""
        shape = (1, self.channels, self.height, self.width)
        return torch.zeros(shape, device=device, dtype=dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return (pixels,), (height, width), or these with the channels."""
        if self.is_flat:
            return (math.prod(self.shape),)
        if self.channels == 1:
            return self.height, self.width
        by_channel = (self.channels, self.height, self.width)
        return by_channel if self.channels_first else self.shape

    def restore(self, values: np.ndarray, estimator: Any, index: Any = None) -> Any:
        """Return pixels (n, channels, height, width), or flattened, in form and type of X."""
        images: np.ndarray = values.reshape(-1, self.channels, self.height, self.width)
        if not self.channels_first:
            images = np.moveaxis(images, 1, -1)
        if self.is_flat:
            images = images.reshape(len(images), -1)
        elif not self.has_channels:
            images = images.reshape(len(images), self.height, self.width)
        if self.divides(pixel_kind(np.dtype(self.form.dtype))):
            images = images * BYTE_MAXIMUM
        return self.form.restored(images, getattr(estimator, "feature_names_in_", None), index)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module that arranges images and divides bytes."""
        types = [
            each for kind, group in PIXEL_TYPES.items() if self.divides(kind) for each in group
        ]
        return ArrangeImages(dtype, self.shape, self.channels_first, types)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    @property
    def is_unit(self) -> bool:
        """Whether the network gets numbers from 0 to about 1, as bytes become."""
        return self.pixels in ("bytes", "unknown") or (self.low >= 0 and self.high <= 2)

    def __str__(self) -> str:
        return f"{self.height}x{self.width} pixels with {self.channels} channel(s)"

    def divides(self, kind: str) -> bool:
        """Say whether pixels of a type are divided by 255.

        Equal integers are equal pixels, whatever their type; bytes are an image from 0 to 1 to
        a network that was fitted with floats in that range.

        Parameters
        ----------
        kind : {"bytes", "integers", "floats"}
            Type of the pixels.

        Returns
        -------
        bool
        """
        if kind == "bytes":
            return self.pixels != "integers" and self.is_unit
        return kind == "integers" and self.pixels == "bytes"


def pixel_kind(dtype: np.dtype) -> str:
    """Return the kind of a type of pixels: "bytes", "booleans", "integers" or "floats"."""
    if dtype == np.uint8:
        return "bytes"
    return {"b": "booleans", "i": "integers", "u": "integers"}.get(dtype.kind, "floats")


def check_images(X: Any) -> np.ndarray:
    """Turn images of three or four dimensions into an array of numbers."""
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
        X = check_numbers(X, ensure_2d=False, allow_nd=True, ensure_all_finite=False)
    return X


def _stack(X: Any) -> np.ndarray:
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X cannot be made one array: images must all have one shape. Resize or pad them, and "
            f"stack them with numpy.stack. ({error})"
        ) from error


# ------------------------------------------------------------------------------------ pixel scale


def first_pixels(X: np.ndarray, *, warns: bool) -> dict[str, Any]:
    """Find the scale of training pixels; warn of pixels that seem not to be scaled, if asked to."""
    kind = pixel_kind(X.dtype)
    if kind == "bytes":
        return {"pixels": kind, "low": 0.0, "high": float(BYTE_MAXIMUM)}
    low, high = _finite_range(X)
    # pixels that are standardized one by one may be large too, where they hardly vary
    if high > UNSCALED_PIXELS and low >= 0:
        described = f"up to {high:g}"
    elif _is_mostly_outside(X, (low, high), (-UNSCALED_PIXELS, UNSCALED_PIXELS)):
        described = f"from {low:g} to {high:g}"
    else:
        described = ""
    if described and warns:
        warnings.warn(
            f"X has values {described}, which look like pixels that are not scaled, and "
            "networks learn badly from large numbers. Pass them as uint8, which is divided by "
            "255 batch by batch, or scale them, for instance X / 255.",
            stacklevel=2,
        )
    return {"pixels": "floats" if kind == "floats" else "integers", "low": low, "high": high}


def check_same_pixels(X: np.ndarray, fitted: ImageFormat) -> None:
    """Compare the scale of pixels with that of the training pixels."""
    kind = pixel_kind(X.dtype)
    if kind == "bytes":
        if fitted.divides(kind):
            return
        if fitted.pixels == "floats" and fitted.low < 0:
            raise ValueError(
                f"X holds bytes (uint8), but the estimator was fitted with {_describe(fitted)}. "
                "Bring X to that scale."
            )
        warnings.warn(
            f"X holds bytes (uint8), but the estimator was fitted with {_describe(fitted)}: the "
            "bytes are taken as they are and not divided by 255.",
            stacklevel=2,
        )
    low, high = _finite_range(X)
    if fitted.pixels == "unknown":
        return
    if fitted.divides(kind) and low >= 0 and high <= BYTE_MAXIMUM:
        warnings.warn(
            f"X holds integers of type {X.dtype}, but the estimator was fitted with bytes "
            "(uint8): they are divided by 255 as bytes are. Pass X.astype(numpy.uint8).",
            stacklevel=2,
        )
        return
    _check_range(X, (low, high), fitted)


def _check_range(X: np.ndarray, found: tuple[float, float], fitted: ImageFormat) -> None:
    """Refuse pixels of another scale, and warn of unusual ones."""
    message = (
        f"X has values from {found[0]:g} to {found[1]:g}, but the estimator was fitted with "
        f"{_describe(fitted)}. Scale X as the images in fit were scaled."
    )
    lowest, highest = (0.0, 1.0) if fitted.is_unit else (fitted.low, fitted.high)
    span = (highest - lowest) or max(abs(highest), 1.0)
    limits = [(lowest - n * span, highest + n * span) for n in (UNUSUAL, OTHER_SCALE)]
    is_smaller = not fitted.is_unit and fitted.low >= 0 and 0 < found[1] <= 1 and _has_fractions(X)
    if _is_mostly_outside(X, found, limits[1]) or (is_smaller and fitted.pixels == "integers"):
        raise ValueError(message)
    if fitted.low >= 0:
        limits[0] = (lowest - SIGNED * span, limits[0][1])
    # a single image may be bright
    is_positive = fitted.low <= -SIGNED * span / 4 and found[0] >= 0 < found[1] and len(X) > 1
    if _is_mostly_outside(X, found, limits[0]) or is_smaller or is_positive:
        warnings.warn(message, stacklevel=2)


def _describe(fitted: ImageFormat) -> str:
    if fitted.pixels == "bytes":
        return "bytes (uint8), which become numbers from 0 to 1"
    return f"{fitted.pixels} from {fitted.low:g} to {fitted.high:g}"


def _finite_range(X: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest pixel."""
    low, high = number_range(X)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(
            "Input X contains NaN or infinity; images must be finite. Look at numpy.isfinite(X), "
            "and fill or drop what is missing."
        )
    return low, high


def _is_mostly_outside(
    X: np.ndarray, found: tuple[float, float], limits: tuple[float, float]
) -> bool:
    """Say whether more than a few of the pixels other than 0 are outside of the limits."""
    if found[0] >= limits[0] and found[1] <= limits[1]:
        return False
    n_outside = n_nonzero = 0
    for part in row_parts(X):
        n_outside += int(np.count_nonzero((part < limits[0]) | (part > limits[1])))
        n_nonzero += int(np.count_nonzero(part))
    return n_outside > TELLING_SHARE * n_nonzero


def _has_fractions(X: np.ndarray) -> bool:
    return X.dtype.kind == "f" and any(bool(np.any(part % 1)) for part in row_parts(X))


# ------------------------------------------------------------------------------------------ shapes


def find_format(
    X: np.ndarray, image_shape: Sequence[int] | None, *, channels_first: bool
) -> ImageFormat:
    """Say what the images are that an array holds."""
    wanted = _check_image_shape(image_shape)
    if X.ndim == 2:
        return _format_of_rows(X.shape[1], wanted)
    found = _format_of_images(X.shape, channels_first)
    if X.ndim == 4:
        _warn_of_channels(X.shape, channels_first)
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
        if side * side == n_pixels:
            return ImageFormat(side, side, 1, is_guess=True)
        _warn_of_strip(n_pixels)
        return ImageFormat(1, n_pixels, 1, is_guess=True)
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


def _warn_of_strip(n_pixels: int) -> None:
    """Say that rows that might be rectangles are read as strips."""
    is_prime = all(n_pixels % height for height in range(2, math.isqrt(n_pixels) + 1))
    if is_prime or n_pixels < FEWEST_PIXELS:
        return  # a strip is all that they can be
    side = math.isqrt(n_pixels // 3)
    is_colour = 3 * side * side == n_pixels and side > 1
    hint = f"({side}, {side}, 3)" if is_colour else "(height, width)"
    warnings.warn(
        f"X has rows of {n_pixels} values, which is not the area of a square: they are read as "
        f"strips of 1x{n_pixels} pixels. Pass image_shape={hint}, or image_shape=(1, {n_pixels}) "
        "for strips.",
        stacklevel=2,
    )


def _format_of_images(shape: tuple[int, ...], channels_first: bool) -> ImageFormat:
    if len(shape) == 3:
        return ImageFormat(shape[1], shape[2], 1)
    if channels_first:
        return ImageFormat(shape[2], shape[3], shape[1])
    return ImageFormat(shape[1], shape[2], shape[3])


def _warn_of_channels(shape: tuple[int, ...], channels_first: bool) -> None:
    """Warn where the dimension of the channels seems to be at the other end."""
    first, second, third = shape[1:]
    # read as channels, and what would be the channels in the other order
    read, other = (first, third) if channels_first else (third, first)
    rest = (read, second)
    is_colour = other in (1, 3)
    is_square = 3 * other <= min(rest) and max(rest) <= 2 * min(rest)
    if read <= 4 or second <= 4 or not (is_colour or is_square):
        return
    found = _format_of_images(shape, channels_first)
    end, other_end = ("first", "last") if channels_first else ("last", "first")
    warnings.warn(
        f"X of shape {shape} is read as images of {found.height}x{found.width} pixels with "
        f"{found.channels} channels. If the channels come {other_end}, set "
        f"data_format='channels_{other_end}', else ignore this: they are taken to come {end}.",
        stacklevel=2,
    )


def check_same_format(X: np.ndarray, fitted: ImageFormat) -> None:
    """Raise ValueError if images are not what the estimator was fitted with."""
    height, width, channels = fitted.shape
    single = (height, width, channels)
    if fitted.channels_first:
        single = (channels, height, width)
    is_single = X.shape in (single, (height, width))
    hint = " For a single image pass X[numpy.newaxis]." if is_single else ""
    if X.ndim == 2:
        if X.shape[1] != height * width * channels:
            raise ValueError(
                f"X has rows of {X.shape[1]} values, but the estimator was fitted with images of "
                f"{fitted}, which are {height * width * channels}. A single image needs a "
                "first dimension of 1: X[numpy.newaxis]."
            )
        return
    found = _format_of_images(X.shape, fitted.channels_first)
    if found.shape != fitted.shape:
        raise ValueError(
            f"X of shape {X.shape} holds images of {found}, but the estimator was fitted with "
            f"images of {fitted}.{hint}"
        )
