"""Autoencoders: networks that write their input as a few numbers, the code, and read it back.

Their outputs hold all that the loss is of, side by side: the reconstruction, then what it asks of
the code (:class:`sknn.nn.ReconstructionLoss`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .activations import find_activation
from .dense import DenseNetwork
from .layers import Conv2d, ConvTranspose2d, Linear, draw_glorot
from .randomness import generator_on

# The logarithms of variances stay between these, so that their exponentials are finite.
LOG_VARIANCES = (-30.0, 20.0)

KERNEL, STRIDE, PADDING = 3, 2, 1


class Corruption(NamedTuple):
    """What is done to the inputs of a denoising autoencoder in training."""

    kind: str  # "gaussian" adds numbers of this standard deviation, "masking" sets a share to 0
    amount: float

    def __call__(self, X: Tensor) -> Tensor:
        """Return a corrupted batch (n, ...)."""
        generator = generator_on(X.device)
        if self.kind == "gaussian":
            noise = torch.empty_like(X).normal_(generator=generator)
            return torch.add(X, noise, alpha=self.amount)
        drawn = torch.empty_like(X).uniform_(generator=generator)
        return X.masked_fill(drawn < self.amount, 0.0)


class AutoencoderNetwork(nn.Module):
    """An encoder and a decoder.

    To users, codes are less a location and divided by a scale, which training does not see.

    Shapes
    ------
    X : (n, ...) -> (n, n_columns + n_told)
        The reconstruction, and what the loss is told of the code: nothing, the code (n_components)
        or mean and logarithm of the variance of its distribution (2 n_components).
    """

    location: Tensor
    scale: Tensor

    def __init__(
        self,
        encoder: nn.Module,  # (n, ...) -> (n, n_components), twice as many if it is variational
        decoder: nn.Module,  # (n, n_components) -> (n, ...)
        n_components: int,
        *,
        kind: str = "plain",  # or "sparse", "variational"
        noise: str = "gaussian",
        noise_amount: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.kind = kind
        self.noise = noise
        self.noise_amount = noise_amount
        self.register_buffer("location", torch.zeros(n_components))
        self.register_buffer("scale", torch.ones(n_components))

    def forward(self, X: Tensor) -> Tensor:
        if self.training and self.noise_amount:
            X = Corruption(self.noise, self.noise_amount)(X)
        if self.kind == "variational":
            mean, log_variance = self.distribution(X)
            code = mean
            if self.training:
                drawn = torch.empty_like(mean).normal_(generator=generator_on(X.device))
                code = mean + (0.5 * log_variance).exp() * drawn
            return torch.cat([self.decode(code), mean, log_variance], 1)
        code = self.code(X)
        decoded = self.decode(code)
        return torch.cat([decoded, code], 1) if self.kind == "sparse" else decoded

    def code(self, X: Tensor) -> Tensor:
        """Return what the decoder reads (n, n_components), the means of its distributions."""
        if self.kind == "variational":
            return self.distribution(X)[0]
        code = self.encoder(X)
        return code.relu() if self.kind == "sparse" else code

    def distribution(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of the variances of codes, (n, n_components) each."""
        mean, log_variance = self.encoder(X).chunk(2, 1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    def decode(self, codes: Tensor) -> Tensor:
        """Return raw reconstructions (n, n_columns)."""
        return self.decoder(codes).flatten(1)


class CodesOf(nn.Module):
    """The codes of an autoencoder, as users get them.

    Shapes
    ------
    X : (n, ...) -> (n, n_components)
    """

    def __init__(self, network: AutoencoderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, X: Tensor) -> Tensor:
        network = self.network
        return (network.code(X) - network.location) / network.scale


class ReconstructionsOf(nn.Module):
    """What an autoencoder makes of codes that users have.

    Shapes
    ------
    codes : (n, n_components) -> (n, n_columns)
    """

    def __init__(self, network: AutoencoderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        network = self.network
        return network.decode(codes * network.scale + network.location)


def dense_coders(
    n_columns: int,
    n_codes: int,  # outputs of the encoder
    n_components: int,
    hidden_layer_sizes: Sequence[int],
    decoder_layer_sizes: Sequence[int],
    *,
    activation: Any,
    random_state: np.random.RandomState,
    dtype: torch.dtype,
) -> tuple[nn.Module, nn.Module]:
    """Return dense networks (n, ...) -> (n, n_codes) and (n, n_components) -> (n, n_columns)."""
    shared: dict[str, Any] = {"random_state": random_state, "dtype": dtype}
    encoder = DenseNetwork(n_columns, hidden_layer_sizes, n_codes, activation=activation, **shared)
    decoder = DenseNetwork(
        n_components, decoder_layer_sizes, n_columns, activation=activation, **shared
    )
    return encoder, decoder


class ConvEncoder(nn.Module):
    """Convolutions with strides of 2, then dense layers.

    Shapes
    ------
    images : (n, channels, height, width) -> (n, n_codes)
    """

    def __init__(
        self,
        sample: tuple[int, int, int],  # channels, height, width
        filters: Sequence[int],
        hidden_layer_sizes: Sequence[int],
        n_codes: int,
        activation: Any,
    ) -> None:
        super().__init__()
        channels, *size = sample
        layers: list[nn.Module] = []
        for before, after in pairwise([channels, *filters]):
            layers += [Conv2d(before, after, KERNEL, STRIDE, PADDING), _activation(activation)]
        self.convolutions = nn.Sequential(*layers)
        height, width = sizes_behind((size[0], size[1]), len(filters))[-1]
        self.dense = _dense_layers(
            [filters[-1] * height * width, *hidden_layer_sizes, n_codes], activation
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        return self.dense(self.convolutions(images).flatten(1))


class ConvDecoder(nn.Module):
    """Dense layers, then transposed convolutions, the mirror image of :class:`ConvEncoder`.

    Shapes
    ------
    codes : (n, n_components) -> (n, channels, height, width)
    """

    def __init__(
        self,
        n_components: int,
        hidden_layer_sizes: Sequence[int],
        filters: Sequence[int],  # from the code to the image
        sample: tuple[int, int, int],
        activation: Any,
    ) -> None:
        super().__init__()
        channels, *size = sample
        sizes = sizes_behind((size[0], size[1]), len(filters))[::-1]
        self.maps = (filters[0], *sizes[0])
        self.dense = _dense_layers(
            [n_components, *hidden_layer_sizes, math.prod(self.maps)], activation
        )
        layers: list[nn.Module] = []
        for (small, large), (before, after) in zip(
            pairwise(sizes), pairwise([*filters, channels]), strict=True
        ):
            rest = large[0] - (STRIDE * small[0] - 1), large[1] - (STRIDE * small[1] - 1)
            layers += [
                _activation(activation),
                ConvTranspose2d(before, after, KERNEL, STRIDE, PADDING, output_padding=rest),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, codes: Tensor) -> Tensor:
        maps = self.dense(codes).unflatten(1, self.maps)
        return self.convolutions(maps.contiguous(memory_format=torch.channels_last))


def sizes_behind(size: tuple[int, int], n_layers: int) -> list[tuple[int, int]]:
    """Return the (height, width) of images before and behind each convolution."""
    sizes = [size]
    for _ in range(n_layers):
        height, width = sizes[-1]
        sizes.append((-(-height // STRIDE), -(-width // STRIDE)))
    return sizes


@torch.no_grad()
def draw_weights(module: nn.Module, random_state: np.random.RandomState) -> None:
    """Draw weights: normal with variance ``2 / fan_in`` (He et al., 2015), the last "glorot"."""
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | Conv2d | ConvTranspose2d)]
    for layer in layers:
        weight = layer.weight
        if layer is layers[-1] or isinstance(layer, nn.Linear):
            draw_glorot(weight, random_state)
        else:
            fan_in = float(layer.in_channels * weight[0, 0].numel())
            if isinstance(layer, ConvTranspose2d):  # each number of the result sees so many
                fan_in /= STRIDE**2
            deviation = math.sqrt(2 / fan_in)
            weight.copy_(torch.from_numpy(random_state.normal(0, deviation, weight.shape)))
        if layer.bias is not None:
            layer.bias.zero_()


def _activation(name: Any) -> nn.Module:
    return find_activation(name).module()


def _dense_layers(widths: Sequence[int], activation: Any) -> nn.Sequential:
    """Return linear layers with activations in between."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [Linear(fan_in, fan_out), _activation(activation)]
    return nn.Sequential(*layers[:-1])
