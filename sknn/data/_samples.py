"""Rows with their targets and weights, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._numbers import as_tensor
from ._ragged import Ragged
from ._rows import Inputs, Rows

# Batches whose series are sorted by length together: the more, the less padding and randomness.
GROUPED_BATCHES = 16


class Batch(NamedTuple):
    """One batch; `weight_sum` is the number of answers where there are no weights."""

    X: Inputs
    targets: Tensor
    sample_weight: Tensor | None
    weight_sum: float


class Answers:
    """Targets and weights on the device, one of each a row.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, ...)
        What the loss takes.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights.
    device : torch.device
        Where they go.
    dtype : torch.dtype
        Type of the weights, and of targets that are floats.

    Attributes
    ----------
    row_weight : ndarray of shape (n_samples,) or None
        What each row counts in sums of weights; None is 1.
    """

    def __init__(
        self,
        targets: np.ndarray,
        sample_weight: np.ndarray | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        is_float = targets.dtype.kind == "f"
        tensor = as_tensor(targets, dtype if is_float else None, "y")
        self.targets = tensor.to(device, dtype if is_float else None)
        self.sample_weight = None
        if sample_weight is not None:
            weights = as_tensor(sample_weight, dtype, "sample_weight")
            self.sample_weight = weights.to(device, dtype)
        self.row_weight = sample_weight

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
    """Targets and weights of series that have one answer for each step.

    A batch's targets are those of its first series, then those of the second, and so on.

    Parameters
    ----------
    targets : Ragged
        What the loss takes, for each step.
    sample_weight : ndarray of shape (sum of lengths,) or None
        Weights of the steps.
    device, dtype
        As in :class:`Answers`.
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
        """Return how many answers some rows have; None is all rows."""
        lengths = self.ragged.lengths
        return int(lengths.sum() if rows is None else lengths[rows].sum())

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of all steps of the series with these numbers."""
        steps = self.ragged.positions(index.cpu().numpy())
        return super().take(torch.from_numpy(steps).to(index.device))

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of all steps of consecutive series."""
        ends = np.append(self.ragged.starts, len(self.ragged.values))
        return super().slice(int(ends[start]), int(ends[stop]))


