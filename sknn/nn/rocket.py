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

    kernels: Tensor  # (84, 3), places of weight 2
    channels: Tensor  # (n_dilations, most, 84), those of each convolution, then zeros
    is_channel: Tensor  # of the same shape, 1 where there is one
    biases: Tensor  # (n_features,)

    def __init__(
        self,
        dilations: np.ndarray,  # (n_dilations,)
        counts: np.ndarray,  # (n_dilations,), biases of each kernel
        channels: np.ndarray,  # of all convolutions one after the other
        ends: np.ndarray,  # (n_dilations * 84,), where those of each convolution end
        biases: np.ndarray,
    ) -> None:
        super().__init__()
        self.dilations = [int(each) for each in dilations]
        self.counts = [int(each) for each in counts]
        self.register_buffer("kernels", torch.from_numpy(KERNELS))
        sizes = np.diff(ends, prepend=0)  # channels of each convolution
        is_channel = np.arange(sizes.max()) < sizes[:, None]
        places = np.zeros(is_channel.shape, np.int64)
        places[is_channel] = channels
        shape = len(self.dilations), len(KERNELS), -1
        for name, values in (("channels", places), ("is_channel", is_channel.astype(np.float32))):
            rows = values.reshape(shape).transpose(0, 2, 1)
            self.register_buffer(name, torch.from_numpy(rows.copy()))
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
            outputs = self._convolve(x, d, dilation)
            is_inner = (steps >= margin) & (steps < ends - margin)
            # kernels of one in two look at the inner steps alone, where there are any
            turns = (torch.arange(len(KERNELS), device=x.device) + d) % 2 == 1
            inner = turns & (ends > 2 * margin)  # (n, 84)
            # without torch.where, which onnxruntime lacks for booleans
            counted = (steps < ends)[:, None] & (is_inner[:, None] | ~inner[..., None])
            biases = self.biases[first : first + len(KERNELS) * count].view(len(KERNELS), count)
            first += len(KERNELS) * count
            above = outputs[:, :, None] > biases[..., None]  # (n, 84, count, steps)
            n_above = (above & counted[:, :, None]).sum(3)
            shares = n_above.double() / counted.sum(2, keepdim=True)
            parts.append(shares.to(series.dtype).flatten(1))
        return torch.cat(parts, 1)

    def _convolve(self, x: Tensor, d: int, dilation: int) -> Tensor:
        """Return the outputs with a dilation, (n, channels, steps) -> (n, 84, steps)."""
        # Every sum has the order of the compiled function: outputs are equal to their last bits,
        # and so are their comparisons with biases, which are such outputs themselves.
        n_steps, margin = x.shape[2], HALF_LENGTH * dilation
        padded = F.pad(x, (margin, margin))
        # weights add up to 0: less the step itself, what does not change gives exactly 0
        moved = [
            padded[:, :, j * dilation : j * dilation + n_steps] - x for j in range(KERNEL_LENGTH)
        ]
        total = moved[0]
        for each in moved[1:]:
            total = total + each
        tripled = (3 * torch.stack(moved, 2)).flatten(1, 2)  # (n, channels * 9, steps)
        outputs = torch.zeros(1, dtype=x.dtype, device=x.device)
        for channels, is_channel in zip(self.channels[d], self.is_channel[d], strict=True):
            one, two, three = (
                tripled.index_select(1, channels * KERNEL_LENGTH + places)
                for places in self.kernels.T
            )
            of_channel = one + two + three - total.index_select(1, channels)
            outputs = outputs + of_channel * is_channel[:, None]
        return outputs


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
