"""One call of scikit-learn's: fit an estimator to a fold, then score it or predict with it.

scikit-learn's searches and validation functions all come down to calls of `_fit_and_score` or
`_fit_and_predict`. Such a call is taken apart here: its network is trained elsewhere, with those
of other calls, and then scikit-learn's own function runs on the fitted estimator, whose `fit`
only reports how the training went. So scores, errors, messages and results are scikit-learn's.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.callback import with_callbacks
from sklearn.model_selection._validation import _fit_and_predict, _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import delayed

from sknn.estimators import FitTask, NeuralEstimator, stacking_key

from ._data import DataCache, TrainingData, make_training_data, preprocessing_key

FUNCTIONS = (_fit_and_score, _fit_and_predict)


@dataclass(eq=False)
class Call:
    """A call whose network can be trained together with those of other calls.

    Attributes
    ----------
    index : int
        Its place among all calls.
    function : callable
        One of `FUNCTIONS`.
    arguments : dict
        The function's arguments by name. The estimator has its parameters set.
    config : dict
        scikit-learn's configuration under which it runs.
    warning_filters : sequence of tuple
        The filters of warnings under which it runs.
    stacking_key : hashable
        Networks with equal keys may share a stack.
    data_key : hashable
        Calls with equal keys train on the same data.
    """

    index: int
    function: Callable[..., Any]
    arguments: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    warning_filters: Sequence[Any] = ()
    stacking_key: Hashable = None
    data_key: Hashable = None

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

    def carry(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that takes along all that scikit-learn takes to another process."""
        wrapped, _, _ = delayed(function)()
        return wrapped.with_config_and_warning_filters(self.config, self.warning_filters)

    @property
    def verbose(self) -> bool:
        """Whether scikit-learn prints about this call."""
        return self.arguments.get("verbose", 0) >= 1


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, and any other estimator as it is.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Returns
    -------
    estimator
    """
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def parse_call(index: int, item: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> Call | None:
    """Take apart what scikit-learn has handed to joblib, and set the estimator's parameters.

    Parameters
    ----------
    index : int
        The call's place among all.
    item : tuple
        Wrapped function, positional and keyword arguments.

    Returns
    -------
    Call or None
        None where the network cannot be trained together with others.
    """
    wrapped, args, kwargs = item
    function, config = getattr(wrapped, "function", None), getattr(wrapped, "config", {})
    filters = getattr(wrapped, "warning_filters", ())
    if function not in FUNCTIONS or config.get("array_api_dispatch"):
        return None
    arguments = inspect.signature(function).bind(*args, **kwargs).arguments
    estimator, parameters = arguments["estimator"], arguments.get("parameters")
    if not isinstance(estimator, Pipeline | NeuralEstimator) or arguments["y"] is None:
        return None
    if parameters is not None:  # which may change what the last step is
        estimator.set_params(**clone(parameters, safe=False))
    key = _stacking_key(estimator)
    if key is None:
        return None
    call = Call(index, function, arguments, config, filters, stacking_key=key)
    call.data_key = (call.fold_key, preprocessing_key(estimator, call.fit_params))
    return call


def _stacking_key(estimator: Any) -> Hashable | None:
    """Return the key of the estimator's network, None if it is not to be stacked."""
    if isinstance(estimator, Pipeline) and (type(estimator) is not Pipeline or not estimator.steps):
        return None
    network = last_step(estimator)
    if not isinstance(network, NeuralEstimator):
        return None
    if any(hasattr(part, "_skl_callbacks") for part in (estimator, network)):
        return None  # scikit-learn's callbacks watch each epoch
    return stacking_key(network)


class Fit:
    """A call on its way: its estimator, the training data and how the training went.

    Parameters
    ----------
    call : Call
        The call, which is left as it is: a fit may have to be repeated.
    cache : DataCache
        Where training data come from.
    """

    def __init__(self, call: Call, cache: DataCache) -> None:
        self.call = call
        self.cache = cache
        self.estimator = clone(call.arguments["estimator"])
        data = cache.get(call.data_key, self._make_data)
        self.error, self.seconds = data.error, data.seconds
        # the traceback as it is now: every raise of the same error would make it longer
        self._traceback = data.error.__traceback__ if data.error else None
        self.task: FitTask | None = None
        if data.error is None:
            self._take_steps(data)
            self.task = FitTask(last_step(self.estimator), data.X, data.y, data.fit_params)

    def _make_data(self) -> TrainingData:
        arguments = self.call.arguments | {"estimator": self.estimator}
        return make_training_data(self.call.function, arguments)

    def _take_steps(self, data: TrainingData) -> None:
        """Put the fitted steps before the network; copies if the user gets the estimator."""
        if not isinstance(self.estimator, Pipeline):
            return
        steps = data.steps
        if self.call.arguments.get("return_estimator"):
            steps = copy.deepcopy(steps)
        self.estimator.steps = [*steps, self.estimator.steps[-1]]

    def finish(self) -> Any:
        """Run scikit-learn's function on the fitted estimator and return its result.

        Returns
        -------
        object
            As scikit-learn returns it; `fit_time` is this fit's share of the time.
        """
        arguments = self.call.arguments | {"estimator": self.estimator}
        with self._shadowed():
            result = self.call.function(**arguments)
        if isinstance(result, dict) and "fit_time" in result:
            result["fit_time"] = self.seconds + (self.task.seconds if self.task else 0.0)
        self.cache.release(self.call.data_key)
        return result

    @contextmanager
    def _shadowed(self) -> Iterator[None]:
        """Let the estimator's `fit` only report, and `set_params` do nothing.

        Instance attributes hide the methods until `fit` is called: scorers find the methods.
        """
        estimator = self.estimator

        def unshadow() -> None:
            for name in ("fit", "set_params"):
                vars(estimator).pop(name, None)

        def fit(X: Any, y: Any, /, **fit_params: Any) -> Any:
            unshadow()
            _report_fit(estimator, X, y, self._conclude)
            return estimator

        estimator.fit, estimator.set_params = fit, lambda **_: estimator
        try:
            yield
        finally:
            unshadow()

    def _conclude(self) -> None:
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)
        assert self.task is not None
        self.task.conclude()


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
