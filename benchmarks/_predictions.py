"""How long predictions take: one row, and 10,000 rows of 784 features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._contenders import Work, ours, sklearn_mlp, skorch, torch_loop
from ._data import Data
from ._measure import Options, interleaved_latency, quiet, report
from ._report import Row, format_duration

# More rows than `precision="auto"` computes in float64.
N_TRAIN = 12_000
N_ROWS = 10_000


def random_digits(n_samples: int, dtype: str) -> Data:
    """Numbers of MNIST's shape: what they are does not change how long a prediction takes."""
    rng = np.random.default_rng(0)
    X = rng.random((n_samples, 784)).astype(dtype)
    y = rng.integers(10, size=n_samples)
    return Data(X, y, X, y)


@dataclass(frozen=True)
class _Predictor:
    """A fitted model, and the cast of X that its users have to make themselves."""

    model: Any
    cast: Callable[[np.ndarray], np.ndarray]

    def call(self, method: str, X: np.ndarray) -> Any:
        return getattr(self.model, method)(self.cast(X))


def _predictors(dtype: str) -> dict[str, _Predictor]:
    """Fit all for an epoch, with the precision that each has for 12,000 rows by default."""
    data = random_digits(N_TRAIN, dtype)
    floats = data.astype("float32")
    work = Work(epochs=1)

    def as_it_is(X: np.ndarray) -> np.ndarray:
        return X

    def to_float32(X: np.ndarray) -> np.ndarray:
        return X.astype(np.float32, copy=False)

    return {
        f"MLPClassifier {dtype}": _Predictor(sklearn_mlp(dtype).fit(data, work, 0), as_it_is),
        "NeuralClassifier float32": _Predictor(
            ours(dtype, "float32", automatic=True).fit(data, work, 0), as_it_is
        ),
        "skorch float32": _Predictor(skorch("float32", "float32").fit(floats, work, 0), to_float32),
        "torch forward float32": _Predictor(
            torch_loop("float32", "float32").fit(floats, work, 0), as_it_is
        ),
    }


def run_predict(options: Options) -> list[Row]:
    """Compare predict and predict_proba for float32 and float64 input."""
    rounds = options.rounds(alone=9, overview=5, quick=3)
    rows = []
    for dtype in ("float32", "float64"):
        with quiet():
            predictors = _predictors(dtype)
        X = random_digits(N_ROWS, dtype).X
        for n_rows, calls in (
            (1, 50 if options.quick else 200),
            (N_ROWS, 1 if options.quick else 5),
        ):
            for method in ("predict", "predict_proba"):
                task = f"{method}, {n_rows:,} x 784, {dtype} input"
                rows += _compare(task, predictors, method, X[:n_rows], rounds, calls)
    return rows


def _compare(
    task: str,
    predictors: dict[str, _Predictor],
    method: str,
    X: np.ndarray,
    rounds: int,
    calls: int,
) -> list[Row]:
    actions = {
        name: (lambda predictor=predictor: predictor.call(method, X))
        for name, predictor in predictors.items()
    }
    seconds = interleaved_latency(actions, rounds, calls, task)
    sklearn_name, *_, torch_name = seconds
    return [
        report(
            Row(
                task,
                name,
                vs_sklearn=seconds[sklearn_name] / seconds[name],
                vs_torch=seconds[torch_name] / seconds[name],
                latency=format_duration(seconds[name]),
            )
        )
        for name in seconds
    ]
