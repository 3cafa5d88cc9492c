"""Steps of dense networks as CUDA graphs.

A step of a small network is some forty kernels, and starting one takes longer than its work. A
graph is recorded once and starts them all with one call. It does the same to the same memory each
time, so whatever changes from step to step stands in tensors: the order of the rows and the targets
of an epoch, the place of the batch among them, the optimizer's rates, the sum of the losses.

Recording runs nothing. The first steps call the same function without a graph, which makes what is
made once (handles of libraries, the optimizer's state), and so does the last batch, if it is
smaller: every step updates the weights by the same kernels, recorded or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from sknn.data import Batch, DenseRows
from sknn.nn import DenseBackprop, Loss
from sknn.nn.host import send
from sknn.nn.randomness import lending_nothing

from ._steps import GradientStep
from ._threads import raise_if
from ._training import EpochSums, Training
from .solvers import FusedOptimizer, Group

# Steps without a graph before one is recorded.
STEPS_BEFORE = 3

# Recording takes as long as some steps.
FEWEST_STEPS = 20

# Beyond so many floating point operations a step, starting kernels takes no time beside them.
MOST_FLOPS = 1e11


class Graph(Protocol):
    """Something that is done again and again to the same memory."""

    def capture(self, work: Callable[[], None], generators: Sequence[torch.Generator]) -> None:
        """Record what `work` starts on the device, where it draws from some generators."""

    def replay(self) -> None:
        """Do it."""


class CudaGraph:
    """A :class:`Graph` on a CUDA device.

    Each is known to torch's global generator, so that one thread at a time touches any of them.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graph: Any = torch.cuda.CUDAGraph()

    def capture(self, work: Callable[[], None], generators: Sequence[torch.Generator]) -> None:
        """Record what `work` starts on the device; other threads may go on with theirs."""
        # a graph keeps memory of its own, and nothing is given back while it is recorded
        free, _ = torch.cuda.mem_get_info(self._device)
        if free < torch.cuda.memory_reserved(self._device):
            raise RuntimeError("less memory is free than the training has taken")
        present = torch.cuda.current_stream(self._device)
        stream = _capture_stream(present.device)
        with lending_nothing(), torch.cuda.stream(stream):
            for generator in generators:
                self._graph.register_generator_state(generator)
            stream.wait_stream(present)
            self._graph.capture_begin(capture_error_mode="thread_local")
            try:
                work()
            except BaseException:
                with suppress(RuntimeError):  # that the recording is of no use
                    self._graph.capture_end()
                raise
            self._graph.capture_end()
        present.wait_stream(stream)

    def replay(self) -> None:
        """Do it on the present stream."""
        with lending_nothing():
            self._graph.replay()

    def __del__(self) -> None:
        with lending_nothing():
            del self._graph


@cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream for recordings: libraries keep memory for each that they have seen."""
    return torch.cuda.Stream(device)


def graphs_on(device: torch.device) -> Callable[[], Graph] | None:
    """Return what makes graphs on a device; None if it has none."""
    return (lambda: CudaGraph(device)) if device.type == "cuda" else None


def captured_epochs(training: Training) -> CapturedEpochs | None:
    """Return what runs the epochs of a training by graphs; None where that is of no use."""
    make_graph = graphs_on(training.train.device)
    if make_graph is None or not can_be_captured(training):
        return None
    return CapturedEpochs(training, make_graph)


def can_be_captured(training: Training, n_networks: int = 1) -> bool:
    """Say whether a step is a fixed sequence of kernels, and short enough to be worth a graph.

    It may be the step of several such networks at once.
    """
    settings, step = training.settings, training.step
    n_steps = settings.max_epochs * training.train.count_batches(settings.batch_size)
    return (
        isinstance(step, GradientStep)
        and isinstance(step.backprop, DenseBackprop)
        and step.backprop.encoder is None  # part of whose gradients autograd computes
        and step.backprop.theta.dtype == torch.float32
        and has_closed_form(training.loss)
        and isinstance(step.optimizer, FusedOptimizer)
        and isinstance(training.train.rows, DenseRows)
        and not training.train.are_own_targets
        and training.augment is None
        and not training.listens_to_batches
        and not settings.runs_user_code
        and not torch.are_deterministic_algorithms_enabled()
        and n_steps >= FEWEST_STEPS
        and n_networks * settings.batch_size * settings.work.flops <= MOST_FLOPS
    )


def has_closed_form(loss: Loss) -> bool:
    """Say whether the gradient of a loss takes no autograd."""
    return type(loss).with_gradient is not Loss.with_gradient


class Rates:
    """The rates of optimizers on the device, and the updates by them."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = groups
        # what a graph has by heart
        self.known = [(first.constants(), _pointers(lists)) for first, lists in groups]
        self._values: list[float] = []
        self._rates: list[Tensor] = []

    def set(self) -> None:
        """Bring the rates to those of the step that comes, which has been counted."""
        values = [rate for first, _ in self.groups for rate in first.rates()]
        if not self._rates and values:
            device = self.groups[0][1][0][0].device
            self._tensor = torch.zeros(len(values), dtype=torch.float32, device=device)
            self._rates = list(self._tensor.unbind())
        if values == self._values:
            return
        self._values = values
        if len(values) == 1:
            self._tensor.fill_(values[0])
        else:
            numbers = torch.tensor(values, dtype=torch.float32, device="cpu")
            self._tensor.copy_(send(numbers, self._tensor.device))

    def update(self) -> None:
        """Update the parameters from their gradients."""
        start = 0
        for first, (tensors, gradients, *states) in self.groups:
            rates = self._rates[start : start + len(first.rates())]
            first.update_at(rates, first.constants(), tensors, gradients, states)
            start += len(rates)


def _pointers(lists: Sequence[list[Tensor]]) -> list[int]:
    """Return where tensors lie."""
    return [tensor.data_ptr() for part in lists for tensor in part]


