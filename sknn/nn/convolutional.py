"""Convolutional networks: the plain stack of the tutorials, and two that are made for accuracy.

Images are tensors of shape (batch, channels, height, width) in channels_last memory, in which
oneDNN and cuDNN are fastest and in which arrays of images, channels last, need not be copied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import find_activation
from .layers import Conv2d, Linear, normalization_1d, normalization_2d, per_layer

# height, width, channels
ImageShape = tuple[int, int, int]

INITIALIZATIONS = ("glorot", "he", "dirac")

# Activations f with f(max(a, b)) = max(f(a), f(b)), so that pooling may come first.
NONDECREASING = frozenset(
    {"identity", "relu", "logistic", "tanh", "leaky_relu", "elu", "celu", "selu", "softplus"}
    | {"softsign", "relu6", "hardtanh"}
)


def output_size(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """Return the size that a convolution or pooling leaves, ``floor((n + 2p - k) / s + 1)``.

    Parameters
    ----------
    size : int
        Height or width n.
    kernel_size, stride : int
        k and s.
    padding : int
        2p: rows or columns of zeros added on both sides together.

    Returns
    -------
    int
        Zero or less where the kernel does not fit.

    Examples
    --------
    >>> from sknn.nn import output_size
    >>> output_size(28, kernel_size=5, stride=1, padding=4)
    28
    """
    return (size + padding - kernel_size) // stride + 1


class _Builder:
    """Collects named layers, without those that do nothing."""

    def __init__(self) -> None:
        self.layers = nn.Sequential()

    def add(self, name: str, layer: nn.Module) -> None:
        if not isinstance(layer, nn.Identity):
            self.layers.add_module(name, layer)

    def add_dense_part(
        self,
        width: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        activations: Sequence[Any],
        dropout: Sequence[float],
        normalization: str | None,
    ) -> None:
        """Add hidden dense layers and the linear output."""
        widths = [width, *hidden_layer_sizes]
        for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
            self.add(f"dense{i + 1}", Linear(fan_in, fan_out))
            self.add(f"dense_norm{i + 1}", normalization_1d(normalization, fan_out))
            self.add(f"dense_activation{i + 1}", find_activation(activations[i]).module())
            self.add_dropout(f"dense_dropout{i + 1}", dropout[i])
        self.add("output", Linear(widths[-1], n_outputs))

    def add_dropout(self, name: str, rate: float) -> None:
        if rate:
            self.add(name, nn.Dropout(rate))


class ImageNetwork(nn.Module):
    """Base class of the built-in networks for images.

    Parameters
    ----------
    layers : torch.nn.Sequential
        From images of shape (batch, channels, height, width) to outputs (batch, n_outputs).
    """

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Map images of shape (batch, channels, height, width) to outputs (batch, n_outputs)."""
        return self.layers(images)

    @torch.no_grad()
    def initialize(self, random_state: np.random.RandomState, initialization: str) -> None:
        """Draw the initial weights; biases become zero.

        Parameters
        ----------
        random_state : numpy.random.RandomState
            The source of the numbers.
        initialization : {"glorot", "he", "dirac"}
            "glorot" is uniform in plus or minus ``sqrt(6 / (fan_in + fan_out))`` (Glorot and
            Bengio, 2010); "he" is normal with variance ``2 / fan_in`` (He et al., 2015,
            arXiv:1502.01852); "dirac" is "he", but the first filters of each convolution pass
            one channel on as it is (Zagoruyko and Komodakis, 2017, arXiv:1706.00388). The output
            layer is always "glorot".
        """
        linear = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for layer in linear:
            weight = layer.weight
            # fan_in is channels times kernel area, fan_out filters times kernel area
            fan_in = weight[0].numel()
            fan_out = len(weight) * weight[0, 0].numel()
            if initialization == "glorot" or layer is linear[-1]:
                bound = math.sqrt(6 / (fan_in + fan_out))
                numbers = random_state.uniform(-bound, bound, weight.shape)
            else:
                numbers = random_state.normal(0, math.sqrt(2 / fan_in), weight.shape)
            weight.copy_(torch.from_numpy(numbers))
            if initialization == "dirac" and weight.ndim == 4:
                nn.init.dirac_(weight[: weight.shape[1]])
            if layer.bias is not None:
                layer.bias.zero_()


