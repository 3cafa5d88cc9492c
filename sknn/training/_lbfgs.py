"""Full-batch training with SciPy's L-BFGS-B."""

from __future__ import annotations

import time
import warnings

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sknn.data import Batch

from ._inference import rows_at_once
from ._loop import Loop
from ._steps import GradientStep, add_penalty
from ._threads import Interrupted, raise_if
from ._training import DivergenceError, Training

# Rows whose activations are in memory at once, at most.
CHUNK_ROWS = 8192


class LBFGSLoop(Loop):
    """Minimises the penalised loss of all samples; an iteration of SciPy's counts as an epoch."""

    # `max_epochs` bounds the iterations, `max_fun` the evaluations of the loss, and `tol` the
    # gradient's largest component (SciPy's gtol)

    step: GradientStep

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        most = rows_at_once(self.settings.work.layer_size, training.train.device)
        self.chunk_rows = min(most, CHUNK_ROWS)
        self._weight_sum = training.train.weight_sum
        self._accepted = self._get()  # weights of the last iteration, float64 (n_parameters,)

    def run(self) -> None:
        """Train until SciPy or a listener ends it."""
        training, settings = self.training, self.settings
        self.start()
        try:
            self.notify("on_train_begin")
            training.module.train()
            self._last = time.perf_counter()
            result = minimize(
                self._objective,
                self._accepted,
                method="L-BFGS-B",
                jac=True,
                callback=self._after_iteration,
                options={
                    "maxiter": settings.max_epochs,
                    "maxfun": settings.max_fun,
                    "gtol": settings.tol,
                },
            )
            self._accepted = result.x
            if training.n_epochs_run == 0:  # the initial weights are a minimum
                self._after_iteration(result)
            self._restore()
        except (KeyboardInterrupt, Interrupted):
            self._restore()
            raise
        finally:
            self._set(self._accepted)
            self.finish()
        if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
            raise DivergenceError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed. Scale X and y, for instance with "
                "StandardScaler."
            )
        if result.status != 0 and not training.stop_training:
            warnings.warn(
                f"lbfgs ended before it converged (status={result.status}): {result.message} "
                f"after {result.nit} iterations and {result.nfev} evaluations. Increase max_iter "
                f"({settings.max_epochs}) or max_fun ({settings.max_fun}), or scale the data.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _after_iteration(self, intermediate_result: OptimizeResult) -> None:
        """Do what comes after an epoch; raise StopIteration where a listener ends the training."""
        training, state = self.training, self.state
        self._accepted = intermediate_result.x.copy()
        self._set(self._accepted)
        if training.validation is not None or training.listeners:
            self._restore()
        self.begin_epoch()
        training.n_epochs_run += 1
        epoch = training.this_epoch
        epoch["train_loss"] = float(intermediate_result.fun)
        if state.plateau is not None:
            state.plateau.update(epoch["train_loss"], self.settings.tol)
        if training.validation is not None:
            epoch["valid_loss"], epoch["valid_score"] = self.evaluate(training.validation)
        now = time.perf_counter()
        epoch["dur"] = now - self._last
        self._last = now
        self.notify_epoch_end()
        training.module.train()
        if training.stop_training:
            raise StopIteration

    def _restore(self) -> None:
        """Give the network the weights of the last iteration, and what belongs to them."""
        self._set(self._accepted)
        self.renew_statistics(self.chunk_rows)

    @torch.no_grad()
    def _objective(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalised mean loss at the weights (n_parameters,), and its gradient."""
        self._set(theta)
        loss, gradient = 0.0, np.zeros_like(theta)
        for batch in self.training.train.batches(self.chunk_rows):
            raise_if(self.training.should_stop)
            if batch.weight_sum == 0:
                continue
            share = batch.weight_sum / self._weight_sum
            loss += float(self._write_gradients(batch, share)) / self._weight_sum
            gradient += share * _flatten(
                [
                    torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    for parameter in self.step.parameters
                ]
            )
        return loss, gradient

    def _write_gradients(self, batch: Batch, share: float) -> Tensor:
        """Write the gradients of a chunk with its share of the penalty; return the loss sum ()."""
        with self.training.lending(self.settings.runs_user_code):
            _, loss_sum = self.step.backprop(*batch)
        alpha = self.step.alpha
        if alpha:
            add_penalty(self.step.backprop, loss_sum, share * alpha, share * self._weight_sum)
        return loss_sum

    def _get(self) -> np.ndarray:
        return _flatten(self.step.parameters)

    @torch.no_grad()
    def _set(self, theta: np.ndarray) -> None:
        flat, start = torch.from_numpy(theta), 0
        for parameter in self.step.parameters:
            stop = start + parameter.numel()
            parameter.copy_(flat[start:stop].view(parameter.shape))
            start = stop


def _flatten(tensors: list[Tensor]) -> np.ndarray:
    return np.concatenate(
        [tensor.detach().cpu().numpy().ravel().astype(np.float64) for tensor in tensors]
    )
