"""Values of a network come back in the form in which X came."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

import sknn
from sknn.decomposition import Autoencoder
from sknn.estimators.dense._format import DenseFormat
from sknn.estimators.images._format import ImageFormat
from sknn.generative import AdversarialGenerator

CPU = torch.device("cpu")
rng = np.random.default_rng(0)


class Estimator:
    """What formats ask an estimator for."""

    data_format = "channels_last"
    image_shape = None
    _scales_data = False

    def __init__(self, **parameters: Any) -> None:
        vars(self).update(parameters)

    def __sklearn_tags__(self) -> Any:
        from sknn import NeuralRegressor

        return NeuralRegressor().__sklearn_tags__()


def as_read(kind: Any, X: Any, estimator: Any) -> tuple[Any, np.ndarray]:
    """Return the format of X, and X as a network gets it."""
    fitted, checked = kind.learn(X, estimator)
    return fitted, fitted.rows(checked, CPU, torch.float32, None).slice(0, len(checked)).numpy()


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i8", "?", "f2", "f4", "f8"])
def test_vectors_come_back(dtype: str) -> None:
    X = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 200, (7, 3)).astype(dtype)
    estimator = Estimator()
    fitted, values = as_read(DenseFormat, X, estimator)
    restored = fitted.restore(values, estimator)
    assert restored.dtype == X.dtype
    assert_array_equal(restored, X)


def test_integers_are_the_nearest_within_their_range() -> None:
    fitted, _ = DenseFormat.learn(np.zeros((2, 4), np.uint8), Estimator())
    assert_array_equal(
        fitted.restore(np.array([[-3.0, 0.6, 254.4, 300.0]]), Estimator()), [[0, 1, 254, 255]]
    )
    fitted, _ = DenseFormat.learn(np.zeros((2, 1), np.int64), Estimator())
    assert_array_equal(fitted.restore(np.array([[1e30]]), Estimator()), [[2**63 - 1]])


def test_data_frames_come_back_with_the_types_of_their_columns() -> None:
    X = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, True]})
    estimator = Estimator()
    fitted, values = as_read(DenseFormat, X, estimator)
    restored = fitted.restore(values, estimator, index=X.index)
    pd.testing.assert_frame_equal(restored, X)
    assert list(fitted.restore(values[:1], estimator).index) == [0]


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_columns_of_types_that_are_pandas_own_come_back(backend: Any, tmp_path: Any) -> None:
    pytest.importorskip("pyarrow")
    columns = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, True]}
    types = {"small": "UInt8", "single": "Float32"}
    if backend == "pyarrow":
        types = {"small": "uint8[pyarrow]", "single": "float[pyarrow]"}
    X = pd.DataFrame(columns).convert_dtypes(dtype_backend=backend)
    X = X.assign(**{name: X["a"].astype(dtype) for name, dtype in types.items()}, plain=[1, 2, 3])
    estimator = Estimator()
    fitted, values = as_read(DenseFormat, X, estimator)
    pd.testing.assert_frame_equal(fitted.restore(values, estimator, index=X.index), X)
    model = AdversarialGenerator(max_iter=1, batch_size=3).fit(X)
    sknn.save(model, tmp_path / "model.sknn")
    assert (sknn.load(tmp_path / "model.sknn").sample(2).dtypes == X.dtypes).all()


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_come_back(library: str) -> None:
    pytest.importorskip(library)
    columns = {
        "a": np.array([1, 2, 300], np.int16),
        "b": np.array([0.5, 1.5, 2.5], np.float32),
        "c": np.array([True, False, True]),
    }
    X = nw.from_dict(columns, backend=library)
    estimator = Estimator()
    fitted, values = as_read(DenseFormat, X.to_native(), estimator)
    restored = nw.from_native(fitted.restore(values, estimator))
    assert restored.schema == X.schema
    assert restored.implementation == X.implementation
    for name, column in columns.items():
        assert_array_equal(restored[name].to_numpy(), column)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_samples_and_reconstructions_are_tables_of_the_library(library: str, tmp_path: Any) -> None:
    pytest.importorskip(library)
    columns = {name: rng.normal(size=30) for name in "abcd"} | {"n": np.arange(30)}
    X = nw.from_dict(columns, backend=library).to_native()
    small = {"max_iter": 1, "random_state": 0}
    autoencoder = Autoencoder(2, hidden_layer_sizes=4, variational=True, **small).fit(X)
    sknn.save(autoencoder, tmp_path / "autoencoder.sknn")
    made = [
        autoencoder.sample(5, random_state=0),
        sknn.load(tmp_path / "autoencoder.sknn").sample(5, random_state=0),
        autoencoder.inverse_transform(autoencoder.transform(X)),
        AdversarialGenerator(batch_size=10, **small).fit(X).sample(5),
    ]
    for each in made:
        assert type(each) is type(X)
        assert nw.from_native(each).schema == nw.from_native(X).schema
    assert nw.from_native(made[0]).rows() == nw.from_native(made[1]).rows()


@pytest.mark.parametrize("dtype", ["u1", "i4", "?", "f4", "f8"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [
        ((5, 4, 6), None),
        ((5, 4, 6, 1), None),
        ((5, 4, 6, 3), None),
        ((5, 24), (4, 6)),
        ((5, 72), (4, 6, 3)),
    ],
)
@pytest.mark.filterwarnings("ignore:X of shape .* is read as")
def test_images_come_back(
    dtype: str, data_format: str, shape: tuple[int, ...], image_shape: Any
) -> None:
    X = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 40, shape).astype(dtype)
    estimator = Estimator(data_format=data_format, image_shape=image_shape)
    if image_shape is None and data_format == "channels_first" and len(shape) == 4:
        X = np.moveaxis(X, -1, 1)
    fitted, values = as_read(ImageFormat, X, estimator)
    for form in (values, values.reshape(len(values), -1)):
        restored = fitted.restore(form, estimator)
        assert restored.dtype == X.dtype
        assert_array_equal(restored, X)