class ConvNetwork(ImageNetwork):
    """Convolutions with pooling, then dense layers.

    A convolutional layer computes ``dropout(pool(activation(normalization(conv(x)))))``.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels of the images.
    filters : sequence of int
        Filters of each convolution.
    n_outputs : int
        Width of the output.
    kernel_size, stride, pool_size : int, pair of int or sequence of them
        Sizes in pixels; pairs are height and width, a sequence has one for each convolution.
    padding : {"valid", "same"}, int or sequence of them
        Pixels of zeros on each side; "same" keeps ``ceil(n / stride)`` pixels.
    pooling : {"max", "average"}, None or sequence of them
        How images are pooled after each convolution.
    hidden_layer_sizes : sequence of int, default=()
        Width of each hidden dense layer.
    activation : str, callable or sequence of them, default="relu"
        A sequence has one for each convolution, then one for each hidden dense layer.
    dropout : float or sequence of float, default=0.0
        As `activation`.
    normalization : {"batch", "layer"} or None, default=None
        Normalization before each activation.
    clip : bool, default=False
        Whether kernels and pools that are larger than the image are cut down to it, which makes
        strips of height 1 possible.

    Raises
    ------
    ValueError
        If a layer leaves no pixel, or a sequence has not one value a layer.

    Examples
    --------
    The network of the CIFAR-10 tutorials:

    >>> from sknn.nn import ConvNetwork
    >>> network = ConvNetwork(
    ...     (32, 32, 3),
    ...     (32, 64, 64),
    ...     10,
    ...     padding="valid",
    ...     pooling=("max", "max", None),
    ...     hidden_layer_sizes=(64,),
    ... )
    >>> sum(parameter.numel() for parameter in network.parameters())
    122570
    """

    def __init__(
        self,
        image_shape: ImageShape,
        filters: Sequence[int],
        n_outputs: int,
        *,
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Any = "same",
        pooling: Any = "max",
        pool_size: Any = 2,
        hidden_layer_sizes: Sequence[int] = (),
        activation: Any = "relu",
        dropout: Any = 0.0,
        normalization: str | None = None,
        clip: bool = False,
    ) -> None:
        n_conv = len(filters)
        n_layers, layers = n_conv + len(hidden_layer_sizes), "convolutions and hidden layers"
        activations = per_layer("activation", activation, n_layers, layers)
        rates = per_layer("dropout", dropout, n_layers, layers)
        plan = {
            "kernel_size": per_layer("kernel_size", kernel_size, n_conv, "convolutions"),
            "stride": per_layer("stride", stride, n_conv, "convolutions"),
            "padding": per_layer("padding", padding, n_conv, "convolutions"),
            "pooling": per_layer("pooling", pooling, n_conv, "convolutions"),
            "pool_size": per_layer("pool_size", pool_size, n_conv, "convolutions"),
        }
        builder = _Builder()
        height, width, channels = image_shape
        size = (height, width)
        for i, n_filters in enumerate(filters):
            size = _add_convolution(
                builder,
                i + 1,
                size,
                channels,
                n_filters,
                activation=activations[i],
                normalization=normalization,
                clip=clip,
                **{name: values[i] for name, values in plan.items()},
            )
            builder.add_dropout(f"dropout{i + 1}", rates[i])
            channels = n_filters
        builder.add("flatten", nn.Flatten())
        builder.add_dense_part(
            size[0] * size[1] * channels,
            hidden_layer_sizes,
            n_outputs,
            activations=activations[n_conv:],
            dropout=rates[n_conv:],
            normalization=normalization,
        )
        super().__init__(builder.layers)


