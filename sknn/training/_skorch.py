"""What skorch's callbacks see of a training; the only file that knows skorch."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

import numpy as np
from sklearn.callback import FitCallback
from torch import Tensor, nn

from sknn.data import Batch, Samples
from sknn.nn import Loss

from ._listeners import Listener


class _KeepsDocstrings(SourceFileLoader):
    """Compiles a module as ``python -O`` does."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True, optimize=1)


class _SkorchFinder(MetaPathFinder):
    """Finds skorch's modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "skorch":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _KeepsDocstrings(spec.loader.name, spec.loader.path)
        return spec


def import_skorch() -> None:
    """Import skorch, under ``python -OO`` too, where it looks for docstrings that are not there."""
    finder = _SkorchFinder()
    if sys.flags.optimize > 1:
        sys.meta_path.insert(0, finder)
    try:
        import skorch.callbacks  # noqa: F401
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


import_skorch()

import skorch.callbacks  # noqa: E402
from skorch import NeuralNet  # noqa: E402
from skorch.callbacks import (  # noqa: E402
    Callback,
    EarlyStopping,
    Initializer,
    ParamMapper,
)
from skorch.dataset import Dataset  # noqa: E402
from skorch.history import History  # noqa: E402

# of skorch's, for other modules
__all__ = ["Callback", "History", "ParamMapper"]

# They report, and change nothing.
LOGGERS = (
    skorch.callbacks.EpochTimer,
    skorch.callbacks.MlflowLogger,
    skorch.callbacks.NeptuneLogger,
    skorch.callbacks.PrintLog,
    skorch.callbacks.ProgressBar,
    skorch.callbacks.SacredLogger,
    skorch.callbacks.TensorBoard,
    skorch.callbacks.WandbLogger,
)

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


def check_callbacks(callbacks: Any) -> list[Any]:
    """Return skorch's callbacks as a list, and refuse what is none."""
    for number, given in enumerate(callbacks):
        is_pair = isinstance(given, tuple | list) and len(given) == 2
        callback = given[1] if is_pair else given
        kind = callback if isinstance(callback, type) else type(callback)
        if issubclass(kind, Callback):
            continue
        if isinstance(callback, FitCallback):
            raise TypeError(
                f"callbacks[{number}] is scikit-learn's {kind.__name__}, which is set with "
                "set_callbacks(...); the parameter is for callbacks of skorch."
            )
        raise TypeError(
            f"callbacks[{number}] is {callback!r}, of class {kind.__name__}; an instance of "
            "skorch.callbacks.Callback is needed. A function becomes one as the method "
            "on_epoch_end(self, net, **kwargs) of a subclass."
        )
    return list(callbacks)


def unnamed(callbacks: Iterable[Any]) -> list[Any]:
    """Return the callbacks alone, of which some may be pairs of name and callback."""
    return [each[1] if isinstance(each, tuple | list) else each for each in callbacks]


def freeze_parameters(callbacks: Iterable[Any]) -> bool:
    """Say whether callbacks may freeze a network's parameters while it is trained."""
    return any(
        isinstance(callback, ParamMapper) and not isinstance(callback, Initializer)
        for callback in unnamed(callbacks)
    )


class SkorchCallbacks(Listener):
    """Tells skorch's callbacks how a training goes."""

    runs_user_code = True

    def __init__(self, training: Any, callbacks: list[Any], estimator: Any) -> None:
        self.net = Net(training, callbacks, estimator)
        self.callbacks = [callback for _, callback in self.net.callbacks_]
        self.listens_to_batches = any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for callback in self.callbacks
            for hook in BATCH_HOOKS
        )

    @cached_property
    def _datasets(self) -> dict[str, Any]:
        """Rows and targets as the user gave them."""
        training = self.net.training
        return {
            "dataset_train": as_dataset(training.train),
            "dataset_valid": training.validation and as_dataset(training.validation),
        }

    def _notify(self, hook: str, **arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self.net, **arguments)

    def on_train_begin(self, training: Any) -> None:
        """Hand over all rows and targets."""
        dataset = self._datasets["dataset_train"]
        self._notify("on_train_begin", X=dataset.X, y=dataset.y)

    def on_train_end(self, training: Any) -> None:
        """Hand over all rows and targets."""
        dataset = self._datasets["dataset_train"]
        self._notify("on_train_end", X=dataset.X, y=dataset.y)

    def on_epoch_begin(self, training: Any) -> None:
        """Hand over training and validation data."""
        self._notify("on_epoch_begin", **self._datasets)

    def on_epoch_end(self, training: Any) -> None:
        """Hand over the data, and end the training where EarlyStopping wants to."""
        for callback in self.callbacks:
            try:
                callback.on_epoch_end(self.net, **self._datasets)
            except KeyboardInterrupt:  # from any other callback it is the user's Ctrl-C
                if not isinstance(callback, EarlyStopping):
                    raise
                training.converged = training.stop_training = True

    def on_batch_begin(self, training: Any, batch: Batch) -> None:
        """Begin a row of the history's batches."""
        training.state.history.new_batch()
        self._notify("on_batch_begin", batch=(batch.X, batch.targets), training=True)

    def on_grad_computed(self, training: Any, batch: Batch) -> None:
        """Hand over the parameters with their gradients."""
        self._notify(
            "on_grad_computed",
            named_parameters=list(training.module.named_parameters()),
            batch=(batch.X, batch.targets),
            training=True,
        )

    def on_batch_end(self, training: Any, batch: Batch, outputs: Tensor, loss: Tensor) -> None:
        """Record the batch, and hand over what has come of it."""
        training.state.history.record_batch("train_loss", float(loss))
        training.state.history.record_batch("train_batch_size", len(batch.targets))
        self._notify(
            "on_batch_end",
            batch=(batch.X, batch.targets),
            training=True,
            loss=loss,
            y_pred=outputs,
        )


