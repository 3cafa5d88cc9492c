"""Convolutional networks: X holds images, as arrays or as flat rows of pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.estimators._checks import CheckedData
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._layers import LayerParameters, dropout_rates, positive_integers
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.estimators._training_parameters import refuse_with_lbfgs
from sknn.nn import (
    AUGMENTATIONS,
    IMAGE_POOLINGS,
    INITIALIZATIONS,
    AirbenchNetwork,
    ConvNetwork,
    Convolution,
    FlipAverage,
    ImageNetwork,
    ResidualNetwork,
    WhiteningConv,
    describe_augmentations,
    make_augmentation,
    per_layer,
)
from sknn.training import Work

from ._format import ImageFormat

# Training images from which a whitening layer is computed.
WHITENING_IMAGES = 5000

# The defaults, which `python -m benchmarks images-defaults` compares with others.
FEWEST_EPOCHS = 9
FEWEST_UPDATES = 300
# Images from which on a hidden dense layer makes the plain network better.
HIDDEN_LAYER_IMAGES = 1000

STAGED_NETWORKS: dict[str, Callable[..., ImageNetwork]] = {
    "resnet": ResidualNetwork,
    "airbench": AirbenchNetwork,
}
INITIAL_WEIGHTS = {"plain": "glorot", "resnet": "he", "airbench": "dirac"}

PADDINGS = ("valid", "same")

AUGMENT_DOC = f"""str, callable, sequence of them, dict or None
Random changes of the training images, drawn anew for each batch. Several are applied one
after the other. A dict gives strengths: ``{{"flip": 0.5, "shift": 4}}``.

{describe_augmentations()}