def _add_convolution(
    builder: _Builder,
    number: int,
    size: tuple[int, int],
    channels: int,
    filters: int,
    *,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    pooling: str | None,
    pool_size: Any,
    activation: Any,
    normalization: str | None,
    clip: bool,
) -> tuple[int, int]:
    """Add a convolution and what belongs to it; return the height and width that it leaves."""
    kernel, strides, pool = as_pair(kernel_size), as_pair(stride), as_pair(pool_size)
    if clip:
        kernel = (min(kernel[0], size[0]), min(kernel[1], size[1]))
    margins = [_margins(padding, k) for k in kernel]
    left = _shrink(
        f"convolution {number} (kernel_size={kernel_size}, stride={stride}, padding={padding!r})",
        size,
        kernel,
        strides,
        [sum(margin) for margin in margins],
    )
    symmetric = all(before == after for before, after in margins)
    if not symmetric:  # an even kernel: torch pads the same on both sides
        (top, bottom), (before, after) = margins
        builder.add(f"pad{number}", nn.ZeroPad2d((before, after, top, bottom)))
    conv = Conv2d(
        channels,
        filters,
        kernel,
        stride=strides,
        padding=(margins[0][0], margins[1][0]) if symmetric else 0,
        bias=normalization is None,  # normalization has a shift of its own
    )
    builder.add(f"conv{number}", conv)
    builder.add(f"norm{number}", normalization_2d(normalization, filters))
    act = find_activation(activation).module()
    if pooling is None:
        builder.add(f"activation{number}", act)
        return left
    if clip:
        pool = (min(pool[0], left[0]), min(pool[1], left[1]))
    pooled = _shrink(f"pooling {number} (pool_size={pool_size})", left, pool, pool, (0, 0))
    kind = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
    pool_layer = nn.Identity() if pool == (1, 1) else kind(pool)
    if pooling == "max" and activation in NONDECREASING:
        # equal, and the activation has fewer numbers to go through
        builder.add(f"pool{number}", pool_layer)
        builder.add(f"activation{number}", act)
    else:
        builder.add(f"activation{number}", act)
        builder.add(f"pool{number}", pool_layer)
    return pooled


def as_pair(value: Any) -> tuple[int, int]:
    """Return a height and a width; a single number is both.

    Parameters
    ----------
    value : int or pair of int
        The size.

    Returns
    -------
    tuple of int
    """
    if isinstance(value, Sequence | np.ndarray):
        height, width = value
        return int(height), int(width)
    return int(value), int(value)


