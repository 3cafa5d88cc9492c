import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from sknn.nn import AUGMENTATIONS, FlipAverage, make_augmentation


@pytest.fixture
def kornia() -> None:
    pytest.importorskip("kornia")


@pytest.fixture(autouse=True)
def torch_seed() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


needs_kornia = pytest.mark.usefixtures("kornia")


def make_images(n: int = 60, height: int = 16, width: int = 12, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, height, width) + 0.1


def augmented(augment: Any, images: Tensor) -> Tensor:
    transform = make_augmentation(augment, *images.shape[2:])
    assert transform is not None
    before = images.clone()
    result = transform(images)
    assert torch.equal(images, before)
    assert result.shape == images.shape
    assert result.dtype == images.dtype
    for memory_format in (torch.channels_last, torch.contiguous_format):
        if images.is_contiguous(memory_format=memory_format):
            assert result.is_contiguous(memory_format=memory_format)
    return result


def is_same(result: Tensor, images: Tensor) -> np.ndarray:
    """Say for each image of a batch whether it equals that of another."""
    return (result == images).flatten(1).all(1).numpy()


# ------------------------------------------------------------------------------------ the names


@needs_kornia
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("height", "width", "channels"), [(16, 12, 3), (8, 8, 1), (1, 13, 1)])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_keep_their_shape_and_type_and_are_changed_each_in_its_own_way(
    name: str, height: int, width: int, channels: int, dtype: torch.dtype
) -> None:
    images = make_images(1, height, width, channels).to(dtype).repeat(60, 1, 1, 1)
    result = augmented(name, images)
    assert result.isfinite().all()
    if height > 1 or name in ("flip", "shift"):
        assert len(torch.unique(result.flatten(1), dim=0)) > 1
    assert not torch.equal(result, augmented(name, images)) or height == 1


@needs_kornia
@pytest.mark.parametrize(("name", "axis"), [("flip", 3), ("flip_vertical", 2)])
@pytest.mark.parametrize(("strength", "low", "high"), [(0, 0, 0), (0.2, 0.1, 0.3), (1, 1, 1)])
def test_a_flip_is_the_mirror_image_with_its_probability(
    name: str, axis: int, strength: float, low: float, high: float
) -> None:
    images = make_images(200)
    result = augmented({name: strength}, images)
    mirrored = np.flip(images.numpy(), axis)
    is_mirrored = (result.numpy() == mirrored).all((1, 2, 3))
    assert (is_mirrored | is_same(result, images)).all()
    assert low <= is_mirrored.mean() <= high


@needs_kornia
@pytest.mark.parametrize("name", ["flip", "flip_vertical", "erase"])
def test_half_of_the_images_are_changed_by_default(name: str) -> None:
    images = make_images(300)
    assert 0.4 < 1 - is_same(augmented(name, images), images).mean() < 0.6


def offsets_of(result: Tensor, images: Tensor, most: int) -> np.ndarray:
    """Find for each image the offset at which it was cut out of the mirrored original."""
    *_, height, width = images.shape
    rows, columns = min(most, height - 1), min(most, width - 1)
    widths = ((0, 0), (0, 0), (rows, rows), (columns, columns))
    padded = np.pad(images.numpy(), widths, mode="reflect")
    found = []
    for i, image in enumerate(result.numpy()):
        matches = [
            (dy - rows, dx - columns)
            for dy in range(2 * rows + 1)
            for dx in range(2 * columns + 1)
            if np.array_equal(image, padded[i, :, dy : dy + height, dx : dx + width])
        ]
        assert matches
        found.append(matches[0])
    return np.array(found)


@needs_kornia
@pytest.mark.parametrize("strength", [None, 0, 1, 3])
def test_a_shift_is_a_crop_of_the_mirrored_image(strength: int | None) -> None:
    images = make_images(300, 16, 24)
    result = augmented("shift" if strength is None else {"shift": strength}, images)
    most = 2 if strength is None else strength  # an eighth of the shorter side
    offsets = offsets_of(result, images, most)
    assert set(offsets[:, 0]) == set(offsets[:, 1]) == set(range(-most, most + 1))


@needs_kornia
def test_a_shift_of_a_strip_goes_sideways_and_no_further_than_it_is_mirrored() -> None:
    images = make_images(200, 1, 5)
    offsets = offsets_of(augmented({"shift": 50}, images), images, 4)
    assert set(offsets[:, 0]) == {0}
    assert set(offsets[:, 1]) == set(range(-4, 4))  # 4 is the mirror image, as -4 is


