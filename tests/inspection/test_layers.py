import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import correlate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from sknn import ConvClassifier
from sknn.inspection import plot_feature_maps, plot_filters

from .conftest import fit, make_images

plt = pytest.importorskip("matplotlib.pyplot")


def shown(axes: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(ax.images[0].get_array()) for ax in axes])


def test_grey_filters(grey_classifier: ConvClassifier) -> None:
    weights = grey_classifier.module_.layers.conv1.weight.detach().numpy()
    axes = plot_filters(grey_classifier)
    assert_array_equal(shown(axes), weights[:, 0])
    largest = np.abs(weights).max()
    assert [ax.images[0].get_clim() for ax in axes] == [(-largest, largest)] * 4
    assert axes[0].figure.get_suptitle() == "conv1: 4 filters of 3×3"


def test_colour_filters(colour_classifier: ConvClassifier) -> None:
    weights = colour_classifier.module_.layers.conv1.weight.detach().numpy()
    largest = np.abs(weights).max()
    axes = plot_filters(colour_classifier)
    for i, picture in enumerate(shown(axes)):
        for colour in range(3):
            # 0 and 1 are minus and plus the largest weight
            expected = np.interp(weights[i, colour], (-largest, largest), (0, 1))
            assert_allclose(picture[..., colour], expected, atol=1e-6)
    one = plot_filters(colour_classifier, channel=2)
    assert_array_equal(shown(one), weights[:, 2])
    assert one[0].figure.get_suptitle() == "conv1: 4 filters of 3×3, channel 2"


@pytest.mark.parametrize("name", ["conv2", "layers.conv2"])
def test_later_filters(name: str, grey_classifier: ConvClassifier) -> None:
    weights = grey_classifier.module_.layers.conv2.weight.detach().numpy()
    axes = plot_filters(grey_classifier, name, n_filters=3, n_columns=2)
    assert_array_equal(shown(axes), weights[:3, 0])
    title = "conv2: the first 3 of 5 filters of 3×3, channel 0"
    assert axes[0].figure.get_suptitle() == title


def test_three_maps_are_no_colours(grey_images: np.ndarray, labels: np.ndarray) -> None:
    classifier = fit(ConvClassifier(filters=(3, 2)), grey_images, labels)
    assert shown(plot_filters(classifier, "conv2")).shape == (2, 3, 3)


def test_whitening_filters(labels: np.ndarray) -> None:
    classifier = ConvClassifier(architecture="airbench", filters=(4,))
    classifier = fit(classifier, make_images(30, 8, 8, 3), labels)
    assert shown(plot_filters(classifier)).shape == (24, 2, 2, 3)


def test_maps(grey_classifier: ConvClassifier, grey_images: np.ndarray) -> None:
    conv = grey_classifier.module_.layers.conv1
    image = grey_images[5] / 255
    expected = [
        correlate(image, weight[0], mode="constant") + bias
        for weight, bias in zip(
            conv.weight.detach().numpy(), conv.bias.detach().numpy(), strict=True
        )
    ]
    axes = plot_feature_maps(grey_classifier, grey_images[5])
    assert_allclose(shown(axes), expected, atol=1e-5)
    assert axes[0].images[0].get_clim()[1] == pytest.approx(np.abs(expected).max(), rel=1e-4)
    pooled = np.maximum(expected, 0).reshape(4, 4, 2, 3, 2).max(axis=(2, 4))
    after = plot_feature_maps(grey_classifier, grey_images[5], "activation1", n_maps=2)
    assert_allclose(shown(after), pooled[:2], atol=1e-5)
    assert after[0].images[0].get_clim()[0] == 0
    assert after[0].figure.get_suptitle() == "activation1: the first 2 of 4 maps of 4×3"


