"""The training loop, inside a skorch net.

:class:`Net` is a :class:`skorch.NeuralNet`, so that skorch's callbacks (checkpoints, schedules,
loggers) find the history, module, optimizer and notifications that they know. What skorch does
per sample and per batch is replaced: batches are slices of tensors, nothing waits for the device
inside an epoch, and batch hooks are called only if a callback has them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset
from torch import Tensor, nn

from sknn.data import Batch, Samples
from sknn.nn import Generators, Loss, float32_everywhere
from sknn.training.checkpoints import Checkpoint, EpochSums
from sknn.training.solvers import LearningRate, Plateau

from ._callbacks import tell
from ._running_statistics import MOST_BATCHES, RunningStatistics
from ._scores import Score
from ._state import TrainingState
from ._steps import Step, forward

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


def as_dataset(samples: Samples) -> Dataset:
    """Return rows and targets as the user gave them, for callbacks."""
    if samples.subset is None:
        return Dataset(samples.X, samples.y)
    return Dataset(samples.X[samples.subset], samples.y[samples.subset])


class DivergenceError(ValueError):
    """Loss or weights stopped being finite."""


class Net(NeuralNet):
    """Trains a module on :class:`Samples`.

    Parameters
    ----------
    module : torch.nn.Module
        The network, on its device.
    loss : Loss
        What to minimise.
    step : Step
        Computes loss and gradients of a batch.
    optimizer : torch.optim.Optimizer or None
        Updates ``step.parameters``; None for :func:`train_lbfgs`.
    state : TrainingState
        Where training goes on from; kept up to date after every epoch.
    decide, score : callable
        From outputs to decisions, and from decisions and targets to a score.
    estimator : estimator
        Predicts for callbacks that score (:class:`skorch.callbacks.EpochScoring`).
    learning_rate : LearningRate
        Sets the optimizer's learning rate.
    max_epochs : int
        Epochs of this call.
    batch_size, shuffle, tol, n_iter_no_change, early_stopping, max_grad_norm, alpha
        As in the estimators; `alpha` is 0 where the optimizer decays the weights itself.
    callbacks : list of skorch callbacks
        Notified of each epoch, and of each batch if they have a hook for it.
    rows_at_once : int
        Rows that are scored at once.
    augment : callable or None, default=None
        Changes the inputs of each training batch at random.
    checkpoint : Checkpoint or None, default=None
        Where training goes on from, and what keeps how far it has come.
    runs_user_code : bool, default=False
        Whether module, loss or solver are the user's and may draw from torch's global generators.
    verbose : bool or "bar", default=False
        Whether to print why training ends; "bar" does so above a progress bar.

    Attributes
    ----------
    order : ndarray of int or None
        The last epoch's order of the rows.
    sums : EpochSums or None
        What the batches of the epoch have come to; None between epochs.
    generators : Generators or None
        What training draws from; None if it draws nothing.
    renews_statistics : bool
        Whether running statistics that lag behind are renewed from the training samples, which
        have to be all there are.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        *,
        step: Step,
        optimizer: torch.optim.Optimizer | None,
        state: TrainingState,
        decide: Callable[[Tensor], Tensor],
        score: Score,
        estimator: Any,
        learning_rate: LearningRate,
        max_epochs: int,
        batch_size: int,
        shuffle: bool,
        tol: float,
        n_iter_no_change: float,
        early_stopping: bool,
        max_grad_norm: float | None,
        alpha: float,
        compute_dtype: torch.dtype,
        callbacks: list[Any],
        rows_at_once: int,
        augment: Callable[[Any], Any] | None = None,
        checkpoint: Checkpoint | None = None,
        runs_user_code: bool = False,
        verbose: bool | str = False,
    ) -> None:
        super().__init__(
            module,
            loss,
            optimizer=optimizer,
            lr=learning_rate.initial,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=None,
            callbacks=callbacks,
            verbose=verbose,
            device=str(next(module.parameters()).device),
            use_caching=False,
        )
        self.step = step
        self.state = state
        self.decide = decide
        self.score_decisions = score
        self.estimator = estimator
        self.shuffle = shuffle
        self.learning_rate = learning_rate
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.max_grad_norm = max_grad_norm
        self.alpha = alpha
        self.compute_dtype = compute_dtype
        self.rows_at_once = rows_at_once
        self.augment = augment
        self.checkpoint = checkpoint
        self.runs_user_code = runs_user_code
        self.n_epochs_run = 0
        self.order: np.ndarray | None = None
        self.sums: EpochSums | None = None
        self.generators: Generators | None = None
        self.statistics = RunningStatistics(module)
        self.renews_statistics = True
        self._has_lagging_statistics = False
        self._rows_in_order: np.ndarray | None = None  # of the last epoch
        self.converged = False
        self.stop_training = False
        self.initialize()
        self._shows_data = any(getattr(cb, "needs_data", True) for _, cb in self.callbacks_)
        self.listens_to_batches = any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in BATCH_HOOKS
        )

    # ------------------------------------------------------------ what skorch asks its nets for

    @property
    def _default_callbacks(self) -> list[Any]:
        return []

    def initialize_module(self) -> Net:
        """Take the module as it is."""
        self.module_ = self.module
        return self

    def initialize_criterion(self) -> Net:
        """Take the loss as it is, in the form of a module, which checkpoints expect."""
        self.criterion_ = _Criterion(self.criterion)
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> Net:
        """Take the optimizer as it is."""
        self.optimizer_ = self.optimizer
        return self

    def get_all_learnable_params(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the network's parameters and their names, for callbacks that freeze them."""
        return self.module_.named_parameters()

    def __setattr__(self, name: str, value: Any) -> None:
        """Skip what skorch does for attributes that are modules, which takes longer than these."""
        object.__setattr__(self, name, value)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a row of the history, without skorch's way of indexing it."""
        self.history_.append({"batches": [], "epoch": len(self.history_) + 1})

    @property
    def this_epoch(self) -> dict[str, Any]:
        """The history's last row."""
        return list.__getitem__(self.history_, -1)

    def initialize_history(self) -> Net:
        """Go on with the history that the state has."""
        self.history_ = self.state.history
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels or values with the weights so far."""
        return self._ask_estimator("predict", X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities with the weights so far."""
        return self._ask_estimator("predict_proba", X)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return outputs with the weights so far."""
        return self._ask_estimator("decision_function", X)

    @property
    def classes_(self) -> np.ndarray:
        """The estimator's labels, which scorers ask for."""
        return self.estimator.classes_

    def __sklearn_tags__(self) -> Any:
        """Be a classifier or regressor to scorers, as the estimator is."""
        return self.estimator.__sklearn_tags__()

    def _ask_estimator(self, method: str, X: Any) -> np.ndarray:
        with warnings.catch_warnings():
            # callbacks have the rows as arrays, which carry no column names
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return getattr(self.estimator, method)(X)

    # ------------------------------------------------------------------------------ the loop

    def train(self, train: Samples, validation: Samples | None) -> None:
        """Train until the stopping rule, a callback or `max_epochs` ends it.

        Whatever ends it, an interrupt included, the state holds what has been reached.

        Parameters
        ----------
        train, validation : Samples
            Where the gradients and the validation scores come from.

        Raises
        ------
        DivergenceError
            If loss or weights are not finite and early stopping has no better weights.
        """
        on_epoch = self.start(train, validation)
        try:
            self.begin(on_epoch)
            while not self.is_done:
                if self.sums is None:  # else it was interrupted in an epoch
                    self.notify("on_epoch_begin", **on_epoch)
                epoch = self.run_epoch(train, validation)
                self.end_epoch(epoch, on_epoch)
            self.check_weights()
            self.renew_statistics(train, self.batch_size)
        except KeyboardInterrupt:
            self.renew_statistics(train, self.batch_size)
            raise
        finally:
            self.finish(on_epoch)
        self.complete()

    @property
    def n_whole_epochs(self) -> int:
        """Rows of the history, without that of an epoch that is not over."""
        return len(self.history) - bool(self.history and "dur" not in self.history[-1])

    @property
    def is_done(self) -> bool:
        """Whether the last epoch of this call has been run."""
        return self.stop_training or self.n_epochs_run >= self.max_epochs

    def start(self, train: Samples, validation: Samples | None) -> dict[str, Any]:
        """Take over from the state: the best value so far, the learning rate.

        Parameters
        ----------
        train, validation : Samples
            As in :meth:`train`.

        Returns
        -------
        dict
            The data as callbacks get them.
        """
        state = self.state
        if state.plateau is None or state.plateau.maximize != self.early_stopping:
            state.plateau = Plateau(maximize=self.early_stopping)
            state.best = self._snapshot() if self.early_stopping else None
        self.learning_rate.resume()
        on_epoch = {
            "dataset_train": as_dataset(train) if self._shows_data else None,
            "dataset_valid": as_dataset(validation) if self._shows_data and validation else None,
        }
        return on_epoch

    def begin(self, on_epoch: dict[str, Any]) -> None:
        """Tell the callbacks that training begins, and go on where it was interrupted.

        Parameters
        ----------
        on_epoch : dict
            What :meth:`start` returned.
        """
        self.notify_train("on_train_begin", on_epoch)
        if self.checkpoint is not None:
            self.checkpoint.begin(self, on_epoch)

    def complete(self) -> None:
        """Keep that training is over; call it after :meth:`finish` if nothing went wrong."""
        if self.checkpoint is not None:
            self.checkpoint.complete(self)

    def notify_train(self, hook: str, on_epoch: dict[str, Any]) -> None:
        """Call `on_train_begin` or `on_train_end` of the callbacks.

        Parameters
        ----------
        hook : str
            Name of the hook.
        on_epoch : dict
            What :meth:`start` returned.
        """
        dataset = on_epoch["dataset_train"]
        self.notify(hook, X=getattr(dataset, "X", None), y=getattr(dataset, "y", None))

    def finish(self, on_epoch: dict[str, Any]) -> None:
        """Leave a network that predicts, and a history of whole epochs.

        Parameters
        ----------
        on_epoch : dict
            What :meth:`start` returned.
        """
        self.module_.eval()
        del self.history[self.n_whole_epochs :]
        self._restore_best()
        self.notify_train("on_train_end", on_epoch)

    def run_epoch(self, train: Samples, validation: Samples | None) -> dict[str, Any]:
        """Train on every row once, score, and record both.

        Parameters
        ----------
        train, validation : Samples
            As in :meth:`train`.

        Returns
        -------
        dict
            What the history has of this epoch.
        """
        start = time.perf_counter()
        steps_per_epoch = train.count_batches(self.batch_size)
        if self.sums is None:
            self.begin_epoch(steps_per_epoch)
            self.sums = EpochSums(self._draw_order(train, steps_per_epoch), begun=start)
        epoch, sums = self.this_epoch, self.sums
        self._rows_in_order = sums.order
        self._has_lagging_statistics = bool(self.statistics)
        loss, score = self.train_epoch(train, sums, steps_per_epoch)
        self.sums = None
        if validation is not None or self.callbacks_ or self.checkpoint is not None:
            self.renew_statistics(train, self.batch_size)
        self.record_epoch(epoch, loss, score, validation)
        epoch["dur"] = sums.seconds
        return epoch

    def begin_epoch(self, steps_per_epoch: int) -> dict[str, Any]:
        """Set the epoch's first learning rate.

        Parameters
        ----------
        steps_per_epoch : int
            Batches an epoch.

        Returns
        -------
        dict
            What the history has of this epoch.
        """
        epoch = self.this_epoch
        self.learning_rate.before_batch(steps_per_epoch)
        epoch["learning_rate"] = self.learning_rate.now
        return epoch

    def record_epoch(
        self, epoch: dict[str, Any], loss: float, score: float, validation: Samples | None
    ) -> None:
        """Enter what an epoch's training has come to, and score the validation samples.

        Parameters
        ----------
        epoch : dict
            What :meth:`begin_epoch` returned.
        loss, score : float
            Of the training samples.
        validation : Samples or None
            As in :meth:`train`.
        """
        epoch["train_loss"], epoch["train_score"] = loss, score
        if validation is not None:
            epoch["valid_loss"], epoch["valid_score"] = self.evaluate(validation)
        if self.callbacks_:
            self._complete_for_callbacks(epoch)

    def renew_statistics(self, train: Samples, batch_size: int) -> None:
        """Bring running statistics up to date that lag behind the weights.

        Parameters
        ----------
        train : Samples
            The training samples.
        batch_size : int
            Rows that the network gets at once in training.
        """
        if (
            not self.renews_statistics
            or not self._has_lagging_statistics
            or train.count_batches(batch_size) > MOST_BATCHES
        ):
            return
        self._has_lagging_statistics = False
        self._set_mode(training=True)  # which some modules keep from their normalizations
        with self.lending(self.runs_user_code):
            self.statistics.renew(
                train.batches(batch_size, self._rows_in_order),
                lambda X: forward(self.module_, X, self.compute_dtype),
            )
        self._set_mode(training=False)

    def _complete_for_callbacks(self, epoch: dict[str, Any]) -> None:
        """Record what skorch's callbacks look for: one batch at least, and what was best so far."""
        if not epoch["batches"]:
            epoch["batches"].append({"train_loss": epoch["train_loss"]})
        for name in ("train_loss", "valid_loss", "train_score", "valid_score"):
            if name in epoch:
                sign = -1 if name.endswith("loss") else 1
                earlier = (sign * e[name] for e in self.history[:-1] if name in e)
                epoch[f"{name}_best"] = sign * epoch[name] > max(earlier, default=-np.inf)

    def _draw_order(self, train: Samples, steps_per_epoch: int) -> np.ndarray | None:
        """Draw the order of the rows in an epoch; None leaves them as they stand."""
        if not self.shuffle or steps_per_epoch == 1:
            return None
        return train.group_by_length(self.shuffled_rows(len(train)), self.batch_size)

    @torch.no_grad()
    def train_epoch(
        self, train: Samples, sums: EpochSums, steps_per_epoch: int
    ) -> tuple[float, float]:
        """Update the weights once a batch; return the epoch's mean loss and score."""
        n_answers, checkpoint = train.n_answers, self.checkpoint
        self._set_mode(training=True)

        for batch in train.batches(self.batch_size, sums.order, first=sums.n_batches):
            if batch.weight_sum > 0:  # else there is nothing to learn from
                outputs, batch_loss_sum = self.train_batch(batch, steps_per_epoch)
                sums.loss_sum = sums.loss_sum + batch_loss_sum
                sums.weight_sum += batch.weight_sum
                decisions = self.decide(outputs)
                sums.decisions = _collect(sums.decisions, decisions, sums.n_answers, n_answers)
            sums.n_answers += len(batch.targets)
            sums.n_batches += 1
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(self)
        self.state.n_samples_seen += len(train)
        assert sums.decisions is not None  # some sample has a weight
        score = self.score_decisions(sums.decisions, *train.answers(sums.order))
        return float(sums.loss_sum) / sums.weight_sum, score

    def shuffled_rows(self, n_samples: int) -> np.ndarray:
        """Permute the last epoch's order, with the numbers that scikit-learn would draw.

        Parameters
        ----------
        n_samples : int
            Number of rows.

        Returns
        -------
        ndarray of int
        """
        permutation = np.arange(n_samples)
        self.state.random_state.shuffle(permutation)
        self.order = permutation if self.order is None else self.order[permutation]
        return self.order

    def train_batch(self, batch: Batch, steps_per_epoch: int) -> tuple[Tensor, Tensor]:
        """Update the weights from one batch; return its outputs and its penalised loss sum."""
        if self.augment is not None:
            with self.lending(), float32_everywhere():
                batch = batch._replace(X=self.augment(batch.X))
        if self.listens_to_batches:
            self.notify("on_batch_begin", batch=(batch.X, batch.targets), training=True)
        self.learning_rate.before_batch(steps_per_epoch)

        outputs, loss_sum = self.take_gradient(batch)
        if self.alpha:
            add_penalty(self.step, loss_sum, self.alpha, batch.weight_sum)
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.step.parameters, self.max_grad_norm)
        if self.listens_to_batches:
            self._notify_gradients(batch)
        with self.lending(self.runs_user_code):
            self.optimizer_.step()
        self.state.n_steps += 1
        if self.listens_to_batches:
            self._notify_batch_end(batch, outputs, loss_sum / batch.weight_sum)
        return outputs, loss_sum

    def take_gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradients of a batch.

        Parameters
        ----------
        batch : Batch
            Some training samples.

        Returns
        -------
        outputs : Tensor of shape (batch, n_outputs)
        loss_sum : Tensor of shape ()
        """
        if not self.statistics:
            with self.lending(self.runs_user_code):
                return self.step(*batch)
        self._has_lagging_statistics = True
        with self.statistics.updating(), self.lending(self.runs_user_code):
            return self.step(*batch)

    def _notify_gradients(self, batch: Batch) -> None:
        self.notify(
            "on_grad_computed",
            named_parameters=list(self.module_.named_parameters()),
            batch=(batch.X, batch.targets),
            training=True,
        )

    def _notify_batch_end(self, batch: Batch, outputs: Tensor, loss: Tensor) -> None:
        self.history.record_batch("train_loss", float(loss))
        self.history.record_batch("train_batch_size", len(batch.targets))
        self.notify(
            "on_batch_end",
            batch=(batch.X, batch.targets),
            training=True,
            loss=loss,
            y_pred=outputs,
        )

    @torch.inference_mode()
    def evaluate(self, samples: Samples) -> tuple[float, float]:
        """Return loss (without penalty) and score of held-out samples."""
        self._set_mode(training=False)
        loss_sum: Any = 0.0
        decisions, start = None, 0
        order = None  # a single batch has none
        if samples.count_batches(self.rows_at_once) > 1:
            order = samples.sorted_by_length()
        for batch in samples.batches(self.rows_at_once, order):
            with self.lending(self.runs_user_code):
                outputs = forward(self.module_, batch.X, self.compute_dtype)
                losses = self.criterion(outputs, batch.targets)
            if batch.sample_weight is not None:
                losses = losses * batch.sample_weight
            loss_sum = loss_sum + losses.sum()
            decisions = _collect(decisions, self.decide(outputs), start, samples.n_answers)
            start += len(batch.targets)
        assert decisions is not None  # validation has seen to it that there are samples
        score = self.score_decisions(decisions, *samples.answers(order))
        return float(loss_sum) / samples.weight_sum, score

    def lending(self, needed: bool = True) -> AbstractContextManager[None]:
        """Return a context in which torch's global generators draw what this training would.

        Parameters
        ----------
        needed : bool, default=True
            False lends nothing.

        Returns
        -------
        context manager
        """
        if not needed or self.generators is None:
            return nullcontext()
        return self.generators.lent()

    def _lending_to_callbacks(self) -> AbstractContextManager[None]:
        if not self.callbacks_ or self.generators is None:
            return nullcontext()
        return self.generators.lent_by_the_call()

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call a hook of the net and of its callbacks."""
        with self._lending_to_callbacks():
            super().notify(method_name, **cb_kwargs)

    def _set_mode(self, training: bool) -> None:
        """Switch dropout and the like on or off (which walks through the module)."""
        if self.module_.training != training:
            self.module_.train(training)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Switch dropout and the like off for a while."""
        training = self.module_.training
        self._set_mode(training=False)
        try:
            yield
        finally:
            self._set_mode(training)

    # ---------------------------------------------------------------- learning rate and ending

    def end_epoch(self, epoch: dict[str, Any], on_epoch: dict[str, Any]) -> None:
        """Count the epoch, decide whether training ends, notify, and keep what it has come to.

        Parameters
        ----------
        epoch : dict
            What the history has of this epoch.
        on_epoch : dict
            What :meth:`start` returned.
        """
        self.n_epochs_run += 1
        news = self._update_plateau(epoch)
        self.end_epoch_hooks(on_epoch)
        if news and self.verbose:
            tell(news, self.verbose)
        if not np.isfinite(epoch["train_loss"]):
            self._diverged(f"loss {epoch['train_loss']:g} in epoch {self.n_epochs_run}")
        if self.checkpoint is not None and not self.is_done:
            self.checkpoint.after_epoch(self)

    def _update_plateau(self, epoch: dict[str, Any]) -> str | None:
        """Follow loss or score; say so where that lowers the learning rate or ends training."""
        state = self.state
        assert state.plateau is not None
        value = epoch["valid_score" if self.early_stopping else "train_loss"]
        improved = state.plateau.update(value, self.tol)
        if improved and self.early_stopping:
            state.best = self._snapshot()
        self.learning_rate.after_epoch()
        if self.learning_rate.has_horizon or state.plateau.count <= self.n_iter_no_change:
            return None
        watched = "Validation score" if self.early_stopping else "Training loss"
        reason = (
            f"{watched} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} "
            "consecutive epochs."
        )
        if self.learning_rate.lower():
            state.plateau.count = 0
            return f"{reason} Setting learning rate to {self.learning_rate.now:f}"
        self.converged = self.stop_training = True
        return f"{reason} Stopping."

    def end_epoch_hooks(self, on_epoch: dict[str, Any]) -> None:
        """Call `on_epoch_end` of the callbacks.

        skorch's EarlyStopping asks for an end by KeyboardInterrupt; from any other callback that
        is the user's Ctrl-C and passes through.

        Parameters
        ----------
        on_epoch : dict
            What :meth:`start` returned.
        """
        if self.callbacks_:
            self._set_mode(training=False)  # a callback may predict
        for _, callback in self.callbacks_:
            try:
                with self._lending_to_callbacks():
                    callback.on_epoch_end(self, **on_epoch)
            except KeyboardInterrupt:
                if not isinstance(callback, EarlyStopping):
                    raise
                self.converged = self.stop_training = True

    def check_weights(self) -> None:
        """Raise DivergenceError for weights that are not finite, unless there are better ones."""
        if not all(bool(tensor.isfinite().all()) for tensor in self.step.parameters):
            self._diverged(f"weights that are not finite after epoch {self.n_epochs_run}")

    def _diverged(self, symptom: str) -> None:
        """Go back to the best weights if there are any, else raise."""
        self.stop_training = True
        remedy = (
            f"Training diverged ({symptom}). Scale X and y, for instance with StandardScaler, "
            f"lower learning_rate_init (now {self.learning_rate.initial:g}), or set max_grad_norm."
        )
        plateau = self.state.plateau
        if not self.early_stopping or plateau is None or not np.isfinite(plateau.best):
            raise DivergenceError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. {remedy}"
            )
        if not self.converged:
            self.converged = True
            warnings.warn(
                f"{remedy} The weights with the best validation score are kept.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def warn_if_not_converged(self) -> None:
        """Emit a ConvergenceWarning if `max_epochs` ended the training."""
        if self.converged or self.learning_rate.has_horizon or self.optimizer_ is None:
            return
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({self.max_epochs}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=2,
        )

    # -------------------------------------------------------------------------------- weights

    def tensors(self) -> list[Tensor]:
        """Return everything that a copy of the network has to hold.

        Returns
        -------
        list of Tensor
            Parameters and buffers.
        """
        return [*self.module_.parameters(), *self.module_.buffers()]

    def _snapshot(self) -> list[Tensor]:
        return [tensor.detach().clone() for tensor in self.tensors()]

    @torch.no_grad()
    def _restore_best(self) -> None:
        if self.early_stopping and self.state.best is not None:
            for tensor, best in zip(self.tensors(), self.state.best, strict=True):
                tensor.copy_(best)


class _Criterion(nn.Module):
    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(outputs, targets)


def _collect(collected: Tensor | None, batch: Tensor, start: int, n_rows: int) -> Tensor:
    """Enter a batch's decisions into one tensor for all rows.

    Not a list that is joined at the end: small tensors that outlive their batch keep the large
    ones that were freed around them from being used again.
    """
    if len(batch) == n_rows:
        return batch
    if collected is None:
        collected = batch.new_zeros((n_rows, *batch.shape[1:]))
    collected[start : start + len(batch)] = batch
    return collected


def add_penalty(step: Step, loss_sum: Tensor, alpha: float, weight_sum: float) -> None:
    """Add ``alpha / 2 ||W||^2`` to a batch's loss sum, and its gradient to the gradients.

    Parameters
    ----------
    step : Step
        Holds weights and gradients.
    loss_sum : Tensor of shape ()
        Changed in place.
    alpha : float
        Strength of the penalty.
    weight_sum : float
        By which the gradients are divided already.
    """
    weights = step.weights
    if not weights:  # a module of vectors alone
        return
    for weight in weights:
        norm = torch.linalg.vector_norm(weight)
        loss_sum.addcmul_(norm, norm, value=0.5 * alpha)
    torch._foreach_add_(step.weight_gradients, weights, alpha=alpha / weight_sum)