@needs_kornia
def test_the_shift_of_accelerators_is_that_of_the_cpu() -> None:
    """They interpolate at whole pixels, which needs no copy for each image."""
    images = make_images(40, 16, 16)
    (shift,) = make_augmentation({"shift": 3}, 16, 16).transforms  # type: ignore[union-attr]
    shift._crops["slice"] = shift._crops["resample"]
    result = shift(images)
    assert_allclose(result, result.numpy(), atol=0)
    rounded = np.pad(images.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="reflect")
    for i, image in enumerate(result.numpy()):
        errors = [
            np.abs(image - rounded[i, :, dy : dy + 16, dx : dx + 16]).max()
            for dy in range(7)
            for dx in range(7)
        ]
        assert min(errors) < 1e-4


@needs_kornia
@pytest.mark.parametrize("strength", [0.0, 10.0, 60.0])
def test_a_rotation_turns_by_no_more_than_its_degrees(strength: float) -> None:
    """The image of a plane a x + b y is a plane whose slope has been turned."""
    size, n = 33, 120
    axis = torch.arange(size) - (size - 1) / 2
    plane = axis.repeat(size, 1)
    images = plane.repeat(n, 1, 1, 1)
    result = augmented({"rotate": strength}, images).numpy()[:, 0]
    # in a disc that no turned corner reaches
    y, x = np.meshgrid(axis, axis, indexing="ij")
    inside = np.hypot(x, y) < size / 2 - 2
    design = np.column_stack([x[inside], y[inside]])
    slopes = np.linalg.lstsq(design, result[:, inside].T, rcond=None)[0]
    assert_allclose(np.hypot(*slopes), 1, atol=1e-3)
    angles = np.degrees(np.arctan2(slopes[1], slopes[0]))
    assert np.abs(angles).max() <= strength + 0.01
    assert angles.std() == pytest.approx(strength / np.sqrt(3), rel=0.2, abs=1e-4)


@needs_kornia
def test_what_is_erased_is_a_rectangle_of_zeros() -> None:
    images = make_images(100, 20, 24)
    result = augmented({"erase": 1.0}, images)
    shares = []
    for image, original in zip(result.numpy(), images.numpy(), strict=True):
        changed = image != original
        assert (changed == changed[0]).all()  # in all channels
        rows, columns = np.flatnonzero(changed[0].any(1)), np.flatnonzero(changed[0].any(0))
        rectangle = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        assert changed[0][rectangle].all()
        assert (image[:, *rectangle] == 0).all()
        shares.append(changed[0].mean())
    assert 0.005 < min(shares) < 0.08 < max(shares) < 0.25
    assert is_same(augmented({"erase": 0}, images), images).all()


# ------------------------------------------------------------------- sequences, dicts, callables


def test_none_and_nothing_change_nothing() -> None:
    for augment in (None, (), [], {}):
        assert make_augmentation(augment, 8, 8) is None


@needs_kornia
def test_several_are_applied_one_after_the_other() -> None:
    images = make_images(5)
    both = {"flip": 1.0, "flip_vertical": 1}
    assert_array_equal(augmented(both, images), images.flip((2, 3)))
    chain: list[Any] = [lambda x: 2 * x, lambda x: x + 1]
    assert_array_equal(augmented(chain, images), 2 * images + 1)
    assert_array_equal(augmented(tuple(chain[::-1]), images), 2 * (images + 1))
    mixed = augmented(["flip", lambda x: 2 * x], images)
    assert_array_equal(
        torch.minimum(mixed, mixed.flip(3)), 2 * torch.minimum(images, images.flip(3))
    )


def test_a_callable_gets_and_returns_a_batch() -> None:
    seen: list[Tensor] = []

    def brighten(batch: Tensor) -> Tensor:
        seen.append(batch.clone())
        return batch + 1

    images = make_images(4)
    assert_array_equal(augmented(brighten, images), images + 1)
    assert_array_equal(seen[0], images)


def test_a_callable_that_works_in_place_leaves_the_images_alone() -> None:
    images = make_images(4)
    assert_array_equal(augmented(lambda batch: batch.mul_(2), images), 2 * images)


BAD_CALLABLES: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "cropped": (lambda x: x[:, :, 1:], r"augment returned \(4, 3, 15, 12\) .*\(4, 3, 16, 12\)"),
    "fewer": (lambda x: x[1:], "augment returned"),
    "array": (lambda x: x.numpy(), "augment returned ndarray"),
    "nothing": (lambda x: None, "augment returned NoneType"),
    "bytes": (lambda x: (255 * x).to(torch.uint8), "augment returned .* torch.uint8 .* floats are"),
}


