"""One call of scikit-learn's: fit an estimator to a fold, then score it or predict with it.

scikit-learn's searches and validation functions all come down to calls of `_fit_and_score` or
`_fit_and_predict`. Such a call is taken apart here: its network is prepared from what all calls on
the same fold share, and trained, on a GPU with those of other calls. Then scikit-learn's own
function runs on the fitted estimator, whose `fit` only reports how the training went. So scores,
errors, messages and results are scikit-learn's.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.base import clone
from sklearn.callback import with_callbacks
from sklearn.model_selection._validation import _fit_and_predict, _fit_and_score
from sklearn.pipeline import Pipeline

from sknn.data import resolve_device
from sknn.estimators import FitTask, NeuralEstimator, SharedData, stacking_key
from sknn.training import stacks_networks

from ._data import DataCache, make_training_data, preprocessing_key

FUNCTIONS = (_fit_and_score, _fit_and_predict)


@dataclass(eq=False)
class Call:
    """A call with a dense network, which could share a stack with those of other calls."""

    index: int  # its place among all calls
    function: Callable[..., Any]  # one of FUNCTIONS
    arguments: dict[str, Any]  # by name; the estimator has its parameters set
    config: dict[str, Any] = field(default_factory=dict)  # scikit-learn's, under which it runs
    stacking_key: Hashable = None  # networks with equal ones may share a stack
    data_key: Hashable = None  # calls with equal ones train on the same data

    @property
    def fold_key(self) -> Hashable:
        """What calls on the same fold have in common; the arrays live as long as the calls."""
        return id(self.arguments["train"])

    @property
    def network(self) -> Any:
        """The neural estimator: the last step of a pipeline, or the estimator itself."""
        return last_step(self.arguments["estimator"])

    @property
    def fit_params(self) -> dict[str, Any]:
        """Further arguments of `fit`, for all rows."""
        return self.arguments.get("fit_params") or {}

    @functools.cached_property
    def is_stacked(self) -> bool:
        """Whether its network is trained together with those of others."""
        return stacks_networks(self.device)

    @functools.cached_property
    def device(self) -> torch.device:
        """Where its network is trained; the CPU where `fit` refuses the parameter `device`."""
        try:
            return resolve_device(self.network.device)
        except (ValueError, TypeError):
            return torch.device("cpu")

    @property
    def verbose(self) -> bool:
        """Whether scikit-learn prints about this call."""
        return self.arguments.get("verbose", 0) >= 1


_signature = functools.cache(inspect.signature)


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, and any other estimator as it is."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def parse_call(index: int, item: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> Call | None:
    """Take apart what scikit-learn has handed to joblib, and set the estimator's parameters.

    None stands for a call that runs as it would have without us.
    """
    wrapped, args, kwargs = item
    function, config = getattr(wrapped, "function", None), getattr(wrapped, "config", {})
    if function not in FUNCTIONS or config.get("array_api_dispatch"):
        return None
    arguments = _signature(function).bind(*args, **kwargs).arguments
    estimator, parameters = arguments["estimator"], arguments.get("parameters")
    if not isinstance(estimator, Pipeline | NeuralEstimator) or arguments["y"] is None:
        return None
    if parameters is not None:  # which may change what the last step is
        estimator.set_params(**clone(parameters, safe=False))
    key = _key_of_network(estimator)
    if key is None:
        return None
    call = Call(index, function, arguments, config, key)
    call.data_key = (call.fold_key, preprocessing_key(estimator, call.fit_params))
    return call


def _key_of_network(estimator: Any) -> Hashable | None:
    """Return the :func:`sknn.estimators.stacking_key` of an estimator's network, if it has one."""
    if isinstance(estimator, Pipeline) and (type(estimator) is not Pipeline or not estimator.steps):
        return None
    network = last_step(estimator)
    if not isinstance(network, NeuralEstimator):
        return None
    if any(hasattr(part, "_skl_callbacks") for part in (estimator, network)):
        return None  # scikit-learn's callbacks watch each epoch
    return stacking_key(network)


@dataclass(eq=False, kw_only=True)
class CallTask(FitTask):
    """The fit of a call: its network is trained, then scikit-learn's function runs on it."""

    call: Call
    model: Any  # the network, or the pipeline that ends in it

    @property
    def n_epochs(self) -> int:
        """The epochs that have been run."""
        return 0 if self.prepared is None else self.prepared.training.n_epochs_run

    def finish(self) -> Any:
        """Return the result of scikit-learn's function, with the `fit_time` of this fit."""
        arguments = self.call.arguments | {"estimator": self.model}
        with self._shadowed():
            result = self.call.function(**arguments)
        if isinstance(result, dict) and "fit_time" in result:
            result["fit_time"] = self.seconds
        return result

    @contextmanager
    def _shadowed(self) -> Iterator[None]:
        """Let the model's `fit` only report, and `set_params` do nothing."""
        # instance attributes hide the methods until `fit` is called: scorers find the methods
        model = self.model

        def unshadow() -> None:
            for name in ("fit", "set_params"):
                vars(model).pop(name, None)

        def fit(X: Any, y: Any, /, **fit_params: Any) -> Any:
            unshadow()
            _report_fit(model, X, y, self.conclude)
            return model

        model.fit, model.set_params = fit, lambda **_: model
        try:
            yield
        finally:
            unshadow()


def make_task(call: Call, cache: DataCache) -> CallTask:
    """Return the fit of a call; one of a stack, which may have to be repeated, is of a copy."""
    data = cache.get(call.data_key, lambda: make_training_data(call.function, call.arguments))
    model = call.arguments["estimator"]
    if call.is_stacked:
        model = clone(model)
    if isinstance(model, Pipeline) and data.error is None:
        # fitted ones; copies if the user gets the estimator
        copies = call.arguments.get("return_estimator")
        steps = copy.deepcopy(data.steps) if copies else data.steps
        model.steps = [*steps, model.steps[-1]]
    network, shared = last_step(model), None
    if not call.is_stacked:  # a GPU is not to keep the rows of all folds
        shared = data.shared.setdefault(type(network), SharedData())
    return CallTask(
        network,
        data.X,
        data.y,
        data.fit_params,
        data.error,
        data.seconds,
        shared,
        call=call,
        model=model,
    )


@with_callbacks
def _report_fit(estimator: Any, X: Any, y: Any, conclude: Callable[[], None]) -> None:
    """Conclude a fit, and tell scikit-learn's callbacks, which a search hands to its estimators."""
    if not hasattr(estimator, "_skl_callbacks"):
        conclude()
        return
    context = estimator._init_callback_context()
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    conclude()
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y)
