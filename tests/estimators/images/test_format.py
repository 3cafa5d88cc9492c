"""Which arrays are images: every form that X may have, and what is refused."""

import copy
import pickle
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits

import sknn
from sknn import ConvClassifier, ConvRegressor
from sknn.data import ImageRows, _numbers
from sknn.estimators.images import _format
from sknn.estimators.images._format import ImageFormat, count_dimensions
from tests.helpers import read_only

HEIGHT, WIDTH = 8, 6
rng = np.random.default_rng(0)
BYTES = rng.integers(0, 256, (30, HEIGHT, WIDTH, 3), dtype=np.uint8)
COLOUR = BYTES / 255
GREY = COLOUR[..., 0]
y = np.arange(30) % 3


def make(estimator: Any = ConvClassifier, **parameters: Any) -> Any:
    small = {
        "filters": (3, 4),
        "hidden_layer_sizes": (),
        "normalization": None,
        "batch_size": 7,
        "max_iter": 1,
        "random_state": 0,
    }
    return estimator(**(small | parameters))


def to_first(X: np.ndarray) -> np.ndarray:
    return X.transpose(0, 3, 1, 2)


def save(X: np.ndarray, tmp_path: Any) -> np.ndarray:
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


# -------------------------------------------------------------------------- one image, many forms

