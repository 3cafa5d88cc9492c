import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from sknn import ConvClassifier, ConvRegressor
from sknn.inspection import plot_saliency, saliency

from .conftest import fit

pytest.importorskip("captum")
plt = pytest.importorskip("matplotlib.pyplot")

SIGNED = ["input_x_gradient", "integrated_gradients"]
METHODS = ["saliency", *SIGNED]


class LinearNetwork(nn.Module):
    """Outputs are sums of weights times pixels, so that all gradients are the weights."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.layer = nn.Linear(3 * 8 * 6, n_outputs)
        with torch.no_grad():
            weight = torch.randn(self.layer.weight.shape, generator=generator)
            # all pixels are positive: weights of mean zero let no output always win
            self.layer.weight.copy_(weight - weight.mean(1, keepdim=True))

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))

    @property
    def weights(self) -> np.ndarray:
        """Shape (n_outputs, channels, height, width)."""
        return self.layer.weight.detach().numpy().reshape(-1, 3, 8, 6)


def linear(X: np.ndarray, y: np.ndarray, kind: Any = ConvClassifier) -> Any:
    return fit(kind(module=LinearNetwork), X, y)


def expected_maps(weights: np.ndarray, X: np.ndarray, method: str) -> np.ndarray:
    """Weights of each image's output, of shape (n, channels, height, width), to maps."""
    if method == "saliency":
        return np.abs(weights).max(axis=1)
    return (weights * X.transpose(0, 3, 1, 2) / 255).sum(axis=1)


@pytest.mark.parametrize("method", METHODS)
def test_linear_network(method: str, colour_images: np.ndarray, labels: np.ndarray) -> None:
    classifier = linear(colour_images, labels)
    weights = classifier.module_.weights
    chosen = classifier.predict(colour_images)
    assert len(set(chosen)) > 1
    for target, outputs in [(None, chosen), (1, np.ones(30, int)), (labels, labels)]:
        maps = saliency(classifier, colour_images, target=target, method=method)
        expected = expected_maps(weights[outputs], colour_images, method)
        assert_allclose(maps, expected, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_one_logit_of_two_classes(
    method: str, colour_images: np.ndarray, labels: np.ndarray
) -> None:
    y = np.where(labels > 0, "yes", "no")
    classifier = linear(colour_images, y)
    weights = classifier.module_.weights  # for "yes"
    guessed = classifier.predict(colour_images)
    assert set(guessed) == {"no", "yes"}
    for target, names in [(None, guessed), ("no", np.array(["no"] * 30)), (y, y)]:
        signs = np.where(names == "yes", 1, -1)[:, None, None, None]
        maps = saliency(classifier, colour_images, target=target, method=method)
        assert_allclose(maps, expected_maps(signs * weights, colour_images, method), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_values_and_labels(method: str, colour_images: np.ndarray) -> None:
    y = np.random.default_rng(0).integers(0, 2, (30, 2))
    regressor = linear(colour_images, y.astype(float), ConvRegressor)
    maps = saliency(regressor, colour_images, target=1, method=method)
    expected = expected_maps(regressor.module_.weights[[1] * 30], colour_images, method)
    assert_allclose(maps, expected, atol=1e-4)
    classifier = linear(colour_images, y)
    largest = classifier.decision_function(colour_images).argmax(axis=1)
    maps = saliency(classifier, colour_images, method=method)
    expected = expected_maps(classifier.module_.weights[largest], colour_images, method)
    assert_allclose(maps, expected, atol=1e-4)


def test_autograd_by_hand(grey_classifier: ConvClassifier, grey_images: np.ndarray) -> None:
    maps = saliency(grey_classifier, grey_images, target=2)
    for i in (0, 29):
        image = torch.tensor(grey_images[i] / np.float32(255))[None, None].requires_grad_()
        grey_classifier.module_(image)[0, 2].backward()
        assert image.grad is not None
        assert_allclose(maps[i], image.grad[0, 0].abs().numpy(), atol=1e-6)
    grey_classifier.module_.zero_grad(set_to_none=True)


def test_integrated_gradients_sum_up(
    binary_classifier: ConvClassifier, grey_images: np.ndarray
) -> None:
    maps = saliency(binary_classifier, grey_images, target="no", method="integrated_gradients")
    logits = binary_classifier.decision_function(grey_images)
    black = binary_classifier.decision_function(np.zeros((1, 8, 6)))
    # up to the steps of the integral, between which units of the network switch
    assert_allclose(maps.sum(axis=(1, 2)), black - logits, rtol=0.02, atol=5e-3)


def test_the_average_over_mirror_images(grey_images: np.ndarray, labels: np.ndarray) -> None:
    classifier = fit(ConvClassifier(filters=(4,)), grey_images, labels)
    options: dict[str, Any] = {"target": 0, "method": "input_x_gradient"}
    plain = saliency(classifier, grey_images, **options)
    mirrored = saliency(classifier, grey_images[..., ::-1], **options)[..., ::-1]
    averaged = saliency(classifier.set_params(test_time_augment="flip"), grey_images, **options)
    assert_allclose(averaged, (plain + mirrored) / 2, atol=1e-6)


def test_pipeline(grey_images: np.ndarray, labels: np.ndarray) -> None:
    rows = grey_images.reshape(30, -1).astype(float)
    classifier = ConvClassifier(filters=(4,), image_shape=(8, 6), max_iter=1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), classifier).fit(rows, labels)
    maps = saliency(pipeline, rows)
    assert_array_equal(maps, saliency(classifier, pipeline[0].transform(rows)))
    assert maps.shape == (30, 8, 6)


@pytest.mark.parametrize("method", METHODS)
def test_many_images_in_parts(method: str, grey_classifier: ConvClassifier) -> None:
    X = np.random.default_rng(0).random((70, 8, 6), dtype=np.float32)
    before, state = X.copy(), copy.deepcopy(grey_classifier.module_.state_dict())
    grey_classifier.module_.zero_grad()  # training leaves some
    maps = saliency(grey_classifier, X, target=1, method=method)
    alone = saliency(grey_classifier, X[69:], target=1, method=method)
    assert_allclose(maps[69:], alone, atol=1e-6)
    assert_array_equal(X, before)
    module = grey_classifier.module_
    assert not module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())


