"""Trainings that are made without an estimator."""

from typing import Any

import numpy as np
import torch

from sknn.data import Samples, make_answers, make_rows
from sknn.nn import DenseNetwork, make_regression_loss
from sknn.training import Settings, Training, TrainingState, Work, make_training, r2

CPU = torch.device("cpu")
DEFAULTS: dict[str, Any] = {
    "solver": "sgd",
    "learning_rate_init": 0.05,
    "alpha": 0.0,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-8,
    "momentum": 0.0,
    "nesterovs_momentum": False,
    "max_grad_norm": None,
    "max_fun": 15000,
    "schedule": "constant",
    "power_t": 0.5,
    "horizon": 5,
    "max_epochs": 5,
    "batch_size": 10,
    "shuffle": True,
    "tol": 0.0,
    "n_iter_no_change": 100,
    "early_stopping": False,
    "stops_by_loss": False,
    "scales_data": False,
    "verbose": False,
    "compute_dtype": torch.float64,
    "work": Work(1, 10),
    "runs_user_code": False,
    "draws_numbers": False,
}


def make_samples(X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Samples:
    answers = make_answers(y, weights, CPU, torch.float64)
    return Samples(make_rows(X, CPU, torch.float64), X, y, answers)


def make_network(n_features: int, n_outputs: int = 1, **options: Any) -> DenseNetwork:
    seed = np.random.RandomState(0)
    return DenseNetwork(
        n_features, (5,), n_outputs, dtype=torch.float64, random_state=seed, **options
    )


def make(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    module: Any = None,
    validation: Samples | None = None,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> Training:
    """Return a training of a small regression with sgd."""
    return make_training(
        make_network(X.shape[1], y.shape[1]) if module is None else module,
        make_regression_loss("squared_error"),
        Settings(**DEFAULTS | settings),
        TrainingState(np.random.RandomState(1)),
        make_samples(X, y, weights),
        validation,
        n_outputs=y.shape[1],
        decide=lambda outputs, targets: outputs,
        score=r2,
        **options or {},
    )