def _margins(padding: str | int, kernel: int) -> tuple[int, int]:
    """Zeros before and after; "same" needs ``kernel - 1``, the odd one goes after."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return (kernel - 1) // 2, kernel // 2
    return int(padding), int(padding)


def _shrink(
    layer: str,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Sequence[int],
) -> tuple[int, int]:
    height, width = (
        output_size(n, k, s, p) for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )
    if height < 1 or width < 1:
        raise ValueError(
            f"{layer} leaves nothing of images that are {size[0]}x{size[1]} pixels where it "
            "begins. Use padding='same', a smaller kernel, stride or pool, pooling=None for some "
            "layers, or fewer filters."
        )
    return height, width


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, to whose output the input is added (He et al., 2016).

    Parameters
    ----------
    channels, filters : int
        Channels that come in and go out.
    stride : int
        Stride of the first convolution.
    activation : str or callable
        The activation.
    normalization : {"batch", "layer"} or None
        Normalization after each convolution.
    """

    def __init__(
        self, channels: int, filters: int, stride: int, activation: Any, normalization: str | None
    ) -> None:
        super().__init__()
        has_bias = normalization is None
        self.conv1 = Conv2d(channels, filters, 3, stride=stride, padding=1, bias=has_bias)
        self.norm1 = normalization_2d(normalization, filters)
        self.activation1 = find_activation(activation).module()
        self.conv2 = Conv2d(filters, filters, 3, padding=1, bias=has_bias)
        self.norm2 = normalization_2d(normalization, filters)
        self.activation2 = find_activation(activation).module()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != filters:
            self.shortcut = nn.Sequential(
                Conv2d(channels, filters, 1, stride=stride, bias=has_bias),
                normalization_2d(normalization, filters),
            )

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, filters, height', width')."""
        z = self.activation1(self.norm1(self.conv1(images)))
        return self.activation2(self.norm2(self.conv2(z)) + self.shortcut(images))


class ResidualNetwork(ImageNetwork):
    """Residual network: a convolution, stages of two blocks each, the mean over the image.

    With filters (64, 128, 256, 512) it is ResNet-18 without the first pooling, as is usual for
    small images (He et al., 2016, arXiv:1512.03385). Each stage but the first halves the image.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels of the images.
    filters : sequence of int
        Filters of each stage.
    n_outputs : int
        Width of the output.
    hidden_layer_sizes : sequence of int, default=()
        Width of each hidden dense layer after the mean.
    activation : str or callable, default="relu"
        The activation.
    dropout : float, default=0.0
        Dropout of the mean and of the hidden dense layers.
    normalization : {"batch", "layer"} or None, default="batch"
        Normalization after each convolution.

    Examples
    --------
    >>> import torch
    >>> from sknn.nn import ResidualNetwork
    >>> network = ResidualNetwork((32, 32, 3), (16, 32), 10)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        image_shape: ImageShape,
        filters: Sequence[int],
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        normalization: str | None = "batch",
    ) -> None:
        builder = _Builder()
        channels, has_bias = filters[0], normalization is None
        builder.add("conv", Conv2d(image_shape[2], channels, 3, padding=1, bias=has_bias))
        builder.add("norm", normalization_2d(normalization, channels))
        builder.add("activation", find_activation(activation).module())
        for stage, n_filters in enumerate(filters):
            for block in range(2):
                stride = 2 if stage and not block else 1
                layer = ResidualBlock(channels, n_filters, stride, activation, normalization)
                builder.add(f"stage{stage + 1}_block{block + 1}", layer)
                channels = n_filters
        builder.add("mean", GlobalPool("average"))
        _add_head(
            builder, channels, hidden_layer_sizes, n_outputs, activation, dropout, normalization
        )
        super().__init__(builder.layers)


def _add_head(
    builder: _Builder,
    width: int,
    hidden_layer_sizes: Sequence[int],
    n_outputs: int,
    activation: Any,
    dropout: float,
    normalization: str | None,
) -> None:
    builder.add_dropout("dropout", dropout)
    n_hidden = len(hidden_layer_sizes)
    builder.add_dense_part(
        width,
        hidden_layer_sizes,
        n_outputs,
        activations=[activation] * n_hidden,
        dropout=[dropout] * n_hidden,
        normalization=normalization,
    )


class GlobalPool(nn.Module):
    """Pool each channel to one number.

    Parameters
    ----------
    kind : {"max", "average"}
        Which number.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def extra_repr(self) -> str:
        """Name the kind."""
        return self.kind

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, channels)."""
        return images.amax((2, 3)) if self.kind == "max" else images.mean((2, 3))


