"""Small dense networks on a CPU: steps, epochs and whole trainings in compiled functions.

An operation of torch's costs microseconds, whatever its size, and a batch needs some forty. What
:mod:`sknn.compiled` does instead works on the memory of the same tensors. How much of a training
is done in one go depends on who listens to it; the numbers do not.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknn.compiled import is_available, kernels, one_blas_thread
from sknn.data import Batch, DenseRows, Samples
from sknn.nn import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    ClassificationLoss,
    DenseBackprop,
    Loss,
    dropped_levels,
    generator_on,
)

from ._loop import Loop
from ._settings import Settings
from ._steps import Backprop, GradientStep
from ._threads import raise_if
from ._training import EpochSums, Training
from .solvers import HORIZON_SCHEDULES, FusedOptimizer

# Floating point operations of a step above which torch's products, on all cores, are as fast.
LARGEST_STEP = 5e7

# Seconds that a compiled function runs at most, roughly: until it returns nobody can interrupt it.
# The rates are guesses on the low side.
SEGMENT_SECONDS, OPERATIONS_A_SECOND, STEP_SECONDS = 0.05, 4e9, 2e-6

# Numbers of X that are copied into another type, or without gaps; a larger X stays as it is.
COPIED_NUMBERS = 2**22

# Rows of a batch of validation samples, at least.
SCORED_ROWS = 200

# the kernels' names of losses, activations, solvers and schedules
LOSSES: dict[type[Loss], str] = {
    **{cls: name for name, cls in CLASSIFICATION_LOSSES.items()},
    **{cls: name for name, cls in REGRESSION_LOSSES.items()},
    CLASSIFICATION_LOSSES["squared_error"]: "brier",
}
SOLVERS = ("sgd", "adam", "adamw")

NO_ROWS = np.empty(0, np.int64)  # stands for all rows as they are
NO_NUMBERS, NO_LOG = np.empty(0), np.empty((0, 5))

# Where torch's generator has what its state consists of (ATen's CPUGeneratorImpl): the number of
# words that are left, the next one, and 624 of 64 bits.
LEFT, NEXT, WORDS = slice(8, 12), slice(16, 24), slice(24, 24 + 624 * 8)


def is_compiled(
    module: nn.Module, loss: Loss, settings: Settings, train: Samples, held_out: Samples | None
) -> bool:
    """Return whether compiled functions train a network; its configuration alone decides."""
    parts = [part for part in (train, held_out) if part is not None]
    return (
        settings.solver in SOLVERS
        and settings.batch_size * settings.work.flops <= LARGEST_STEP
        and type(loss) in LOSSES
        and DenseBackprop.binds(module)
        and next(module.parameters()).dtype == settings.compute_dtype
        and all(_can_read(part, settings.compute_dtype) for part in parts)
        and is_available()
        and all(name in kernels().ACTIVATIONS for name in module.activation_names)  # type: ignore[union-attr]
    )


def _can_read(samples: Samples, dtype: torch.dtype) -> bool:
    rows = samples.rows
    if not isinstance(rows, DenseRows) or rows.device.type != "cpu" or rows.tensor.ndim != 2:
        return False
    tensor = rows.tensor
    return tensor.numel() <= COPIED_NUMBERS or (tensor.dtype == dtype and tensor.is_contiguous())


class Data(NamedTuple):
    """Rows with targets and weights, as compiled functions read them."""

    X: np.ndarray  # (N, d)
    targets: np.ndarray  # (N, k), or the numbers of labels (N, 1)
    weights: np.ndarray  # float64 (N,), or (0,) if all are 1
    rows: np.ndarray  # int64 (n,): which belong here, or (0,) for all
    weight_sum: float
    totals: np.ndarray  # float64 (k,): the targets' sums of squares about their means


class CompiledStep(GradientStep):
    """The step of a dense network in compiled functions, with all that these work on."""

    releases_gil = True

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        backprop: Backprop,
        optimizer: torch.optim.Optimizer | None,
        settings: Settings,
    ) -> None:
        super().__init__(module, loss, backprop, optimizer, settings)
        assert isinstance(backprop, DenseBackprop)
        assert isinstance(optimizer, FusedOptimizer)
        self.flat, self.fused = backprop, optimizer
        self.counters, self.sums = np.zeros(8, np.int64), np.zeros(8)
        self.right = 0.0  # rows (weights) of the epoch's batches, where each is a step of its own
        self.kernels = core = kernels()
        theta = backprop.theta.detach().numpy()
        self.nothing = nothing = theta[:0]
        self.best = np.empty_like(theta) if settings.early_stopping else nothing
        self.read_optimizer()
        self.rule = _make_rule(core, loss, settings)
        shapes = self.flat.layer_shapes
        self.net = np.zeros((8, len(shapes) + 1), np.int64)
        self.net[core.WIDTHS] = [shapes[0][1], *(fan_out for fan_out, _ in shapes)]
        self.net[core.ACTIVATION, :-2] = [
            core.ACTIVATIONS.index(name)
            for name in module.activation_names  # type: ignore[union-attr]
        ]
        self.net[core.DROPPED, :-2] = [dropped_levels(rate) for rate in backprop.dropout_rates]
        self.residuals = np.zeros(shapes[-1][0])
        self.orders, self.masks = np.zeros(625, np.uint32), np.zeros(625, np.uint32)
        d = shapes[0][1]
        self.no_data = Data(
            nothing.reshape(0, d), nothing.reshape(0, 1), NO_NUMBERS, NO_ROWS, 0.0, self.residuals
        )
        self.reserve(settings.batch_size, 0)

    def reserve(self, n_rows: int, n_ordered: int) -> None:
        """Make room for batches of so many rows, and for the order of so many."""
        core, widths = self.kernels, self.net[self.kernels.WIDTHS]
        n, hidden = len(widths), widths[1:-1]
        # the input, what each layer returns, the slopes of hidden ones, and two gradients
        sizes = n_rows * np.concatenate([widths, hidden, [max(widths[1:])] * 2])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.net[core.PLACES] = starts[:n]
        self.net[core.SLOPES, 1:-1] = starts[n : n + len(hidden)]
        self.net[core.SPARE, 0] = starts[-3]
        self.net[core.BLOCK, 0] = sizes[-1]
        self.net[core.N_WEIGHTS, 0] = self.flat.n_weights
        self.work = np.empty(starts[-1], self.nothing.dtype)
        self.order, self.permutation = np.arange(n_ordered), np.empty(n_ordered, np.int64)
        self.batch, self.losses = np.empty(n_rows, np.int64), np.empty(n_rows)

    def make_data(
        self, X: Tensor, targets: Tensor, weights: Any, rows: np.ndarray = NO_ROWS
    ) -> Data:
        """Return rows, all of X (N, d) or those with some numbers, as compiled functions do."""
        core, dtype = self.kernels, self.compute_dtype
        numbers = X.to(dtype).contiguous().numpy()
        y = targets.to(dtype).contiguous().view(len(targets), -1).numpy()
        weight = NO_NUMBERS if weights is None else np.asarray(weights, np.float64)
        chosen = rows if len(rows) else slice(None)
        of_rows = weight[chosen] if len(weight) else None
        totals = self.no_data.totals
        if not self.rule[core.LABELS]:
            values = y[chosen].astype(np.float64)
            deviations = (values - np.average(values, axis=0, weights=of_rows)) ** 2
            totals = deviations.sum(0) if of_rows is None else of_rows @ deviations
        weight_sum = float(len(y[chosen]) if of_rows is None else of_rows.sum())
        return Data(numbers, y, weight, rows, weight_sum, totals)

    def perform(
        self,
        task: int,
        data: Data,
        held_out: Data | None = None,
        rates: np.ndarray | None = None,
        log: np.ndarray | None = None,
        most: int = 0,
    ) -> None:
        """Have a compiled function do a task."""
        core, other = self.kernels, self.no_data if held_out is None else held_out
        self.sums[core.ALL_WEIGHT], self.sums[core.HELD_OUT_WEIGHT] = (
            data.weight_sum, other.weight_sum,
        )  # fmt: skip
        draws = task != core.EVALUATE and self.net[core.DROPPED].any()
        if draws:
            generator = generator_on(torch.device("cpu")) or torch.default_generator
            state = generator.get_state()
            _read_words(state.numpy(), self.masks)
        try:
            core.perform(
                task, self.net, self.rule, *self.weights, self.work, *data[:4], *other[:4],
                np.stack([data.totals, other.totals]), self.orders, self.masks, self.order,
                self.permutation, self.batch, self.losses, self.counters, self.sums,
                self.residuals, NO_NUMBERS if rates is None else rates,
                NO_LOG if log is None else log, most,
            )  # fmt: skip
        finally:
            if draws:
                _write_words(state.numpy(), self.masks)
                generator.set_state(state)

    def read_optimizer(self) -> None:
        """Find its tensors, which a checkpoint replaces; take over learning rate and updates."""
        (theta,), (gradient,), _ = self.fused.gather()
        states = {name: self.fused.state[theta][name] for name in self.fused.state_names}
        self._n_updates = states.pop("step", None)  # float32 ()
        if self._n_updates is not None:
            self.counters[self.kernels.UPDATES] = int(self._n_updates)
        self.sums[self.kernels.RATE] = self.fused.param_groups[0]["lr"]
        first, second, *_ = [*(tensor.numpy() for tensor in states.values()), self.nothing]
        self.weights = theta.detach().numpy(), gradient.numpy(), first, second, self.best

    def write_optimizer(self) -> None:
        """Give learning rate and updates back."""
        if self._n_updates is not None:
            self._n_updates.fill_(int(self.counters[self.kernels.UPDATES]))
        self.fused.param_groups[0]["lr"] = float(self.sums[self.kernels.RATE])
        self.fused.recount()
        # torch's schedulers want to see that it has stepped
        self.fused._opt_called = True  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------ one batch

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradients; return outputs (n, n_outputs) and the penalised loss sum ()."""
        data = self.make_data(batch.X, batch.targets, batch.sample_weight)  # type: ignore[arg-type]
        core = self.kernels
        if len(batch.targets) > len(self.batch):
            self.reserve(len(batch.targets), len(self.order))
        self.sums[core.WEIGHT] = batch.weight_sum
        self.perform(core.GRADIENT, data)
        n, k = len(batch.targets), len(self.residuals)
        self.right += float(self.sums[core.RIGHT])
        place = self.net[core.PLACES, -1]
        outputs = torch.from_numpy(self.work[place : place + n * k].reshape(n, k).copy())
        return outputs, torch.tensor(self.sums[core.TOTAL])

    def update(self) -> None:
        """Update the weights from their gradients."""
        self.read_optimizer()
        self.counters[self.kernels.UPDATES] += 1
        self.perform(self.kernels.UPDATE, self.no_data)
        self.write_optimizer()