A callable gets and returns batches of shape (n, channels, height, width). Names need kornia."""


@declares_parameters
class ConvEstimator(LayerParameters):
    """Input convention and networks of the convolutional estimators.

    Parameters
    ----------
    {parameters}
    """

    filters: int | Sequence[int] = parameter(
        default=(32, 64, 64),
        constraints=["array-like", POSITIVE_INTEGER],
        doc="""int or array-like of int
        Filters of each convolution, or of each stage of the other architectures.""",
    )
    kernel_size: Any = parameter(
        default=3,
        constraints=[POSITIVE_INTEGER, "array-like"],
        doc="""int, or sequence of int or pairs
        Height and width of the filters in pixels. Here and in the next four parameters a single
        value holds for all convolutions, and a sequence has one for each, which may be a pair of
        height and width. These five describe ``architecture="plain"`` only.""",
    )
    stride: Any = parameter(
        default=1,
        constraints=[POSITIVE_INTEGER, "array-like"],
        doc="""int, or sequence of int or pairs
        Pixels from one position of a filter to the next.""",
    )
    padding: Any = parameter(
        default="same",
        constraints=[
            StrOptions(set(PADDINGS)),
            Interval(Integral, 0, None, closed="left"),
            "array-like",
        ],
        doc="""{"same", "valid"}, int or sequence of them
        Pixels of zeros around the image: "valid" is none, "same" as many as leave
        ``ceil(n / stride)`` of n pixels. A convolution leaves
        ``floor((n + 2 padding - kernel_size) / stride + 1)``.""",
    )
    pooling: Any = parameter(
        default="max",
        constraints=[StrOptions(set(IMAGE_POOLINGS)), "array-like", None],
        doc="""{"max", "average"}, None or sequence of them
        Pooling after each convolution: ``("max", "max", None)`` pools after two of three.""",
    )
    pool_size: Any = parameter(
        default=2,
        constraints=[POSITIVE_INTEGER, "array-like"],
        doc="""int, or sequence of int or pairs
        Pixels that are pooled into one, and the stride of the pooling. Where fewer are left,
        these are pooled.""",
    )
    hidden_layer_sizes: int | Sequence[int] | None = parameter(
        default=None,
        constraints=["array-like", POSITIVE_INTEGER, None],
        doc="""int, array-like of int or None
        Units of each hidden dense layer behind the convolutions. None is () but (64,) for the
        plain architecture with 1000 images or more, where it helps.""",
    )
    normalization: str | None = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "batch", "layer"}), None],
        doc="""{"auto", "batch", "layer"} or None
        Normalization before each hidden activation: of each channel over the batch (Ioffe and
        Szegedy, 2015), or over all numbers of an image (Ba et al., 2016). Batch normalization
        makes most networks learn faster and better, and is what "auto" is; but None for the
        plain architecture with "lbfgs" or batches of one image, which have no statistics.""",
    )
    architecture: str = parameter(
        default="plain",
        constraints=[StrOptions({"plain", "resnet", "airbench"})],
        doc="""{"plain", "resnet", "airbench"}
        The network.

        - "plain": convolutions, each with its pooling, then dense layers.
        - "resnet": a convolution, then for each of `filters` a stage of two residual blocks (He
          et al., 2016); (64, 128, 256, 512) is ResNet-18 for small images.
        - "airbench": whitening of small patches, then for each of `filters` a stage of two
          convolutions, and a maximum over the image (Jordan, 2024); made for accuracy in little
          time. (64, 256, 256) with ``activation="gelu"`` is airbench94.""",
    )
    initialization: str | None = parameter(
        default=None,
        constraints=[StrOptions(set(INITIALIZATIONS)), None],
        doc="""{"glorot", "he", "dirac"} or None
        Initial weights: uniform in ± sqrt(6 / (fan_in + fan_out)), normal with variance
        2 / fan_in, or the latter with filters that start as copies of a channel. None is
        "glorot" for the plain architecture, "he" for "resnet" and "dirac" for "airbench".""",
    )
    augment: Any = parameter(
        default=None,
        constraints=[StrOptions(set(AUGMENTATIONS)), dict, list, tuple, callable, None],
        doc=AUGMENT_DOC,
    )
    test_time_augment: str | None = parameter(
        default=None,
        constraints=[StrOptions({"flip", "flip_shift"}), None],
        doc="""{"flip", "flip_shift"} or None
        What predictions average the network's outputs over: each image and its mirror image, or
        these and both shifted by a pixel up left and down right. Validation scores while
        training are without it.""",
    )
    image_shape: Sequence[int] | None = parameter(
        default=None,
        constraints=["array-like", None],
        doc="""sequence of int or None
        Height, width and, if there are several, channels of images that come as flat rows. None
        takes a square if the rows' length is one, else a strip of height 1.""",
    )
    data_format: str = parameter(
        default="channels_last",
        constraints=[StrOptions({"channels_last", "channels_first"})],
        doc="""{"channels_last", "channels_first"}
        Order of the dimensions of colour images: (n, height, width, channels) or
        (n, channels, height, width). Flat rows are such images without their dimensions.""",
    )
    batch_size: int | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "all"}), POSITIVE_INTEGER],
        doc="""int, "auto" or "all"
        Images a batch; "auto" is an eightieth of the training images, but at least 16 and at most
        200, and "all" every image. Not used by "lbfgs".""",
    )
    solver: Any = inherited(LayerParameters, "solver", default="adamw")
    alpha: float = inherited(LayerParameters, "alpha", default=0.05)
    learning_rate: str = inherited(LayerParameters, "learning_rate", default="one_cycle")
    learning_rate_init: float = inherited(LayerParameters, "learning_rate_init", default=0.01)
    max_iter: Any = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), POSITIVE_INTEGER],
        doc="""int or "auto"
        Largest number of epochs (of iterations for "lbfgs"). "auto" is 9, and for few images as
        many as give 300 updates of the weights; 200 for "lbfgs".""",
    )

    _family_attributes: ClassVar[str] = """
        image_shape_ : tuple of int
            Height, width and channels of the images.
        n_features_in_ : int
            Number of features, if X was two-dimensional.
        """

    # ---------------------------------------------------------------------------------- input

    @property
    def _scales_targets(self) -> bool:  # type: ignore[override]
        return self.module is None

    _format_kind = ImageFormat
    _takes = ("three_d_array",)
    _format: ClassVar[ImageFormat]

    @property
    def image_shape_(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._learned("_format").shape

    def _of_this_version(self, state: dict[str, Any]) -> dict[str, Any]:
        if "_format" in state and state["_format"].pixels == "unknown":
            state["_format"] = state["_format"]._replace(
                channels_first=state["data_format"] == "channels_first",
                is_flat="n_features_in_" in state,
            )
        return super()._of_this_version(state)

    def _automatic_batch_size(self, n_samples: int) -> int:
        return min(max(n_samples // 80, 16), 200, n_samples)

    def _resolve_max_iter(self, n_samples: int) -> int:
        if self.max_iter != "auto":
            return int(self.max_iter)
        if self.solver == "lbfgs":
            return 200
        n_batches = self._count_batches(n_samples)
        return max(FEWEST_EPOCHS, math.ceil(FEWEST_UPDATES / n_batches))

    # -------------------------------------------------------------------------------- network

    def _build_network(
        self, data: CheckedData, random_state: np.random.RandomState, dtype: torch.dtype
    ) -> ImageNetwork:
        if self.architecture == "plain":
            network: ImageNetwork = self._build_plain(len(data.X))
        else:
            network = self._build_stages()
        network.initialize(random_state, self.initialization or INITIAL_WEIGHTS[self.architecture])
        return network

    def _build_plain(self, n_images: int) -> ConvNetwork:
        filters = positive_integers("filters", self.filters)
        sizes = self._dense_layer_sizes(n_images)
        n_conv = len(filters)
        n_layers, layers = n_conv + len(sizes), "convolutions and hidden layers"
        columns = (
            filters,
            self._sizes("kernel_size", n_conv),
            self._sizes("stride", n_conv),
            self._choices("padding", n_conv, PADDINGS),
            self._choices("pooling", n_conv, (*IMAGE_POOLINGS, None)),
            self._sizes("pool_size", n_conv),
        )
        rates = dropout_rates(self, n_layers, layers)
        activations = per_layer("activation", self.activation, n_layers, layers)
        convolutions = zip(*columns, activations[:n_conv], rates[:n_conv], strict=True)
        return ConvNetwork(
            self._format.shape,
            [Convolution(*each) for each in convolutions],
            self.n_outputs_,
            hidden_layer_sizes=sizes,
            activation=activations[n_conv:],
            dropout=rates[n_conv:],
            normalization=self._resolve_normalization(),
        )

    def _build_stages(self) -> ImageNetwork:
        """Return an architecture of stages, whose layers are all alike."""
        for name in ("activation", "dropout"):
            if isinstance(getattr(self, name), list | tuple | np.ndarray):
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: architecture={self.architecture!r} takes one "
                    "value for all layers; sequences are for architecture='plain'."
                )
        return STAGED_NETWORKS[self.architecture](
            self._format.shape,
            positive_integers("filters", self.filters),
            self.n_outputs_,
            hidden_layer_sizes=self._dense_layer_sizes(),
            activation=self.activation,
            dropout=dropout_rates(self, 1)[0],
            normalization=self._resolve_normalization(),
        )

    def _fit_fixed_layers(self, data: CheckedData, rows: np.ndarray | None) -> None:
        """Fit whitening to the training rows."""
        layers = getattr(self.module_, "layers", None)
        whitening = getattr(layers, "whitening", None)
        if isinstance(whitening, WhiteningConv):
            numbers = np.arange(len(data.X)) if rows is None else np.sort(rows)
            # evenly spaced, since rows may be sorted by class
            places = np.linspace(0, len(numbers) - 1, min(len(numbers), WHITENING_IMAGES))
            chosen = torch.from_numpy(numbers[places.astype(np.int64)])
            images = self._format.rows(data.X, torch.device("cpu"), torch.float32, self.module_)
            whitening.fit(images.take(chosen))

    def _dense_layer_sizes(self, n_images: int = 0) -> list[int]:
        if self.hidden_layer_sizes is None:
            return [64] if n_images >= HIDDEN_LAYER_IMAGES else []
        return positive_integers("hidden_layer_sizes", self.hidden_layer_sizes)

    def _resolve_normalization(self) -> str | None:
        if self.normalization != "auto":
            return self.normalization
        has_batches = self.solver != "lbfgs" and self.batch_size != 1
        return "batch" if has_batches or self.architecture != "plain" else None

    def _sizes(self, name: str, n_conv: int) -> list[int | tuple[int, ...]]:
        """Return sizes in pixels, one for each convolution: numbers or pairs."""
        sizes = per_layer(name, getattr(self, name), n_conv, "convolutions")
        checked: list[int | tuple[int, ...]] = []
        for size in sizes:
            numbers = positive_integers(name, size)
            if len(numbers) > 2 or (len(numbers) == 1 and not isinstance(size, Integral)):
                raise ValueError(
                    f"{name} has {size!r} for a convolution; an int or a pair (height, width) is "
                    "needed."
                )
            checked.append(numbers[0] if isinstance(size, Integral) else tuple(numbers))
        return checked

    def _choices(self, name: str, n_conv: int, allowed: tuple[Any, ...]) -> list[Any]:
        choices = per_layer(name, getattr(self, name), n_conv, "convolutions")
        for choice in choices:
            is_padding = name == "padding" and isinstance(choice, Integral) and int(choice) >= 0
            if not is_padding and choice not in allowed:
                or_int = " or an int of at least 0" if name == "padding" else ""
                raise ValueError(f"{name} has {choice!r}; use one of {list(allowed)}{or_int}.")
        return choices

    def _measure_work(self) -> Work:
        height, width, _ = self._format.shape
        if self.module is not None:  # not run before training; the usual number of maps
            return Work.of_training(None, layer_size=64 * height * width)
        layers = self._trace_layers()
        return Work.of_training(
            sum(layer.multiplications for layer in layers),
            layer_size=max(layer.output.numel() for layer in layers),
        )

    # --------------------------------------------------------------------------- augmentation

    def _runs_user_code(self) -> bool:
        augment = self.augment
        given = augment if isinstance(augment, list | tuple) else [augment]
        return any(callable(each) for each in given) or super()._runs_user_code()

    def _draws_torch_numbers(self) -> bool:
        return self.augment is not None or super()._draws_torch_numbers()

    def _make_augmentation(self) -> Callable[[Tensor], Tensor] | None:
        if self.augment is not None:
            refuse_with_lbfgs(self.solver, "augment", off=None)
        return make_augmentation(self.augment, self._format.height, self._format.width)

    def _prediction_module(self) -> nn.Module:
        if self.test_time_augment is None:
            return self.module_
        return FlipAverage(self.module_, shift=int(self.test_time_augment == "flip_shift"))


@declares_parameters
class ConvClassifier(ConvEstimator, NeuralClassifierBase):
    """Convolutional network for the classification of images.

    X holds images, as an array of shape (n_samples, height, width) or (n_samples, height, width,
    channels), or as flat rows of pixels, for which see `image_shape`. Bytes (``uint8``) stay
    bytes in memory and become floats from 0 to 1 batch by batch. Binary, multiclass and
    multilabel problems.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel problems the numbers of the labels.

    See Also
    --------
    ConvRegressor : The same network for regression.
    NeuralClassifier : For samples without neighbouring values.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86, 1998.
    .. [2] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016, arXiv:1512.03385.
    .. [3] K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvClassifier
    >>> X, y = load_digits(return_X_y=True)  # rows of 64 numbers: images of 8x8 pixels
    >>> classifier = ConvClassifier(filters=(16, 32), random_state=0)
    >>> classifier.fit(X[:1500] / 16, y[:1500]).image_shape_
    (8, 8, 1)
    >>> bool(classifier.score(X[1500:] / 16, y[1500:]) > 0.9)
    True
    """


@declares_parameters
class ConvRegressor(ConvEstimator, NeuralRegressorBase):
    """Convolutional network for values that belong to images.

    X is as for :class:`ConvClassifier`. One or several targets.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    ConvClassifier : The same network for classification.

    Examples
    --------
    How much more ink the upper half of a digit has than the lower half:

    >>> from sklearn.datasets import load_digits
    >>> from sknn import ConvRegressor
    >>> X = load_digits().images / 16
    >>> y = X[:, :4].mean((1, 2)) - X[:, 4:].mean((1, 2))
    >>> regressor = ConvRegressor(filters=(8, 8), random_state=0)
    >>> bool(regressor.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.9)
    True
    """
