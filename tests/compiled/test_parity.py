"""Compiled functions and torch train to the same weights, epoch by epoch.

Each seed is one case of random data, settings and calls. A case that fails is repeated alone with
its seed.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("numba")

from sknn import NeuralClassifier, NeuralRegressor
from tests.compiled.ways import SKORCH_KEYS, through_core, through_torch
from tests.helpers import weights_of

N_QUICK, N_ALL, N_A_TEST = 60, 660, 20

# Activations with parameters of their own are autograd's.
ACTIVATIONS = (
    *("identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "celu", "selu", "gelu", "silu"),
    *("swish", "mish", "softplus", "softsign", "relu6", "hardtanh", "hardswish"),
)
CLASS_LOSSES = ("log_loss", "hinge", "squared_hinge", "squared_error", "focal")
VALUE_LOSSES = (
    *("squared_error", "absolute_error", "huber", "log_cosh", "poisson", "gamma", "quantile"),
    *("mape", "msle", "cosine"),
)
SCHEDULES = (
    *("constant", "invscaling", "adaptive", "cosine", "one_cycle", "warmup_cosine", "step"),
)


@dataclass
class Case:
    """Parameters, data and calls."""

    is_classifier: bool
    parameters: dict[str, Any]
    X: Any
    y: Any
    arguments: dict[str, Any]
    calls: list[str]

    def run(self) -> Any:
        """Return the fitted estimator and its warnings, or the class of the error."""
        model: Any = (NeuralClassifier if self.is_classifier else NeuralRegressor)(
            **self.parameters
        )
        classes = {"classes": [0, 1, 2]} if np.ndim(self.y) > 1 else {"classes": np.unique(self.y)}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                for number, call in enumerate(self.calls):
                    if call == "fit":
                        model.fit(self.X, self.y, **self.arguments)
                        continue
                    first = {} if number or not self.is_classifier else classes
                    weights = self.arguments.get("sample_weight")
                    some = slice(0, None if call == "partial" else 5)
                    given = {} if weights is None else {"sample_weight": weights[some]}
                    model.partial_fit(self.X[some], self.y[some], **given, **first)
            except ValueError as error:  # a DivergenceError among them
                return type(error), None
        return model, [each.category for each in caught]


def random_case(seed: int) -> Case:
    rng = np.random.default_rng(seed)

    def one_of(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    n, n_features = int(rng.integers(8, 80)), int(rng.integers(1, 7))
    X = rng.normal(size=(n, n_features)) * one_of(0.5, 1, 3)
    is_classifier = bool(rng.random() < 0.5)
    early_stopping = bool(n >= 30 and rng.random() < 0.25)
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": one_of((), (1,), (5,), (20,), (4, 3), (6, 2, 4)),
        "activation": one_of(*ACTIVATIONS),
        "solver": one_of("adam", "adam", "adamw", "sgd"),
        "alpha": one_of(0.0, 1e-4, 0.01, 1.0),
        "batch_size": one_of("auto", "all", 1, 3, 7, n),
        "learning_rate": one_of(*SCHEDULES),
        "learning_rate_init": one_of(1e-4, 1e-3, 0.01, 0.03),
        "power_t": one_of(0.0, 0.5, 1.0),
        "max_iter": int(rng.integers(1, 8)),
        "shuffle": bool(rng.random() < 0.7),
        "random_state": int(rng.integers(1000)),
        "tol": one_of(0.0, 1e-4, 0.05),
        "momentum": one_of(0.0, 0.5, 0.9),
        "nesterovs_momentum": bool(rng.random() < 0.5),
        "early_stopping": early_stopping,
        "validation_fraction": one_of(0.1, 0.2, 0.4),
        "beta_1": one_of(0.0, 0.5, 0.9),
        "beta_2": one_of(0.9, 0.999),
        "epsilon": one_of(1e-8, 1e-3),
        "n_iter_no_change": one_of(1, 2, 10),
        "max_grad_norm": one_of(None, None, 0.1, 1.0),
        "dropout": one_of(0.0, 0.0, 0.1, 0.5),
        "precision": one_of("float64", "float64", "float32"),
        "warm_start": bool(rng.random() < 0.5),
        "device": "cpu",
    }
    if parameters["precision"] == "float32":  # what is left of a gradient that cancels is 1e-8
        parameters["epsilon"] = max(parameters["epsilon"], 1e-5)
    if is_classifier:
        target = one_of("binary", "several", "names", "labels")
        y = {
            "binary": (X[:, 0] + rng.normal(size=n) > 0).astype(int)
            if n > 12
            else np.arange(n) % 2,
            "several": rng.permutation(np.arange(n) % 4),
            "names": np.array(["a", "b", "c"])[np.arange(n) % 3],
            "labels": np.concatenate([np.eye(3, dtype=int), rng.integers(0, 2, (n - 3, 3))]),
        }[target]
        parameters["loss"] = one_of("log_loss", *CLASS_LOSSES)
        if parameters["loss"] == "log_loss":
            parameters["label_smoothing"] = one_of(0.0, 0.1)
        if target != "labels":
            parameters["class_weight"] = one_of(None, "balanced")
    else:
        parameters["loss"] = one_of("squared_error", *VALUE_LOSSES)
        n_targets = one_of(2, 3) if parameters["loss"] == "cosine" else one_of(1, 1, 2, 3)
        y = rng.normal(size=(n, n_targets))
        if parameters["loss"] in ("poisson", "gamma", "mape", "msle"):
            y = np.abs(y) + 0.1
        if parameters["loss"] == "quantile":
            parameters["quantile"] = one_of(0.1, 0.5, 0.9)
        y = y[:, 0] if n_targets == 1 else y
    weights = {"floats": rng.random(n) + 0.1, "counts": rng.integers(1, 4, n).astype(float)}
    arguments = {}
    kind = one_of(None, None, *weights)
    if kind:
        arguments["sample_weight"] = weights[kind]
    if not early_stopping and rng.random() < 0.2:
        some = rng.permutation(n)[: n // 2 + 3]
        arguments |= {"X_val": X[some] + 0.1, "y_val": y[some]}
    calls = one_of(
        *(["fit"], ["fit"], ["fit", "fit"], ["partial"] * 3, ["fit", "partial"]),
        ["partial", "some", "some", "partial"],
    )
    if early_stopping and calls != ["fit", "fit"]:
        calls = ["fit"]
    forms = {
        "plain": X,
        "column-major": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "integers": np.round(3 * X).astype(int),
        "float32": X.astype(np.float32),
    }
    return Case(is_classifier, parameters, forms[one_of(*forms)], y, arguments, calls)


def check(seed: int) -> None:
    case = random_case(seed)
    core, core_warnings = through_core(case.run)
    torch, torch_warnings = through_torch(case.run)
    assert core_warnings == torch_warnings, case
    if isinstance(core, type):
        assert core is torch, case
        return
    close = 1e-12 if case.parameters["precision"] == "float64" else 1e-5

    def agree(name: str, mine: Any, other: Any) -> None:
        largest = max(1.0, np.abs(other).max(initial=0.0))
        difference = np.abs(np.subtract(mine, other)).max(initial=0.0) / largest
        assert difference < close, (name, difference, seed, case)

    assert core.n_iter_ == torch.n_iter_ and core.t_ == torch.t_, case
    for mine, other in zip(weights_of(core), weights_of(torch), strict=True):
        assert mine.dtype == other.dtype
        agree("weights", mine, other)
    assert len(core.history_) == len(torch.history_)
    for mine, other in zip(core.history_, torch.history_, strict=True):
        assert list(mine) == list(other)
        for key in set(mine) - SKORCH_KEYS:
            if isinstance(other[key], float):
                agree(key, mine[key], other[key])
            else:
                assert mine[key] == other[key], (key, case)
    agree("loss curve", core.loss_curve_, torch.loss_curve_)
    assert core.module_.training == torch.module_.training
    if case.is_classifier:
        assert_array_equal(core.classes_, torch.classes_)


@pytest.mark.parametrize("first", range(0, N_QUICK, N_A_TEST))
def test_random_cases_have_torchs_weights(first: int) -> None:
    for seed in range(first, first + N_A_TEST):
        check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(N_QUICK, N_ALL, 5 * N_A_TEST))
def test_hundreds_of_random_cases_have_torchs_weights(first: int) -> None:
    for seed in range(first, first + 5 * N_A_TEST):
        check(seed)
