"""Fits of several estimators at once: on a GPU, what can be trained together is."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import torch
from sklearn import config_context, get_config
from sklearn.utils.validation import _num_features, _num_samples

from sknn._hints import require_call
from sknn.compiled import places
from sknn.data import resolve_device
from sknn.nn import ACTIVATIONS
from sknn.training import raise_if, stacks_networks, train_all

from ._base import NeuralEstimator
from ._checks import FitArguments, join_validation
from ._features import embedding_names
from ._fit import PreparedFit, prepare
from ._layers import positive_integers
from ._shared import SharedData

# scikit-learn's configuration in which its `fit` runs
WITHIN_FIT = {"skip_parameter_validation": True}


@dataclass
class FitTask:
    """A call of `fit` that may be done together with others."""

    estimator: Any  # with its parameters set
    X: Any
    y: Any
    fit_params: dict[str, Any] = field(default_factory=dict)  # further arguments of `fit`
    error: Exception | None = None  # what `fit` would have raised
    seconds: float = 0.0  # its share of the time
    shared: SharedData | None = None  # with other fits of this class to the same X and y
    prepared: PreparedFit | None = field(default=None, init=False, repr=False)

    def conclude(self) -> None:
        """Raise the error that `fit` would have raised, or emit its ConvergenceWarning."""
        prepared, self.prepared = self.prepared, None  # the samples are not needed any more
        if self.error is not None:
            raise self.error
        if prepared is not None:
            prepared.warn()


T = TypeVar("T", bound=FitTask)


def stacking_key(estimator: Any) -> Hashable | None:
    """Return a key of the parameters; with equal ones, not None, networks may share a stack.

    None stands for what is best fitted by itself, in a process of its own.
    """
    if not getattr(estimator, "_can_share_stacks", False) or (
        type(estimator).fit is not NeuralEstimator.fit
    ):
        return None
    try:
        estimator._validate_params()  # from here on, values are of the kinds that they may be
    except (TypeError, ValueError):  # `fit` says what is wrong
        return None
    activation = estimator.activation
    names = activation if isinstance(activation, list | tuple) else [activation]
    if (
        estimator.module is not None
        or estimator.n_estimators != 1  # a stack by itself
        or estimator.checkpoint is not None  # whose folder is one fit's
        or estimator.normalization is not None
        or estimator.precision == "bfloat16"
        or estimator.solver == "lbfgs"
        or not isinstance(estimator.solver, str)
        or not isinstance(estimator.loss, str)
        or not all(isinstance(name, str) and name in ACTIVATIONS for name in names)
        or getattr(estimator, "_skl_callbacks", None)
    ):
        return None
    try:
        sizes = tuple(positive_integers("hidden_layer_sizes", estimator.hidden_layer_sizes))
        embeddings = embedding_names(estimator.numerical_embedding)
        device = resolve_device(estimator.device)
    except (TypeError, ValueError):  # `fit` says what is wrong
        return None
    if not _known_activations(device).issuperset(names):
        return None
    return (
        type(estimator),
        sizes,
        embeddings,
        str(estimator.n_bins),
        tuple(names),
        str(estimator.batch_size),
        estimator.loss,
        str(getattr(estimator, "quantiles", None)),
        estimator.precision,
        str(estimator.device),
    )


def _known_activations(device: torch.device) -> set[str]:
    """Return the names of those that need no autograd where networks are trained on a device."""
    if not stacks_networks(device):
        return set(places.ACTIVATIONS)
    return {name for name, each in ACTIVATIONS.items() if each.backward is not None}


def bytes_per_fit(estimator: Any, X: Any, y: Any) -> int:
    """Estimate the memory that one more fit in a stack takes, beside its X and y."""
    n_rows = _num_samples(X)
    batch_size = estimator.batch_size
    batch = min(n_rows, batch_size if isinstance(batch_size, int) else 200)
    if batch_size == "all":
        batch = n_rows
    widths = _widths(estimator, X, y)
    n_parameters = _count_parameters(estimator, X, y)
    # of each parameter: value, gradient, two moments, the best so far, and the network's own copy
    # of each unit and row of a batch: its input, its output, its gradient, and dropout's factor
    # of each row: its number in X, its target, its decision and its weight, before and in order
    n_numbers = 6 * n_parameters + 4 * batch * sum(widths) + 6 * n_rows * widths[-1]
    return 8 * n_numbers


def flops_per_fit(estimator: Any, X: Any, y: Any) -> float:
    """Estimate the floating point operations of a fit that runs all its epochs."""
    return 6.0 * _count_parameters(estimator, X, y) * _num_samples(X) * estimator.max_iter


def _count_parameters(estimator: Any, X: Any, y: Any) -> int:
    widths = _widths(estimator, X, y)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


def _widths(estimator: Any, X: Any, y: Any) -> list[int]:
    # y may be labels or columns; a network with more outputs than columns has few of them
    n_outputs = getattr(y, "shape", (0,))[1:] or (10,)
    hidden = positive_integers("hidden_layer_sizes", estimator.hidden_layer_sizes)
    try:
        n_features = _num_features(X)
    except TypeError:  # texts and the like, of which preprocessing makes columns
        n_features = 100
    return [n_features * estimator._numbers_per_feature(_num_samples(X)), *hidden, *n_outputs]


def fit_together(
    tasks: Sequence[T],
    *,
    on_fitted: Callable[[T], Any] = lambda task: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Fit estimators, those together that can be; each ends as its own `fit` would leave it.

    An error of one is kept in its task and harms no other. `should_stop` is asked now and then;
    once it says so, Interrupted is raised, and networks in training have the weights so far.
    """
    prepared: dict[int, T] = {}
    shared: dict[Hashable, SharedData] = {}
    for task in tasks:
        raise_if(should_stop)
        start = time.perf_counter()
        try:
            if _goes_alone(task):
                task.estimator.fit(task.X, task.y, **task.fit_params)
            else:
                if task.shared is None:
                    key = type(task.estimator), id(task.X), id(task.y)
                    task.shared = shared.setdefault(key, SharedData())
                task.prepared = _prepare(task)
                prepared[id(task.prepared)] = task
        except Exception as error:
            task.error = error
        task.seconds += time.perf_counter() - start
        if task.prepared is None:
            on_fitted(task)

    def finish(fit: PreparedFit) -> None:
        task = prepared[id(fit)]
        task.error = fit.training.error
        task.seconds += fit.training.seconds
        on_fitted(task)

    fits = [task.prepared for task in prepared.values() if task.prepared is not None]
    with config_context(**WITHIN_FIT):
        train_all(fits, on_done=finish, should_stop=should_stop)


