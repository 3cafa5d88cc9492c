"""Ridge regression in closed form, for networks that are one linear layer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy.linalg import eigh
from scipy.optimize import minimize
from torch import Tensor

from sknn.nn import ClassificationLoss, Loss

from ._loop import Loop
from ._steps import forward
from ._threads import Interrupted

# Penalties to choose from, as multiples of the number of features and of the mean weight of a row.
PENALTIES = np.logspace(-6, 2, 17)
# Labels are no numbers: a heavier penalty lowers their squared errors where there is little to
# learn, and decides for the most frequent label. (The authors of MiniRocket end here too.)
HEAVIEST_FOR_LABELS = 0.1
# Features that are in memory in float64 at once.
BLOCK = 1024
# What a shift, and the logarithm of the factor from what is usual, cost beside the rows' losses:
# few rows say little of them.
SHIFT_PENALTY, SCALE_PENALTY, LOG_SCALE = 0.5, 0.1, 2.0
# Singular values below this part of the largest are rounding errors.
SMALLEST = 1e-12
# Steps that follow L-BFGS, which ends after half of the digits.
NEWTON_STEPS = 4


class RidgeLoop(Loop):
    """Solves for the weights of a linear layer; the penalty is chosen by leave-one-out.

    The targets of labels are 1 and -1. Their outputs become logits by a factor and a shift of each
    class, which minimise the loss of the outputs that leave each row out (Platt, 1999).
    """

    def run(self) -> None:
        """Solve, and record the only epoch."""
        training = self.training
        self.start()
        try:
            self.notify("on_train_begin")
            self.begin_epoch()
            begun = time.perf_counter()
            held_out = self._solve()
            targets, weights = training.train.answers()
            losses = training.loss(held_out, targets)
            if weights is not None:
                losses = losses * weights
            loss = float(losses.sum()) / training.train.weight_sum
            decisions = training.decide(held_out, targets)
            self.record_epoch(loss, training.score(decisions, targets, weights))
            training.this_epoch["dur"] = time.perf_counter() - begun
            training.n_epochs_run += 1
            training.converged = True
            self.notify_epoch_end()
            self.check_weights()
        except (KeyboardInterrupt, Interrupted):
            raise
        finally:
            self.finish()

    @torch.no_grad()
    def _solve(self) -> Tensor:
        """Write the layer's weights; return the outputs (n, n_outputs) without the row itself."""
        training = self.training
        layer = training.module.output_layer
        assert isinstance(layer, torch.nn.Linear)
        targets, row_weight = training.train.answers()[0], training.train.row_weight
        features = self._features()
        weights = np.ones(len(features)) if row_weight is None else np.asarray(row_weight)
        y = _as_numbers(targets, training.loss, layer.out_features)
        is_label = isinstance(training.loss, ClassificationLoss)
        heaviest = HEAVIEST_FOR_LABELS if is_label else np.inf
        fit = Ridge(features, y, weights, heaviest)
        outputs, epoch = fit.held_out, training.this_epoch
        scale, shift = 1.0, np.zeros(layer.out_features)
        if training.loss.defines_probabilities:
            scale, shift = self._calibrate(outputs, targets, weights / fit.mean_weight)
        coefficients, intercept = fit.solve()
        layer.weight.copy_(torch.from_numpy(coefficients.T * scale))
        layer.bias.copy_(torch.from_numpy(intercept * scale + shift))
        epoch["penalty"], epoch["scale"] = fit.penalty, scale
        return self._as_outputs(outputs * scale + shift)

    def _features(self) -> np.ndarray:
        """Return what the layer gets, (n, n_features)."""
        training = self.training
        scale: Any = training.module.scale
        parts = []
        for batch in training.train.batches(self.rows_at_once):
            features = forward(scale, batch.X, self.settings.compute_dtype)
            parts.append(features.cpu().numpy())
        return np.concatenate(parts)

    def _calibrate(
        self, outputs: np.ndarray, targets: Tensor, weights: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Return the factor and the shifts (n_outputs,) that minimise the loss of outputs."""
        z = torch.from_numpy(outputs)
        row_weight = torch.from_numpy(weights)
        targets = targets.cpu()
        targets = targets.double() if targets.is_floating_point() else targets

        def objective(variables: Tensor) -> Tensor:
            logits = z * variables[0].exp() + variables[1:]
            loss = (self.training.loss(logits, targets) * row_weight).sum()
            # a few pseudo rows, without which separable ones would have no finite factor
            prior = SCALE_PENALTY * (variables[0] - LOG_SCALE).square()
            return loss + prior + SHIFT_PENALTY * variables[1:].square().sum()

        start = torch.zeros(1 + z.shape[1], dtype=torch.float64)
        start[0] = LOG_SCALE
        with torch.enable_grad():
            found = minimize_smooth(objective, start).numpy()
        return float(np.exp(found[0])), found[1:]

    def _as_outputs(self, values: np.ndarray) -> Tensor:
        layer: Any = self.training.module.output_layer
        return torch.from_numpy(values).to(layer.weight)


class Ridge:
    """Ridge regression of y (n, k) on features (n, p), with weights (n,) and an intercept.

    Rows that are equal, y included, are one row with the sum of their weights, and are left out
    together. (Leave-one-out in closed form: Allen, 1974; Golub, Heath and Wahba, 1979.)
    """

    mean_weight: float  # of distinct rows that have any
    penalty: float
    held_out: np.ndarray  # (n, k), the outputs for each row by the others

    def __init__(
        self,
        features: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray,
        heaviest: float = np.inf,  # of the multiples in PENALTIES
    ) -> None:
        first, inverse = distinct_rows(features, y)
        weights = np.bincount(inverse, weights)
        if len(first) < len(features):
            features, y = features[first], y[first]
        self.features = features
        self.roots = np.sqrt(weights)
        total = weights.sum()
        self.mean_weight = float(total / np.count_nonzero(weights))
        self.means = np.concatenate(
            [weights @ block.astype(np.float64) for block in self._columns()]
        )
        self.means /= total
        self.center = weights @ y / total
        rooted = self.roots[:, None] * (y - self.center)
        self.left, self.squares = self._decompose()
        self.inner = self.left.T @ rooted  # (r, k)
        best = np.inf
        unit = features.shape[1] * self.mean_weight
        multiples = PENALTIES[1.01 * heaviest > PENALTIES]
        for penalty in multiples[::-1] * unit:  # of equal ones the largest
            shrunk = self.squares / (self.squares + penalty)
            fitted = self.left @ (shrunk[:, None] * self.inner)
            leverage = np.square(self.left) @ shrunk + weights / total
            with np.errstate(divide="ignore", invalid="ignore"):
                residuals = (rooted - fitted) / self.roots[:, None]
                residuals /= np.maximum(1 - leverage, 1e-9)[:, None]
            residuals[weights == 0] = 0
            error = float(weights @ np.square(residuals).sum(1))
            if error < best:
                best, self.penalty, self.held_out = error, float(penalty), (y - residuals)[inverse]

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients (p, k) and intercept (k,) with the penalty that was chosen."""
        dual = self.left @ (self.inner / (self.squares + self.penalty)[:, None])
        coefficients = np.concatenate([block.T @ dual for block in self._centered()])
        return coefficients, self.center - self.means @ coefficients

    def _columns(self) -> Iterator[np.ndarray]:
        for start in range(0, self.features.shape[1], BLOCK):
            yield self.features[:, start : start + BLOCK]

    def _centered(self) -> Iterator[np.ndarray]:
        """Yield blocks of columns less their means, times the roots of the weights, float64."""
        start = 0
        for block in self._columns():
            means = self.means[start : start + block.shape[1]]
            start += block.shape[1]
            yield self.roots[:, None] * (block - means)

    def _decompose(self) -> tuple[np.ndarray, np.ndarray]:
        """Return left singular vectors (n, r) of the centered features, and squares (r,)."""
        n, p = self.features.shape
        if n <= p:
            gram = np.zeros((n, n))
            for block in self._centered():
                gram += block @ block.T
            squares, vectors = eigh(gram, overwrite_a=True, check_finite=False)
            kept = squares > SMALLEST * max(squares[-1], 0)
            return vectors[:, kept], squares[kept]
        centered = np.concatenate(list(self._centered()), 1)
        squares, vectors = eigh(centered.T @ centered, overwrite_a=True, check_finite=False)
        kept = squares > SMALLEST * max(squares[-1], 0)
        return centered @ (vectors[:, kept] / np.sqrt(squares[kept])), squares[kept]


def distinct_rows(features: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct row comes first, (m,), and which of these each row is, (n,)."""
    places: dict[bytes, int] = {}
    first: list[int] = []
    inverse = np.empty(len(features), np.int64)
    for i, (row, target) in enumerate(zip(features, y, strict=True)):
        digest = hashlib.blake2b(row.tobytes() + target.tobytes(), digest_size=16).digest()
        inverse[i] = places.setdefault(digest, len(places))
        if inverse[i] == len(first):
            first.append(i)
    return np.array(first), inverse


def minimize_smooth(objective: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return the minimum (n,) of a smooth function of few variables, to the last digits."""

    def with_gradient(values: np.ndarray) -> tuple[float, np.ndarray]:
        variables = torch.from_numpy(values).requires_grad_()
        value = objective(variables)
        return value.item(), torch.autograd.grad(value, variables)[0].numpy()

    found = minimize(with_gradient, start.numpy(), jac=True, method="L-BFGS-B").x
    best = torch.from_numpy(found)
    for _ in range(NEWTON_STEPS):
        gradient = torch.from_numpy(with_gradient(best.numpy())[1])
        hessian: Any = torch.autograd.functional.hessian(objective, best)
        step = torch.linalg.lstsq(hessian, gradient[:, None]).solution[:, 0]
        moved = best - step
        if not objective(moved).item() <= objective(best).item():
            break
        best = moved
    return best


def _as_numbers(targets: Tensor, loss: Loss, n_outputs: int) -> np.ndarray:
    """Return targets as float64 (n, n_outputs), labels as 1 and -1."""
    values = targets.cpu().numpy()
    if not isinstance(loss, ClassificationLoss):
        return values.reshape(len(values), -1).astype(np.float64)
    if loss.task != "multiclass":
        return 2.0 * values - 1.0
    y = np.full((len(values), n_outputs), -1.0)
    y[np.arange(len(values)), values] = 1
    return y
