"""Small dense networks on a CPU: steps, epochs and whole trainings in compiled functions.

An operation of torch's costs microseconds, whatever its size, and a batch needs some forty. What
:mod:`sknn.compiled` does instead works on the memory of the same tensors. How much of a training
is done in one go depends on who listens to it; the numbers do not.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknn.compiled import is_available, kernels
from sknn.compiled import places as at
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

from ._compiled_encoder import encoder_constants, make_plan, place_memory
from ._settings import Settings
from ._steps import Backprop, GradientStep
from .solvers import HORIZON_SCHEDULES, FusedOptimizer

# Floating point operations of a step above which torch's products, on all cores, are as fast.
LARGEST_STEP = 5e7

# The same with an encoder, of whose products torch has to take those with 0 and 1, too.
LARGEST_ENCODED_STEP = 2e9

# Rows whose squares are added up at once.
COUNTED_ROWS = 2**16

# Numbers of X that are copied into another type, or without gaps; a larger X stays as it is.
COPIED_NUMBERS = 2**22

# what compiled functions call the losses
LOSSES: dict[type[Loss], str] = {
    **{cls: name for name, cls in CLASSIFICATION_LOSSES.items()},
    **{cls: name for name, cls in REGRESSION_LOSSES.items() if name in at.LOSSES},
    CLASSIFICATION_LOSSES["squared_error"]: "brier",
}

# Numbers of rows, of which there are fewer than 2^31 (`_can_read`): half of the memory.
ROW_TYPE = np.int32
NO_ROWS = np.empty(0, ROW_TYPE)  # stands for all rows as they are
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
        settings.solver in at.SOLVERS
        and type(loss) in LOSSES
        and DenseBackprop.binds(module)
        and settings.batch_size * settings.work.flops <= _largest_step(module)
        and next(module.parameters()).dtype == settings.compute_dtype
        and all(_can_read(part, settings.compute_dtype) for part in parts)
        and all(name in at.ACTIVATIONS for name in module.activation_names)  # type: ignore[union-attr]
        and is_available()  # which imports numba
    )


def _largest_step(module: Any) -> float:
    return LARGEST_STEP if module.input_encoder is None else LARGEST_ENCODED_STEP


def _can_read(samples: Samples, dtype: torch.dtype) -> bool:
    rows = samples.rows
    if samples.are_own_targets or not isinstance(rows, DenseRows):
        return False
    if rows.device.type != "cpu" or rows.tensor.ndim != 2:
        return False
    tensor = rows.tensor
    if len(tensor) > np.iinfo(ROW_TYPE).max:
        return False
    return tensor.numel() <= COPIED_NUMBERS or (tensor.dtype == dtype and tensor.is_contiguous())


class Data(NamedTuple):
    """Rows with targets and weights, as compiled functions read them."""

    X: np.ndarray  # (N, d)
    targets: np.ndarray  # (N, k), or the numbers of labels (N, 1)
    weights: np.ndarray  # float64 (N,), or (0,) if all are 1
    rows: np.ndarray  # int32 (n,): which belong here, or (0,) for all
    weight_sum: float
    totals: np.ndarray  # float64 (k,): the targets' sums of squares about their means, for R2


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
        self._perform, self._score = kernels().perform, kernels().score.py_func
        theta = backprop.theta.detach().numpy()
        self.nothing = nothing = theta[:0]
        self.best = np.empty_like(theta) if settings.early_stopping else nothing
        self.read_optimizer()
        self.rule = _make_rule(loss, settings)
        shapes = self.flat.layer_shapes
        self.net = np.zeros((8, len(shapes) + 1), np.int64)
        self.net[at.WIDTHS] = [shapes[0][1], *(fan_out for fan_out, _ in shapes)]
        self.net[at.ACTIVATION, :-2] = [
            at.ACTIVATIONS.index(name)
            for name in module.activation_names  # type: ignore[union-attr]
        ]
        self.plan, self.constants = None, None
        d = shapes[0][1]
        if backprop.encoder is not None:
            self.plan = make_plan(backprop)
            self.constants = encoder_constants(backprop.encoder)
            d = backprop.encoder.n_columns
        self.net[at.DROPPED, :-2] = [dropped_levels(rate) for rate in backprop.dropout_rates]
        self.residuals = np.zeros(shapes[-1][0])
        self.orders, self.masks = np.zeros(625, np.uint32), np.zeros(625, np.uint32)
        self.no_data = Data(
            nothing.reshape(0, d), nothing.reshape(0, 1), NO_NUMBERS, NO_ROWS, 0.0, self.residuals
        )
        self.release()

    def release(self) -> None:
        """Keep no memory, until `reserve` makes room."""
        self.work, self.order, self.permutation = self.nothing, NO_ROWS, NO_ROWS
        self.batch, self.losses = NO_ROWS, NO_NUMBERS

    def reserve(self, n_rows: int, n_ordered: int) -> None:
        """Make room for batches of so many rows, and for the order of so many."""
        widths = self.net[at.WIDTHS]
        n, hidden = len(widths), widths[1:-1]
        # the input, what each layer returns, the slopes of hidden ones, and two gradients
        sizes = n_rows * np.concatenate([widths, hidden, [max(widths[1:])] * 2])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.net[at.PLACES] = starts[:n]
        self.net[at.SLOPES, 1:-1] = starts[n : n + len(hidden)]
        self.net[at.SPARE, 0] = starts[-3]
        self.net[at.BLOCK, 0] = sizes[-1]
        self.net[at.N_WEIGHTS, 0] = self.flat.n_weights
        n_numbers = starts[-1]
        if self.plan is not None:
            n_numbers = place_memory(self.plan, starts[-1], n_rows, widths[:2])
        self.work = np.empty(n_numbers, self.nothing.dtype)
        self.order = np.arange(n_ordered, dtype=ROW_TYPE)
        self.permutation = np.empty_like(self.order)
        self.batch, self.losses = np.empty(n_rows, np.int64), np.empty(n_rows)

    def make_data(
        self, X: Tensor, targets: Tensor, weights: Any, rows: np.ndarray = NO_ROWS
    ) -> Data:
        """Return rows, all of X (N, d) or those with some numbers, as compiled functions do."""
        dtype = self.compute_dtype
        numbers = X.to(dtype).contiguous().numpy()
        y = targets.to(dtype).contiguous().view(len(targets), -1).numpy()
        weight = NO_NUMBERS if weights is None else np.asarray(weights, np.float64)
        weight_sum = float(len(rows) or len(y))
        if len(weight):
            weight_sum = float(weight[rows if len(rows) else slice(None)].sum())
        return Data(numbers, y, weight, rows, weight_sum, self.no_data.totals)

    def with_totals(self, data: Data) -> Data:
        """Return data that R2 can be computed of."""
        if self.rule[at.LABELS]:
            return data
        rows = data.rows if len(data.rows) else np.arange(len(data.targets))
        parts = np.array_split(rows, max(len(rows) // COUNTED_ROWS, 1))

        def totals_about(center: Any, power: int) -> np.ndarray:
            totals = np.zeros(data.targets.shape[1])
            for part in parts:  # no copy of all
                values = (data.targets[part].astype(np.float64) - center) ** power
                totals += data.weights[part] @ values if len(data.weights) else values.sum(0)
            return totals

        with np.errstate(all="ignore"):  # the loss of targets that overflow says so
            totals = totals_about(totals_about(0, 1) / data.weight_sum, 2)
        return data._replace(totals=totals)

    def score(self, data: Data, right: float, residuals: np.ndarray) -> float:
        """Return accuracy or R2 of what the batches of an epoch have come to."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self._score(self.rule, right, data.weight_sum, residuals, data.totals))

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
        other = self.no_data if held_out is None else held_out
        self.sums[at.ALL_WEIGHT], self.sums[at.HELD_OUT_WEIGHT] = (
            data.weight_sum, other.weight_sum,
        )  # fmt: skip
        draws = task != at.EVALUATE and self.net[at.DROPPED].any()
        if draws:
            generator = generator_on(torch.device("cpu")) or torch.default_generator
            state = generator.get_state()
            _read_words(state.numpy(), self.masks)
        try:
            self._perform(
                task, self.net, self.plan, self.constants, self.rule, *self.weights, self.work,
                *data[:4], *other[:4],
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
            self.counters[at.UPDATES] = int(self._n_updates)
        self.sums[at.RATE] = self.fused.param_groups[0]["lr"]
        first, second, *_ = [*(tensor.numpy() for tensor in states.values()), self.nothing]
        self.weights = theta.detach().numpy(), gradient.numpy(), first, second, self.best

    def write_optimizer(self) -> None:
        """Give learning rate and updates back."""
        if self._n_updates is not None:
            self._n_updates.fill_(int(self.counters[at.UPDATES]))
        self.fused.param_groups[0]["lr"] = float(self.sums[at.RATE])
        self.fused.recount()
        # torch's schedulers want to see that it has stepped
        self.fused._opt_called = True  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------ one batch

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradients; return outputs (n, n_outputs) and the penalised loss sum ()."""
        data = self.make_data(batch.X, batch.targets, batch.sample_weight)  # type: ignore[arg-type]
        if len(batch.targets) > len(self.batch):
            self.reserve(len(batch.targets), len(self.order))
        self.sums[at.WEIGHT] = batch.weight_sum
        self.perform(at.GRADIENT, data)
        n, k = len(batch.targets), len(self.residuals)
        self.right += float(self.sums[at.RIGHT])
        place = self.net[at.PLACES, -1]
        outputs = torch.from_numpy(self.work[place : place + n * k].reshape(n, k).copy())
        return outputs, torch.tensor(self.sums[at.TOTAL])

    def update(self) -> None:
        """Update the weights from their gradients."""
        self.read_optimizer()
        self.counters[at.UPDATES] += 1
        self.perform(at.UPDATE, self.no_data)
        self.write_optimizer()


def _make_rule(loss: Loss, settings: Settings) -> np.ndarray:
    """Return what is minimised and how, as compiled functions know it."""
    labels = isinstance(loss, ClassificationLoss)
    schedule = "horizon" if settings.schedule in HORIZON_SCHEDULES else settings.schedule
    decays = settings.solver == "adamw"
    max_norm = settings.max_grad_norm
    values = {
        at.LOSS: at.LOSSES.index(LOSSES[type(loss)]),
        at.ONE_OF: labels and loss.task == "multiclass",  # type: ignore[attr-defined]
        at.LABELS: labels,
        at.LINK: 0 if labels else at.LINKS.index(loss.out_activation),
        at.NUMBER: getattr(loss, "label_smoothing", getattr(loss, "quantile", 0.0)),
        at.ALPHA: 0.0 if decays else settings.alpha,
        at.DECAY: settings.alpha if decays else 0.0,
        at.MAX_NORM: math.inf if max_norm is None else max_norm,
        at.SOLVER: at.SOLVERS.index(settings.solver),
        at.BETA_1: settings.beta_1,
        at.BETA_2: settings.beta_2,
        at.EPSILON: settings.epsilon,
        at.MOMENTUM: settings.momentum,
        at.NESTEROV: settings.nesterovs_momentum,
        at.BATCH_SIZE: settings.batch_size,
        at.SHUFFLES: settings.shuffle,
        at.STOPS_EARLY: settings.early_stopping,
        at.TOL: settings.tol,
        at.PATIENCE: settings.n_iter_no_change,
        at.SCHEDULE: at.SCHEDULES.index(schedule),
        at.INITIAL_RATE: settings.learning_rate_init,
        at.POWER_T: settings.power_t,
        at.N_EPOCHS: settings.max_epochs,
        at.STOPS_BY_LOSS: settings.stops_by_loss,
    }
    return np.array([float(values[place]) for place in range(len(values))])


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
