"""The data that a call trains on: the rows of its fold, after the steps before the network.

Many calls train on the same data: all candidates of a fold whose preprocessing is the same. Those
data are made once, by the call that needs them first.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, NoReturn

from joblib.hashing import NumpyHasher
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from sknn.estimators import SharedData


@dataclass
class TrainingData:
    """What the networks of some calls are fitted to."""

    X: Any = None
    y: Any = None
    fit_params: dict[str, Any] = field(default_factory=dict)  # further arguments of `fit`
    steps: list[tuple[str, Any]] = field(default_factory=list)  # the fitted ones before the network
    seconds: float = 0.0  # of preprocessing, divided by the number of calls that share it
    error: Exception | None = None  # why there are no data
    shared: dict[type, SharedData] = field(default_factory=dict)  # by the class of network


class _Recorder(BaseEstimator):
    """Stands in for the last step of a pipeline and records what its `fit` gets."""

    def __init__(self, stand_in_for: Any = None) -> None:
        self.stand_in_for = stand_in_for

    def fit(self, X: Any, y: Any = None, /, **fit_params: Any) -> _Recorder:
        self.received_ = (X, y, fit_params)
        return self

    def get_metadata_routing(self) -> Any:
        return get_routing_for_object(self.stand_in_for)


class _FitReached(BaseException):  # no error: scikit-learn's function must not handle it
    """Carries the data that a function was about to fit its estimator to."""

    def __init__(self, X: Any, y: Any, fit_params: dict[str, Any]) -> None:
        self.data = X, y, fit_params


class _Interceptor:
    """Stands in for the estimator of a call up to its `fit`."""

    def __init__(self, stand_in_for: Any) -> None:
        self.stand_in_for = stand_in_for

    def fit(self, X: Any, y: Any, /, **fit_params: Any) -> NoReturn:
        raise _FitReached(X, y, fit_params)

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.stand_in_for)


def rows_of_fold(
    function: Callable[..., Any], arguments: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Return X, y and further arguments that scikit-learn's function would call `fit` with."""
    arguments = dict(arguments, estimator=_Interceptor(arguments["estimator"]))
    quiet = {"parameters": None, "verbose": 0, "callback_ctx": None, "error_score": "raise"}
    arguments |= {name: value for name, value in quiet.items() if name in arguments}
    try:
        function(**arguments)
    except _FitReached as reached:
        return reached.data
    raise AssertionError(f"{function.__name__} has called no `fit`")


def make_training_data(function: Callable[..., Any], arguments: dict[str, Any]) -> TrainingData:
    """Return the rows of a fold, after clones of the steps before the network, fitted to them."""
    start = time.perf_counter()
    estimator = arguments["estimator"]
    try:
        X, y, fit_params = rows_of_fold(function, arguments)
        if not isinstance(estimator, Pipeline):
            return TrainingData(X, y, fit_params)
        pipeline = clone(estimator)
        name, network = pipeline.steps.pop()
        pipeline.steps.append((name, _Recorder(network)))
        pipeline.fit(X, y, **fit_params)
    except Exception as error:
        return TrainingData(error=error, seconds=time.perf_counter() - start)
    *steps, (_, recorder) = pipeline.steps
    X, y, fit_params = recorder.received_
    return TrainingData(X, y, fit_params, steps, time.perf_counter() - start)


class _StepHasher(NumpyHasher):
    """joblib's hash, which tells functions and classes apart by identity: many do not pickle."""

    def save(self, obj: Any) -> None:
        super().save(id(obj) if isinstance(obj, FunctionType | type) else obj)


def preprocessing_key(estimator: Any, fit_params: dict[str, Any]) -> Hashable:
    """Return what tells apart the preprocessing of calls on the same fold.

    It holds as long as the objects in question live.
    """
    if not isinstance(estimator, Pipeline):
        return None
    *steps, (_, network) = estimator.steps
    routing = ""
    if fit_params:  # which of them go where
        routing = repr(get_routing_for_object(network))
    given = tuple((name, id(value)) for name, value in fit_params.items())
    try:
        return _StepHasher(hash_name="md5").hash(steps), routing, given
    except Exception:  # steps that do not pickle: this preprocessing is nobody else's
        return id(estimator)


@dataclass
class _Entry:
    n_users: int
    lock: Any = field(default_factory=threading.Lock)
    data: TrainingData | None = None


class DataCache:
    """Makes training data once and keeps them until the last call that needs them is done."""

    def __init__(self, keys: Iterable[Hashable]) -> None:
        self._entries = {key: _Entry(n_users) for key, n_users in Counter(keys).items()}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], TrainingData]) -> TrainingData:
        """Return data, made by the first thread that asks; the others wait for it."""
        with self._lock:
            entry = self._entries[key]
        with entry.lock:
            if entry.data is not None:
                return entry.data
            data = make()
            if data.error is None:  # each call raises an error of its own, with its own traceback
                data.seconds /= entry.n_users
                entry.data = data
            return data

    def release(self, key: Hashable) -> None:
        """Forget the data if this call was the last one to need them."""
        with self._lock:
            entry = self._entries[key]
            entry.n_users -= 1
            if entry.n_users == 0:
                del self._entries[key]
