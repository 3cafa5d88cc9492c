"""Several fits at once: estimators whose networks are equal are trained as one program."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sklearn import config_context, get_config
from sklearn.utils.validation import _num_features, _num_samples

from sknn._hints import require_call
from sknn.data import threads_for
from sknn.estimators.dense._dense import DenseFamily
from sknn.nn import ACTIVATIONS
from sknn.training import Interrupted, Training, train_stack
from sknn.training import stack_key as training_key

from ._base import NeuralEstimator, PreparedFit, join_validation
from ._layers import positive_integers


@dataclass
class FitTask:
    """A call of `fit` that may be done together with others.

    Attributes
    ----------
    estimator : estimator
        With its parameters set.
    X, y : object
        What `fit` would get.
    fit_params : dict
        The further arguments that it would get.
    error : Exception or None
        What `fit` would have raised.
    seconds : float
        This fit's share of the time.
    """

    estimator: Any
    X: Any
    y: Any
    fit_params: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None
    seconds: float = 0.0
    prepared: PreparedFit | None = field(default=None, init=False, repr=False)

    def conclude(self) -> None:
        """Raise the error that `fit` would have raised, or emit its ConvergenceWarning."""
        prepared, self.prepared = self.prepared, None  # the samples are not needed any more
        if self.error is not None:
            raise self.error
        if prepared is not None:
            prepared.warn()


def stack_key(estimator: Any) -> Hashable | None:
    """Say from the parameters alone which estimators can be trained together.

    Parameters
    ----------
    estimator : object
        Any estimator, not fitted.

    Returns
    -------
    hashable or None
        Estimators with different keys do not share a stack; None has none to share.
    """
    if not isinstance(estimator, DenseFamily) or type(estimator).fit is not NeuralEstimator.fit:
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
        or not all(isinstance(name, str) and _has_derivative(name) for name in names)
        or getattr(estimator, "_skl_callbacks", None)
    ):
        return None
    try:
        sizes = tuple(positive_integers("hidden_layer_sizes", estimator.hidden_layer_sizes))
    except (TypeError, ValueError):  # `fit` says what is wrong
        return None
    return (
        type(estimator),
        sizes,
        tuple(names),
        str(estimator.batch_size),
        estimator.loss,
        estimator.precision,
        str(estimator.device),
    )


def _has_derivative(name: str) -> bool:
    return name in ACTIVATIONS and ACTIVATIONS[name].backward is not None


def bytes_per_fit(estimator: Any, X: Any, y: Any) -> int:
    """Estimate the memory that one more fit in a stack takes, beside its X and y.

    Parameters
    ----------
    estimator : DenseFamily
        One that has a :func:`stack_key`.
    X, y : object
        What it is to be fitted to.

    Returns
    -------
    int
        Bytes.
    """
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
    """Estimate the floating point operations of a fit that runs all its epochs.

    Parameters
    ----------
    estimator : DenseFamily
        One that has a :func:`stack_key`.
    X, y : object
        What it is to be fitted to.

    Returns
    -------
    float
    """
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
    return [n_features, *hidden, *n_outputs]


def fit_together(
    tasks: Sequence[FitTask],
    *,
    on_fitted: Callable[[FitTask], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Fit estimators, those together that can be.

    Each ends as its own `fit` would leave it. An error of one is kept in its task and harms no
    other. On the CPU a stack runs in one thread.

    Parameters
    ----------
    tasks : sequence of FitTask
        What is to be fitted.
    on_fitted : callable or None, default=None
        Called with each task that is done or has failed.
    should_stop : callable or None, default=None
        Asked now and then.

    Raises
    ------
    Interrupted
        If `should_stop` says so. Networks that were being trained have the weights so far.
    """
    stacks: dict[Hashable, list[FitTask]] = {}
    for number, task in enumerate(tasks):
        _check_interruption(should_stop)
        start = time.perf_counter()
        try:
            if _goes_alone(task):
                task.estimator.fit(task.X, task.y, **task.fit_params)
            else:
                task.prepared = _prepare(task)
        except Exception as error:
            task.error = error
        if task.prepared is None:
            if on_fitted is not None:
                on_fitted(task)
        else:
            key = training_key(task.prepared.training)
            stacks.setdefault((number,) if key is None else key, []).append(task)
        task.seconds = time.perf_counter() - start
    for stack in stacks.values():
        _check_interruption(should_stop)
        with _within_fit():
            if len(stack) == 1:
                _train_alone(stack[0], on_fitted)
            else:
                _train_together(stack, on_fitted, should_stop)


def _goes_alone(task: FitTask) -> bool:
    """Say whether a fit is a stack by itself, has a folder of its own, or will refuse its keywords.

    The keywords of a user's reach the public `fit` alone, whose signature is the one to go by.
    """
    estimator = task.estimator
    if getattr(estimator, "n_estimators", 1) > 1 or estimator.checkpoint is not None:
        return True
    _, _, *keywords = inspect.signature(estimator.fit).parameters  # after X and y
    return not task.fit_params.keys() <= set(keywords)


def _check_interruption(should_stop: Callable[[], bool] | None) -> None:
    if should_stop is not None and should_stop():
        raise Interrupted


def _prepare(task: FitTask) -> PreparedFit:
    """Do what comes before the training."""
    if not get_config()["skip_parameter_validation"]:
        task.estimator._validate_params()
    # `_prepare` has arguments of its own, which are none of the user's
    require_call(task.estimator, "fit", task.X, task.y, **task.fit_params)
    arguments = dict(task.fit_params)
    names = ("X_val", "y_val", "sample_weight_val")
    validation = join_validation(*(arguments.pop(name, None) for name in names))
    with _within_fit():
        return task.estimator._prepare(task.X, task.y, validation=validation, **arguments)


def _within_fit() -> Any:
    """Return the configuration in which scikit-learn's `fit` runs."""
    return config_context(skip_parameter_validation=True)


def _train_alone(task: FitTask, on_fitted: Callable[[FitTask], None] | None) -> None:
    assert task.prepared is not None
    start = time.perf_counter()
    try:
        try:
            task.estimator._train(task.prepared.training)
        finally:
            task.prepared.conclude()
    except Exception as error:
        task.error = error
    task.seconds += time.perf_counter() - start
    if on_fitted is not None:
        on_fitted(task)


def _train_together(
    stack: list[FitTask],
    on_fitted: Callable[[FitTask], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    trainings = [task.prepared.training for task in stack if task.prepared is not None]
    tasks = {id(training): task for training, task in zip(trainings, stack, strict=True)}

    def finish(training: Training) -> None:
        task = tasks.pop(id(training))
        assert task.prepared is not None
        task.prepared.conclude()
        task.error = training.error
        task.seconds += training.seconds
        if on_fitted is not None:
            on_fitted(task)

    try:
        with threads_for(0, trainings[0].train.device):
            train_stack(trainings, on_done=finish, should_stop=should_stop)
    finally:
        for task in tasks.values():  # interrupted
            assert task.prepared is not None
            task.prepared.conclude()