def test_maps_of_a_block_and_of_a_pipeline(labels: np.ndarray) -> None:
    X = make_images(30, 8, 8, 3)
    classifier = ConvClassifier(architecture="resnet", filters=(4, 6), max_iter=1, random_state=0)
    pipeline = make_pipeline(FunctionTransformer(lambda X: X / 255), classifier).fit(X, labels)
    block = plot_feature_maps(pipeline, X[0], "stage2_block1")
    last = plot_feature_maps(classifier, X[0] / 255, "stage2_block1.activation2")
    assert shown(block).shape == (6, 4, 4)
    assert_array_equal(shown(block), shown(last))


def test_the_network_is_left_as_it_was(
    grey_classifier: ConvClassifier, grey_images: np.ndarray
) -> None:
    module = grey_classifier.module_
    plot_feature_maps(grey_classifier, grey_images[0])
    assert not module.training
    assert not any(layer._forward_hooks for layer in module.modules())


def test_given_axes_get_no_heading(grey_classifier: ConvClassifier) -> None:
    figure, grid = plt.subplots(2, 2)
    assert_array_equal(plot_filters(grey_classifier, axes=grid), grid.ravel())
    assert figure.get_suptitle() == ""
    assert len(figure.axes) == 4


def test_bad_layers(grey_classifier: ConvClassifier, grey_images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="'conv3' is not in the network. Its layers are: conv1, "):
        plot_filters(grey_classifier, "conv3")
    with pytest.raises(ValueError, match="'pool1' is not a convolution.*are: conv1, conv2"):
        plot_filters(grey_classifier, "pool1")
    with pytest.raises(ValueError, match="channel=1, but the filters of 'conv1' have 1 input"):
        plot_filters(grey_classifier, channel=1)
    with pytest.raises(ValueError, match="Its layers are: conv1, .*, output"):
        plot_feature_maps(grey_classifier, grey_images[0], "conv3")
    with pytest.raises(ValueError, match=r"'output' returns .* shape \(3,\).*: conv1, conv2"):
        plot_feature_maps(grey_classifier, grey_images[0], "output")
    with pytest.raises(ValueError, match="X of shape .*was fitted with images of 8x6"):
        plot_feature_maps(grey_classifier, np.zeros((4, 4)))
    with pytest.raises(ValueError, match="The 'n_maps' parameter"):
        plot_feature_maps(grey_classifier, grey_images[0], n_maps=0)


class Lazy(nn.Module):
    """No convolution, and a layer that is not called."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)
        self.last = nn.Linear(48, n_outputs)

    def forward(self, images: object) -> object:
        return self.last(images.flatten(1))  # type: ignore[attr-defined]


def test_modules_of_users(grey_images: np.ndarray, labels: np.ndarray) -> None:
    classifier = fit(ConvClassifier(module=Lazy), grey_images, labels)
    with pytest.raises(ValueError, match="the network has no convolution"):
        plot_filters(classifier)
    with pytest.raises(ValueError, match="layer='unused' takes no part in predictions"):
        plot_feature_maps(classifier, grey_images[0], "unused")
    with pytest.raises(ValueError, match=r"'last' returns numbers of shape \(3,\).*there is none"):
        plot_feature_maps(classifier, grey_images[0], "last")


class InPlace(nn.Sequential):
    """A convolution whose output the next layer overwrites."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__(
            nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(72, n_outputs)
        )


def test_maps_are_those_of_the_layer_though_the_next_works_in_place(
    grey_images: np.ndarray, labels: np.ndarray
) -> None:
    classifier = fit(ConvClassifier(module=InPlace), grey_images, labels)
    convolution = classifier.module_[0]
    image = torch.from_numpy(grey_images[:1] / 255).float()[:, None]
    expected = convolution(image).detach()[0]
    assert expected.min() < 0
    maps = shown(plot_feature_maps(classifier, grey_images[0], "0"))
    assert_allclose(maps, expected, atol=1e-6)
    maps = shown(plot_feature_maps(classifier, grey_images[0], "1"))
    assert_allclose(maps, expected.clamp(min=0), atol=1e-6)
