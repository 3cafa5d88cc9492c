"""MiniRocket's features of series as a torch module."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .dense import DenseNetwork
from .inputs import ArrangeSeries
from .series import Standardize

KERNEL_LENGTH = 9
HALF_LENGTH = KERNEL_LENGTH // 2
# Three of nine places have the weight 2, the others -1: (84, 3).
KERNELS = np.array(list(combinations(range(KERNEL_LENGTH), 3)), np.int64)


class RocketFeatures(nn.Module):
    """Shares of the steps at which dilated convolutions with fixed kernels are above biases.

    (MiniRocket: Dempster et al., 2021, arXiv:2012.08791.)

    Shapes
    ------
    series : (n, steps, channels), lengths : (n,) or None -> (n, n_features)
    """

    weights: Tensor  # (84, 9), of the places of each kernel
    mixes: Tensor  # (n_dilations, 84, channels), 1 where a convolution is of a channel
    biases: Tensor  # (n_features,)

    def __init__(
        self,
        dilations: np.ndarray,  # (n_dilations,)
        counts: np.ndarray,  # (n_dilations,), biases of each kernel
        channels: np.ndarray,  # of all convolutions one after the other
        ends: np.ndarray,  # (n_dilations * 84,), where those of each convolution end
        biases: np.ndarray,
        n_channels: int,
    ) -> None:
        super().__init__()
        self.dilations = [int(each) for each in dilations]
        self.counts = [int(each) for each in counts]
        weights = np.full((len(KERNELS), KERNEL_LENGTH), -1.0, np.float32)
        np.put_along_axis(weights, KERNELS, 2.0, 1)
        self.register_buffer("weights", torch.from_numpy(weights))
        mixes = np.zeros((len(ends), n_channels), np.float32)
        mixes[np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0)), channels] = 1
        shape = len(self.dilations), len(KERNELS), n_channels
        self.register_buffer("mixes", torch.from_numpy(mixes.reshape(shape)))
        self.register_buffer("biases", torch.from_numpy(np.array(biases, np.float32)))

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        n_steps = series.shape[1]
        steps = torch.arange(n_steps, device=series.device)
        ends = torch.full_like(series[:, 0, 0], n_steps) if lengths is None else lengths
        ends = ends.long()[:, None]
        x = series.transpose(1, 2)  # (n, channels, steps)
        parts, first = [], 0
        for d, (dilation, count) in enumerate(zip(self.dilations, self.counts, strict=True)):
            margin = HALF_LENGTH * dilation
            padded = F.pad(x, (margin, margin))
            # weights add up to 0: less the step itself, what does not change gives exactly 0
            moved = torch.stack(
                [
                    padded[:, :, j * dilation : j * dilation + n_steps] - x
                    for j in range(KERNEL_LENGTH)
                ],
                2,
            )  # (n, channels, 9, steps)
            outputs = torch.einsum("kj,kc,ncjt->nkt", self.weights, self.mixes[d], moved)
            is_inner = (steps >= margin) & (steps < ends - margin)
            # kernels of one in two look at the inner steps alone, where there are any
            turns = (torch.arange(len(KERNELS), device=x.device) + d) % 2 == 1
            inner = turns & (ends > 2 * margin)  # (n, 84)
            counted = torch.where(inner[..., None], is_inner[:, None], (steps < ends)[:, None])
            biases = self.biases[first : first + len(KERNELS) * count].view(len(KERNELS), count)
            first += len(KERNELS) * count
            above = outputs[:, :, None] > biases[..., None]  # (n, 84, count, steps)
            n_above = (above & counted[:, :, None]).sum(3)
            shares = n_above.double() / counted.sum(2, keepdim=True)
            parts.append(shares.to(series.dtype).flatten(1))
        return torch.cat(parts, 1)


class SeriesFeatures(nn.Module):
    """Series less a centre, subtracted in float64, to features of them and of their differences.

    Shapes
    ------
    X : (n, steps[, channels]) -> (n, n_features)
    """

    def __init__(
        self, centre: np.ndarray, modules: list[RocketFeatures], dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.arrange = ArrangeSeries(torch.float32, tokens=False, centre=centre.tolist())
        self.views = nn.ModuleList(modules)
        self.dtype = dtype

    def forward(self, X: Tensor) -> Tensor:
        series = self.arrange(X)
        views = [series]
        if len(self.views) == 2:
            views.append(series.diff(dim=1) if series.shape[1] > 1 else torch.zeros_like(series))
        features = [module(view) for module, view in zip(self.views, views, strict=True)]
        return torch.cat(features, 1).to(self.dtype)


class FeatureNetwork(nn.Module):
    """Features that are standardized, and a :class:`DenseNetwork` of them.

    Shapes
    ------
    features : (n, n_features) -> (n, n_outputs)
    """

    def __init__(self, scale: Standardize, dense: DenseNetwork) -> None:
        super().__init__()
        self.scale = scale
        self.dense = dense

    @property
    def output_layer(self) -> nn.Linear:
        """The last layer."""
        return self.dense.linear_layers[-1]

    def forward(self, features: Tensor) -> Tensor:
        return self.dense(self.scale(features))
