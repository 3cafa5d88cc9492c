"""Numbers and categories of a table as inputs of dense layers."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The codes of a category: a level that training has not seen, a missing one, and from here on those
# of training.
UNKNOWN, MISSING, FIRST_LEVEL = 0, 1, 2

# Smooth clipping x / sqrt(1 + (x / c)^2) keeps numbers within plus or minus this (RealMLP).
CLIP = 3.0


@dataclass
class NumberEncoding:
    """What the numbers of a table become: statistics of the training rows, one of each a column."""

    centers: np.ndarray  # (p,): these are taken off, and stand for what is missing
    factors: np.ndarray  # (p,): and then the numbers are multiplied by these
    clips: bool = False  # whether numbers far away come nearer
    indicated: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # may be missing
    edges: Sequence[np.ndarray] = ()  # of the bins, ascending; fewer than three are no bins


@dataclass
class PeriodicEncoding:
    """Sizes of the learned periodic embeddings ``cos(2 pi f x + phase) @ W + b`` of numbers."""

    size: int = 3
    n_frequencies: int = 16
    scale: float = 0.1  # standard deviation of the first frequencies


class FeatureEncoder(nn.Module):
    """Encodes numbers and categories: first what is learned, then what is fixed.

    Learned are periodic embeddings of numbers (PBLD of Holzmueller et al., 2024, arXiv:2407.04491,
    the linear part of which is among what is fixed) and embeddings of categories with many levels.
    Fixed are scaled numbers, indicators of missing ones, piecewise linear bins (Gorishniy et al.,
    2022, arXiv:2203.05556) and categories with few levels as zeros and a one.

    Shapes
    ------
    X : (n, n_numbers + n_categories) -> (n, width)
        Numbers, NaN where missing, and codes of categories: 0 for a level that training has not
        seen, 1 for a missing one, then those of training.
    """

    centers: Tensor
    factors: Tensor
    indicated: Tensor
    bin_columns: Tensor
    bin_offsets: Tensor
    bin_factors: Tensor
    hot_columns: Tensor
    hot_codes: Tensor
    embedded_columns: Tensor
    table_offsets: Tensor

    def __init__(
        self,
        numbers: NumberEncoding,
        n_levels: Sequence[int] = (),  # of each category
        *,
        periodic: PeriodicEncoding | None = None,
        max_onehot: int = 9,
        embedding_size: int = 8,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.n_numbers = n_numbers = len(numbers.centers)
        self.n_columns = n_numbers + len(n_levels)
        self.clips = numbers.clips

        def keep(name: str, values: object, kind: torch.dtype = dtype) -> None:
            self.register_buffer(name, torch.as_tensor(np.asarray(values)).to(kind))

        keep("centers", numbers.centers)
        keep("factors", numbers.factors)
        keep("indicated", numbers.indicated, torch.int64)
        edges = [_apart(each, dtype) for each in numbers.edges]
        binned = [(j, each) for j, each in enumerate(edges) if len(each) > 2]
        lefts = np.concatenate([each[:-1] for _, each in binned] or [np.empty(0)])
        widths = np.concatenate([np.diff(each) for _, each in binned] or [np.empty(0)])
        keep("bin_columns", [j for j, e in binned for _ in range(len(e) - 1)], torch.int64)
        keep("bin_offsets", -lefts / widths)
        keep("bin_factors", 1 / widths)

        few = [j for j, n in enumerate(n_levels) if n <= max_onehot]
        many = [j for j, n in enumerate(n_levels) if n > max_onehot]
        # an unknown level is all zeros
        keep(
            "hot_columns", [n_numbers + j for j in few for _ in range(n_levels[j] + 1)], torch.int64
        )
        keep("hot_codes", [code + 1 for j in few for code in range(n_levels[j] + 1)])
        sizes = np.array([n_levels[j] + FIRST_LEVEL for j in many], np.int64)
        keep("embedded_columns", [n_numbers + j for j in many], torch.int64)
        keep("table_offsets", np.cumsum(sizes) - sizes, torch.int64)

        self.embedding_size = embedding_size if many else 0
        self.n_levels_embedded = int(sizes.sum())
        if many:
            self.table = nn.Parameter(torch.empty(int(sizes.sum()), embedding_size, dtype=dtype))
        self.is_periodic = periodic is not None and n_numbers > 0
        self.n_learned = len(many) * embedding_size
        if self.is_periodic:
            assert periodic is not None
            p, h, d = n_numbers, periodic.n_frequencies, periodic.size
            self.frequency_scale = periodic.scale
            self.n_learned += p * d
            self.frequencies = nn.Parameter(torch.empty(p, h, dtype=dtype))
            self.projections = nn.Parameter(torch.empty(p, h, d, dtype=dtype))
            # vectors, which the L2 penalty leaves alone
            self.phases = nn.Parameter(torch.empty(p * h, dtype=dtype))
            self.shifts = nn.Parameter(torch.empty(p * d, dtype=dtype))
        n_fixed = n_numbers + len(numbers.indicated) + len(lefts) + len(self.hot_codes)
        self.width = self.n_learned + n_fixed

    @torch.no_grad()
    def initialize(self, random_state: np.random.RandomState) -> None:
        """Draw the initial weights."""

        def draw(parameter: nn.Parameter, values: np.ndarray) -> None:
            parameter.copy_(torch.from_numpy(values).view_as(parameter))

        if self.is_periodic:
            bound = 1 / math.sqrt(self.frequencies.shape[1])
            deviation = self.frequency_scale
            draw(self.frequencies, random_state.normal(0, deviation, self.frequencies.shape))
            draw(self.phases, random_state.uniform(-math.pi, math.pi, self.phases.shape))
            draw(self.projections, random_state.uniform(-bound, bound, self.projections.shape))
            self.shifts.zero_()
        if self.embedding_size:
            scale = 1 / math.sqrt(self.embedding_size)
            draw(self.table, random_state.normal(0, scale, self.table.shape))
            # what training may never see begins, and stays, in the middle
            for code in (UNKNOWN, MISSING):
                self.table[self.table_offsets + code] = 0

    def fresh(self) -> FeatureEncoder:
        """Return another encoder with the same statistics, whose weights are still to be drawn."""
        return copy.deepcopy(self)

    @property
    def multiplications(self) -> int:
        """Return how many multiplications it costs to encode a row."""
        if not self.is_periodic:
            return self.n_columns
        # a cosine takes some ten operations
        return self.n_columns + 10 * self.frequencies.numel() + self.projections.numel()

    @property
    def n_active(self) -> int:
        """Return how many of the numbers that it returns have to be multiplied by weights.

        Others are 0, or 1 for bins that are full.
        """
        return self.n_learned + 2 * self.n_numbers + self.n_columns

    # ------------------------------------------------------------------------------------- encode

    def forward(self, X: Tensor, encoded: tuple[Tensor, Tensor] | None = None) -> Tensor:
        scaled, fixed = self.encode_fixed(X) if encoded is None else encoded
        if not self.n_learned:
            return fixed
        parameters = [parameter.unsqueeze(0) for parameter in self.parameters()]
        learned = self.encode_learned(X.unsqueeze(0), scaled.unsqueeze(0), parameters)
        return torch.cat([learned.squeeze(0), fixed], 1)

    def encode_fixed(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled numbers (n, n_numbers), and all fixed encodings (n, width - n_learned)."""
        numbers = X[:, : self.n_numbers]
        is_missing = torch.isnan(numbers)
        numbers = torch.where(is_missing, self.centers, numbers)
        scaled = (numbers - self.centers) * self.factors
        if self.clips:
            scaled = scaled / torch.sqrt(1 + (scaled / CLIP) ** 2)
        parts = [scaled]
        if len(self.indicated):
            parts.append(is_missing.index_select(1, self.indicated).to(X.dtype))
        if len(self.hot_codes):
            parts.append((X.index_select(1, self.hot_columns) == self.hot_codes).to(X.dtype))
        if len(self.bin_factors):
            # the share of each bin that lies below the number: (x - left) / width within [0, 1]
            values = numbers.index_select(1, self.bin_columns)
            parts.append(torch.addcmul(self.bin_offsets, values, self.bin_factors).clamp_(0, 1))
        return scaled, torch.cat(parts, 1)

    def encode_learned(self, X: Tensor, scaled: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Return learned encodings (k, n, n_learned) by the parameters (k, ...) of k networks.

        X is (k, n, n_columns), `scaled` are its numbers (k, n, n_numbers), and the parameters are
        in the order of :meth:`parameters`.
        """
        named = dict(zip((name for name, _ in self.named_parameters()), parameters, strict=True))
        k, n = X.shape[:2]
        parts = []
        if self.is_periodic:
            p, h, d = self.projections.shape
            frequencies = 2 * math.pi * named["frequencies"].reshape(k, 1, p, h)
            phases = named["phases"].reshape(k, 1, p, h)
            waves = torch.cos(torch.addcmul(phases, scaled.unsqueeze(3), frequencies))
            # (k p, n, h) @ (k p, h, d); torch.export takes `reshape` for a question about n
            waves = waves.transpose(1, 2)
            waves = waves.squeeze(0) if k == 1 else waves.reshape(k * p, n, h)
            projected = torch.bmm(waves, named["projections"].flatten(0, 1))
            projected = projected.view(k, p, n, d).transpose(1, 2)
            projected = projected.clone(memory_format=torch.contiguous_format).view(k, n, p * d)
            parts.append(projected + named["shifts"].unsqueeze(1))
        if self.embedding_size:
            table = named["table"]
            codes = X.index_select(2, self.embedded_columns).to(torch.int64) + self.table_offsets
            starts = len(self.table) * torch.arange(k, device=X.device).view(k, 1, 1)
            rows = F.embedding(codes + starts, table.flatten(0, 1))
            parts.append(rows.flatten(2))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 2)

    def fixed_key(self) -> tuple[object, ...]:
        """Return a key; encoders with equal keys encode alike, but for what they learn."""
        return (
            self.clips,
            self.n_learned,
            tuple(tuple(parameter.shape) for parameter in self.parameters()),
            *(buffer.cpu().numpy().tobytes() for buffer in self.buffers()),
        )


def _apart(edges: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """Return those edges (n_edges,) that are so far apart that the type has 1 / width."""
    least = 4 * torch.finfo(dtype).tiny
    if len(edges) < 2 or np.diff(edges).min() >= least:
        return edges
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] >= least:
            kept.append(edge)
    return np.array(kept)
