"""The training loop, by zoom level: run, epoch, batch; a batch is one `Step`.

Batches are slices of tensors, nothing waits for the device inside an epoch, and listeners hear of
batches only if one of them wants to.
"""

from __future__ import annotations

import math
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sknn.data import Batch, Samples
from sknn.nn import float32_everywhere

from ._captured import CapturedEpochs, captured_epochs
from ._inference import rows_at_once
from ._listeners import tell
from ._running_statistics import MOST_BATCHES
from ._steps import forward
from ._threads import Interrupted, raise_if
from ._training import DivergenceError, EpochSums, Training
from .solvers import Plateau


class Loop:
    """Trains a network until the stopping rule, a listener or `max_epochs` ends it."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.settings = settings = training.settings
        self.state = training.state
        self.step = training.step
        self.steps_per_epoch = training.train.count_batches(settings.batch_size)
        self.listens_to_batches = training.listens_to_batches
        work, device = settings.work, training.train.device
        self.rows_at_once = rows_at_once(work.layer_size, device, training=True)
        self._rows_in_order: np.ndarray | None = None  # of the last epoch
        self._captured: CapturedEpochs | None = None
        self._bests: dict[str, float] = {}  # of the history's columns, losses negated

    # ------------------------------------------------------------------------------------- run

    def run(self) -> None:
        """Train; whatever ends it, an interrupt included, the state holds what has been reached."""
        training = self.training
        self.start()
        try:
            self.begin()
            self._captured = captured_epochs(training)
            while not training.is_done:
                self.advance()
            self.check_weights()
            self.renew_statistics(self.settings.batch_size)
        except (KeyboardInterrupt, Interrupted):
            self.renew_statistics(self.settings.batch_size)
            raise
        finally:
            self.finish()
        self.complete()

    def start(self) -> None:
        """Take over from the state: the best value so far, the learning rate."""
        state, maximize = self.state, self.settings.early_stopping
        if state.plateau is None or state.plateau.maximize != maximize:
            state.plateau = Plateau(maximize=maximize)
            state.best = self._snapshot() if maximize else None
        self.training.learning_rate.resume()

    def begin(self) -> None:
        """Tell the listeners that training begins, and go on where it was interrupted."""
        self.notify("on_train_begin")
        if self.training.checkpoint is not None:
            self.training.checkpoint.begin(self.training)

    def advance(self) -> None:
        """Run an epoch, or go on with one that was interrupted."""
        if self.training.sums is None:
            self.begin_epoch()
        self.run_epoch()
        self.end_epoch()

    def finish(self) -> None:
        """Leave a network that predicts, and a history of whole epochs."""
        self.training.module.eval()
        self._captured = None
        del self.state.history[self.training.n_whole_epochs :]
        self._restore_best()
        self.notify("on_train_end")

    def complete(self) -> None:
        """Keep that training is over, after :meth:`finish` and if nothing went wrong."""
        if self.training.checkpoint is not None:
            self.training.checkpoint.complete(self.training)

    # ----------------------------------------------------------------------------------- epoch

    def begin_epoch(self) -> None:
        """Begin a row of the history, with the epoch's first learning rate if there is one."""
        history, learning_rate = self.state.history, self.training.learning_rate
        history.append({"batches": [], "epoch": len(history) + 1})
        self.notify("on_epoch_begin")
        if learning_rate.optimizer is not None:
            learning_rate.before_batch(self.steps_per_epoch)
            self.training.this_epoch["learning_rate"] = learning_rate.now

    def run_epoch(self) -> None:
        """Train on every row once, score, and record both."""
        training = self.training
        if training.sums is None:
            training.sums = EpochSums(self.draw_order())
        sums = training.sums
        self._rows_in_order = sums.order
        training.statistics.is_lagging = bool(training.statistics)
        loss, score = self._train_rows(sums)
        training.sums = None
        if training.validation is not None or training.listeners or training.checkpoint is not None:
            self.renew_statistics(self.settings.batch_size)
        self.record_epoch(loss, score)
        training.this_epoch["dur"] = sums.seconds

    def draw_order(self) -> np.ndarray | None:
        """Draw the order of the rows in an epoch; None leaves them as they stand."""
        training = self.training
        if not self.settings.shuffle or self.steps_per_epoch == 1:
            return None
        # the last epoch's order, permuted with the numbers that scikit-learn would draw
        permutation = np.arange(len(training.train))
        self.state.random_state.shuffle(permutation)
        training.order = permutation if training.order is None else training.order[permutation]
        return training.train.group_by_length(training.order, self.settings.batch_size)

    def record_epoch(self, loss: float, score: float) -> None:
        """Enter what an epoch's training has come to, and score the validation samples."""
        epoch, validation = self.training.this_epoch, self.training.validation
        epoch["train_loss"], epoch["train_score"] = loss, score
        epoch.update(self.step.figures(epoch))
        if validation is not None:
            epoch["valid_loss"], epoch["valid_score"] = self.evaluate(validation)
        if self.training.listeners:
            self._complete_for_listeners(epoch)

    def _complete_for_listeners(self, epoch: dict[str, Any]) -> None:
        """Record what skorch's callbacks look for: a batch at least, and what is best so far."""
        if not epoch["batches"]:
            epoch["batches"].append({"train_loss": epoch["train_loss"]})
        for name in ("train_loss", "valid_loss", "train_score", "valid_score"):
            if name in epoch:
                sign = -1 if name.endswith("loss") else 1
                if name not in self._bests:  # the epochs of earlier calls count as well
                    *earlier, _ = list(self.state.history)
                    values = (sign * row[name] for row in earlier if name in row)
                    self._bests[name] = max(values, default=-math.inf)
                value = sign * epoch[name]
                epoch[f"{name}_best"] = value > self._bests[name]
                self._bests[name] = max(self._bests[name], value)

    def end_epoch(self) -> None:
        """Count the epoch, decide whether training ends, notify, and keep what has come of it."""
        training, epoch = self.training, self.training.this_epoch
        training.n_epochs_run += 1
        news = self._update_plateau(epoch)
        self.notify_epoch_end()
        if news and self.settings.verbose:
            tell(news, self.settings.verbose)
        if not np.isfinite(epoch["train_loss"]):
            self._diverged(f"loss {epoch['train_loss']:g} in epoch {training.n_epochs_run}")
        if training.checkpoint is not None and not training.is_done:
            training.checkpoint.after_epoch(training)

    def _update_plateau(self, epoch: dict[str, Any]) -> str | None:
        """Follow loss or score; say so where that lowers the learning rate or ends training."""
        training, settings, state = self.training, self.settings, self.state
        learning_rate = training.learning_rate
        assert state.plateau is not None
        value = self._watched(epoch)
        if settings.early_stopping and value > state.plateau.best and not self._is_finite():
            value = math.nan  # labels have a score, whatever they are decided from
        improved = state.plateau.update(value, settings.tol)
        if improved and settings.early_stopping:
            state.best = self._snapshot()
        learning_rate.after_epoch()
        if state.plateau.count <= settings.n_iter_no_change or (
            learning_rate.has_horizon and not settings.stops_by_loss
        ):
            return None
        watched = "Training loss"
        if settings.early_stopping:
            watched = "Validation loss" if settings.stops_by_loss else "Validation score"
        reason = (
            f"{watched} did not improve more than tol={settings.tol:f} for "
            f"{settings.n_iter_no_change} consecutive epochs."
        )
        if learning_rate.lower():
            state.plateau.count = 0
            return f"{reason} Setting learning rate to {learning_rate.now:f}"
        training.converged = training.stop_training = True
        return f"{reason} Stopping."

    def _watched(self, epoch: dict[str, Any]) -> float:
        """Return what the stopping rule follows; early stopping maximises it."""
        if not self.settings.early_stopping:
            return epoch["train_loss"]
        return -epoch["valid_loss"] if self.settings.stops_by_loss else epoch["valid_score"]

    # ----------------------------------------------------------------------------------- batch

    @torch.no_grad()
    def _train_rows(self, sums: EpochSums) -> tuple[float, float]:
        """Update the weights once a batch; return the epoch's mean loss and score."""
        train = self.training.train
        if self._captured is None:
            score = self._go_through(train, self.settings.batch_size, sums, learns=True)
        else:
            score = self._captured.run(sums)
        self.state.n_samples_seen += len(train)
        return float(sums.loss_sum) / sums.weight_sum, score

    @torch.inference_mode()
    def evaluate(self, samples: Samples) -> tuple[float, float]:
        """Return loss (without penalty) and score of held-out samples."""
        order = None  # a single batch has none
        if samples.count_batches(self.rows_at_once) > 1:
            order = samples.sorted_by_length()
        sums = EpochSums(order)
        score = self._go_through(samples, self.rows_at_once, sums, learns=False)
        return float(sums.loss_sum) / samples.weight_sum, score

    def _go_through(
        self, samples: Samples, batch_size: int, sums: EpochSums, *, learns: bool
    ) -> float:
        """Go through all batches, to learn from them or not; return the score."""
        training = self.training
        run = self._train_batch if learns else self._score_batch
        checkpoint = training.checkpoint if learns else None
        decide, n_answers = training.decide, samples.n_answers
        training.set_mode(training=learns)
        for batch in samples.batches(batch_size, sums.order, first=sums.n_batches):
            raise_if(training.should_stop)
            if batch.weight_sum > 0 or not learns:  # else there is nothing to learn from
                outputs, loss_sum = run(batch)
                sums.add(decide(outputs, batch.targets), loss_sum, batch.weight_sum, n_answers)
            sums.n_answers += len(batch.targets)
            sums.n_batches += 1
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(training)
        assert sums.decisions is not None  # some sample has a weight
        return training.score(sums.decisions, *samples.answers(sums.order))

    def _train_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights; return outputs (n, n_outputs) and the penalised loss sum ()."""
        training, step, runs_user_code = self.training, self.step, self.settings.runs_user_code
        if training.augment is not None:
            with training.lending(), float32_everywhere():
                batch = batch._replace(X=training.augment(batch.X))
        if self.listens_to_batches:
            self.notify("on_batch_begin", batch)
        training.learning_rate.before_batch(self.steps_per_epoch)
        with training.lending(runs_user_code):
            outputs, loss_sum = step.gradient(batch)
        if self.listens_to_batches:
            self.notify("on_grad_computed", batch)
        with training.lending(runs_user_code):
            step.update()
        self.state.n_steps += 1
        if self.listens_to_batches:
            self.notify("on_batch_end", batch, outputs, loss_sum / batch.weight_sum)
        return outputs, loss_sum

    def _score_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return outputs (n, n_outputs) and the sum of the losses ()."""
        with self.training.lending(self.settings.runs_user_code):
            return self.step.evaluate(batch)

    # ------------------------------------------------------------------------------- listeners

    def notify(self, hook: str, *arguments: Any) -> None:
        """Call a hook of the listeners."""
        if self.training.listeners:
            with self._lending_to_listeners():
                for listener in self.training.listeners:
                    getattr(listener, hook)(self.training, *arguments)

    def notify_epoch_end(self) -> None:
        """Tell the listeners that the epoch is over; they may predict."""
        if self.training.listeners:
            self.training.set_mode(training=False)
        self.notify("on_epoch_end")

    def _lending_to_listeners(self) -> AbstractContextManager[None]:
        generators = self.training.generators
        return nullcontext() if generators is None else generators.lent_by_the_call()

    # ------------------------------------------------------------------------- weights and more

    def renew_statistics(self, batch_size: int) -> None:
        """Bring running statistics up to date that lag behind the weights."""
        training = self.training
        if (
            not training.is_all
            or not training.statistics.is_lagging
            or training.train.count_batches(batch_size) > MOST_BATCHES
        ):
            return
        training.statistics.is_lagging = False
        training.set_mode(training=True)  # which some modules keep from their normalizations
        with training.lending(self.settings.runs_user_code):
            training.statistics.renew(
                training.train.batches(batch_size, self._rows_in_order),
                lambda X: forward(training.module, X, self.settings.compute_dtype),
            )
        training.set_mode(training=False)

    def check_weights(self) -> None:
        """Raise DivergenceError for weights that are not finite, unless there are better ones."""
        if not self._is_finite():
            n_epochs = self.training.n_epochs_run
            self._diverged(f"weights that are not finite after epoch {n_epochs}")

    def _is_finite(self) -> bool:
        return all(bool(tensor.isfinite().all()) for tensor in self.step.parameters)

    def _diverged(self, symptom: str) -> None:
        """Go back to the best weights if there are any, else raise."""
        training, plateau = self.training, self.state.plateau
        training.stop_training = True
        scaling = "Scale X and y, for instance with StandardScaler, lower"
        remedy = (
            f"Training diverged ({symptom}). {'Lower' if self.settings.scales_data else scaling} "
            f"learning_rate_init (now {self.settings.learning_rate_init:g}), or set max_grad_norm."
        )
        if not self.settings.early_stopping or plateau is None or not np.isfinite(plateau.best):
            raise DivergenceError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. {remedy}"
            )
        if not training.converged:
            training.converged = True
            warnings.warn(
                f"{remedy} The weights with the best validation score are kept.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _snapshot(self) -> list[Tensor]:
        return [tensor.detach().clone() for tensor in self.training.tensors()]

    @torch.no_grad()
    def _restore_best(self) -> None:
        if self.settings.early_stopping and self.state.best is not None:
            for tensor, best in zip(self.training.tensors(), self.state.best, strict=True):
                tensor.copy_(best)


def warn_if_not_converged(training: Training) -> None:
    """Emit a ConvergenceWarning if `max_epochs` ended the training."""
    optimizer, learning_rate = training.step.optimizer, training.learning_rate
    if training.converged or learning_rate.has_horizon or optimizer is None:
        return
    warnings.warn(
        f"Stochastic Optimizer: Maximum iterations ({training.settings.max_epochs}) reached and "
        "the optimization hasn't converged yet.",
        ConvergenceWarning,
        stacklevel=2,
    )
