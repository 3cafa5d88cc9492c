import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import correlate
from scipy.signal import convolve2d

from sknn.inspection import FILTER_KERNELS, filter_image

IMAGE = np.random.default_rng(0).normal(size=(9, 12))
COLOURS = np.random.default_rng(1).integers(0, 256, (9, 12, 3)).astype(np.uint8)
UNEVEN = np.random.default_rng(2).normal(size=(3, 5))


@pytest.mark.parametrize("name", FILTER_KERNELS)
def test_named_kernels_on_grey_images(name: str) -> None:
    expected = correlate(IMAGE, FILTER_KERNELS[name], mode="nearest")
    assert_allclose(filter_image(IMAGE, name), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FILTER_KERNELS)
def test_colours_are_filtered_one_by_one_rounded_and_clipped(name: str) -> None:
    filtered = filter_image(COLOURS, name)
    assert filtered.dtype == np.uint8
    for channel in range(3):
        values = COLOURS[..., channel].astype(float)
        expected = correlate(values, FILTER_KERNELS[name], mode="nearest").clip(0, 255)
        assert_allclose(filtered[..., channel], expected, atol=0.5 + 1e-9)


def test_kernels_are_not_mirrored_and_may_be_oblong() -> None:
    filtered = filter_image(IMAGE, UNEVEN)
    assert_allclose(filtered, correlate(IMAGE, UNEVEN, mode="nearest"), rtol=1e-12)
    mirrored = convolve2d(IMAGE, UNEVEN[::-1, ::-1], mode="valid")
    assert_allclose(filtered[1:-1, 2:-2], mirrored, rtol=1e-10)


def test_kernels_follow_from_one_another() -> None:
    # a Gaussian of binomials, and what sharpening adds to the image: an edge, or what a blur lost
    three, five = np.array([1, 2, 1]) / 4, np.array([1, 4, 6, 4, 1]) / 16
    identity, wide = FILTER_KERNELS["identity"], np.pad(FILTER_KERNELS["identity"], 1)
    assert_array_equal(FILTER_KERNELS["gaussian_blur_3x3"], np.outer(three, three))
    assert_array_equal(FILTER_KERNELS["gaussian_blur_5x5"], np.outer(five, five))
    assert_array_equal(FILTER_KERNELS["sharpen"], identity + FILTER_KERNELS["ridge"])
    unsharp = 2 * wide - FILTER_KERNELS["gaussian_blur_5x5"]
    assert_array_equal(FILTER_KERNELS["unsharp_mask_5x5"], unsharp)


@pytest.mark.parametrize("name", FILTER_KERNELS)
def test_sums(name: str) -> None:
    # flat images stay as they are, or have no edges
    expected = 0 if name.startswith("ridge") else 1
    assert_allclose(FILTER_KERNELS[name].sum(), expected, atol=1e-12)


def test_published_values() -> None:
    # Wikipedia, Kernel (image processing)
    assert FILTER_KERNELS["unsharp_mask_5x5"][2, 2] == 476 / 256
    assert FILTER_KERNELS["ridge"].tolist() == [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
    assert FILTER_KERNELS["ridge_diagonal"].tolist() == [[-1] * 3, [-1, 8, -1], [-1] * 3]
    assert_allclose(FILTER_KERNELS["box_blur"], 1 / 9)


def test_kernels_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        FILTER_KERNELS["identity"][0, 0] = 1
    with pytest.raises(TypeError):
        FILTER_KERNELS["mine"] = UNEVEN  # type: ignore[index]


@pytest.mark.parametrize(("given", "returned"), [("f4", "f4"), ("f8", "f8"), ("i8", "f8")])
def test_types(given: str, returned: str) -> None:
    image = np.arange(12).reshape(3, 4).astype(given)
    filtered = filter_image(image, "identity")
    assert filtered.dtype == returned
    assert_array_equal(filtered, image)


def test_the_image_is_not_changed() -> None:
    before = COLOURS.copy()
    filter_image(COLOURS, "sharpen")
    assert_array_equal(COLOURS, before)


def test_a_kernel_larger_than_the_image() -> None:
    image = np.array([[3.0, 5.0]])
    kernel = FILTER_KERNELS["gaussian_blur_5x5"]
    assert_allclose(filter_image(image, kernel), correlate(image, kernel, mode="nearest"))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="kernel='blur' is not known; use .*'box_blur'"):
        filter_image(IMAGE, "blur")
    with pytest.raises(ValueError, match="kernel has shape .2, 3.*odd"):
        filter_image(IMAGE, np.ones((2, 3)))
    with pytest.raises(ValueError, match="image has shape .5,. and type float64"):
        filter_image(np.ones(5), "identity")
    with pytest.raises(ValueError, match="image has .* type <U1"):
        filter_image([["a"]], "identity")
