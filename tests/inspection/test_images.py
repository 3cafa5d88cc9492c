from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import ConvClassifier, ConvRegressor, NeuralClassifier, NeuralRegressor
from sknn.inspection import plot_images

from .conftest import fit

plt = pytest.importorskip("matplotlib.pyplot")


def shown(axes: np.ndarray) -> np.ndarray:
    """Return the pixels, from 0 to 1, of all pictures."""
    return np.stack([ax.images[0].get_array() for ax in axes])


def titles(axes: np.ndarray) -> list[str]:
    return [ax.get_title() for ax in axes]


def test_images_and_labels(grey_images: np.ndarray, labels: np.ndarray) -> None:
    axes = plot_images(grey_images, labels)
    assert axes.shape == (16,)
    assert_allclose(shown(axes), grey_images[:16] / 255)
    assert titles(axes) == [str(label) for label in labels[:16]]
    assert titles(plot_images(grey_images, n_images=2)) == ["", ""]


def test_few_images() -> None:
    assert plot_images(np.zeros((3, 4, 4))).shape == (3,)


def test_predictions(
    grey_classifier: ConvClassifier, grey_images: np.ndarray, labels: np.ndarray
) -> None:
    predicted = grey_classifier.predict(grey_images)
    assert (predicted != labels).any()
    axes = plot_images(grey_images, labels, estimator=grey_classifier, n_images=30)
    for ax, guess, truth in zip(axes, predicted, labels, strict=True):
        is_right = guess == truth
        assert ax.get_title() == (str(guess) if is_right else f"{guess}\ntrue: {truth}")
        assert (ax.title.get_color() == "tab:red") == (not is_right)
    alone = plot_images(grey_images, estimator=grey_classifier, n_images=3)
    assert titles(alone) == [str(label) for label in predicted[:3]]


def test_worst_multiclass(
    grey_classifier: ConvClassifier, grey_images: np.ndarray, labels: np.ndarray
) -> None:
    probabilities = softmax(grey_classifier.decision_function(grey_images), axis=1)
    of_truth = probabilities[np.arange(30), labels]
    order = np.argsort(of_truth)[:5]
    axes = plot_images(grey_images, labels, estimator=grey_classifier, which="worst", n_images=5)
    assert_allclose(shown(axes), grey_images[order] / 255)
    worst, guess = order[0], probabilities[order[0]].argmax()
    expected = f"{guess} ({probabilities[worst, guess]:.0%})"
    assert titles(axes)[0] == f"{expected}\ntrue: {labels[worst]} ({of_truth[worst]:.0%})"


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_worst_binary(loss: str, grey_images: np.ndarray, labels: np.ndarray) -> None:
    y = np.where(labels > 0, "yes", "no")
    classifier = fit(ConvClassifier(filters=(4,), loss=loss), grey_images, y)
    logits = classifier.decision_function(grey_images)
    of_truth = np.where(y == "yes", logits, -logits)
    axes = plot_images(grey_images, y, estimator=classifier, which="worst", n_images=30)
    assert_allclose(shown(axes), grey_images[np.argsort(of_truth)] / 255)
    assert ("%" in axes[0].get_title()) == (loss == "log_loss")


def test_worst_multilabel(grey_images: np.ndarray) -> None:
    y = np.random.default_rng(0).integers(0, 2, (30, 3))
    classifier = fit(ConvClassifier(filters=(4,)), grey_images, y)
    probabilities = expit(classifier.decision_function(grey_images))
    of_truth = np.abs(1 - y - probabilities).min(axis=1)
    axes = plot_images(
        grey_images, y, estimator=classifier, which="worst", n_images=4, class_names=["a", "b", "c"]
    )
    order = np.argsort(of_truth)
    assert_allclose(shown(axes), grey_images[order[:4]] / 255)
    truth = y[order[0]]
    expected = ", ".join(name for name, is_set in zip("abc", truth, strict=True) if is_set)
    assert axes[0].get_title().endswith(f"true: {expected or 'none'}")


def test_worst_values(regressor: ConvRegressor, grey_images: np.ndarray) -> None:
    y = np.linspace(0, 1, 30)
    predicted = regressor.predict(grey_images)
    order = np.argsort(-np.abs(predicted - y))[:3]
    axes = plot_images(grey_images, y, estimator=regressor, which="worst", n_images=3)
    assert_allclose(shown(axes), grey_images[order] / 255)
    assert titles(axes) == [f"{predicted[i]:.3g}\ntrue: {y[i]:.3g}" for i in order]
    assert axes[0].title.get_color() != "tab:red"