class Replay:
    """Work on the device that is done again and again, by a graph after the first few times."""

    def __init__(
        self,
        generators: Sequence[torch.Generator],  # that the work draws from
        make_graph: Callable[[], Graph],
    ) -> None:
        self._generators = generators
        self._make_graph = make_graph
        self._n_before = 0
        self._may_capture = True
        self._graph: Graph | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        """Do the work, which is the same each time."""
        if self._n_before < STEPS_BEFORE or not self._may_capture:
            work()
            self._n_before += 1
            return
        if self._graph is None:
            graph = self._make_graph()
            try:
                graph.capture(work, self._generators)
            except RuntimeError as error:
                self._may_capture = False
                warnings.warn(
                    f"no CUDA graph could be recorded, which would be faster: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )
                work()
                return
            self._graph = graph
        self._graph.replay()


class CapturedEpochs:
    """Runs the epochs of one training, whose steps are replayed."""

    def __init__(self, training: Training, make_graph: Callable[[], Graph]) -> None:
        self.training = training
        self._make_graph = make_graph
        self._step: Any = training.step
        self._train = train = training.train
        self._steps_per_epoch = train.count_batches(training.settings.batch_size)
        self._bounds = train.bounds(training.settings.batch_size)
        self._size = self._bounds[1]
        n, device = len(train), train.device
        # of an epoch
        self._rows = torch.zeros(n, dtype=torch.int64, device=device)
        targets, weights = train.answers()
        self._targets = torch.empty_like(targets)
        self._weights = None if weights is None else torch.empty_like(weights)
        self._decisions: Tensor | None = None
        # of a batch: where it is in the epoch, and the sum of its weights
        self._all_places = torch.arange(n, device=device)
        self._places = self._all_places[: self._size].clone()
        self._weight_sum = None if weights is None else torch.ones_like(weights[0])
        self._loss_sum = self._step.parameters[0].detach().new_zeros(())
        self._rates: Rates | None = None
        self._replay: Replay | None = None

    def run(self, sums: EpochSums) -> float:
        """Update the weights once a batch, from where `sums` are; return the score."""
        training, train = self.training, self._train
        checkpoint, state = training.checkpoint, training.state
        training.set_mode(training=True)
        weight_sums = train.weight_sums(training.settings.batch_size, sums.order)
        self._begin(sums)
        for number in range(sums.n_batches, self._steps_per_epoch):
            raise_if(training.should_stop)
            start, stop = self._bounds[number : number + 2]
            weight_sum = weight_sums[number]
            if weight_sum > 0:  # else there is nothing to learn from
                training.learning_rate.before_batch(self._steps_per_epoch)
                self._run_step(start, stop, weight_sum)
                state.n_steps += 1
                sums.weight_sum += weight_sum
            elif stop - start == self._size:
                self._places.add_(self._size)
            sums.n_answers += stop - start
            sums.n_batches += 1
            sums.decisions = self._decisions
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(training)
        assert sums.decisions is not None  # some sample has a weight
        return training.score(sums.decisions, *train.answers(sums.order))

    def _begin(self, sums: EpochSums) -> None:
        """Put an epoch's rows, targets and weights in order, and what it has come to so far."""
        rows = self._train.rows_in_order(sums.order)
        if rows is None:
            self._rows.copy_(self._all_places)
        else:
            self._rows.copy_(send(torch.from_numpy(rows), self._rows.device))
        targets, weights = self._train.answers(sums.order)
        self._targets.copy_(targets)
        if self._weights is not None:
            self._weights.copy_(weights)  # type: ignore[arg-type]
        self._places.copy_(self._all_places[: self._size] + self._size * sums.n_batches)
        self._loss_sum.zero_().add_(sums.loss_sum)
        sums.loss_sum = self._loss_sum
        if sums.decisions is not None:  # of an epoch that was interrupted
            self._keep_decisions(sums.decisions).copy_(sums.decisions)
        elif self._decisions is not None:
            self._decisions.zero_()
        optimizer = self._step.optimizer
        tensors, gradients, states = optimizer.gather()
        # without gradients, which a listener has taken away, nothing is updated
        rates = Rates([(optimizer, (tensors, gradients, *states))] if tensors else [])
        if self._rates is None or rates.known != self._rates.known:  # a listener has changed it
            self._rates = rates
            self._replay = Replay(self._generators(), self._make_graph)

    def _keep_decisions(self, like: Tensor) -> Tensor:
        """Return the decisions (n, ...) of an epoch, of the kind of others (..., ...)."""
        if self._decisions is None:
            self._decisions = like.new_zeros((len(self._rows), *like.shape[1:]))
        return self._decisions

    def _run_step(self, start: int, stop: int, weight_sum: float) -> None:
        """Update the weights from one batch."""
        assert self._rates is not None
        if self._rates.groups:
            self._step.optimizer.count_step()
            self._rates.set()
        if self._weight_sum is not None:
            self._weight_sum.fill_(weight_sum)
        if stop - start != self._size:
            self._work(self._all_places[start:stop])
        else:
            assert self._replay is not None
            self._replay(self._whole_batch)

    def _generators(self) -> list[torch.Generator]:
        """Return what a step draws from."""
        generators = self.training.generators
        if generators is None or not any(self._step.backprop.dropout_rates):
            return []
        return [generators.generator]

    def _whole_batch(self) -> None:
        """Do a step, and go on to the next whole batch."""
        self._work(self._places)
        self._places.add_(self._size)

    def _work(self, places: Tensor) -> None:
        """Update the weights from the samples at some places (n,) of the epoch."""
        assert self._rates is not None
        X = self._train.rows.take(self._rows.index_select(0, places))
        targets = self._targets.index_select(0, places)
        weights = None if self._weights is None else self._weights.index_select(0, places)
        weight_sum: Any = len(places) if self._weight_sum is None else self._weight_sum
        outputs, loss_sum = self._step.gradient(Batch(X, targets, weights, weight_sum))
        self._rates.update()
        self._loss_sum.add_(loss_sum)
        decisions = self.training.decide(outputs, targets)
        self._keep_decisions(decisions).index_copy_(0, places, decisions)
