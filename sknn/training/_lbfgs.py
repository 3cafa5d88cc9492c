"""Full-batch training with SciPy's L-BFGS-B."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sknn.data import Samples

from ._net import DivergenceError, Net, add_penalty

# Rows whose activations are in memory at once, at most.
CHUNK_ROWS = 8192


def train_lbfgs(
    net: Net, train: Samples, validation: Samples | None, *, max_fun: int, chunk_rows: int
) -> None:
    """Minimise the penalised loss over all samples.

    Parameters
    ----------
    net : Net
        Holds the step, the history, the callbacks, and as `max_epochs` and `tol` the bounds on
        the iterations and on the gradient's largest component (SciPy's `gtol`).
    train, validation : Samples
        Where loss and validation scores come from.
    max_fun : int
        Largest number of evaluations of the loss.
    chunk_rows : int
        Rows that go through the network at once.

    Raises
    ------
    DivergenceError
        If loss or weights are not finite.
    """
    chunk_rows = min(chunk_rows, CHUNK_ROWS)
    objective = _Objective(net, train, chunk_rows)
    iterations = _Iterations(net, objective, validation, net.start(train, validation))
    try:
        net.notify_train("on_train_begin", iterations.on_epoch)
        net.module_.train()
        result = minimize(
            objective,
            iterations.accepted,
            method="L-BFGS-B",
            jac=True,
            callback=iterations,
            options={"maxiter": net.max_epochs, "maxfun": max_fun, "gtol": net.tol},
        )
        iterations.accepted = result.x
        if net.n_epochs_run == 0:  # the initial weights are a minimum
            iterations(result)
        iterations.restore()
    except KeyboardInterrupt:
        iterations.restore()
        raise
    finally:
        objective.set(iterations.accepted)
        net.finish(iterations.on_epoch)
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise DivergenceError(
            "Solver produced non-finite parameter weights. The input data may contain large "
            "values and need to be preprocessed. Scale X and y, for instance with StandardScaler."
        )
    if result.status != 0 and not net.stop_training:
        warnings.warn(
            f"lbfgs ended before it converged (status={result.status}): {result.message} after "
            f"{result.nit} iterations and {result.nfev} evaluations. Increase max_iter "
            f"({net.max_epochs}) or max_fun ({max_fun}), or scale the data.",
            ConvergenceWarning,
            stacklevel=2,
        )


class _Iterations:
    """What SciPy calls after each iteration, which counts as an epoch."""

    def __init__(
        self,
        net: Net,
        objective: _Objective,
        validation: Samples | None,
        on_epoch: dict[str, Any],
    ) -> None:
        self.net = net
        self.objective = objective
        self.validation = validation
        self.on_epoch = on_epoch
        self.accepted = objective.get()
        self._start = time.perf_counter()

    def restore(self) -> None:
        """Give the network the weights of the last iteration, and what belongs to them."""
        self.objective.set(self.accepted)
        self.net.renew_statistics(self.objective.train, self.objective.chunk_rows)

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        net = self.net
        self.accepted = intermediate_result.x.copy()
        self.objective.set(self.accepted)
        if self.validation is not None or self.net.callbacks_:
            self.restore()
        net.notify("on_epoch_begin", **self.on_epoch)
        net.n_epochs_run += 1
        epoch = net.history[-1]
        epoch["train_loss"] = float(intermediate_result.fun)
        if net.state.plateau is not None:
            net.state.plateau.update(epoch["train_loss"], net.tol)
        if self.validation is not None:
            epoch["valid_loss"], epoch["valid_score"] = net.evaluate(self.validation)
        now = time.perf_counter()
        epoch["dur"] = now - self._start
        self._start = now
        net.end_epoch_hooks(self.on_epoch)
        net.module_.train()
        if net.stop_training:
            raise StopIteration


class _Objective:
    """Penalised mean loss and its gradient as a function of one float64 vector."""

    def __init__(self, net: Net, train: Samples, chunk_rows: int) -> None:
        self.net = net
        self.train = train
        self.chunk_rows = chunk_rows
        self.weight_sum = train.weight_sum

    def get(self) -> np.ndarray:
        return _flatten(self.net.step.parameters)

    @torch.no_grad()
    def set(self, theta: np.ndarray) -> None:
        flat, start = torch.from_numpy(theta), 0
        for parameter in self.net.step.parameters:
            stop = start + parameter.numel()
            parameter.copy_(flat[start:stop].view(parameter.shape))
            start = stop

    @torch.no_grad()
    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        self.set(theta)
        step = self.net.step
        loss, gradient = 0.0, np.zeros_like(theta)
        for batch in self.train.batches(self.chunk_rows):
            if batch.weight_sum == 0:
                continue
            _, loss_sum = self.net.take_gradient(batch)
            share = batch.weight_sum / self.weight_sum
            if self.net.alpha:
                # a chunk carries its share of the penalty
                add_penalty(step, loss_sum, share * self.net.alpha, share * self.weight_sum)
            loss += float(loss_sum) / self.weight_sum
            gradient += share * _flatten(
                [
                    torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    for parameter in step.parameters
                ]
            )
        return loss, gradient


def _flatten(tensors: list[Tensor]) -> np.ndarray:
    return np.concatenate(
        [tensor.detach().cpu().numpy().ravel().astype(np.float64) for tensor in tensors]
    )