class WhiteningConv(nn.Module):
    """A fixed convolution whose outputs are uncorrelated and have variance one.

    The filters are the eigenvectors of the covariance of small patches of the training images,
    divided by the square roots of the eigenvalues, and their negatives, so that nothing is lost
    in the activation that follows. Only the bias is trained. Networks learn much faster behind
    it (Page, How to train your ResNet 8, 2019; Jordan, 2024, arXiv:2404.00498).

    Parameters
    ----------
    channels : int
        Channels of the images.
    kernel_size : pair of int
        Height and width of the patches.

    References
    ----------
    .. [1] K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498.
    """

    # added to the eigenvalues, so that noise is not blown up (for pixels from 0 to 1)
    EPSILON = 5e-4

    weight: Tensor

    def __init__(self, channels: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        n_numbers = channels * kernel_size[0] * kernel_size[1]
        weight = torch.zeros(2 * n_numbers, channels, *kernel_size)
        self.register_buffer("weight", weight)
        self.bias = nn.Parameter(torch.zeros(2 * n_numbers))

    def extra_repr(self) -> str:
        """Name the sizes."""
        filters, channels = self.weight.shape[:2]
        return f"{channels}, {filters}, kernel_size={self.kernel_size}"

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the filters.

        Parameters
        ----------
        images : Tensor of shape (n, channels, height, width)
            Some training images.
        """
        # (n, channels * area, positions) -> (patches, channels * area)
        patches = F.unfold(images.double(), self.kernel_size).transpose(1, 2).flatten(0, 1)
        mean = patches.mean(0)
        patches -= mean
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        # the largest variance first; constant directions have no variance to be divided by
        filters = (directions / (variances.clamp(min=0) + self.EPSILON).sqrt()).T.flip(0)
        offset = -filters @ mean
        self.weight.copy_(torch.cat([filters, -filters]).view_as(self.weight))
        self.bias.copy_(torch.cat([offset, -offset]))

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to twice as many numbers a patch."""
        return F.conv2d(images, self.weight, self.bias)


class AirbenchNetwork(ImageNetwork):
    """The network of the fastest CIFAR-10 trainings: whitening, three stages, a small head.

    A stage is convolution, pooling, normalization, activation, then convolution, normalization,
    activation (Jordan, 2024, arXiv:2404.00498). With filters (64, 256, 256) and GELU it is
    airbench94.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels of the images.
    filters : sequence of int
        Filters of each stage.
    n_outputs : int
        Width of the output.
    hidden_layer_sizes : sequence of int, default=()
        Width of each hidden dense layer in the head.
    activation : str or callable, default="gelu"
        The activation.
    dropout : float, default=0.0
        Dropout of what the head gets and of its hidden layers.
    normalization : {"batch", "layer"} or None, default="batch"
        Normalization before each activation of the stages.
    images : Tensor of shape (n, channels, height, width) or None, default=None
        Training images from which the whitening filters are computed.

    Raises
    ------
    ValueError
        If the stages, each of which halves the image, leave no pixel.

    Examples
    --------
    >>> import torch
    >>> from sknn.nn import AirbenchNetwork
    >>> network = AirbenchNetwork((32, 32, 3), (64, 256, 256), 10)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        image_shape: ImageShape,
        filters: Sequence[int],
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int] = (),
        activation: Any = "gelu",
        dropout: float = 0.0,
        normalization: str | None = "batch",
        images: Tensor | None = None,
    ) -> None:
        builder = _Builder()
        height, width, channels = image_shape
        patch = (min(2, height), min(2, width))  # a strip stays a strip
        whitening = WhiteningConv(channels, patch)
        if images is not None:
            whitening.fit(images)
        builder.add("whitening", whitening)
        builder.add("activation", find_activation(activation).module())
        size = (height - patch[0] + 1, width - patch[1] + 1)
        channels, has_bias = len(whitening.bias), normalization is None
        for i, n_filters in enumerate(filters, start=1):
            size = _shrink(f"stage {i}", size, patch, patch, (0, 0))
            for half in ("a", "b"):
                name = f"{i}{half}"
                conv = Conv2d(channels, n_filters, 3, padding=1, bias=has_bias)
                builder.add(f"conv{name}", conv)
                if half == "a":
                    builder.add(f"pool{name}", nn.MaxPool2d(patch))
                builder.add(f"norm{name}", normalization_2d(normalization, n_filters))
                builder.add(f"activation{name}", find_activation(activation).module())
                channels = n_filters
        builder.add("max", GlobalPool("max"))
        _add_head(
            builder, channels, hidden_layer_sizes, n_outputs, activation, dropout, normalization
        )
        super().__init__(builder.layers)
