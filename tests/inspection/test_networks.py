from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sknn import ConvClassifier, NeuralClassifier
from sknn.inspection import (
    plot_feature_maps,
    plot_filters,
    plot_images,
    plot_learning_curve,
    plot_saliency,
    saliency,
    summary,
)
from sknn.inspection._networks import as_batch, fitted_network, image_network

from .conftest import fit

IMAGES = np.zeros((2, 8, 6), np.uint8)
FOR_IMAGES: list[Callable[[Any], Any]] = [
    plot_filters,
    lambda estimator: plot_feature_maps(estimator, IMAGES[0]),
    lambda estimator: saliency(estimator, IMAGES),
    lambda estimator: plot_saliency(estimator, IMAGES),
]
FOR_ALL: list[Callable[[Any], Any]] = [
    lambda estimator: plot_images(IMAGES, estimator=estimator),
    plot_learning_curve,
    summary,
]


@pytest.mark.parametrize("function", FOR_IMAGES + FOR_ALL)
def test_not_fitted(function: Callable[[Any], Any]) -> None:
    for estimator in (ConvClassifier(), make_pipeline(StandardScaler(), ConvClassifier())):
        with pytest.raises(NotFittedError, match="ConvClassifier"):
            function(estimator)


@pytest.mark.parametrize("function", FOR_IMAGES + FOR_ALL)
def test_other_estimators(function: Callable[[Any], Any]) -> None:
    for estimator in (LogisticRegression(), ConvClassifier, "conv"):
        with pytest.raises(TypeError, match="estimator must be one of sknn's, or a Pipeline"):
            function(estimator)


@pytest.mark.parametrize("function", FOR_IMAGES)
def test_dense_estimators_have_no_images(
    function: Callable[[Any], Any], dense_classifier: NeuralClassifier
) -> None:
    with pytest.raises(TypeError, match="must be one for images, ConvClassifier.*NeuralClass"):
        function(dense_classifier)


def test_messages_name_what_was_given() -> None:
    with pytest.raises(TypeError, match="a Pipeline that ends in LogisticRegression"):
        fitted_network(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.raises(TypeError, match="the class ConvClassifier, not an instance"):
        fitted_network(ConvClassifier)
    search = GridSearchCV(LogisticRegression(), {"C": [1]}).fit([[0], [1]] * 5, [0, 1] * 5)
    with pytest.raises(TypeError, match="got GridSearchCV. Pass its best_estimator_"):
        fitted_network(search)


def scale(images: np.ndarray) -> np.ndarray:
    return images / np.float32(255)


def test_pipelines_transform_first(grey_images: np.ndarray, labels: np.ndarray) -> None:
    rows = grey_images.reshape(30, -1).astype(float)
    inner = make_pipeline(StandardScaler(), ConvClassifier(filters=(4,), image_shape=(8, 6)))
    outer = Pipeline([("scale", FunctionTransformer(scale)), ("rest", inner)])
    outer.set_params(rest__convclassifier__max_iter=1).fit(rows, labels)
    network = image_network(outer)
    assert network.estimator is inner["convclassifier"]
    assert network.model is outer
    standardized = StandardScaler().fit_transform(rows / 255)
    expected = standardized.reshape(30, 1, 8, 6)
    assert_allclose(network.as_images(rows).numpy(), expected, atol=1e-5)
    alone = image_network(make_pipeline(network.estimator))
    assert_allclose(alone.as_images(standardized).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 6), (48,), (1, 48), (1, 8, 6), (8, 6, 1), (1, 8, 6, 1)])
def test_single_grey_images(
    shape: tuple[int, ...], grey_classifier: ConvClassifier, grey_images: np.ndarray
) -> None:
    network = image_network(grey_classifier)
    batch = as_batch(network, grey_images[0].reshape(shape))
    assert_allclose(network.as_images(batch).numpy()[0, 0], grey_images[0] / np.float32(255))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_single_colour_images(
    data_format: str, colour_images: np.ndarray, labels: np.ndarray
) -> None:
    first = data_format == "channels_first"
    X = colour_images.transpose(0, 3, 1, 2) if first else colour_images
    network = image_network(fit(ConvClassifier(filters=(4,), data_format=data_format), X, labels))
    for image in (X[3], X[3:4], X[3].ravel(), X[3].reshape(1, -1)):
        images = network.as_images(as_batch(network, image)).numpy()
        assert_allclose(images[0], colour_images[3].transpose(2, 0, 1) / np.float32(255))


def test_several_images_are_not_one(colour_classifier: ConvClassifier) -> None:
    with pytest.raises(ValueError, match="image must be one image.*2, 8, 6, 3"):
        as_batch(image_network(colour_classifier), np.zeros((2, 8, 6, 3)))