@pytest.mark.parametrize("name", BAD_CALLABLES)
def test_a_callable_that_returns_something_else_is_refused(name: str) -> None:
    augment, message = BAD_CALLABLES[name]
    with pytest.raises(ValueError, match=message):
        make_augmentation(augment, 16, 12)(make_images(4))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("mirror", r"augment='mirror' is unknown; use one of \['erase', 'flip'"),
        (["flip", "mirror"], "augment='mirror' is unknown"),
        ({"mirror": 1}, "augment='mirror' is unknown"),
        (["flip", 3], "augment=3 is neither a name nor callable"),
        ({"flip": 1.5}, r"augment=\{'flip': 1.5\}: the strength must be a number from 0 to 1"),
        ({"flip": -0.1}, "from 0 to 1"),
        ({"erase": float("nan")}, "from 0 to 1"),
        ({"shift": -1}, "from 0 up"),
        ({"rotate": 181}, "from 0 to 180"),
        ({"rotate": "10"}, "must be a number"),
        ({"shift": 0.1}, r"\{'shift': 0.1\}: .* from 0 up, whole pixels"),
        ({"shift": True}, "whole pixels"),
        ({"flip": True}, r"a probability. For the default strength write augment='flip'"),
        ({"erase": False}, "a probability"),
        ({"rotate": True}, "degrees"),
    ],
    ids=str,
)
@needs_kornia
def test_what_is_not_possible_is_named(augment: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_augmentation(augment, 16, 12)


@pytest.mark.parametrize("augment", ["flip", ["shift"], {"rotate": 3}], ids=str)
def test_missing_kornia_is_an_error_that_names_the_extra(
    augment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kornia", "kornia.augmentation"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"needs kornia: pip install 'sknn\[images\]'"):
        make_augmentation(augment, 8, 8)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_a_callable_may_return_floats_of_another_type(memory_format: Any) -> None:
    images = make_images(5).to(memory_format=memory_format)
    through_numpy = augmented(lambda x: torch.from_numpy(x.numpy().astype(float) * 2), images)
    assert_array_equal(through_numpy, images * 2)


def test_a_callable_needs_no_kornia(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kornia", "kornia.augmentation"):
        monkeypatch.setitem(sys.modules, name, None)
    images = make_images(2)
    assert_array_equal(augmented(torch.neg, images), -images)


# ----------------------------------------------------------------------------------- predictions


class Nonlinear(nn.Module):
    """Outputs that tell an image from its mirror image."""

    def __init__(self, n_pixels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_pixels, 3)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.linear(images.flatten(1)))


@pytest.fixture
def network() -> nn.Module:
    return Nonlinear(3 * 16 * 12).eval()


@torch.no_grad()
def test_a_flip_average_is_the_mean_of_two_outputs(network: nn.Module) -> None:
    images = make_images(5)
    mirrored = torch.from_numpy(images.numpy()[..., ::-1].copy())
    expected = (network(images) + network(mirrored)) / 2
    average = FlipAverage(network)
    assert_allclose(average(images), expected, rtol=1e-6)
    assert_allclose(average(mirrored), expected, rtol=1e-6)
    assert (network(images) - network(mirrored)).abs().max() > 0.01


@torch.no_grad()
def test_a_shifted_average_weighs_the_images_twice(network: nn.Module) -> None:
    images = make_images(5)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    up_left, down_right = padded[:, :, 2:, 2:], padded[:, :, :-2, :-2]
    # content moves: what was at (1, 1) is now at (0, 0)
    assert_array_equal(up_left[:, :, 0, 0], images[:, :, 1, 1])
    expected = sum(
        weight
        * (network(torch.from_numpy(z.copy())) + network(torch.from_numpy(z[..., ::-1].copy())))
        for weight, z in [(0.25, images.numpy()), (0.125, up_left), (0.125, down_right)]
    )
    assert_allclose(FlipAverage(network, shift=1)(images), expected, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(1, 6), (6, 1), (1, 1)])
def test_a_strip_is_shifted_as_far_as_it_can_be(height: int, width: int) -> None:
    network = Nonlinear(height * width)
    images = make_images(3, height, width, 1)
    # no room to be mirrored at a border of one pixel
    expected = FlipAverage(network)(images)
    assert_allclose(FlipAverage(network, shift=1)(images), expected, rtol=1e-6)


def test_a_flip_average_has_the_networks_weights_and_leaves_its_mode(network: nn.Module) -> None:
    average = FlipAverage(network)
    assert not network.training
    for one, other in zip(average.parameters(), network.parameters(), strict=True):
        assert one is other