FORMS: dict[str, tuple[np.ndarray, Any, dict[str, Any]]] = {
    "float32": (COLOUR, lambda X, _: X.astype(np.float32), {}),
    "bytes": (COLOUR, lambda X, _: BYTES, {}),
    "flat rows": (COLOUR, lambda X, _: X.reshape(30, -1), {"image_shape": (HEIGHT, WIDTH, 3)}),
    "flat rows of bytes": (
        COLOUR,
        lambda X, _: BYTES.reshape(30, -1),
        {"image_shape": (HEIGHT, WIDTH, 3)},
    ),
    "channels first": (COLOUR, lambda X, _: to_first(X), {"data_format": "channels_first"}),
    "channels first, a copy": (
        COLOUR,
        lambda X, _: to_first(X).copy(),
        {"data_format": "channels_first"},
    ),
    "flat rows, channels first": (
        COLOUR,
        lambda X, _: to_first(X).reshape(30, -1),
        {"data_format": "channels_first", "image_shape": [HEIGHT, WIDTH, 3]},
    ),
    "lists": (COLOUR, lambda X, _: X.tolist(), {}),
    "a list of arrays": (COLOUR, lambda X, _: list(X), {}),
    "flat lists": (COLOUR, lambda X, _: X.reshape(30, -1).tolist(), {"image_shape": (8, 6, 3)}),
    "Fortran order": (COLOUR, lambda X, _: np.asfortranarray(X), {}),
    "negative strides": (COLOUR, lambda X, _: X[:, ::-1].copy()[:, ::-1], {}),
    "strided": (COLOUR, lambda X, _: np.repeat(X, 2, axis=0)[::2], {}),
    "read-only": (COLOUR, lambda X, _: read_only(X), {}),
    "a file": (COLOUR, save, {}),
    "a file of bytes": (COLOUR, lambda X, tmp_path: save(BYTES, tmp_path), {}),
    "big-endian": (COLOUR, lambda X, _: X.astype(">f8"), {}),
    "image_shape that says the same": (COLOUR, lambda X, _: X, {"image_shape": (8, 6)}),
    "image_shape as an array": (COLOUR, lambda X, _: X, {"image_shape": np.array([8, 6, 3])}),
    "grey with a channel": (GREY, lambda X, _: X[..., None], {}),
    "grey, channels first": (GREY, lambda X, _: X[:, None], {"data_format": "channels_first"}),
    "grey, three dimensions": (GREY, lambda X, _: X, {"data_format": "channels_first"}),
    "grey flat rows": (GREY, lambda X, _: X.reshape(30, -1), {"image_shape": (8, 6)}),
    "grey flat rows with a channel": (
        GREY,
        lambda X, _: X.reshape(30, -1),
        {"image_shape": (8, 6, 1)},
    ),
    "booleans": ((GREY > 0.5).astype(float), lambda X, _: X > 0, {}),
    "integers": ((GREY > 0.5).astype(float), lambda X, _: X.astype(int), {}),
    "unsigned integers": ((GREY > 0.5).astype(float), lambda X, _: X.astype(np.uint16), {}),
    "half precision": ((GREY > 0.5).astype(float), lambda X, _: X.astype(np.float16), {}),
    "long double": ((GREY > 0.5).astype(float), lambda X, _: X.astype(np.longdouble), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_images_gives_the_same_model_and_predictions(
    form: str, tmp_path: Any
) -> None:
    X, change, parameters = FORMS[form]
    expected = make().fit(X, y)
    changed = change(X, tmp_path)
    before = copy.deepcopy(changed)
    model = make(**parameters).fit(changed, y)
    assert model.image_shape_ == (HEIGHT, WIDTH, X.shape[3] if X.ndim == 4 else 1)
    for one, other in zip(model.module_.parameters(), expected.module_.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)
    probabilities = expected.predict_proba(X)
    assert_allclose(model.predict_proba(changed), probabilities, atol=1e-6)
    # the very same weights, with images of the other form
    expected.set_params(**parameters)
    assert_allclose(expected.predict_proba(changed), probabilities, atol=1e-6)
    assert_array_equal(changed, before)


def test_data_frames_are_flat_rows() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(GREY.reshape(30, -1)).add_prefix("pixel")
    model = make(image_shape=(8, 6)).fit(frame, pd.Series(y))
    assert model.n_features_in_ == len(model.feature_names_in_) == 48
    expected = make().fit(GREY, y)
    assert_allclose(model.predict_proba(frame), expected.predict_proba(GREY), atol=1e-6)
    assert_allclose(model.predict_proba(GREY), model.predict_proba(frame), atol=1e-6)


def test_training_on_one_form_and_predicting_for_another() -> None:
    model = make().fit(BYTES, y)
    expected = model.predict_proba(BYTES)
    for X in (COLOUR, COLOUR.reshape(30, -1), BYTES.reshape(30, -1), COLOUR.astype(np.float32)):
        assert_allclose(model.predict_proba(X), expected, atol=1e-6)


@pytest.mark.parametrize("form", ["images", "flat rows", "a file"])
def test_bytes_are_not_copied_as_a_whole(
    form: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = {"images": BYTES, "flat rows": BYTES.reshape(30, -1), "a file": save(BYTES, tmp_path)}[form]
    addresses = []

    class Spied(ImageRows):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            addresses.append((self.tensor.data_ptr(), self.tensor.element_size()))

    monkeypatch.setattr(_format, "ImageRows", Spied)
    make(image_shape=(HEIGHT, WIDTH, 3), early_stopping=True).fit(X, y).predict(X)
    assert len(addresses) == 2  # training with its validation part, prediction
    assert set(addresses) == {(X.__array_interface__["data"][0], 1)}


@pytest.mark.parametrize(
    ("dtype", "answer"),
    [("uint8", "float64"), ("float64", "float64"), ("float32", "float32"), ("float16", "float32")],
)
def test_answers_come_in_the_float_type_of_the_images(dtype: str, answer: str) -> None:
    X = (GREY > 0.5).astype(dtype)
    model = make(ConvRegressor).fit(X, y)
    assert {str(p.dtype) for p in model.module_.parameters()} == {"torch.float32"}
    assert model.predict(X).dtype == answer
    assert make().fit(X, y).predict_proba(X).dtype == answer


# -------------------------------------------------------------------------- shapes and attributes


@pytest.mark.parametrize(
    ("n_features", "shape"),
    [
        (1, (1, 1, 1)),
        (3, (1, 3, 1)),
        (13, (1, 13, 1)),
        (36, (6, 6, 1)),
        (37, (1, 37, 1)),
        (784, (28, 28, 1)),
    ],
)
def test_flat_rows_are_squares_where_they_can_be_and_strips_else(
    n_features: int, shape: tuple[int, int, int]
) -> None:
    X = np.random.default_rng(0).normal(size=(10, n_features))
    for architecture in ("plain", "resnet"):
        model = make(filters=(2, 2), architecture=architecture).fit(X, np.arange(10) % 2)
        assert model.image_shape_ == shape
        assert model.n_features_in_ == n_features
        assert model.predict(X).shape == (10,)


@pytest.mark.parametrize(
    ("image_shape", "expected"),
    [
        ((6, 8), (6, 8, 1)),
        ([4, 4, 3], (4, 4, 3)),
        ((2, 24), (2, 24, 1)),
        (np.array([1, 48]), (1, 48, 1)),
        ((16, 1, 3), (16, 1, 3)),
    ],
    ids=str,
)
def test_image_shape_says_what_flat_rows_are(image_shape: Any, expected: tuple[int, ...]) -> None:
    X = GREY.reshape(30, -1)
    model = make(pooling=None, image_shape=image_shape).fit(X, y)
    assert model.image_shape_ == expected
    assert model.module_.layers.conv1.in_channels == expected[2]


def test_n_features_in_is_that_of_flat_rows_and_goes_with_them() -> None:
    pd = pytest.importorskip("pandas")
    model = make()
    assert not hasattr(model, "image_shape_")
    assert not hasattr(model, "n_features_in_")
    frame = pd.DataFrame(GREY[:, :6].reshape(30, -1)).add_prefix("pixel")
    model.fit(frame, y)
    assert model.n_features_in_ == 36
    assert model.feature_names_in_[1] == "pixel1"
    model.fit(GREY, y)
    assert model.image_shape_ == (8, 6, 1)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "feature_names_in_")
    model.predict(GREY.reshape(30, -1))  # flat rows of the same images
    assert not hasattr(model, "n_features_in_")
    model.fit(GREY.reshape(30, -1)[:, :36], y)
    assert model.n_features_in_ == 36


def test_dimensions_are_counted_without_an_array_being_made() -> None:
    pd = pytest.importorskip("pandas")
    ragged = np.empty(2, object)
    ragged[:] = [np.ones((3, 4)), np.ones((5, 4))]
    for X, n in [
        (GREY, 3),
        (COLOUR, 4),
        (COLOUR.tolist(), 4),
        ([[1, 2], [3, 4]], 2),
        ([1, 2, 3], 1),
        (3.0, 0),
        (pd.DataFrame(np.ones((3, 2))), 2),
        (pd.Series([1, 2]), 1),
        (sparse.csr_array(np.eye(3)), 2),
        (ragged, 3),
        (list(ragged), 3),
        (pd.Series(list(ragged), index=[7, 8]), 3),
        (np.array(["a", "b"], dtype=object), 1),
        (np.array([], dtype=object), 1),
    ]:
        assert count_dimensions(X) == n


# --------------------------------------------------------------------------------------- warnings

UNSCALED: dict[str, np.ndarray] = {
    "floats": GREY * 255,
    "float32": (GREY * 255).astype(np.float32),
    "colour": COLOUR * 255,
    "integers": BYTES[..., 0].astype(int),
    "unsigned integers": BYTES[..., 0].astype(np.uint16),
    "flat rows": GREY.reshape(30, -1) * 255,
    "signed": GREY * 4000 - 1000,
    "signed integers": (GREY * 4000 - 1000).astype(np.int16),
    "one bright pixel": np.where(np.arange(30)[:, None, None] == 29, 51.0, GREY),
}


@pytest.mark.parametrize("name", UNSCALED)
def test_pixels_that_are_not_scaled_are_warned_of(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_numbers, "BYTES_AT_ONCE", 500)  # also in the last of several parts
    model = make(image_shape=(8, 6))
    with pytest.warns(UserWarning, match=r"look like pixels that are not scaled.*X / 255"):
        model.fit(UNSCALED[name], y)
    model.predict(UNSCALED[name])  # said once, in fit


@pytest.mark.parametrize(
    "X",
    [
        BYTES,
        BYTES.reshape(30, -1)[:, :48],
        GREY,
        GREY > 0.5,
        GREY * 50,
        (GREY - GREY.mean()) / 0.02,
        # a pixel that hardly varies, standardized as scikit-learn's scalers do it
        np.where(np.arange(1440).reshape(GREY.shape) % 48, GREY - 0.5, 0)
        * (1 + 999 * (GREY > 0.99)),
    ],
    ids=["bytes", "flat bytes", "scaled", "booleans", "not large", "standardized", "outliers"],
)
def test_other_pixels_are_not_warned_of(X: np.ndarray) -> None:
    assert make(image_shape=(8, 6)).fit(X, y).n_iter_ == 1  # warnings are errors here


@pytest.mark.parametrize("shape", [(6, 3, 8, 7), (6, 1, 28, 28), (6, 3, 5, 5)], ids=str)
def test_channels_that_seem_to_come_first_are_warned_of(shape: tuple[int, ...]) -> None:
    X, target = np.random.default_rng(0).random(shape), [0, 1] * 3
    model = make(pooling=None, batch_size=6)
    with pytest.warns(UserWarning, match=r"read as images of .* data_format='channels_first'"):
        model.fit(X, target)
    assert model.image_shape_ == shape[1:]
    model = make(pooling=None, batch_size=6, data_format="channels_first").fit(X, target)
    assert model.image_shape_ == (shape[2], shape[3], shape[1])


@pytest.mark.parametrize("shape", [(6, 8, 8, 3), (6, 3, 8, 4), (6, 4, 8, 8), (6, 3, 3, 8)], ids=str)
def test_channels_that_may_well_come_last_are_not_warned_of(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).random(shape)
    model = make(pooling=None, batch_size=6).fit(X, [0, 1] * 3)
    assert model.image_shape_ == shape[1:]


# ----------------------------------------------------------------------------------------- errors


def with_value(X: np.ndarray, value: float) -> np.ndarray:
    X = X.copy()
    X[-1, -1, -1] = value
    return X


RAGGED = np.empty(30, object)
RAGGED[:] = [np.ones((4 + i % 2, 4)) for i in range(30)]
OBJECTS = np.empty(30, object)
OBJECTS[:] = list(COLOUR)

BAD_IMAGES: dict[str, tuple[Any, str]] = {
    "one dimension": (GREY[:, 0, 0], "Expected 2D array, got 1D array"),
    "a number": (3.0, "Expected 2D array, got scalar"),
    "five dimensions": (COLOUR[..., None], r"\(30, 8, 6, 3, 1\), which is 5 dimensions"),
    "no images": (COLOUR[:0], r"0 sample\(s\)"),
    "no rows of pixels": (COLOUR[:, :0], "no dimension of the images may be 0"),
    "no flat rows": (np.empty((0, 64)), r"0 sample\(s\)"),
    "no features": (np.empty((30, 0)), r"0 feature\(s\)"),
    "objects": (COLOUR.astype(object), "array of objects; images must be numbers"),
    "an object array of images": (OBJECTS, "array of objects"),
    "an object array of shapes": (RAGGED, "all have one shape"),
    "a list of shapes": (list(RAGGED), "X cannot be made one array: images must all have one"),
    "a list of widths": ([np.ones((4, 4 + i % 2)) for i in range(30)], "must all have one shape"),
    "lists of lengths": ([[[1, 2], [3, 4]], [[1, 2]]], "must all have one shape"),
    "strings": (GREY.astype(str), "strings"),
    "complex numbers": (GREY.astype(complex), "[Cc]omplex"),
    "sparse": (sparse.csr_array(GREY.reshape(30, -1)), "[Ss]parse"),
    "NaN": (with_value(GREY, np.nan), "NaN or infinity"),
    "infinity": (with_value(COLOUR.astype(np.float32), np.inf), "NaN or infinity"),
    "minus infinity": (with_value(GREY, -np.inf), "NaN or infinity"),
    "NaN in half precision": (with_value(GREY.astype(np.float16), np.nan), "NaN or infinity"),
    "NaN in flat rows": (with_value(GREY, np.nan).reshape(30, -1), "NaN"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_what_cannot_be_images_is_refused_by_fit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_numbers, "BYTES_AT_ONCE", 500)  # also in the last of several parts
    X, message = BAD_IMAGES[name]
    for estimator in (ConvClassifier, ConvRegressor):
        model = make(estimator)
        with pytest.raises((ValueError, TypeError), match=message):
            model.fit(X, y[: len(X) if hasattr(X, "__len__") else 30])
        assert not hasattr(model, "module_")


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_what_cannot_be_images_is_refused_by_predict(name: str) -> None:
    X, _ = BAD_IMAGES[name]
    for fitted_with in (GREY, GREY.reshape(30, -1)):
        model = make(image_shape=(8, 6)).fit(fitted_with, y)
        with pytest.raises((ValueError, TypeError)):
            model.predict(X)


@pytest.mark.parametrize(
    ("fitted", "given", "message"),
    [
        (COLOUR, GREY, r"images of 8x6 pixels with 1 channel.* fitted with .* 3 channel"),
        (GREY, COLOUR, r"images of 8x6 pixels with 3 channel.* fitted with .* 1 channel"),
        (GREY, GREY[:, 1:], r"images of 7x6 pixels .* fitted with images of 8x6 pixels"),
        (GREY, GREY[:, :, 1:], "images of 8x5 pixels"),
        (GREY, GREY[0], r"rows of 6 values.* which are 48.*X\[numpy.newaxis\]"),
        (COLOUR, COLOUR[0], r"X of shape \(8, 6, 3\) holds images of 6x3 pixels"),
        (GREY, GREY.reshape(30, -1)[:, 1:], "rows of 47 values"),
        (COLOUR, GREY.reshape(30, -1), "rows of 48 values.* which are 144"),
    ],
    ids=range(8),
)
def test_other_images_than_in_fit_are_refused(
    fitted: np.ndarray, given: np.ndarray, message: str
) -> None:
    model = make().fit(fitted, y)
    with pytest.raises(ValueError, match=message):
        model.predict(given)
    target = y[: len(given)]
    with pytest.raises(ValueError, match=message):
        model.partial_fit(given, target)
    with pytest.raises(ValueError, match=f"X_val, y_val: .*{message}"):
        model.fit(fitted, y, X_val=given, y_val=target)


def test_flat_rows_of_another_length_than_in_fit_are_refused_as_everywhere() -> None:
    model = make(image_shape=(8, 6)).fit(GREY.reshape(30, -1), y)
    with pytest.raises(ValueError, match="X has 47 features, but ConvClassifier is expecting 48"):
        model.predict(GREY.reshape(30, -1)[:, 1:])


@pytest.mark.parametrize(
    ("X", "image_shape", "message"),
    [
        (
            COLOUR.reshape(30, -1),
            (8, 6),
            r"needs 8\*6 = 48.*For 3 channels write image_shape=\(8, 6, 3\)",
        ),
        (
            GREY.reshape(30, -1),
            (8, 7),
            r"rows of 48 values, but image_shape=\(8, 7\) needs 8\*7 = 56",
        ),
        (GREY.reshape(30, -1), (8, 6, 3), r"needs 8\*6\*3 = 144"),
        (GREY, (6, 8), r"holds images of 8x6 pixels.* but image_shape=\(6, 8\)"),
        (COLOUR, (8, 6, 1), "8x6 pixels with 3 channel"),
        (GREY, (48,), r"image_shape=\(48,\) must be \(height, width\)"),
        (GREY, (8, 6, 1, 1), "must be"),
        (GREY, (8, 0), "each at least 1"),
        (GREY, (-8, -6), "each at least 1"),
        (GREY, (8.0, 6.0), "must be"),
    ],
    ids=range(10),
)
def test_an_image_shape_that_does_not_fit_is_refused(
    X: np.ndarray, image_shape: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(image_shape=image_shape).fit(X, y)


def test_missing_targets_and_other_numbers_of_them_are_refused() -> None:
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        make().fit(GREY, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(GREY, y[1:])
    with pytest.raises(ValueError, match="sample_weight"):
        make().fit(GREY, y, sample_weight=np.ones(29))
    with pytest.raises(ValueError, match="NaN"):
        make(ConvRegressor).fit(GREY, np.where(y, np.nan, y))


def test_real_digits_as_bytes_images_and_rows_are_one_data_set() -> None:
    X, target = load_digits(return_X_y=True)
    X, target = X[:300], target[:300]
    predictions = [
        make(max_iter=3).fit(form, target).decision_function(form)
        for form in (X / 16, (X / 16).reshape(-1, 8, 8), (X / 16).reshape(-1, 8, 8, 1))
    ]
    assert_allclose(predictions[1], predictions[0], atol=1e-5)
    assert_allclose(predictions[2], predictions[0], atol=1e-5)


# ---------------------------------------------------------------------------------- pixel scale

SCALED = {
    "bytes": BYTES,
    "integers": BYTES.astype(np.int64),
    "large floats": BYTES.astype(np.float64),
    "floats": COLOUR,
    "standardized": (COLOUR - 0.5) / 0.25,
    "signed": COLOUR * 2 - 1,
}


def quiet_fit(
    X: np.ndarray, X_val: Any = None, y_val: Any = None, **parameters: Any
) -> ConvClassifier:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has values")
        return make(**parameters).fit(X, y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize(
    ("fitted", "given", "warning"),
    [
        ("bytes", "floats", None),
        ("floats", "bytes", None),
        ("integers", "large floats", None),
        ("large floats", "integers", None),
        ("bytes", "integers", "divided by 255 as bytes are"),
        ("integers", "bytes", "taken as they are and not divided"),
        ("large floats", "bytes", "taken as they are and not divided"),
    ],
)
def test_equal_pixels_of_another_type_give_equal_predictions(
    fitted: str, given: str, warning: str | None, is_flat: bool
) -> None:
    X, other = SCALED[fitted], SCALED[given]
    if is_flat:
        X, other = X.reshape(30, -1), other.reshape(30, -1)
    model = quiet_fit(X, image_shape=(HEIGHT, WIDTH, 3))
    expected = model.predict_proba(X)
    with nullcontext() if warning is None else pytest.warns(UserWarning, match=warning):
        assert_allclose(model.predict_proba(other), expected, atol=1e-5)
    with nullcontext() if warning is None else pytest.warns(UserWarning, match=warning):
        assert_allclose(model.predict_proba(other[:1]), expected[:1], atol=1e-5)


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        ("bytes", "large floats"),
        ("floats", "large floats"),
        ("floats", "integers"),
        ("integers", "floats"),
        ("standardized", "bytes"),
        ("standardized", "large floats"),
        ("standardized", "integers"),
    ],
)
def test_pixels_of_another_scale_are_refused_wherever_they_come(fitted: str, given: str) -> None:
    X, other = SCALED[fitted], SCALED[given]
    model = quiet_fit(X)
    message = "fitted with (bytes|integers|floats)"
    with pytest.raises(ValueError, match=message):
        model.predict(other)
    with pytest.raises(ValueError, match=message):
        model.score(other, y)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(other, y)
    with pytest.raises(ValueError, match=f"X_val, y_val: .*{message}"):
        quiet_fit(X, X_val=other, y_val=y)


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        ("bytes", "standardized"),
        ("floats", "standardized"),
        ("large floats", "floats"),
        ("bytes", "signed"),
        ("floats", "signed"),
        ("signed", "floats"),
        ("standardized", "floats"),
    ],
)
def test_pixels_that_may_be_of_another_scale_are_warned_of(fitted: str, given: str) -> None:
    model = quiet_fit(SCALED[fitted])
    with pytest.warns(UserWarning, match=r"X has values from .* fitted with"):
        model.predict(SCALED[given])


def test_dark_and_noisy_images_and_outliers_are_of_the_same_scale() -> None:
    noise = np.random.default_rng(1).normal(scale=0.2, size=COLOUR.shape)
    spoiled = COLOUR.copy()
    spoiled[0, 0, 0] = 1e4  # a column that hardly varied in training, scaled by what it did
    for fitted in ("bytes", "floats"):
        model = quiet_fit(SCALED[fitted])
        for X in (COLOUR * 0.01, COLOUR * 0, COLOUR + noise, spoiled, COLOUR[:1]):
            model.predict(X)  # warnings are errors here
    model = quiet_fit(SCALED["integers"])
    model.predict(BYTES.astype(int) // 200)
    model = quiet_fit(SCALED["signed"])
    for X in (COLOUR[:1], COLOUR * 0, COLOUR * 2 - 0.99):
        model.predict(X)


def test_the_scale_goes_with_the_model(tmp_path: Path) -> None:
    model = quiet_fit(BYTES)
    sknn.save(model, tmp_path / "model.sknn")
    for copied in (pickle.loads(pickle.dumps(model)), sknn.load(tmp_path / "model.sknn")):
        with pytest.raises(ValueError, match="fitted with bytes"):
            copied.predict(BYTES.astype(float))


def test_models_that_do_not_know_their_scale_take_pixels_as_they_come() -> None:
    """Files of version 0.1.0 say height, width and channels alone."""
    model = quiet_fit(BYTES)
    expected = model.predict_proba(BYTES)
    model._format = ImageFormat(*model._format[:4])
    assert_allclose(model.predict_proba(BYTES), expected)
    assert_allclose(model.predict_proba(COLOUR), expected, atol=1e-5)
    model.predict(BYTES.astype(int))


def test_pixels_that_float32_cannot_hold_are_refused() -> None:
    X = with_value(GREY, 1e39)
    with pytest.raises(ValueError, match="beyond float32"):
        make().fit(GREY, y).predict(X)
    with pytest.raises(ValueError, match="beyond float32"):
        quiet_fit(X)


# ------------------------------------------------------------------- types that torch cannot gather

UNUSUAL_TYPES = {
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "swapped int16": np.dtype(np.int16).newbyteorder(),
    "swapped uint16": np.dtype(np.uint16).newbyteorder(),
    "swapped float32": np.dtype(np.float32).newbyteorder(),
    "long double": np.longdouble,
}


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("name", UNUSUAL_TYPES)
def test_files_of_any_type_stay_on_the_disk(
    name: str, is_flat: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = (GREY * 40).round().astype(UNUSUAL_TYPES[name])
    opened = save(X.reshape(30, -1) if is_flat else X, tmp_path)
    made: list[ImageRows] = []

    class Spied(ImageRows):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    expected = make().fit((GREY * 40).round(), y).predict_proba((GREY * 40).round())
    monkeypatch.setattr(_format, "ImageRows", Spied)
    found = make(image_shape=(8, 6)).fit(opened, y).predict_proba(opened)
    assert_allclose(found, expected, atol=1e-5)
    address = opened.__array_interface__["data"][0]
    assert [rows.array.__array_interface__["data"][0] for rows in made] == [address] * 2
    assert {rows.array.dtype for rows in made} == {X.dtype}


def test_large_integers_keep_their_values() -> None:
    rows = ImageRows(
        np.full((2, 1, 1), 2**63 + 2**40, np.uint64),
        torch.device("cpu"),
        torch.float32,
        image_shape=(1, 1, 1),
    )
    assert_array_equal(rows.slice(0, 2).ravel(), [2.0**63 + 2.0**40] * 2)


# ------------------------------------------------------------------------------ strips, channels


@pytest.mark.parametrize(
    ("n_pixels", "hint"),
    [
        (60, r"\(height, width\), or image_shape=\(1, 60\)"),
        (48, r"\(4, 4, 3\)"),
        (3072, "32, 32, 3"),
    ],
)
def test_rows_that_become_strips_say_so(n_pixels: int, hint: str) -> None:
    X = np.random.default_rng(0).random((10, n_pixels))
    with pytest.warns(UserWarning, match=f"strips of 1x{n_pixels} pixels.*{hint}"):
        make(filters=(2,)).fit(X, np.arange(10) % 2)
    make(filters=(2,), image_shape=(1, n_pixels)).fit(X, np.arange(10) % 2)


@pytest.mark.parametrize("shape", [(6, 64, 16, 3), (6, 16, 16, 1), (6, 32, 24, 7)], ids=str)
def test_channels_that_seem_to_come_last_are_warned_of(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).random(shape)
    with pytest.warns(UserWarning, match=r"come last, set data_format='channels_last'"):
        make(data_format="channels_first", batch_size=6).fit(X, [0, 1] * 3)


def test_many_channels_that_come_first_are_warned_of() -> None:
    X = np.random.default_rng(0).random((6, 5, 20, 20))
    with pytest.warns(UserWarning, match=r"come first, set data_format='channels_first'"):
        make(batch_size=6).fit(X, [0, 1] * 3)
    # feature maps of another network
    make(batch_size=6).fit(np.moveaxis(X, 1, 3), [0, 1] * 3)
    make(batch_size=6, data_format="channels_first").fit(X[:, :, :4, :4].repeat(4, 1), [0, 1] * 3)


# ------------------------------------------------------------------------------------- no images

NO_IMAGES = {
    "a file name": "photo.png",
    "file names": ["a.png", "b.png"] * 15,
    "an array of file names": np.array(["a.png"] * 30),
    "paths": [Path("a.png")] * 30,
    "a generator": (image for image in GREY),
}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_names_and_generators_are_refused_in_words(name: str) -> None:
    model = make().fit(GREY, y)
    for call in (lambda X: make().fit(X, y), model.predict):
        with pytest.raises(TypeError, match=r"numpy\.(stack|load)"):
            call(NO_IMAGES[name])


def test_tensors_are_taken_whatever_they_remember() -> None:
    tensor = torch.tensor(GREY, requires_grad=True)
    expected = make().fit(GREY, y).predict_proba(GREY)
    assert_allclose(make().fit(tensor, y).predict_proba(tensor), expected, atol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_single_image_is_told_to_become_several(data_format: str) -> None:
    X = COLOUR if data_format == "channels_last" else to_first(COLOUR)
    model = make(data_format=data_format).fit(X, y)
    with pytest.raises(ValueError, match=r"For a single image pass X\[numpy.newaxis\]"):
        model.predict(X[0])
    assert len(model.predict(X[0][np.newaxis])) == 1