def _goes_alone(task: FitTask) -> bool:
    """Return whether a fit is a stack by itself, has its own folder, or refuses its keywords."""
    estimator: Any = task.estimator
    if getattr(estimator, "n_estimators", 1) > 1 or estimator.checkpoint is not None:
        return True
    # a user's keywords reach the public `fit` alone, whose signature is the one to go by
    return not task.fit_params.keys() <= _keywords_of_fit(task.estimator.__class__)


@functools.cache
def _keywords_of_fit(cls: Any) -> set[str]:
    """Return the names of the arguments after self, X and y."""
    _, _, _, *keywords = inspect.signature(cls.fit).parameters
    return set(keywords)


def _prepare(task: FitTask) -> PreparedFit:
    """Return a fit of which only the training is left to do."""
    if not get_config()["skip_parameter_validation"]:
        task.estimator._validate_params()
    if task.fit_params:
        require_call(task.estimator, "fit", task.X, task.y, **task.fit_params)
    rest = dict(task.fit_params)
    names = ("X_val", "y_val", "sample_weight_val")
    validation = join_validation(*(rest.pop(name, None) for name in names))
    with config_context(**WITHIN_FIT):
        given = FitArguments(task.X, task.y, validation=validation, **rest)
        return prepare(task.estimator, given, task.shared)