class CompiledLoop(Loop):
    """Trains a network in compiled functions, as many epochs at a time as nobody listens to."""

    step: CompiledStep

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        settings, step, train = self.settings, self.step, training.train
        held_out = training.validation
        n_scored = 0 if held_out is None else min(len(held_out), SCORED_ROWS)
        shuffles = settings.shuffle and self.steps_per_epoch > 1
        step.reserve(
            max(min(settings.batch_size, len(train)), n_scored), len(train) if shuffles else 0
        )
        self.data = self._read(train, whole=self.steps_per_epoch == 1)
        self.held_out = None if held_out is None else self._read(held_out)
        seconds = settings.batch_size * settings.work.flops / OPERATIONS_A_SECOND + STEP_SECONDS
        self.batches_at_once = max(int(SEGMENT_SECONDS / seconds), 1)
        # a generator of another kind is left to NumPy
        self._draws = step.order.size > 0
        kind = self.state.random_state.get_state(legacy=False)["bit_generator"]
        self.is_heard = bool(
            training.listeners
            or training.checkpoint is not None
            or (self._draws and kind != "MT19937")
        )

    def _read(self, samples: Samples, *, whole: bool = False) -> Any:
        rows = samples.rows
        assert isinstance(rows, DenseRows)
        if whole and samples.subset is not None:  # one batch, gathered once
            X, (targets, weights) = rows.tensor[samples.subset], samples.all_answers()
            weights = None if weights is None else weights[samples.subset]
            return self.step.make_data(X, targets[samples.subset], weights)
        numbers = NO_ROWS if samples.subset is None else samples.subset
        return self.step.make_data(rows.tensor, *samples.all_answers(), numbers)

    def run(self) -> None:
        """Train; whatever ends it, an interrupt included, the state holds what has been reached."""
        with one_blas_thread():
            super().run()

    def start(self) -> None:
        """Take over from the state; the best weights become views of the step's."""
        super().start()
        if self.settings.early_stopping and self.state.best is not None:
            backprop, tensors = self.step.flat, self.training.tensors()
            views = backprop.views_like(torch.from_numpy(self.step.best), tensors)
            for view, best in zip(views, self.state.best, strict=True):
                view.copy_(best)
            self.state.best = views

    # ------------------------------------------------------------------------------ many epochs

    def advance(self) -> None:
        """Run epochs for a short while, or one that somebody listens to."""
        if self.is_heard:
            super().advance()
            return
        training, step, core = self.training, self.step, self.step.kernels
        raise_if(training.should_stop)
        left = self.settings.max_epochs - training.n_epochs_run
        most = min(self.batches_at_once, left * self.steps_per_epoch)
        log = np.empty((most // self.steps_per_epoch + 2, 5))
        begun = time.perf_counter()
        self._take_over()
        try:
            step.perform(core.TRAIN, self.data, self.held_out, self._rates(most), log, most)
        finally:  # a signal that has come meanwhile is raised here
            seconds = time.perf_counter() - begun
            try:
                self._give_back(log, seconds)
            except KeyboardInterrupt:
                self._give_back(log, seconds)  # all of it
                raise
        if step.counters[core.STOP] == core.DIVERGED:
            loss = training.this_epoch["train_loss"]
            self._diverged(f"loss {loss:g} in epoch {training.n_epochs_run}")
        elif step.counters[core.STOP] == core.CONVERGED:
            training.converged = training.stop_training = True

    def _take_over(self) -> None:
        """Bring the compiled functions' state to that of the training."""
        core, step, state, plateau = self.step.kernels, self.step, self.state, self.state.plateau
        assert plateau is not None
        step.read_optimizer()
        step.counters[core.EPOCHS] = self.training.n_epochs_run
        step.counters[core.COUNT] = plateau.count
        step.counters[core.STEPS] = state.n_steps
        step.counters[core.SEEN] = state.n_samples_seen
        step.counters[core.STOP] = core.GOES_ON
        step.counters[core.LOGGED] = 0
        self._n_epochs_before = len(state.history)
        step.sums[core.BEST] = plateau.best
        if self._draws:
            drawn = state.random_state.get_state(legacy=False)["state"]
            step.orders[:624], step.orders[624] = drawn["key"], drawn["pos"]
            if self.training.order is not None:
                step.order[:] = self.training.order

    def _give_back(self, log: np.ndarray, seconds: float) -> None:
        """Bring the training to the state of the compiled functions; twice is as good as once."""
        core, step, state, plateau = self.step.kernels, self.step, self.state, self.state.plateau
        assert plateau is not None
        if (rate := float(step.sums[core.RATE])) != self.training.learning_rate.now:
            state.learning_rate = rate
        step.write_optimizer()
        self.training.n_epochs_run = int(step.counters[core.EPOCHS])
        plateau.count = int(step.counters[core.COUNT])
        plateau.best = float(step.sums[core.BEST])
        state.n_steps = int(step.counters[core.STEPS])
        state.n_samples_seen = int(step.counters[core.SEEN])
        if self._draws:
            random_state = state.random_state.get_state(legacy=False)
            random_state["state"] = {"key": step.orders[:624], "pos": int(step.orders[624])}
            state.random_state.set_state(random_state)
            self.training.order = step.order
        n = int(step.counters[core.LOGGED])
        del state.history[self._n_epochs_before :]
        for row in log[:n].tolist():
            epoch = {"batches": [], "epoch": len(state.history) + 1}
            epoch["learning_rate"] = row[core.LEARNING_RATE]
            epoch["train_loss"], epoch["train_score"] = row[:2]
            if self.held_out is not None:
                epoch["valid_loss"], epoch["valid_score"] = row[2:4]
            epoch["dur"] = seconds / n
            state.history.append(epoch)

    def _rates(self, n_steps: int) -> np.ndarray | None:
        """Return the learning rates (n_steps + 1,) of a schedule with a horizon."""
        learning_rate = self.training.learning_rate
        if not learning_rate.has_horizon:
            return None
        return np.array(learning_rate.rates(self.steps_per_epoch, n_steps + 1))

    # -------------------------------------------------------------------------------- one epoch

    def _train_rows(self, sums: EpochSums) -> tuple[float, float]:
        """Update the weights once a batch; return the epoch's mean loss and score."""
        training, step, core = self.training, self.step, self.step.kernels
        n_batches, checkpoint = self.steps_per_epoch, training.checkpoint
        tally = np.zeros(1 + len(step.residuals)) if sums.tally is None else sums.tally
        step.right, step.residuals[:] = tally[0], tally[1:]
        if self.listens_to_batches:
            loss, _ = super()._train_rows(sums)
            assert sums.tally is not None
            return loss, self._score(sums.tally)
        step.counters[core.BATCH] = sums.n_batches
        step.sums[: core.RIGHT + 1] = sums.loss_sum, sums.weight_sum, tally[0]
        if sums.order is not None:
            step.order[:] = sums.order
        while step.counters[core.BATCH] < n_batches:
            raise_if(training.should_stop)
            step.read_optimizer()
            step.counters[core.STEPS] = self.state.n_steps
            before = training.learning_rate.now
            try:
                step.perform(
                    core.GO_THROUGH, self.data, rates=self._rates(self.batches_at_once),
                    most=self.batches_at_once,
                )  # fmt: skip
            finally:
                step.write_optimizer()
                if training.learning_rate.now != before:
                    self.state.learning_rate = training.learning_rate.now
                self.state.n_steps = int(step.counters[core.STEPS])
                sums.n_batches = int(step.counters[core.BATCH])
                sums.n_answers = min(sums.n_batches * self.settings.batch_size, len(training.train))
                sums.loss_sum, sums.weight_sum, right = step.sums[: core.RIGHT + 1].tolist()
                sums.tally = np.array([right, *step.residuals])
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(training)
        self.state.n_samples_seen += len(training.train)
        assert sums.tally is not None
        return sums.loss_sum / sums.weight_sum, self._score(sums.tally)

    def _train_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights; return outputs (n, n_outputs) and the penalised loss sum ()."""
        result = super()._train_batch(batch)
        assert self.training.sums is not None
        self.training.sums.tally = np.array([self.step.right, *self.step.residuals])
        return result

    def _score(self, tally: np.ndarray) -> float:
        """Return accuracy or R2 of what the batches have come to (1 + k,)."""
        if self.step.rule[self.step.kernels.LABELS]:
            return float(tally[0] / self.data.weight_sum)
        residuals, totals = tally[1:], self.data.totals
        constant = totals == 0
        scores = 1 - residuals / np.where(constant, 1, totals)
        scores[constant] = residuals[constant] == 0
        scores[~np.isfinite(residuals)] = np.nan
        return float(scores.mean())

    def evaluate(self, samples: Samples) -> tuple[float, float]:
        """Return loss (without penalty) and score of held-out samples."""
        step, core = self.step, self.step.kernels
        step.perform(core.EVALUATE, step.no_data, self.held_out)
        return float(step.sums[core.TOTAL]), float(step.sums[core.RIGHT])


def _make_rule(core: Any, loss: Loss, settings: Settings) -> Any:
    """Return what is minimised and how, as compiled functions know it."""
    labels = isinstance(loss, ClassificationLoss)
    schedule = "horizon" if settings.schedule in HORIZON_SCHEDULES else settings.schedule
    decays = settings.solver == "adamw"
    max_norm = settings.max_grad_norm
    rule = np.zeros(23)
    values = {
        core.LOSS: core.LOSSES.index(LOSSES[type(loss)]),
        core.ONE_OF: labels and loss.task == "multiclass",  # type: ignore[attr-defined]
        core.LABELS: labels,
        core.LINK: 0 if labels else core.LINKS.index(loss.out_activation),
        core.NUMBER: getattr(loss, "label_smoothing", getattr(loss, "quantile", 0.0)),
        core.ALPHA: 0.0 if decays else settings.alpha,
        core.DECAY: settings.alpha if decays else 0.0,
        core.MAX_NORM: math.inf if max_norm is None else max_norm,
        core.SOLVER: core.SOLVERS.index(settings.solver),
        core.BETA_1: settings.beta_1,
        core.BETA_2: settings.beta_2,
        core.EPSILON: settings.epsilon,
        core.MOMENTUM: settings.momentum,
        core.NESTEROV: settings.nesterovs_momentum,
        core.BATCH_SIZE: settings.batch_size,
        core.SHUFFLES: settings.shuffle,
        core.STOPS_EARLY: settings.early_stopping,
        core.TOL: settings.tol,
        core.PATIENCE: settings.n_iter_no_change,
        core.SCHEDULE: core.SCHEDULES.index(schedule),
        core.INITIAL_RATE: settings.learning_rate_init,
        core.POWER_T: settings.power_t,
        core.N_EPOCHS: settings.max_epochs,
    }
    for place, value in values.items():
        rule[place] = value
    return rule


def _read_words(state: np.ndarray, words: np.ndarray) -> None:
    """Read a torch generator's state, bytes, as 624 words and the place of the next."""
    words[:624] = state[WORDS].view(np.uint64)
    n_left = int(state[LEFT].view(np.int32)[0])
    words[624] = 624 if n_left == 1 else int(state[NEXT].view(np.uint64)[0])


def _write_words(state: np.ndarray, words: np.ndarray) -> None:
    """Undo :func:`_read_words`."""
    state[WORDS].view(np.uint64)[:] = words[:624]
    state[LEFT].view(np.int32)[0] = 625 - int(words[624])
    state[NEXT].view(np.uint64)[0] = int(words[624])