def test_plot(grey_classifier: ConvClassifier, grey_images: np.ndarray, labels: np.ndarray) -> None:
    axes = plot_saliency(grey_classifier, grey_images, labels, n_images=3, class_names=list("abc"))
    assert axes.shape == (6,)
    maps = saliency(grey_classifier, grey_images[:3])
    guessed = grey_classifier.predict(grey_images[:3])
    for i in range(3):
        picture, map_ = axes[2 * i : 2 * i + 2]
        assert_allclose(picture.images[0].get_array(), grey_images[i] / 255)
        assert_allclose(map_.images[0].get_array(), maps[i], atol=1e-7)
        assert picture.get_title()[0] == "abc"[guessed[i]]
        assert map_.get_title() == f"for {'abc'[guessed[i]]}"
        assert map_.images[0].get_clim() == (0, pytest.approx(maps[i].max()))


@pytest.mark.parametrize("method", SIGNED)
def test_plot_of_signed_maps(
    method: str, binary_classifier: ConvClassifier, grey_images: np.ndarray, labels: np.ndarray
) -> None:
    target = np.where(labels > 0, "yes", "no")
    _, grid = plt.subplots(2, 2)
    axes = plot_saliency(
        binary_classifier, grey_images, target=target, method=method, n_images=2, axes=grid
    )
    assert [ax.get_title() for ax in axes[1::2]] == ["for no", "for yes"]
    low, high = axes[1].images[0].get_clim()
    assert low == -high


def test_plot_of_values(regressor: ConvRegressor, grey_images: np.ndarray) -> None:
    axes = plot_saliency(regressor, grey_images, n_images=1)
    assert axes[1].get_title() == "for output 0"


def test_bad_input(
    grey_classifier: ConvClassifier, colour_images: np.ndarray, grey_images: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"target has 5, but the classes are \[0, 1, 2\]"):
        saliency(grey_classifier, grey_images, target=5)
    with pytest.raises(ValueError, match="target has '1', but the classes are"):
        saliency(grey_classifier, grey_images, target="1")
    with pytest.raises(ValueError, match=r"target has shape \(2,\).*the 30 images"):
        saliency(grey_classifier, grey_images, target=[0, 1])
    with pytest.raises(ValueError, match="The 'method' parameter of saliency"):
        saliency(grey_classifier, grey_images, method="magic")
    with pytest.raises(ValueError, match="was fitted with images of 8x6"):
        saliency(grey_classifier, colour_images)
    y = np.random.default_rng(0).normal(size=(30, 2))
    regressor = linear(colour_images, y, ConvRegressor)
    with pytest.raises(ValueError, match="target must say which of the 2 outputs"):
        saliency(regressor, colour_images)
    for target in (2, -1, 0.5):
        with pytest.raises(ValueError, match="must be the number of one of the 2 output"):
            saliency(regressor, colour_images, target=target)