class Samples:
    """Rows with their targets and weights, ready to be cut into batches.

    Parameters
    ----------
    rows : Rows
        The inputs on their way to the device.
    X : ndarray, CSR matrix or Ragged
        The inputs as the user gave them, for callbacks.
    y : ndarray or Ragged
        The labels or values.
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs), or Ragged
        What the loss takes in place of y; :class:`Ragged` where each step of a series has an
        answer.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights; of the steps where they have the targets.
    subset : ndarray of int or None, default=None
        Numbers of the rows that belong here (a training or validation part); None is all.
    smallest_batch : int, default=1
        A last batch of fewer rows joins the one before it (batch normalization learns nothing
        from a single row).
    """

    def __init__(
        self,
        rows: Rows,
        X: Any,
        y: Any,
        targets: np.ndarray | Ragged,
        sample_weight: np.ndarray | None,
        *,
        subset: np.ndarray | None = None,
        smallest_batch: int = 1,
    ) -> None:
        self.X, self.y = X, y
        self.rows = rows
        self.device = device = rows.device
        self.smallest_batch = smallest_batch
        kind: Any = StepAnswers if isinstance(targets, Ragged) else Answers
        self._answers: Answers = kind(targets, sample_weight, device, rows.dtype)
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
    def weight_sum(self) -> float:
        """Sum of all weights."""
        weight = self._answers.row_weight
        if weight is None:
            return float(len(self))
        return float((weight if self.subset is None else weight[self.subset]).sum())

    def answers(self, order: np.ndarray | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the targets and weights of all rows, in the order in which batches have them.

        Parameters
        ----------
        order : ndarray of int, default=None
            As in :meth:`batches`.

        Returns
        -------
        targets : Tensor
        sample_weight : Tensor or None
        """
        rows = self.rows_in_order(order)
        if rows is None:
            return self._answers.targets, self._answers.sample_weight
        return self._answers.take(torch.from_numpy(rows).to(self.device))

    def rows_in_order(self, order: np.ndarray | None) -> np.ndarray | None:
        """Return the numbers that the rows have in all of X.

        Parameters
        ----------
        order : ndarray of int or None
            As in :meth:`batches`.

        Returns
        -------
        ndarray of int or None
            None for all rows as they stand.
        """
        if order is None or self.subset is None:
            return self.subset if order is None else order
        return self.subset[order]

    def group_by_length(self, order: np.ndarray, batch_size: int) -> np.ndarray:
        """Change an order so that the series of a batch are of similar length.

        Within each run of `GROUPED_BATCHES` batches the series are sorted by length; then the
        batches go back to a random order. Rows of equal length stay as they are.

        Parameters
        ----------
        order : ndarray of int
            A random permutation of ``range(len(self))``.
        batch_size : int
            Rows a batch.

        Returns
        -------
        ndarray of int
        """
        lengths = self._lengths()
        if lengths is None:
            return order
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        order = order.copy()
        run = GROUPED_BATCHES * batch_size
        for start in range(0, len(order), run):
            part = order[start : start + run]
            order[start : start + run] = part[np.argsort(lengths[part], kind="stable")]
        # batches come in the order in which the permutation has the first of their rows
        n_whole = len(order) // batch_size
        whole = order[: n_whole * batch_size].reshape(n_whole, batch_size)
        first = place[whole].min(1)
        order[: n_whole * batch_size] = whole[np.argsort(first)].ravel()
        return order

    def sorted_by_length(self) -> np.ndarray | None:
        """Return the order in which padding is least; None where rows are of equal length.

        Returns
        -------
        ndarray of int or None
        """
        lengths = self._lengths()
        return None if lengths is None else np.argsort(lengths, kind="stable")

    def _lengths(self) -> np.ndarray | None:
        lengths = self.rows.lengths
        return lengths if lengths is None or self.subset is None else lengths[self.subset]

    def some(self, n_rows: int) -> Batch:
        """Return rows that are spread evenly over all of them, at most so many, as one batch."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(n_rows, len(self))).astype(np.int64))
        rows = chosen if self.subset is None else self.subset[chosen]
        index = torch.from_numpy(rows).to(self.device)
        targets, weights = self._answers.take(index)
        weight_sum = float(len(targets) if weights is None else weights.sum())
        return Batch(self.rows.take(index), targets, weights, weight_sum)

    def batches(
        self, batch_size: int, order: np.ndarray | None = None, *, first: int = 0
    ) -> Iterator[Batch]:
        """Cut the samples into batches.

        Parameters
        ----------
        batch_size : int
            Rows a batch; the last one may be smaller, or larger by less than
            `smallest_batch`.
        order : ndarray of int, default=None
            A permutation of ``range(len(self))``; None keeps the order.
        first : int, default=0
            Number of the batch to begin with.

        Yields
        ------
        Batch
        """
        bounds = self.bounds(batch_size)
        if len(bounds) == 2:
            if not first:
                yield self._all()
            return
        rows = self.rows_in_order(order)
        weight_sums = self.weight_sums(batch_size, order)
        parts = islice(zip(pairwise(bounds), weight_sums, strict=True), first, None)
        if rows is None:
            for (start, stop), weight_sum in parts:
                answers = self._answers.slice(start, stop)
                yield Batch(self.rows.slice(start, stop), *answers, weight_sum)
            return
        index = torch.from_numpy(rows).to(self.device)
        for (start, stop), weight_sum in parts:
            chosen = index[start:stop]
            yield Batch(self.rows.take(chosen), *self._answers.take(chosen), weight_sum)

    def weight_sums(self, batch_size: int, order: np.ndarray | None = None) -> list[float]:
        """Return the weight sum of each batch.

        Parameters
        ----------
        batch_size, order
            As in :meth:`batches`.

        Returns
        -------
        list of float
        """
        bounds = self.bounds(batch_size)
        weight = self._answers.row_weight
        if weight is None:
            return np.diff(bounds).astype(float).tolist()
        if len(bounds) == 2:
            return [self.weight_sum]
        rows = self.rows_in_order(order)
        return np.add.reduceat(weight if rows is None else weight[rows], bounds[:-1]).tolist()

    def count_batches(self, batch_size: int) -> int:
        """Return the number of batches.

        Parameters
        ----------
        batch_size : int
            As in :meth:`batches`.

        Returns
        -------
        int
        """
        return len(self.bounds(batch_size)) - 1

    def bounds(self, batch_size: int) -> list[int]:
        """Return where batches begin, and at last the number of rows.

        Parameters
        ----------
        batch_size : int
            As in :meth:`batches`.

        Returns
        -------
        list of int
        """
        n = len(self)
        starts = list(range(0, n, batch_size))
        if len(starts) > 1 and n - starts[-1] < self.smallest_batch:
            del starts[-1]
        return [*starts, n]

    def _all(self) -> Batch:
        """All samples as one batch, made once: its order does not matter."""
        if self._whole is None:
            if self.subset is None:
                rows = self.rows.slice(0, len(self))
            else:
                rows = self.rows.take(torch.from_numpy(self.subset).to(self.device))
            self._whole = Batch(rows, *self.answers(), self.weight_sum)
        return self._whole
