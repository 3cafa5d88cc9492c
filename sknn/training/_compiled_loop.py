"""Epochs and whole trainings in compiled functions, as many at a time as nobody listens to."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from sknn.compiled import one_blas_thread
from sknn.compiled import places as at
from sknn.data import Batch, DenseRows, Samples

from ._compiled import NO_ROWS, ROW_TYPE, CompiledStep, Data
from ._loop import Loop
from ._threads import raise_if
from ._training import EpochSums, Training

# Seconds that a compiled function runs at most, roughly: until it returns nobody can interrupt it.
# The rates are guesses on the low side.
SEGMENT_SECONDS, OPERATIONS_A_SECOND, STEP_SECONDS = 0.05, 4e9, 2e-6

# Rows of a batch of validation samples, at least.
SCORED_ROWS = 200


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
        work, n_held_out = settings.work, 0 if held_out is None else len(held_out)
        # of a batch, with its share of the validation after the epoch
        n_operations = settings.batch_size * work.flops
        n_operations += n_held_out * work.forward_flops / self.steps_per_epoch
        seconds = n_operations / OPERATIONS_A_SECOND + STEP_SECONDS
        self.batches_at_once = max(int(SEGMENT_SECONDS / seconds), 1)
        # a generator of another kind is left to NumPy
        self._draws = step.order.size > 0
        self.is_heard = bool(
            training.listeners
            or training.checkpoint is not None
            or (self._draws and _kind_of(self.state.random_state) != "MT19937")
        )

    def _read(self, samples: Samples, *, whole: bool = False) -> Data:
        rows = samples.rows
        assert isinstance(rows, DenseRows)
        if whole and samples.subset is not None:  # one batch, gathered once
            X, (targets, weights) = rows.tensor[samples.subset], samples.all_answers()
            weights = None if weights is None else weights[samples.subset]
            return self.step.with_totals(self.step.make_data(X, targets[samples.subset], weights))
        numbers = NO_ROWS
        if samples.subset is not None:
            numbers = samples.subset.astype(ROW_TYPE, copy=False)
        data = self.step.make_data(rows.tensor, *samples.all_answers(), numbers)
        return self.step.with_totals(data)

    def run(self) -> None:
        """Train; whatever ends it, an interrupt included, the state holds what has been reached."""
        with one_blas_thread():
            super().run()

    def finish(self) -> None:
        """Leave a network that predicts, and no memory for batches and orders."""
        super().finish()
        self.step.release()

    def start(self) -> None:
        """Take over from the state; the best weights become views of the step's."""
        super().start()
        if self.settings.early_stopping and self.state.best is not None:
            parameters = list(self.training.module.parameters())
            best = torch.from_numpy(self.step.best)
            views = self.step.flat.views_like(best, parameters)
            n = len(views)  # buffers follow, which do not change
            for view, value in zip(views, self.state.best[:n], strict=True):
                view.copy_(value)
            self.state.best[:n] = views

    # ------------------------------------------------------------------------------ many epochs

    def advance(self) -> None:
        """Run epochs for a short while, or one that somebody listens to."""
        if self.is_heard:
            super().advance()
            return
        training, step = self.training, self.step
        raise_if(training.should_stop)
        left = self.settings.max_epochs - training.n_epochs_run
        most = min(self.batches_at_once, left * self.steps_per_epoch)
        log = np.empty((most // self.steps_per_epoch + 2, 5))
        begun = time.perf_counter()
        self._take_over()
        try:
            step.perform(at.TRAIN, self.data, self.held_out, self._rates(most), log, most)
        finally:  # a signal that has come meanwhile is raised here
            seconds = time.perf_counter() - begun
            try:
                self._give_back(log, seconds)
            except KeyboardInterrupt:
                self._give_back(log, seconds)  # all of it
                raise
        if step.counters[at.STOP] == at.DIVERGED:
            loss = training.this_epoch["train_loss"]
            self._diverged(f"loss {loss:g} in epoch {training.n_epochs_run}")
        elif step.counters[at.STOP] == at.CONVERGED:
            training.converged = training.stop_training = True

    def _take_over(self) -> None:
        """Bring the compiled functions' state to that of the training."""
        step, state, plateau = self.step, self.state, self.state.plateau
        assert plateau is not None
        step.read_optimizer()
        step.counters[at.EPOCHS] = self.training.n_epochs_run
        step.counters[at.COUNT] = plateau.count
        step.counters[at.STEPS] = state.n_steps
        step.counters[at.SEEN] = state.n_samples_seen
        step.counters[at.STOP] = at.GOES_ON
        step.counters[at.LOGGED] = 0
        self._n_epochs_before = len(state.history)
        step.sums[at.BEST] = plateau.best
        if self._draws:
            drawn = state.random_state.get_state(legacy=False)["state"]
            step.orders[:624], step.orders[624] = drawn["key"], drawn["pos"]
            if self.training.order is not None:
                step.order[:] = self.training.order

    def _give_back(self, log: np.ndarray, seconds: float) -> None:
        """Bring the training to the state of the compiled functions; twice is as good as once."""
        step, state, plateau = self.step, self.state, self.state.plateau
        assert plateau is not None
        if (rate := float(step.sums[at.RATE])) != self.training.learning_rate.now:
            state.learning_rate = rate
        step.write_optimizer()
        self.training.n_epochs_run = int(step.counters[at.EPOCHS])
        plateau.count = int(step.counters[at.COUNT])
        plateau.best = float(step.sums[at.BEST])
        state.n_steps = int(step.counters[at.STEPS])
        state.n_samples_seen = int(step.counters[at.SEEN])
        if self._draws:
            random_state = state.random_state.get_state(legacy=False)
            random_state["state"] = {"key": step.orders[:624], "pos": int(step.orders[624])}
            state.random_state.set_state(random_state)
            self.training.order = step.order
        n = int(step.counters[at.LOGGED])
        del state.history[self._n_epochs_before :]
        for row in log[:n].tolist():
            epoch = {"batches": [], "epoch": len(state.history) + 1}
            epoch["learning_rate"] = row[at.LEARNING_RATE]
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
        training, step = self.training, self.step
        n_batches, checkpoint = self.steps_per_epoch, training.checkpoint
        tally = np.zeros(1 + len(step.residuals)) if sums.tally is None else sums.tally
        step.right, step.residuals[:] = tally[0], tally[1:]
        if self.listens_to_batches:
            loss, _ = super()._train_rows(sums)
            assert sums.tally is not None
            return loss, step.score(self.data, sums.tally[0], sums.tally[1:])
        step.counters[at.BATCH] = sums.n_batches
        step.sums[: at.RIGHT + 1] = sums.loss_sum, sums.weight_sum, tally[0]
        if sums.order is not None:
            step.order[:] = sums.order
        while step.counters[at.BATCH] < n_batches:
            raise_if(training.should_stop)
            step.read_optimizer()
            step.counters[at.STEPS] = self.state.n_steps
            before = training.learning_rate.now
            try:
                step.perform(
                    at.GO_THROUGH, self.data, rates=self._rates(self.batches_at_once),
                    most=self.batches_at_once,
                )  # fmt: skip
            finally:
                step.write_optimizer()
                if training.learning_rate.now != before:
                    self.state.learning_rate = training.learning_rate.now
                self.state.n_steps = int(step.counters[at.STEPS])
                sums.n_batches = int(step.counters[at.BATCH])
                sums.n_answers = min(sums.n_batches * self.settings.batch_size, len(training.train))
                sums.loss_sum, sums.weight_sum, right = step.sums[: at.RIGHT + 1].tolist()
                sums.tally = np.array([right, *step.residuals])
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(training)
        self.state.n_samples_seen += len(training.train)
        assert sums.tally is not None
        return sums.loss_sum / sums.weight_sum, step.score(self.data, sums.tally[0], sums.tally[1:])

    def _train_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights; return outputs (n, n_outputs) and the penalised loss sum ()."""
        result = super()._train_batch(batch)
        assert self.training.sums is not None
        self.training.sums.tally = np.array([self.step.right, *self.step.residuals])
        return result

    def evaluate(self, samples: Samples) -> tuple[float, float]:
        """Return loss (without penalty) and score of held-out samples."""
        step = self.step
        step.perform(at.EVALUATE, step.no_data, self.held_out)
        return float(step.sums[at.TOTAL]), float(step.sums[at.RIGHT])


def _kind_of(random_state: np.random.RandomState) -> str:
    """Return the name of what draws a generator's bits."""
    return random_state.get_state(legacy=False)["bit_generator"]
