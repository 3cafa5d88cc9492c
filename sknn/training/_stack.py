"""Training of many equal networks as one program, which is how a GPU is kept busy.

What is done for each batch is done for all networks of a stack at once
(:class:`sknn.nn.StackedBackprop`); what is done for each epoch (order of the rows, validation,
stopping, history, listeners) is done by each network's own :class:`Loop`, as when it trains alone.
So a network of a stack ends with the weights that it would have alone, up to rounding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn.data import DenseRows
from sknn.nn import CallableLoss, DenseBackprop, StackedBackprop, own_defaults
from sknn.nn.host import send
from sknn.training.solvers import JointOptimizer

from ._captured import Rates, Replay, can_be_captured, graphs_on
from ._loop import Loop
from ._randomness import OwnGenerators
from ._scores import accuracies, accuracy
from ._steps import GradientStep
from ._threads import raise_if
from ._training import Training


def stack_key(training: Training) -> Hashable | None:
    """Return a key; trainings with equal keys can be stacked, and None can only be done alone."""
    step, rows = training.step, training.train.rows
    if (
        not isinstance(step, GradientStep)
        or not isinstance(step.backprop, DenseBackprop)
        or not step.backprop.supports(training.module)
        or not isinstance(rows, DenseRows)
        or training.train.are_own_targets
        or step.optimizer is None
        or training.augment is not None
        or training.listens_to_batches
        or step.compute_dtype != step.backprop.theta.dtype
        or isinstance(training.loss, CallableLoss)
        or (training.checkpoint is not None and training.checkpoint.is_within_epoch)
    ):
        return None
    batch_size: int | None = training.settings.batch_size
    if training.settings.batch_size >= len(training.train):
        batch_size = None
    targets = training.train.answers()[0]
    return (
        rows.device,
        step.backprop.theta.dtype,
        tuple(step.backprop.layer_shapes),
        tuple(step.backprop.activations),
        None if step.backprop.encoder is None else step.backprop.encoder.fixed_key(),
        type(training.loss),
        training.loss.out_activation,
        getattr(training.loss, "quantiles", None),  # which decisions are made with
        targets.dtype,
        targets.shape[1:],
        batch_size,
    )


@own_defaults()
def train_stack(
    trainings: Sequence[Training],
    *,
    on_done: Callable[[Training], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Train networks with equal keys together; raise Interrupted where `should_stop` says so.

    An error of one is kept in its `error` and leaves the others as they would have been. Whatever
    ends the training, every network holds the weights that it has reached. `on_done` is called
    with each training that has ended, `should_stop` after each epoch.
    """
    stack = _Stack(trainings)

    def report(released: list[Training]) -> None:
        for training in released:
            if on_done is not None:
                on_done(training)

    try:
        report(stack.begin())
        while stack.members:
            report(stack.run_epoch())
            if should_stop is not None and stack.members:
                raise_if(should_stop)
    finally:
        stack.close()


class _Member(Loop):
    """A network that is being trained in a stack."""

    step: GradientStep

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.backprop: DenseBackprop = self.step.backprop  # type: ignore[assignment]
        self.train = train = training.train
        self.n_rows = len(train)
        self.bounds = train.bounds(self.settings.batch_size)
        self.order: np.ndarray | None = None
        self.answers = train.answers()
        self.weight_sums = train.weight_sums(self.settings.batch_size)
        draws = any(self.backprop.dropout_rates) or bool(training.listeners)
        self._own = OwnGenerators(training.state, train.device) if draws else None
        training.generators = self._own
        self.start()

    @property
    def generator(self) -> torch.Generator | None:
        return None if self._own is None else self._own.generator

    @property
    def is_over(self) -> bool:
        """Whether it has been trained, or has failed."""
        return self.training.error is not None or self.training.is_done

    def begin_epoch(self) -> None:
        """Do what comes before an epoch's first batch."""
        super().begin_epoch()
        self.order = self.draw_order()
        if self.order is not None:
            self.answers = self.train.answers(self.order)
            if self.train.is_weighted:
                self.weight_sums = self.train.weight_sums(self.settings.batch_size, self.order)

    def rows(self) -> np.ndarray:
        """Return the numbers of the rows in all of X, in the order of this epoch."""
        rows = self.train.rows_in_order(self.order)
        return np.arange(self.n_rows) if rows is None else rows

    def conclude_epoch(self, loss_sum: float, score: float, seconds: float) -> None:
        """Do what comes after an epoch's last batch."""
        training = self.training
        self.state.n_samples_seen += self.n_rows
        start = time.perf_counter()
        self.record_epoch(loss_sum / sum(self.weight_sums), score)
        seconds += time.perf_counter() - start
        training.this_epoch["dur"] = seconds
        training.seconds += seconds
        self.end_epoch()
        if training.is_done:
            self.check_weights()

    def finish(self) -> None:
        """Leave a network that predicts; keep the error of a listener that is told of the end."""
        if self._own is not None:
            self._own.remember()
        try:
            super().finish()
        except Exception as error:
            error.__context__ = self.training.error  # as if raised in a `finally`
            self.training.error = error

    def complete(self) -> None:
        """Keep that it is over, unless it has failed."""
        if self.training.error is None:
            try:
                super().complete()
            except Exception as error:
                self.training.error = error


