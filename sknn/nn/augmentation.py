"""Random changes of training images, and averages over fixed ones when predicting.

The random ones are kornia's, which work on whole batches on the device. To add one, enter it in
`AUGMENTATIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Transform = Callable[[Tensor], Tensor]

# Smallest and largest share of an image that "erase" covers.
ERASED_AREA = (0.02, 0.2)


@dataclass(frozen=True)
class Augmentation:
    """A named augmentation.

    Shapes
    ------
    images : (n, channels, height, width) -> the same
    """

    strength: Callable[[int, int], float]  # of (height, width): the default
    largest: float
    text: str  # what it does at a strength, and the default strength, for users
    unit: str  # "a probability", "degrees" or "whole pixels"
    make: Callable[[Any, float, int, int], Transform]  # of (kornia, strength, height, width)


class _Shift:
    """Shifts by whole pixels: kornia's crop of the mirrored image."""

    def __init__(self, kornia: Any, pixels: float, height: int, width: int) -> None:
        # slicing waits for the device once an image; resampling has to interpolate
        self._crops = {
            mode: kornia.RandomCrop((height, width), cropping_mode=mode)
            for mode in ("slice", "resample")
        }
        # mirroring needs more pixels than the shift
        x, y = min(int(pixels), width - 1), min(int(pixels), height - 1)
        self._margins = (x, x, y, y)

    def __call__(self, images: Tensor) -> Tensor:
        mode = "slice" if images.device.type == "cpu" else "resample"
        return self._crops[mode](F.pad(images, self._margins, mode="reflect"))


AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": Augmentation(
        strength=lambda height, width: 0.5,
        largest=1.0,
        unit="a probability",
        text="Mirrored left to right, with this probability (0.5).",
        make=lambda kornia, share, height, width: kornia.RandomHorizontalFlip(p=share),
    ),
    "flip_vertical": Augmentation(
        strength=lambda height, width: 0.5,
        largest=1.0,
        unit="a probability",
        text="Mirrored upside down, with this probability (0.5).",
        make=lambda kornia, share, height, width: kornia.RandomVerticalFlip(p=share),
    ),
    "shift": Augmentation(
        strength=lambda height, width: max(1, min(height, width) // 8),
        largest=math.inf,
        unit="whole pixels",
        text="Moved by at most so many pixels (an eighth of the image), mirrored at the borders.",
        make=_Shift,
    ),
    "rotate": Augmentation(
        strength=lambda height, width: 10.0,
        largest=180.0,
        unit="degrees",
        text="Rotated by at most so many degrees (10).",
        make=lambda kornia, degrees, height, width: kornia.RandomRotation(degrees, p=1.0),
    ),
    "erase": Augmentation(
        strength=lambda height, width: 0.5,
        largest=1.0,
        unit="a probability",
        text="A rectangle is erased, with this probability (0.5).",
        make=lambda kornia, share, height, width: kornia.RandomErasing(p=share, scale=ERASED_AREA),
    ),
}


def describe_augmentations() -> str:
    """Return a list for users: what each name does."""
    return "\n".join(f'- "{name}": {each.text}' for name, each in AUGMENTATIONS.items())


def make_augmentation(augment: Any, height: int, width: int) -> Transform | None:
    """Return the function of a parameter `augment`, (n, channels, height, width) -> the same."""
    if augment is None:
        return None
    if isinstance(augment, Mapping):
        given = list(augment.items())
    else:
        several = isinstance(augment, Sequence) and not isinstance(augment, str)
        given = [(each, None) for each in (augment if several else [augment])]
    if not given:
        return None
    transforms = [_make_one(name, strength, height, width) for name, strength in given]
    return _Chain(transforms)


def _make_one(name: Any, strength: Any, height: int, width: int) -> Transform:
    if not isinstance(name, str):
        if not callable(name):
            raise ValueError(
                f"augment={name!r} is neither a name nor callable; use one of "
                f"{sorted(AUGMENTATIONS)}, or a function from a batch of images to another."
            )
        return name
    if name not in AUGMENTATIONS:
        raise ValueError(
            f"augment={name!r} is unknown; use one of {sorted(AUGMENTATIONS)}, or a function from "
            "a batch of images to another."
        )
    augmentation = AUGMENTATIONS[name]
    if strength is None:
        strength = augmentation.strength(height, width)
    largest = augmentation.largest
    # True is a number to Python: the probability 1, or a shift by 1 pixel
    is_number = isinstance(strength, Real) and not isinstance(strength, bool)
    is_whole = augmentation.unit != "whole pixels" or (is_number and float(strength) % 1 == 0)
    if not is_number or not is_whole or not 0 <= float(strength) <= largest:
        limits = f"from 0 to {largest:g}" if largest < math.inf else "from 0 up"
        raise ValueError(
            f"augment={{{name!r}: {strength!r}}}: the strength must be a number {limits}, "
            f"{augmentation.unit}. For the default strength write augment={name!r}."
        )
    try:
        import kornia.augmentation
    except ImportError as error:
        raise ImportError(
            f"augment={name!r} needs kornia: pip install 'sknn[images]', or pass a function of "
            "your own."
        ) from error
    return augmentation.make(kornia.augmentation, float(strength), height, width)


class _Chain:
    """Applies one transform after the other and sees to it that shapes stay."""

    def __init__(self, transforms: list[Transform]) -> None:
        self.transforms = transforms

    def __call__(self, images: Tensor) -> Tensor:
        changed = images.clone()  # may be the user's array, and functions may work in place
        for transform in self.transforms:
            changed = transform(changed)
        if not isinstance(changed, Tensor) or changed.shape != images.shape:
            got = tuple(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise ValueError(
                f"augment returned {got} for a batch of shape {tuple(images.shape)}; a tensor of "
                "the same shape is needed."
            )
        if not changed.is_floating_point():
            raise ValueError(
                f"augment returned numbers of type {changed.dtype} for a batch of "
                f"{images.dtype}; floats are needed, in the scale of the batch."
            )
        changed = changed.to(images)  # functions that go through NumPy return float64
        is_channels_last = images.is_contiguous(memory_format=torch.channels_last)
        return changed.contiguous(
            memory_format=torch.channels_last if is_channels_last else torch.contiguous_format
        )


class FlipAverage(nn.Module):
    """The mean output of a network for an image and its mirror image, and for shifted ones too.

    Images shifted by `shift` pixels up left and down right count half as much as the image itself
    (Jordan, 2024, arXiv:2404.00498).

    Shapes
    ------
    images : (n, channels, height, width) -> (n, n_outputs)
    """

    def __init__(self, module: nn.Module, shift: int = 0) -> None:
        super().__init__()
        self.module = module
        self.shift = shift

    def forward(self, images: Tensor) -> Tensor:
        outputs = self._flipped(images)
        if not self.shift:
            return outputs
        height, width = images.shape[2:]
        s = min(self.shift, height - 1, width - 1)
        padded = F.pad(images, (s, s, s, s), mode="reflect")
        up_left = padded[:, :, 2 * s :, 2 * s :]
        down_right = padded[:, :, :height, :width]
        return 0.5 * outputs + 0.25 * (self._flipped(up_left) + self._flipped(down_right))

    def _flipped(self, images: Tensor) -> Tensor:
        return (self.module(images) + self.module(images.flip(3))) / 2
