"""The plain convolutional network of the tutorials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from .activations import find_activation
from .images import ImageNetwork, ImageShape, as_pair, pool_of, shrink
from .layers import Conv2d, NetworkBuilder, normalization_2d, per_layer

IMAGE_POOLINGS = ("max", "average")


@dataclass(frozen=True)
class Convolution:
    """A convolutional layer and what follows it; sizes are numbers or pairs (height, width)."""

    filters: int
    kernel_size: Any = 3
    stride: Any = 1
    padding: str | int = "same"  # pixels of zeros on each side; "same" keeps ceil(n / stride)
    pooling: str | None = "max"
    pool_size: Any = 2
    activation: Any = "relu"
    dropout: float = 0.0

    def __str__(self) -> str:
        size, padding = self.kernel_size, self.padding
        return f"(kernel_size={size}, stride={self.stride}, padding={padding!r})"


class ConvNetwork(ImageNetwork):
    """Convolutions with pooling, then dense layers.

    A convolutional layer computes ``dropout(pool(activation(normalization(conv(x)))))``.
    `activation` and `dropout` are those of the dense layers.

    Shapes
    ------
    images : (n, channels, height, width) -> (n, n_outputs)
    """

    def __init__(
        self,
        image_shape: ImageShape,
        convolutions: Sequence[Convolution],
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int] = (),
        activation: Any = "relu",
        dropout: Any = 0.0,
        normalization: str | None = None,
    ) -> None:
        builder = _ConvolutionBuilder(image_shape, normalization)
        for i, spec in enumerate(convolutions, start=1):
            builder.add_convolution(i, spec)
            builder.add_activation_and_pool(i, spec)
            builder.add_dropout(f"dropout{i}", spec.dropout)
        builder.add("flatten", nn.Flatten())
        builder.add_dense_part(
            builder.size[0] * builder.size[1] * builder.channels,
            hidden_layer_sizes,
            n_outputs,
            activations=per_layer("activation", activation, len(hidden_layer_sizes)),
            dropout=per_layer("dropout", dropout, len(hidden_layer_sizes)),
            normalization=normalization,
        )
        super().__init__(builder.layers)


class _ConvolutionBuilder(NetworkBuilder):
    """Collects convolutional layers, and knows size (height, width) and channels behind them."""

    def __init__(self, image_shape: ImageShape, normalization: str | None) -> None:
        super().__init__()
        height, width, self.channels = image_shape
        self.size = (height, width)
        self.is_strip = (height == 1, width == 1)
        self.normalization = normalization

    def add_convolution(self, number: int, spec: Convolution) -> None:
        """Append padding, convolution and normalization."""
        kernel, stride = self._visible_kernel(spec), as_pair(spec.stride)
        (top, bottom), (before, after) = (_margins(spec.padding, k) for k in kernel)
        zeros = (top + bottom, before + after)
        self.size = shrink(f"convolution {number} {spec}", self.size, kernel, stride, zeros)
        is_symmetric = top == bottom and before == after
        if not is_symmetric:  # an even kernel: torch pads the same on both sides
            self.add(f"pad{number}", nn.ZeroPad2d((before, after, top, bottom)))
        padding = (top, before) if is_symmetric else 0
        has_bias = self.normalization is None  # normalization has a shift of its own
        conv = Conv2d(self.channels, spec.filters, kernel, stride, padding, bias=has_bias)
        self.add(f"conv{number}", conv)
        self.add(f"norm{number}", normalization_2d(self.normalization, spec.filters))
        self.channels = spec.filters

    def _visible_kernel(self, spec: Convolution) -> tuple[int, int]:
        """Return the part (height, width) of a kernel that sees more than padding."""
        kernel = as_pair(spec.kernel_size)
        if spec.padding == "same":  # it is centred on each pixel
            return min(kernel[0], 2 * self.size[0] - 1), min(kernel[1], 2 * self.size[1] - 1)
        if spec.padding == "valid":
            return 1 if self.is_strip[0] else kernel[0], 1 if self.is_strip[1] else kernel[1]
        return kernel

    def add_activation_and_pool(self, number: int, spec: Convolution) -> None:
        """Append activation and pooling, in the order that costs less."""
        activation = find_activation(spec.activation)
        layers = {f"activation{number}": activation.module()}
        if spec.pooling is not None:
            pool = pool_of(spec.pool_size, self.size)
            self.size = (self.size[0] // pool[0], self.size[1] // pool[1])
            kind = nn.MaxPool2d if spec.pooling == "max" else nn.AvgPool2d
            layers[f"pool{number}"] = nn.Identity() if pool == (1, 1) else kind(pool)
        names = list(layers)
        if spec.pooling == "max" and activation.is_nondecreasing:
            names.reverse()  # equal, and the activation has fewer numbers to go through
        for name in names:
            self.add(name, layers[name])


def _margins(padding: str | int, kernel: int) -> tuple[int, int]:
    """Return zeros before and after; "same" needs ``kernel - 1``, the odd one goes after."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return (kernel - 1) // 2, kernel // 2
    return int(padding), int(padding)
