"""Rows with their targets and weights, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknn.nn.host import on_host, remember, send

from ._numbers import as_tensor, check_not_lost
from ._ragged import Ragged
from ._rows import Inputs, Rows, dense_rows


@dataclass(frozen=True)
class OwnInputs:
    """Targets of rows each of which is its own target, as the network gets it, flattened."""

    n_rows: int
    n_columns: int

    def __len__(self) -> int:
        return self.n_rows


class Answers:
    """Targets (n, ...) and weights (n,) or None, one of each a row."""

    are_inputs: ClassVar[bool] = False  # whether a batch's targets are the batch itself

    def __init__(
        self,
        targets: np.ndarray,
        sample_weight: np.ndarray | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        dtype_of_targets = dtype if targets.dtype.kind == "f" else None
        self.targets = as_tensor(targets, dtype_of_targets, "y").to(device, dtype_of_targets)
        self.sample_weight = None
        if sample_weight is not None:
            weights = as_tensor(sample_weight, dtype, "sample_weight")
            check_not_lost(sample_weight, dtype, "sample_weight")
            self.sample_weight = weights.to(device, dtype)
        # what each row counts in sums of weights, (n,); None is 1
        self.row_weight = sample_weight

    @property
    def counted_rows(self) -> np.ndarray | None:
        """Numbers of the rows whose weight is above 0; None is all."""
        if self.row_weight is None or self.row_weight.all():
            return None
        return np.flatnonzero(self.row_weight)

    def count(self, rows: np.ndarray | None) -> int:
        """Return how many answers some rows have; None is all rows."""
        return len(self.targets if rows is None else rows)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of the rows with these numbers."""
        weight = self.sample_weight
        return (
            self.targets.index_select(0, index),
            None if weight is None else weight.index_select(0, index),
        )

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of consecutive rows."""
        weight = self.sample_weight
        return self.targets[start:stop], None if weight is None else weight[start:stop]


class StepAnswers(Answers):
    """Targets and weights (sum of lengths, ...) of series that have an answer for each step.

    A batch's targets are those of its first series, then those of the second, and so on.
    """

    def __init__(
        self,
        targets: Ragged,
        sample_weight: np.ndarray | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(targets.values, sample_weight, device, dtype)
        self.ragged = targets
        self.row_weight = targets.lengths.astype(float)
        if sample_weight is not None:
            self.row_weight = np.add.reduceat(sample_weight, targets.starts)

    def count(self, rows: np.ndarray | None) -> int:
        """Return how many steps some series have; None is all series."""
        lengths = self.ragged.lengths
        return int(lengths.sum() if rows is None else lengths[rows].sum())

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of all steps of the series with these numbers."""
        steps = self.ragged.positions(on_host(index))
        return super().take(send(torch.from_numpy(steps), index.device))

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of all steps of consecutive series."""
        ends = np.append(self.ragged.starts, len(self.ragged.values))
        return super().slice(int(ends[start]), int(ends[stop]))


class InputAnswers(Answers):
    """Weights of rows that are their own targets, which batches make; `targets` is (n, 0)."""

    are_inputs = True

    def __init__(
        self,
        targets: OwnInputs,
        sample_weight: np.ndarray | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(np.empty((len(targets), 0)), sample_weight, device, dtype)


def make_answers(
    # what the loss takes; ragged where each step has an answer
    targets: np.ndarray | Ragged | OwnInputs,
    sample_weight: np.ndarray | None,  # of the steps where they have the targets
    device: torch.device,
    dtype: torch.dtype,
) -> Answers:
    """Return targets and weights on a device, which several samples of the same rows may share."""
    if isinstance(targets, OwnInputs):
        return InputAnswers(targets, sample_weight, device, dtype)
    kind = StepAnswers if isinstance(targets, Ragged) else Answers
    return kind(targets, sample_weight, device, dtype)  # type: ignore[arg-type]


# Batches whose series are sorted by length together: the more, the less padding and randomness.
GROUPED_BATCHES = 16


class Batch(NamedTuple):
    """One batch; `weight_sum` is the number of answers where there are no weights."""

    X: Inputs
    targets: Tensor
    sample_weight: Tensor | None
    weight_sum: float


class Samples:
    """Rows with their targets and weights, ready to be cut into batches.

    An `order` is a permutation of ``range(len(self))``; None keeps the rows as they stand.
    """

    def __init__(
        self,
        rows: Rows,
        X: Any,  # this and y as the user gave them, for callbacks
        y: Any,
        answers: Answers,
        *,
        subset: np.ndarray | None = None,  # numbers of the rows that belong here; None is all
        smallest_batch: int = 1,  # a last batch of fewer rows joins the one before it
    ) -> None:
        self.X, self.y = X, y
        self.rows = rows
        self.device = rows.device
        self.smallest_batch = smallest_batch
        self._answers = answers
        self.subset = subset
        self._whole: Batch | None = None

    def __len__(self) -> int:
        return len(self.rows) if self.subset is None else len(self.subset)

    @property
    def n_answers(self) -> int:
        """Number of targets: of rows, or of the steps of all series."""
        return self._answers.count(self.subset)

    @property
    def is_weighted(self) -> bool:
        """Whether there are weights."""
        return self._answers.sample_weight is not None

    @property
    def are_own_targets(self) -> bool:
        """Whether a batch is its own target; `answers` has targets of shape (n, 0) then."""
        return self._answers.are_inputs

    @property
    def weight_sum(self) -> float:
        """Sum of all weights."""
        weight = self.row_weight
        return float(len(self) if weight is None else weight.sum())

    @property
    def row_weight(self) -> np.ndarray | None:
        """What each row counts in sums of weights, (n,) float64; None is 1."""
        weight = self._answers.row_weight
        return weight if weight is None or self.subset is None else weight[self.subset]

    def answers(self, order: np.ndarray | None = None) -> tuple[Tensor, Tensor | None]:
        """Return all targets (n, ...) and weights (n,) or None, in the order of the batches."""
        rows = self.rows_in_order(order)
        if rows is None:
            return self._answers.targets, self._answers.sample_weight
        return self._answers.take(self._index(rows))

    def all_answers(self) -> tuple[Tensor, np.ndarray | None]:
        """Return targets and weights, float64, of all of X, whether they belong here or not."""
        return self._answers.targets, self._answers.row_weight

    def rows_in_order(self, order: np.ndarray | None) -> np.ndarray | None:
        """Return the numbers (n,) that the rows have in all of X; None for all as they stand."""
        if order is None or self.subset is None:
            return self.subset if order is None else order
        return self.subset[order]

    def some(self, n_rows: int) -> Batch:
        """Return rows that are spread evenly over all of them, at most so many, as one batch."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(n_rows, len(self))).astype(np.int64))
        index = self._index(chosen if self.subset is None else self.subset[chosen])
        targets, weights = self._answers.take(index)
        weight_sum = float(len(targets) if weights is None else weights.sum())
        return self._batch(self.rows.take(index), targets, weights, weight_sum)

    # -------------------------------------------------------------------------------- batches

    def batches(
        self, batch_size: int, order: np.ndarray | None = None, *, first: int = 0
    ) -> Iterator[Batch]:
        """Cut the samples into batches, and yield those from the number `first` on."""
        bounds = self.bounds(batch_size)
        if len(bounds) == 2:
            if not first:
                yield self._all()
            return
        rows = self.rows_in_order(order)
        index = None if rows is None else self._index(rows)
        weight_sums = self.weight_sums(batch_size, order)
        for (start, stop), weight_sum in islice(
            zip(pairwise(bounds), weight_sums, strict=True), first, None
        ):
            if index is None:
                answers = self._answers.slice(start, stop)
                yield self._batch(self.rows.slice(start, stop), *answers, weight_sum)
            else:
                chosen = remember(index[start:stop], rows[start:stop])  # type: ignore[index]
                answers = self._answers.take(chosen)
                yield self._batch(self.rows.take(chosen), *answers, weight_sum)

    def weight_sums(self, batch_size: int, order: np.ndarray | None = None) -> list[float]:
        """Return the weight sum of each batch."""
        bounds = self.bounds(batch_size)
        weight = self._answers.row_weight
        if weight is None:
            return np.diff(bounds).astype(float).tolist()
        rows = self.rows_in_order(order)
        batches = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        # added up one after the other, as compiled functions do
        return np.bincount(batches, weight if rows is None else weight[rows]).tolist()

    def count_batches(self, batch_size: int) -> int:
        """Return the number of batches."""
        return len(self.bounds(batch_size)) - 1

    def bounds(self, batch_size: int) -> list[int]:
        """Return where batches begin, and at last the number of rows."""
        n = len(self)
        starts = list(range(0, n, batch_size))
        # batch normalization learns nothing from a single row
        if len(starts) > 1 and n - starts[-1] < self.smallest_batch:
            del starts[-1]
        return [*starts, n]

    def _all(self) -> Batch:
        """Return all samples as one batch, made once: its order does not matter."""
        if self._whole is None:
            if self.subset is None:
                rows = self.rows.slice(0, len(self))
            else:
                rows = self.rows.take(self._index(self.subset))
            self._whole = self._batch(rows, *self.answers(), *self.weight_sums(len(self)))
        return self._whole

    def _batch(
        self, X: Inputs, targets: Tensor, weights: Tensor | None, weight_sum: float
    ) -> Batch:
        if self.are_own_targets:
            targets = dense_rows(X).flatten(1)
        return Batch(X, targets, weights, weight_sum)

    def _index(self, rows: np.ndarray) -> Tensor:
        return remember(send(torch.from_numpy(rows), self.device), rows)

    # -------------------------------------------------------------------------------- lengths

    def group_by_length(self, order: np.ndarray, batch_size: int) -> np.ndarray:
        """Change a random order so that the series of a batch are of similar length.

        Rows of equal length stay as they are.
        """
        lengths = self._lengths()
        if lengths is None:
            return order
        run = GROUPED_BATCHES * batch_size
        runs = [order[start : start + run] for start in range(0, len(order), run)]
        grouped = np.concatenate([each[np.argsort(lengths[each], kind="stable")] for each in runs])
        # whole batches go to a random order again: that of the first of their rows in the old one
        n_whole = len(order) // batch_size
        whole = grouped[: n_whole * batch_size].reshape(n_whole, batch_size)
        place = np.argsort(order)  # the inverse permutation: where each row was
        whole = whole[np.argsort(place[whole].min(1))]
        return np.concatenate([whole.ravel(), grouped[whole.size :]])

    def sorted_by_length(self) -> np.ndarray | None:
        """Return the order in which padding is least; None where rows are of equal length."""
        lengths = self._lengths()
        return None if lengths is None else np.argsort(lengths, kind="stable")

    def _lengths(self) -> np.ndarray | None:
        lengths = self.rows.lengths
        return lengths if lengths is None or self.subset is None else lengths[self.subset]
