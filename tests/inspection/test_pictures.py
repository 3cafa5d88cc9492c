import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

from sknn import ConvClassifier, NeuralClassifier
from sknn.inspection._networks import image_network
from sknn.inspection._pictures import as_pictures, brightness_range

from .conftest import fit, make_images


def test_forms_of_grey_images(grey_images: np.ndarray) -> None:
    rows = grey_images.reshape(30, -1)
    for X in (grey_images, grey_images[..., np.newaxis], grey_images.tolist()):
        assert_array_equal(as_pictures(X), grey_images)
    for X in (rows, csr_matrix(rows), rows.tolist()):
        assert_array_equal(as_pictures(X, image_shape=(8, 6)), grey_images)
    assert_array_equal(as_pictures(rows[:, :36]), rows[:, :36].reshape(30, 6, 6))
    first = grey_images[:, np.newaxis]
    assert_array_equal(as_pictures(first, data_format="channels_first"), grey_images)


def test_forms_of_colour_images(colour_images: np.ndarray) -> None:
    first = colour_images.transpose(0, 3, 1, 2)
    assert_array_equal(as_pictures(colour_images), colour_images)
    assert_array_equal(as_pictures(first, data_format="channels_first"), colour_images)
    flat = {"image_shape": (8, 6, 3)}
    assert_array_equal(as_pictures(colour_images.reshape(30, -1), **flat), colour_images)
    rows = as_pictures(first.reshape(30, -1), data_format="channels_first", **flat)
    assert_array_equal(rows, colour_images)


def test_an_estimator_says_what_is_not_given(colour_images: np.ndarray, labels: np.ndarray) -> None:
    first = colour_images.transpose(0, 3, 1, 2)
    classifier = ConvClassifier(filters=(4,), data_format="channels_first")
    network = image_network(fit(classifier, first, labels))
    for X in (first, first.reshape(30, -1)):
        assert_array_equal(as_pictures(X, network=network), colour_images)
    changed = as_pictures(colour_images, network=network, data_format="channels_last")
    assert_array_equal(changed, colour_images)


def test_rows_of_other_lengths_are_squares(
    grey_classifier: ConvClassifier, dense_classifier: NeuralClassifier
) -> None:
    # of a pipeline whose earlier steps cut the images, say
    rows = make_images(2, 49)
    network = image_network(grey_classifier)
    assert as_pictures(rows, network=network).shape == (2, 7, 7)


def test_what_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="rows of 48 values, which is not the area of a square"):
        as_pictures(np.zeros((2, 48)))
    with pytest.raises(ValueError, match=r"rows of 48 values, but image_shape=\(7, 7\)"):
        as_pictures(np.zeros((2, 48)), image_shape=(7, 7))
    with pytest.raises(ValueError, match=r"5 channels; 1 \(grey\), 3 \(RGB\) or 4"):
        as_pictures(np.zeros((2, 8, 8, 5)))
    with pytest.raises(ValueError, match="X has shape .3,., which is 1 dimensions"):
        as_pictures(np.zeros(3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        as_pictures(np.full((2, 8, 8), np.nan))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([3, 9], np.uint8), (0, 255)),
        (np.array([0.2, 0.9]), (0, 1)),
        (np.array([False, True]), (0, 1)),
        (np.array([-2.0, 3.0]), (-2, 3)),
        (np.array([0, 16]), (0, 16)),
        (np.array([7.0, 7.0]), (7, 8)),
    ],
)
def test_brightness(values: np.ndarray, expected: tuple[float, float]) -> None:
    assert brightness_range(values) == expected