def test_worst_of_several_values(grey_images: np.ndarray) -> None:
    y = np.random.default_rng(0).normal(size=(30, 2))
    rows = grey_images.reshape(30, -1) / 255
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,), learning_rate="cosine"), rows, y)
    options: dict[str, Any] = {"estimator": regressor, "which": "worst", "image_shape": (8, 6)}
    axes = plot_images(rows, y, n_images=2, **options)
    order = np.argsort(-np.abs(regressor.predict(rows) - y).sum(axis=1))
    assert_allclose(shown(axes), grey_images[order[:2]] / 255)
    with pytest.raises(ValueError, match=r"y has shape \(30,\), but the predictions have \(30, 2"):
        plot_images(rows, y[:, 0], **options)


def test_dense_estimators_in_pipelines_and_tables(
    grey_images: np.ndarray, labels: np.ndarray
) -> None:
    pd = pytest.importorskip("pandas")
    rows = pd.DataFrame(grey_images.reshape(30, -1)).rename(columns=str)
    network = NeuralClassifier((5,), learning_rate="cosine", max_iter=1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(rows, labels)
    y = pd.Series(labels, index=np.arange(30)[::-1])
    axes = plot_images(rows, y, estimator=pipeline, image_shape=(8, 6), n_images=30)
    assert_allclose(shown(axes), grey_images / 255)
    first_lines = [title.splitlines()[0] for title in titles(axes)]
    assert first_lines == [str(label) for label in pipeline.predict(rows)]
    worst = plot_images(rows, y, estimator=pipeline, image_shape=(8, 6), which="worst")
    of_truth = pipeline.predict_proba(rows)[np.arange(30), labels]
    assert_allclose(shown(worst), grey_images[np.argsort(of_truth)[:16]] / 255)


def test_colour_images(colour_classifier: ConvClassifier, colour_images: np.ndarray) -> None:
    for X in (colour_images, colour_images.reshape(30, -1), colour_images / np.float32(255)):
        axes = plot_images(X, estimator=colour_classifier, n_images=2)
        assert_allclose(shown(axes), colour_images[:2] / 255, atol=1e-6)


def test_class_names(
    binary_classifier: ConvClassifier, grey_images: np.ndarray, labels: np.ndarray
) -> None:
    predicted = binary_classifier.predict(grey_images[:4])
    names = {"no": "nein", "yes": "ja"}
    for class_names in (names, ["nein", "ja"]):
        axes = plot_images(
            grey_images, estimator=binary_classifier, class_names=class_names, n_images=4
        )
        assert titles(axes) == [names[label] for label in predicted]
    axes = plot_images(grey_images, labels, class_names=["a", "b", "c"], n_images=4)
    assert titles(axes) == ["a", "b", "c", "a"]


def test_given_axes(grey_images: np.ndarray) -> None:
    figure, grid = plt.subplots(2, 2)
    axes = plot_images(grey_images, n_images=4, axes=grid)
    assert_array_equal(axes, grid.ravel())
    assert plt.get_fignums() == [figure.number]


def test_bad_input(
    grey_classifier: ConvClassifier,
    binary_classifier: ConvClassifier,
    grey_images: np.ndarray,
    labels: np.ndarray,
) -> None:
    with pytest.raises(ValueError, match="which='worst' needs estimator"):
        plot_images(grey_images, labels, which="worst")
    with pytest.raises(ValueError, match="which='worst' needs y"):
        plot_images(grey_images, estimator=grey_classifier, which="worst")
    with pytest.raises(ValueError, match="The 'which' parameter of plot_images must be a str"):
        plot_images(grey_images, which="best")
    with pytest.raises(ValueError, match="The 'n_images' parameter"):
        plot_images(grey_images, n_images=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plot_images(grey_images, labels[:-1])
    with pytest.raises(ValueError, match="class_names has 2 names.*3 classes"):
        plot_images(grey_images, estimator=grey_classifier, class_names=["a", "b"])
    with pytest.raises(ValueError, match="class_names has no name for the label 2"):
        plot_images(grey_images, labels, class_names=["a", "b"])
    with pytest.raises(ValueError, match="y. has classes not in"):
        plot_images(grey_images, labels + 7, estimator=grey_classifier, which="worst")
