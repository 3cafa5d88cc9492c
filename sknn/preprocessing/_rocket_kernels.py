"""MiniRocket's convolutions: how they are chosen, and their features of series."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch

from sknn import compiled
from sknn.data import Ragged, count_channels, count_steps, count_threads, number_range
from sknn.nn.rocket import HALF_LENGTH, KERNEL_LENGTH, KERNELS, RocketFeatures, SeriesFeatures

MOST_DILATIONS = 32  # of a kernel
MOST_CHANNELS = 9  # of a convolution
GOLDEN_RATIO = (1 + np.sqrt(5)) / 2
# Values up to which no sum over steps and channels is infinite in float32.
LARGEST = 1e35
# Numbers of comparisons that a compiled call does, about a twentieth of a second: Ctrl-C waits.
COMPARISONS_AT_ONCE = 1e8
# Numbers of comparisons that torch does at once.
TORCH_COMPARISONS = 2**24


class Steps(NamedTuple):
    """All steps of some series, as the convolutions take them."""

    values: np.ndarray  # float32 (n_channels, n_values)
    lengths: np.ndarray  # int64 (n_series,)

    @classmethod
    def of(cls, X: np.ndarray | Ragged, centre: np.ndarray) -> Steps:
        """Subtract a centre (n_channels,) in float64 from series, or from their differences."""
        flat = X.values if isinstance(X, Ragged) else X
        flat = flat.reshape(-1, count_channels(X))
        values = np.empty(flat.shape[::-1], np.float32)
        for c, level in enumerate(centre):
            np.subtract(flat[:, c], level, out=values[c], dtype=np.float64, casting="unsafe")
        return cls(values, count_steps(X))

    @property
    def starts(self) -> np.ndarray:
        """Places of the first steps, (n_series,)."""
        return np.cumsum(self.lengths) - self.lengths

    def differences(self) -> Steps:
        """Return the change from each step to the next; a series of one step has one of 0."""
        values = np.diff(self.values, axis=1, append=self.values[:, -1:])
        lasts = self.starts + self.lengths - 1
        kept = np.ones(values.shape[1], bool)
        kept[lasts[self.lengths > 1]] = False
        values[:, lasts] = 0
        return Steps(np.ascontiguousarray(values[:, kept]), np.maximum(self.lengths - 1, 1))

    def one(self, i: int) -> np.ndarray:
        """Return the steps of a series, (n_channels, n_steps)."""
        start = self.starts[i]
        return self.values[:, start : start + self.lengths[i]]


class RocketKernels(NamedTuple):
    """Dilated convolutions, and the biases that their outputs are compared with."""

    dilations: np.ndarray  # int64 (n_dilations,)
    counts: np.ndarray  # int64 (n_dilations,), biases of each kernel
    channels: np.ndarray  # int64, of all convolutions one after the other
    ends: np.ndarray  # int64 (n_dilations * 84,), where those of each convolution end
    biases: np.ndarray  # float32 (n_features,)
    n_channels: int

    @classmethod
    def learn(
        cls,
        steps: Steps,
        n_features: int,
        random: np.random.RandomState,
        sample_weight: np.ndarray | None = None,
    ) -> RocketKernels:
        """Choose dilations by the longest series, channels at random, and biases by quantiles."""
        n_channels = len(steps.values)
        dilations, counts = choose_dilations(int(steps.lengths.max()), n_features)
        n_convolutions = len(dilations) * len(KERNELS)
        most = min(n_channels, MOST_CHANNELS)
        sizes = (2 ** random.uniform(0, np.log2(most + 1), n_convolutions)).astype(np.int64)
        channels = [random.choice(n_channels, size, replace=False) for size in sizes]
        kernels = cls(
            dilations,
            counts,
            np.concatenate(channels).astype(np.int64),
            np.cumsum(sizes),
            np.empty(int(counts.sum()) * len(KERNELS), np.float32),
            n_channels,
        )
        kernels._learn_biases(steps, channels, random, sample_weight)
        return kernels

    def _learn_biases(
        self,
        steps: Steps,
        channels: list[np.ndarray],
        random: np.random.RandomState,
        sample_weight: np.ndarray | None,
    ) -> None:
        """Write quantiles of the outputs of each convolution on a series of its own."""
        # By their sums, not by their places: the order of the series changes nothing, and a weight
        # of 2 is the series twice.
        sums = np.add.reduceat(steps.values.astype(np.float64), steps.starts, axis=1)
        order = np.lexsort(sums)
        weights = np.ones(len(order)) if sample_weight is None else sample_weight[order]
        bounds = np.cumsum(weights)
        drawn = random.uniform(0, bounds[-1], len(channels))
        chosen = order[np.searchsorted(bounds, drawn, side="right")]
        levels = np.arange(1, len(self.biases) + 1) * GOLDEN_RATIO % 1
        feature = 0
        for i, (series, of_kernel) in enumerate(zip(chosen, channels, strict=True)):
            d, k = divmod(i, len(KERNELS))
            outputs = np.sort(convolve(steps.one(series)[of_kernel], self.dilations[d], k))
            end = feature + self.counts[d]
            self.biases[feature:end] = quantiles(outputs, levels[feature:end])
            feature = end

    def module(self) -> RocketFeatures:
        """Return the same features as a torch module."""
        return RocketFeatures(self.dilations, self.counts, self.channels, self.ends, self.biases)

    def features(self, steps: Steps) -> np.ndarray:
        """Return the features of series, float32 (n_series, n_features)."""
        if compiled.is_available():
            return self._compiled_features(steps)
        return self.features_by_torch(steps, torch.device("cpu"))

    def _compiled_features(self, steps: Steps) -> np.ndarray:
        n_series = len(steps.lengths)
        shares = np.empty((n_series, len(self.biases)), np.float32)
        write_shares = compiled.rocket().write_shares
        costs = np.cumsum(steps.lengths) * float(len(self.biases))
        cuts = np.searchsorted(costs, np.arange(0, costs[-1], COMPARISONS_AT_ONCE))
        bounds = np.unique([0, *cuts, n_series])

        def write(part: tuple[int, int]) -> None:
            longest = int(steps.lengths[part[0] : part[1]].max())
            moved = np.empty((self.n_channels, KERNEL_LENGTH, longest), np.float32)
            totals = np.empty((self.n_channels, longest), np.float32)
            write_shares(
                steps.values, steps.starts, steps.lengths, self.dilations, self.counts, KERNELS,
                self.channels, self.ends, self.biases, *part, moved, totals,
                np.empty(longest, np.float32), shares,
            )  # fmt: skip

        parts = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        write(parts[0])  # compiles, or reads from the disk
        n_threads = min(count_threads(), len(parts) - 1)
        if n_threads < 2:
            for part in parts[1:]:
                write(part)
        else:
            with ThreadPoolExecutor(n_threads, thread_name_prefix="sknn-rocket") as pool:
                try:
                    list(pool.map(write, parts[1:]))
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
        return shares

    @torch.no_grad()
    def features_by_torch(self, steps: Steps, device: torch.device) -> np.ndarray:
        """Return the same, computed by torch."""
        module = self.module().to(device)
        n_series = len(steps.lengths)
        shares = np.empty((n_series, len(self.biases)), np.float32)
        order = np.argsort(steps.lengths, kind="stable")
        most_biases = int(self.counts.max()) * len(KERNELS)
        start = 0
        while start < n_series:
            longest = int(steps.lengths[order[start:]].min())
            at_once = max(int(TORCH_COMPARISONS // (longest * most_biases)), 1)
            part = order[start : start + at_once]
            part = part[steps.lengths[part] == longest]  # series of equal length need no padding
            x = np.stack([steps.one(i) for i in part]).transpose(0, 2, 1)
            shares[part] = module(torch.from_numpy(x.copy()).to(device)).cpu().numpy()
            start += len(part)
        return shares


def choose_dilations(longest: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return dilations, and the biases that each kernel has with them; both (n_dilations,)."""
    # The exponents are even, up to where a kernel is as long as the series.
    per_kernel = max(n_features // len(KERNELS), 1)
    n_exponents = min(per_kernel, MOST_DILATIONS)
    most = np.log2(max((longest - 1) / (KERNEL_LENGTH - 1), 1))
    powers = np.logspace(0, most, n_exponents, base=2)
    powers = (powers + 1e-9).astype(np.int64)  # 99.99... is 100
    dilations, repeats = np.unique(powers, return_counts=True)
    counts = repeats * per_kernel // n_exponents
    counts[: per_kernel - counts.sum()] += 1  # what rounding has left over goes to the smallest
    return dilations, counts.astype(np.int64)


def convolve(x: np.ndarray, dilation: int, kernel: int) -> np.ndarray:
    """Return the sum over channels of a dilated convolution, (n_channels, n) -> float32 (n,)."""
    # in the order of the compiled function, so that outputs equal to a bias are so there too
    n, margin = x.shape[1], HALF_LENGTH * int(dilation)
    padded = np.pad(x, ((0, 0), (margin, margin)))
    starts = np.arange(KERNEL_LENGTH) * int(dilation)
    moved = [padded[:, start : start + n] - x for start in starts]
    total = np.zeros_like(x)
    for each in moved:
        total += each
    one, two, three = (np.float32(3) * moved[j] for j in KERNELS[kernel])
    return np.add.reduce(one + two + three - total, axis=0)


def quantiles(values: np.ndarray, levels: np.ndarray) -> Any:
    """Return quantiles of sorted values, interpolated linearly, (n,), (m,) -> (m,)."""
    places = levels * (len(values) - 1)
    below = places.astype(np.int64)
    above = np.minimum(below + 1, len(values) - 1)
    return values[below] + (places - below) * (values[above] - values[below])


def _check_size(X: np.ndarray | Ragged) -> None:
    """Refuse values whose convolutions might be infinite."""
    largest = max(number_range(X.values if isinstance(X, Ragged) else X), key=abs)
    if abs(largest) > LARGEST:
        raise ValueError(
            f"X has the value {largest:g}, which is too large for convolutions in float32 "
            f"({LARGEST:.0e} at most). Scale X."
        )


def _round_centre(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the mean of each column, (n, n_channels) -> (n_channels,), to a thousandth or so."""
    # Repeated rows and weights, or the same rows in another order, are to give the same bits.
    mean = np.average(values, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(values - mean), axis=0, weights=weights))
    digit = np.exp2(np.floor(np.log2(np.where(deviation > 0, deviation, 1))) - 10)
    return np.where(deviation > 0, np.round(mean / digit) * digit, mean)


class Rocket(NamedTuple):
    """The convolutions of series and, where asked for, those of their differences."""

    centre: np.ndarray  # (n_channels,), which is subtracted in float64
    kernels: tuple[RocketKernels, ...]

    @classmethod
    def learn(
        cls,
        X: np.ndarray | Ragged,
        n_features: int,
        random: np.random.RandomState,
        *,
        differences: bool,
        sample_weight: np.ndarray | None = None,
    ) -> Rocket:
        """Choose convolutions for validated series, of which those without weight do not count."""
        counted = slice(None) if sample_weight is None else sample_weight > 0
        X = X[counted]
        _check_size(X)
        weights = None if sample_weight is None else sample_weight[counted]
        flat = (X.values if isinstance(X, Ragged) else X).reshape(-1, count_channels(X))
        of_steps = None if weights is None else np.repeat(weights, count_steps(X))
        centre = _round_centre(flat.astype(np.float64), of_steps)
        rocket = cls(centre, ())
        kernels = [
            RocketKernels.learn(steps, n_features, random, weights)
            for steps in rocket._views(X, 1 + differences)
        ]
        return cls(centre, tuple(kernels))

    @property
    def n_features(self) -> int:
        """Number of features."""
        return sum(len(each.biases) for each in self.kernels)

    def features(self, X: np.ndarray | Ragged) -> np.ndarray:
        """Return the features of validated series, float32 (n_series, n_features)."""
        _check_size(X)
        views = self._views(X, len(self.kernels))
        return np.hstack(
            [each.features(steps) for each, steps in zip(self.kernels, views, strict=True)]
        )

    def module(self, dtype: torch.dtype) -> SeriesFeatures:
        """Return a torch module from series, of equal length, to the same features."""
        modules = [each.module() for each in self.kernels]
        return SeriesFeatures(self.centre, modules, dtype)

    def _views(self, X: np.ndarray | Ragged, n_views: int) -> list[Steps]:
        """Return the steps of series and, if there are two views, their differences."""
        steps = Steps.of(X, self.centre)
        return [steps, steps.differences()] if n_views == 2 else [steps]
