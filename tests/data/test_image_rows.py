from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sknn.data import ImageRows

CPU = torch.device("cpu")
HEIGHT, WIDTH, CHANNELS = 4, 3, 2


def make_images(dtype: Any = "float64") -> np.ndarray:
    """Images of shape (7, height, width, channels), all of whose pixels differ."""
    return (
        np.arange(7 * HEIGHT * WIDTH * CHANNELS).reshape(7, HEIGHT, WIDTH, CHANNELS).astype(dtype)
    )


def make_rows(X: np.ndarray, channels: int = CHANNELS, **parameters: Any) -> ImageRows:
    parameters = {"dtype": torch.float64, "image_shape": (HEIGHT, WIDTH, channels)} | parameters
    return ImageRows(X, CPU, **parameters)


FORMS: dict[str, tuple[Any, bool]] = {
    "channels last": (lambda X: X, False),
    "flat rows": (lambda X: X.reshape(len(X), -1), False),
    "channels first": (lambda X: X.transpose(0, 3, 1, 2).copy(), True),
    "a view, channels first": (lambda X: X.transpose(0, 3, 1, 2), True),
    "flat rows, channels first": (lambda X: X.transpose(0, 3, 1, 2).reshape(len(X), -1), True),
    "Fortran order": (np.asfortranarray, False),
    "negative strides": (lambda X: X[:, ::-1].copy()[:, ::-1], False),
    "swapped": (lambda X: X.astype(X.dtype.newbyteorder()), False),
    "strided": (lambda X: np.repeat(X, 2, axis=2)[:, :, ::2], False),
}


@pytest.mark.parametrize("form", FORMS)
def test_batches_are_images_channels_first_whatever_the_form(form: str) -> None:
    X = make_images()
    change, channels_first = FORMS[form]
    rows = make_rows(change(X), channels_first=channels_first)
    assert len(rows) == 7
    for images, expected in [
        (rows.slice(2, 5), X[2:5]),
        (rows.slice(0, 7), X),
        (rows.take(torch.tensor([6, 0, 0, 3])), X[[6, 0, 0, 3]]),
        (rows.take(torch.tensor([4])), X[[4]]),
    ]:
        assert images.stride(1) == 1  # channels_last: those of a pixel are side by side
        assert_array_equal(images, np.moveaxis(expected, 3, 1))


@pytest.mark.parametrize("channels_first", [False, True])
def test_grey_images_need_no_channels(channels_first: bool) -> None:
    X = make_images()[..., 0]
    rows = make_rows(X, 1, channels_first=channels_first)
    assert_array_equal(rows.slice(1, 3), X[1:3, None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("X_dtype", ["bool", "int8", "int64", "float16", "float32", "float64"])
def test_pixels_of_any_type_become_the_networks_type(X_dtype: str, dtype: torch.dtype) -> None:
    X = make_images(X_dtype)
    images = make_rows(X, dtype=dtype).take(torch.tensor([3, 1]))
    assert images.dtype == dtype
    assert_array_equal(images, np.moveaxis(X[[3, 1]].astype(float), 3, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bytes_are_divided_by_255_and_stay_as_they_are(dtype: torch.dtype) -> None:
    X = make_images("uint8")
    before = X.copy()
    rows = make_rows(X, dtype=dtype)
    for _ in range(2):
        images = rows.slice(0, 7)
        assert images.dtype == dtype
        assert_allclose(images, np.moveaxis(X / 255, 3, 1), rtol=1e-6)
    assert_array_equal(X, before)
    assert rows.tensor.dtype == torch.uint8


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_the_array_is_shared_and_not_copied(dtype: str) -> None:
    X = make_images(dtype)
    X.flags.writeable = False
    rows = make_rows(X)
    assert rows.tensor.data_ptr() == X.__array_interface__["data"][0]
    if dtype == "float64":  # the network's type, and in its memory order
        assert rows.slice(0, 7).data_ptr() == rows.tensor.data_ptr()


def test_a_file_is_read_batch_by_batch(tmp_path: Any) -> None:
    X = make_images("uint8")
    np.save(tmp_path / "X.npy", X)
    opened = np.load(tmp_path / "X.npy", mmap_mode="r")
    rows = make_rows(opened[:6])
    assert rows.tensor.data_ptr() == opened.__array_interface__["data"][0]
    assert_allclose(rows.take(torch.tensor([5, 2])), np.moveaxis(X[[5, 2]] / 255, 3, 1))
