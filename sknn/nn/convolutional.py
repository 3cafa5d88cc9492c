"""The plain convolutional network of the tutorials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .activations import find_activation
from .builder import NetworkBuilder
from .images import ImageNetwork, ImageShape, as_pair, pool_of, shrink
from .layers import Conv2d, normalization_2d, per_layer


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
        Pools that are larger than what is left of the image pool all of it. Kernels have no
        rows or columns that would see nothing but padding: on a strip of height 1 a kernel of
        three by three is one by three.
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

    Raises
    ------
    ValueError
        If a convolution leaves no pixel, or a sequence has not one value a layer.

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
        builder = NetworkBuilder()
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
                is_strip=(height == 1, width == 1),
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
    builder: NetworkBuilder,
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
    is_strip: tuple[bool, bool],
) -> tuple[int, int]:
    """Add a convolution and what belongs to it; return the height and width that it leaves."""
    strides = as_pair(stride)
    kernel = _visible_kernel(as_pair(kernel_size), size, padding, is_strip)
    margins = [_margins(padding, k) for k in kernel]
    left = shrink(
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
    kind_of_activation = find_activation(activation)
    act = kind_of_activation.module()
    if pooling is None:
        builder.add(f"activation{number}", act)
        return left
    pool = pool_of(pool_size, left)
    pooled = (left[0] // pool[0], left[1] // pool[1])
    kind = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
    pool_layer = nn.Identity() if pool == (1, 1) else kind(pool)
    if pooling == "max" and kind_of_activation.is_nondecreasing:
        # equal, and the activation has fewer numbers to go through
        builder.add(f"pool{number}", pool_layer)
        builder.add(f"activation{number}", act)
    else:
        builder.add(f"activation{number}", act)
        builder.add(f"pool{number}", pool_layer)
    return pooled


def _visible_kernel(
    kernel: tuple[int, int], size: tuple[int, int], padding: Any, is_strip: tuple[bool, bool]
) -> tuple[int, int]:
    """Return the part of a kernel, (height, width), that can see something of the image."""
    if padding == "same":  # it is centred on each pixel
        return min(kernel[0], 2 * size[0] - 1), min(kernel[1], 2 * size[1] - 1)
    if padding == "valid":
        return 1 if is_strip[0] else kernel[0], 1 if is_strip[1] else kernel[1]
    return kernel


def _margins(padding: str | int, kernel: int) -> tuple[int, int]:
    """Zeros before and after; "same" needs ``kernel - 1``, the odd one goes after."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return (kernel - 1) // 2, kernel // 2
    return int(padding), int(padding)
