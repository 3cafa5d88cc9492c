"""The ways to fit the same network: same data, batches, epochs, optimiser, penalty and type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier, MLPRegressor
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor

from sknn import NeuralClassifier, NeuralRegressor

from ._data import Data
from ._torch_loop import CRITERIA, DTYPES, HalfSquaredError, Network, TorchLoop, encode_targets

ALPHA = 1e-4
LEARNING_RATE = 1e-3
ENDLESS_PATIENCE = 1_000_000


@dataclass(frozen=True)
class Work:
    """What a fit has to do.

    With `stops`, scikit-learn's rule (`tol`, `n_iter_no_change`) may end it before `epochs`;
    those that have no such rule (skorch, the loop) are then told the number of epochs.
    """

    hidden: tuple[int, ...] = (100,)
    epochs: int = 200
    batch_size: int = 200
    stops: bool = False

    def sklearn_parameters(self, seed: int) -> dict[str, Any]:
        """Return parameters of the MLP estimators and of ours."""
        parameters: dict[str, Any] = {
            "hidden_layer_sizes": self.hidden,
            "max_iter": self.epochs,
            "batch_size": self.batch_size,
            "alpha": ALPHA,
            "learning_rate_init": LEARNING_RATE,
            "random_state": seed,
        }
        if not self.stops:
            parameters |= {"tol": 0.0, "n_iter_no_change": ENDLESS_PATIENCE}
        return parameters


FitFunction = Callable[[Data, Work, int], Any]


@dataclass(frozen=True)
class Contender:
    """A way to fit.

    `fit` takes data, work and seed, and returns what predicts and counts its epochs in `n_iter_`.
    `input_dtype` is the type of X that it gets (None: as it is), `precision` the type in which it
    computes.
    """

    label: str
    fit: FitFunction
    input_dtype: str | None
    precision: str
    is_ours: bool = False
    is_torch_loop: bool = False
    own_stopping: bool = False


def _fit_sklearn(data: Data, work: Work, seed: int) -> Any:
    estimator = MLPRegressor if data.kind == "regression" else MLPClassifier
    return estimator(**work.sklearn_parameters(seed)).fit(data.X, data.y)


def _fit_ours(data: Data, work: Work, seed: int, *, precision: str) -> Any:
    estimator = NeuralRegressor if data.kind == "regression" else NeuralClassifier
    parameters = work.sklearn_parameters(seed)
    return estimator(precision=precision, device="cpu", **parameters).fit(data.X, data.y)


def _fit_torch_loop(
    data: Data,
    work: Work,
    seed: int,
    *,
    precision: str,
    threads: int | None = None,
    device: str = "cpu",
) -> TorchLoop:
    torch.manual_seed(seed)
    loop = TorchLoop(
        data.kind,
        work.hidden,
        data.n_outputs,
        epochs=work.epochs,
        batch_size=work.batch_size,
        alpha=ALPHA,
        learning_rate=LEARNING_RATE,
        dtype=precision,
        threads=threads,
        device=device,
    )
    return loop.fit(data.X, data.y)


class _Skorch:
    """A skorch net with the methods that the measurements call."""

    def __init__(self, net: Any, kind: str) -> None:
        self.net = net
        self.kind = kind
        self.predict_proba = net.predict_proba

    @property
    def n_iter_(self) -> int:
        return len(self.net.history)

    def predict(self, X: Any) -> np.ndarray:
        prediction = self.net.predict(X)
        return prediction.ravel() if self.kind == "regression" else prediction


SKORCH_NETS = {
    "multiclass": NeuralNetClassifier,
    "binary": NeuralNetBinaryClassifier,
    "regression": NeuralNetRegressor,
}


def _fit_skorch(data: Data, work: Work, seed: int, *, precision: str) -> _Skorch:
    torch.manual_seed(seed)
    network = Network(data.X.shape[1], work.hidden, data.n_outputs).to(DTYPES[precision])
    criterion = HalfSquaredError if data.kind == "regression" else CRITERIA[data.kind]
    net = SKORCH_NETS[data.kind](
        network,
        criterion=criterion,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        optimizer__param_groups=[("*.weight", {"weight_decay": ALPHA / work.batch_size})],
        lr=LEARNING_RATE,
        max_epochs=work.epochs,
        batch_size=work.batch_size,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    y = encode_targets(data.y, data.kind, precision)
    net.fit(data.X, y[:, np.newaxis] if data.kind == "regression" else y)
    return _Skorch(net, data.kind)


def sklearn_mlp(input_dtype: str | None) -> Contender:
    """MLPClassifier or MLPRegressor, which computes in its input's type (bytes in float64)."""
    return Contender(
        "MLP", _fit_sklearn, input_dtype, precision=input_dtype or "float64", own_stopping=True
    )


def ours(input_dtype: str | None, precision: str, *, automatic: bool = False) -> Contender:
    """NeuralClassifier or NeuralRegressor; with `automatic` it finds the precision itself."""
    fit = partial(_fit_ours, precision="auto" if automatic else precision)
    return Contender("Neural", fit, input_dtype, precision, is_ours=True, own_stopping=True)


def skorch(input_dtype: str | None, precision: str) -> Contender:
    """skorch's net, with its default callbacks."""
    return Contender("skorch", partial(_fit_skorch, precision=precision), input_dtype, precision)


def torch_loop(input_dtype: str | None, precision: str, *, threads: int | None = None) -> Contender:
    """The hand-written loop."""
    fit = partial(_fit_torch_loop, precision=precision, threads=threads)
    label = "torch loop" if threads is None else f"torch loop, {threads} thread"
    return Contender(label, fit, input_dtype, precision, is_torch_loop=threads is None)


def full_name(contender: Contender, kind: str) -> str:
    """Return which estimator it is, and in which type it computes."""
    suffix = "Regressor" if kind == "regression" else "Classifier"
    label = contender.label
    return f"{label}{suffix if label in ('MLP', 'Neural') else ''} {contender.precision}"