def as_dataset(samples: Samples) -> Dataset:
    """Return rows and targets as the user gave them."""
    X, y = samples.X, None if samples.are_own_targets else samples.y
    if samples.subset is not None:
        X, y = X[samples.subset], None if y is None else y[samples.subset]
    return Dataset(X, y)


class _OfTraining:
    """An attribute that is the training's."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, net: Any, owner: type) -> Any:
        return getattr(net.training, self.name)

    def __set__(self, net: Any, value: Any) -> None:
        setattr(net.training, self.name, value)


class Net(NeuralNet):
    """The net that skorch's callbacks see; it trains nothing."""

    def __init__(self, training: Any, callbacks: list[Any], estimator: Any) -> None:
        self.training = training
        self.estimator = estimator
        settings = training.settings
        super().__init__(
            training.module,
            training.loss,
            optimizer=training.step.optimizer,
            lr=settings.learning_rate_init,
            max_epochs=settings.max_epochs,
            batch_size=settings.batch_size,
            train_split=None,
            callbacks=callbacks,
            verbose=settings.verbose,
            device=str(next(training.module.parameters()).device),
            use_caching=False,
        )
        self.initialize()

    # ------------------------------------------------------------------- what the training has

    state = _OfTraining()
    n_epochs_run = _OfTraining()
    stop_training = _OfTraining()
    converged = _OfTraining()

    @property
    def history_(self) -> History:
        """One dict an epoch."""
        return self.training.state.history

    @history_.setter
    def history_(self, history: History | None) -> None:
        """Begin with the history that a callback has loaded; that of an earlier end is left out."""
        if history is not None and self.n_epochs_run == 0:
            self.training.state.history[:] = history

    # ------------------------------------------------------------ what skorch asks its nets for

    @property
    def _default_callbacks(self) -> list[Any]:
        return []

    def initialize_module(self) -> Net:
        """Take the module as it is."""
        self.module_ = self.module
        return self

    def initialize_criterion(self) -> Net:
        """Take the loss as it is, in the form of a module, which skorch's checkpoints expect."""
        self.criterion_ = _Criterion(self.criterion)
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> Net:
        """Take the optimizer as it is."""
        self.optimizer_ = self.optimizer
        return self

    def initialize_history(self) -> Net:
        """Go on with the history that the training has."""
        return self

    def get_all_learnable_params(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the network's parameters and their names, for callbacks that freeze them."""
        return self.module_.named_parameters()

    def __setattr__(self, name: str, value: Any) -> None:
        """Skip what skorch does for attributes that are modules."""
        object.__setattr__(self, name, value)

    # ----------------------------------------------------------------- what the estimator knows

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels or values with the weights so far."""
        return self._ask_estimator("predict", X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities with the weights so far."""
        return self._ask_estimator("predict_proba", X)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return outputs with the weights so far."""
        return self._ask_estimator("decision_function", X)

    def _ask_estimator(self, method: str, X: Any) -> np.ndarray:
        with warnings.catch_warnings():
            # callbacks have the rows as arrays, which carry no column names
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return getattr(self.estimator, method)(X)

    @property
    def classes_(self) -> np.ndarray:
        """The estimator's labels, which scorers ask for."""
        return self.estimator.classes_

    def __sklearn_tags__(self) -> Any:
        """Be a classifier or regressor to scorers, as the estimator is."""
        return self.estimator.__sklearn_tags__()


class _Criterion(nn.Module):
    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(outputs, targets)
