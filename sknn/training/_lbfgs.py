"""Full-batch training with SciPy's L-BFGS-B."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from ._batches import Samples
from ._net import DivergenceError, Net, add_penalty

# Rows whose activations are in memory at once.
CHUNK_ROWS = 8192


def train_lbfgs(
    net: Net, train: Samples, validation: Samples | None, *, max_iter: int, max_fun: int, tol: float
) -> int:
    """Minimise the penalised loss over all samples.

    Parameters
    ----------
    net : Net
        Holds the step, the history and the callbacks.
    train, validation : Samples
        Where loss and validation scores come from.
    max_iter, max_fun : int
        Bounds on iterations and on evaluations of the loss.
    tol : float
        Largest component of the gradient at which the search ends (SciPy's `gtol`).

    Returns
    -------
    int
        The number of iterations.
    """
    objective = _Objective(net, train)
    start = time.perf_counter()
    accepted = [objective.get()]

    def end_iteration(intermediate_result: Any) -> None:
        nonlocal start
        accepted[0] = intermediate_result.x.copy()
        objective.set(accepted[0])
        net.notify("on_epoch_begin", dataset_train=None, dataset_valid=None)
        net.n_epochs_run += 1
        record = net.history.record
        record("train_loss", float(intermediate_result.fun))
        if validation is not None:
            valid_loss, valid_score = net.evaluate(validation)
            net.module_.train()
            record("valid_loss", valid_loss)
            record("valid_score", valid_score)
        now = time.perf_counter()
        record("dur", now - start)
        start = now
        net.end_epoch_hooks()
        if net.stop_training:
            raise StopIteration

    net.start()
    net.module_.train()
    net.notify("on_train_begin", X=None, y=None)
    try:
        result = minimize(
            objective,
            accepted[0],
            method="L-BFGS-B",
            jac=True,
            callback=end_iteration,
            options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
        )
        accepted[0] = result.x
    finally:
        objective.set(accepted[0])
        net.finish()
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise DivergenceError(
            "Solver produced non-finite parameter weights. The input data may contain large "
            "values and need to be preprocessed. Scale X and y, for instance with StandardScaler."
        )
    if result.status != 0 and not net.stop_training:
        warnings.warn(
            f"lbfgs ended before it converged (status={result.status}): {result.message} after "
            f"{result.nit} iterations and {result.nfev} evaluations. Increase max_iter "
            f"({max_iter}) or max_fun ({max_fun}), or scale the data.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return min(result.nit, max_iter)


class _Objective:
    """Penalised mean loss and its gradient as a function of one float64 vector."""

    def __init__(self, net: Net, train: Samples) -> None:
        self.net = net
        self.train = train
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
        for batch in self.train.batches(CHUNK_ROWS):
            if batch.weight_sum == 0:
                continue
            _, loss_sum = step(*batch)
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