class _Stack:
    """The networks that are still being trained, those with the most rows first."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.members = [_Member(training) for training in sorted(trainings, key=_order)]
        self._backprop = StackedBackprop(
            [member.backprop for member in self.members],
            max(member.bounds[1] for member in self.members),
            [member.generator for member in self.members],
        )
        self._renew()

    def begin(self) -> list[Training]:
        """Do what comes before the first epoch; return those that have failed."""
        self._for_each(_Member.begin)
        return self._release()

    def _renew(self) -> None:
        """Make what depends on who the members are."""
        self._samples = _StackedSamples(self.members)
        first = self.members[0].backprop.theta
        self._loss_sums = first.detach().new_zeros(len(self.members))
        self._collected: Tensor | None = None  # decisions (k, n, ...) in the order of this epoch
        self._n_whole = self._count_captured()
        self._rates: Rates | None = None
        self._replay: Replay | None = None
        self._optimizer = JointOptimizer([member.step.optimizer for member in self.members])  # type: ignore[misc]

    @torch.no_grad()
    def run_epoch(self) -> list[Training]:
        """Train every network for an epoch; return those that are over, or have failed."""
        start = time.perf_counter()
        self._for_each(_Member.begin_epoch)
        released = self._release()
        if not self.members:
            return released
        loss_sums, scores = self._train_epoch()
        seconds = (time.perf_counter() - start) / len(self.members)
        ends = zip(loss_sums, scores, strict=True)
        self._for_each(lambda member: member.conclude_epoch(*next(ends), seconds))
        return released + self._release()

    def _for_each(self, action: Callable[[_Member], None]) -> None:
        """Do something with each member, and keep the error of one that fails."""
        for member in self.members:
            try:
                action(member)
            except Exception as error:
                member.training.error = error

    def _release(self) -> list[Training]:
        """Let go of the members that are over or have failed."""
        kept = [i for i, member in enumerate(self.members) if not member.is_over]
        if len(kept) == len(self.members):
            return []
        self._backprop.keep(kept)
        released = [member for member in self.members if member.is_over]
        self.members = [self.members[i] for i in kept]
        for member in released:
            member.finish()
            member.complete()
        if self.members:
            self._renew()
        return [member.training for member in released]

    def close(self) -> None:
        """Leave all networks as they are."""
        self._replay = None
        self._backprop.keep([])
        for member in self.members:
            member.finish()

    def _train_epoch(self) -> tuple[list[float], list[float]]:
        """Update the weights once a batch; return the loss sums and the scores."""
        self._samples.begin_epoch()
        self._loss_sums.zero_()
        if self._collected is not None:
            self._collected.zero_()
        for number in range(self.members[0].steps_per_epoch):
            if number < self._n_whole:
                self._replay_batch()
            else:
                self._train_batch(number)
        assert self._collected is not None  # there are members, and they have rows
        return self._loss_sums.tolist(), self._score(self._collected)

    def _train_batch(self, number: int) -> None:
        """Update the weights of the members that have a batch with this number."""
        decide, samples = self.members[0].training.decide, self._samples
        losses = []
        for start, stop, first_row, last_row in samples.runs(number):
            batch = samples.batch(number, start, stop)
            outputs, batch_losses = self._backprop(start, *batch)
            losses.append(batch_losses)
            chosen = decide(outputs, batch[1])
            chosen = chosen.view(stop - start, -1, *chosen.shape[1:])
            self._keep_decisions(chosen)[start:stop, first_row:last_row] = chosen
        step_losses = torch.cat(losses)
        trained = [
            i
            for i in range(len(step_losses))
            if self.members[i].weight_sums[number] > 0  # else there is nothing to learn from
        ]
        self._prepare_gradients(trained, number, step_losses)
        self._set_learning_rates(trained)
        self._optimizer.step(trained)
        self._loss_sums[: len(step_losses)] += step_losses
        for i in trained:
            self.members[i].training.state.n_steps += 1

    def _keep_decisions(self, like: Tensor) -> Tensor:
        """Return the decisions (k, n, ...) of an epoch, of the kind of others (k, batch, ...)."""
        if self._collected is None:
            shape = (len(self.members), self.members[0].n_rows, *like.shape[2:])
            self._collected = like.new_zeros(shape)
        return self._collected

    # ------------------------------------------------------------------------- captured batches

    def _count_captured(self) -> int:
        """Return how many batches an epoch begins with that are whole for all, and replayed."""
        members, k = self.members, len(self.members)
        self._make_graph = graphs_on(members[0].train.device)
        fits = (member.training for member in members)
        if (
            self._make_graph is None
            or members[0].steps_per_epoch == 1
            or self._samples.is_weighted
            or not all(can_be_captured(training, k) for training in fits)
        ):
            return 0
        return members[-1].n_rows // members[-1].bounds[1]

    def _replay_batch(self) -> None:
        """Update the weights of all members, which have the same number of rows in this batch."""
        everyone = range(len(self.members))
        self._set_learning_rates(everyone)
        groups = self._optimizer.groups(everyone)
        if self._rates is None or self._rates.groups is not groups:
            assert self._make_graph is not None
            self._rates = Rates(groups)
            drawing = [each.generator for each in self.members if any(each.backprop.dropout_rates)]
            self._replay = Replay([each for each in drawing if each], self._make_graph)
        self._rates.set()
        assert self._replay is not None
        self._replay(self._whole_batch)
        for member in self.members:
            member.training.state.n_steps += 1

    def _whole_batch(self) -> None:
        """Do what :meth:`_train_batch` does, and go on to the next batch, on the device alone."""
        assert self._rates is not None
        samples, places = self._samples, self._samples.places
        batch = samples.whole_batch()
        outputs, losses = self._backprop(0, *batch)
        self._prepare_gradients(range(len(losses)), 0, losses)
        self._rates.update()
        self._loss_sums += losses
        chosen = self.members[0].training.decide(outputs, batch[1])
        chosen = chosen.view(len(losses), -1, *chosen.shape[1:])
        self._keep_decisions(chosen).index_copy_(1, places, chosen)
        places.add_(len(places))

    def _score(self, decisions: Tensor) -> list[float]:
        """Return the score of each network, of decisions (k, n, ...) in the order of this epoch."""
        members = self.members
        if members[0].training.score is accuracy and not self._samples.is_weighted:
            n_rows = [member.n_rows for member in members]
            return accuracies(decisions, self._samples.targets, n_rows)
        return [
            member.training.score(rows[: member.n_rows], *member.answers)
            for member, rows in zip(members, decisions, strict=True)
        ]

    def _prepare_gradients(self, trained: Sequence[int], number: int, losses: Tensor) -> None:
        """Add the penalties to losses (k,) and gradients of some members, and clip these."""
        self._add_penalties(trained, number, losses)
        for i in trained:
            step = self.members[i].step
            if step.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(step.parameters, step.max_grad_norm)

    def _set_learning_rates(self, trained: Sequence[int]) -> None:
        """Follow the schedules."""
        for i in trained:
            member = self.members[i]
            member.training.learning_rate.before_batch(member.steps_per_epoch)

    def _add_penalties(self, trained: Sequence[int], number: int, losses: Tensor) -> None:
        """Add the L2 penalties to losses (k,), one operation for neighbours with equal ones."""
        runs: list[tuple[int, int, tuple[float, float]]] = []
        for i in trained:
            member = self.members[i]
            penalty = (member.step.alpha, member.weight_sums[number])
            if runs and runs[-1][1:] == (i, penalty):
                runs[-1] = (runs[-1][0], i + 1, penalty)
            else:
                runs.append((i, i + 1, penalty))
        for start, stop, (alpha, weight_sum) in runs:
            if alpha:
                self._backprop.add_penalty(start, losses[start:stop], alpha, weight_sum)


def _order(training: Training) -> tuple[Any, ...]:
    """Order by the number of rows, and put next to each other what can share operations."""
    numbers = sorted((name, str(value)) for name, value in vars(training.loss).items())
    return -len(training.train), numbers, training.step.alpha  # type: ignore[attr-defined]


class _StackedSamples:
    """The samples of a stack's members."""

    def __init__(self, members: list[_Member]) -> None:
        self._members = members
        self._dtype = members[0].train.rows.dtype
        self._device = members[0].train.device
        self._X, self._first_rows = self._join()
        self.is_weighted = any(member.train.is_weighted for member in members)
        self._runs = [self._find_runs(i) for i in range(members[0].steps_per_epoch)]
        # where an epoch is one batch, all epochs have the same one
        self._batches: dict[int, tuple[Tensor, Tensor, Tensor | None]] = {}
        self._has_one_batch = members[0].steps_per_epoch == 1
        k, n, size = len(members), members[0].n_rows, members[0].bounds[1]
        self._index = torch.zeros((k, n), dtype=torch.int64, device=self._device)
        self._weight = torch.ones((k, n), dtype=self._dtype, device=self._device)
        # (k, n, ...) in the order of this epoch; zeros follow those of a member with fewer rows
        targets, _ = members[0].answers
        self.targets = targets.new_zeros((k, n, *targets.shape[1:]))
        # where a whole batch is in the epoch, and the sums of its weights (k,)
        self.places = torch.arange(size, device=self._device)
        self._whole_sums = torch.full((k,), float(size), dtype=self._dtype, device=self._device)

    def _join(self) -> tuple[Tensor, list[int]]:
        """Return the distinct X one after the other, and where that of each member begins."""
        places: dict[tuple[int, ...], int] = {}
        tensors: list[Tensor] = []
        first_rows, n_rows = [], 0
        for member in self._members:
            tensor = member.train.rows.tensor  # type: ignore[attr-defined]
            key = (tensor.data_ptr(), *tensor.shape, *tensor.stride())
            if key not in places:
                places[key] = n_rows
                n_rows += len(tensor)
                tensors.append(tensor.to(self._dtype))
            first_rows.append(places[key])
        return tensors[0] if len(tensors) == 1 else torch.cat(tensors), first_rows

    def _find_runs(self, number: int) -> list[tuple[int, int, int, int]]:
        """Return the same as :meth:`runs`, which has it ready."""
        bounds = [
            (member.bounds[number], member.bounds[number + 1])
            for member in self._members
            if number < member.steps_per_epoch
        ]
        runs, start = [], 0
        for (first_row, last_row), run in groupby(bounds):
            stop = start + len(list(run))
            runs.append((start, stop, first_row, last_row))
            start = stop
        return runs

    def runs(self, number: int) -> list[tuple[int, int, int, int]]:
        """Return runs (start, stop, first_row, last_row) of members with batches of equal size."""
        return self._runs[number]

    def begin_epoch(self) -> None:
        """Put rows, targets and weights into the order of this epoch, in memory that stays."""
        if self._batches:
            return
        k, n = len(self._members), self._members[0].n_rows
        index = np.zeros((k, n), np.int64)
        for i, (member, first_row) in enumerate(zip(self._members, self._first_rows, strict=True)):
            index[i, : member.n_rows] = member.rows() + first_row
            targets, weight = member.answers
            self.targets[i, : member.n_rows] = targets
            if weight is not None:
                self._weight[i, : member.n_rows] = weight
        self._index.copy_(send(torch.from_numpy(index), self._device))
        # (batches, k); where there is no weight, or no batch, the gradients are not used
        sums = np.ones((self._members[0].steps_per_epoch, k))
        for i, member in enumerate(self._members):
            sums[: member.steps_per_epoch, i] = [each or 1.0 for each in member.weight_sums]
        self._weight_sums = send(torch.from_numpy(sums).to(self._dtype), self._device)
        torch.arange(len(self.places), out=self.places)

    def whole_batch(self) -> tuple[Tensor, Tensor, None, Tensor]:
        """Return what :meth:`batch` does of the samples at `places`, which have no weights."""
        index = self._index.index_select(1, self.places)
        X = self._X.index_select(0, index.reshape(-1)).view(*index.shape, -1)
        targets = self.targets.index_select(1, self.places).flatten(0, 1)
        return X, targets, None, self._whole_sums

    def batch(
        self, number: int, start: int, stop: int
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Return X (k, n, n_features), targets (k n, ...), weights (k, n) and their sums (k,)."""
        if start not in self._batches:
            inputs = self._gather(number, start, stop)
            if not self._has_one_batch:
                return *inputs, self._weight_sums[number, start:stop]
            self._batches[start] = inputs
        return *self._batches[start], self._weight_sums[number, start:stop]

    def _gather(self, number: int, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor | None]:
        bounds = self._members[start].bounds
        part = (slice(start, stop), slice(bounds[number], bounds[number + 1]))
        index = self._index[part]
        X = self._X.index_select(0, index.reshape(-1)).view(*index.shape, -1)
        weight = self._weight[part] if self.is_weighted else None
        return X, self.targets[part].flatten(0, 1), weight
