"""Which argument is which: the series, its covariates, and the number of steps to forecast."""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Integral
from typing import Any, TypeVar

from sklearn.utils import check_scalar

from ._timeline import is_pandas
from ._windows import n_dimensions

Function = TypeVar("Function", bound=Callable[..., Any])


def takes_series_first(fit: Function) -> Function:
    """Have `fit` called by position as ``fit(y)``, ``fit(y, X)`` or ``fit(X, y)``."""

    @functools.wraps(fit)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args:
            args, kwargs = _named(args, kwargs, self.target_column)
        return fit(self, *args, **kwargs)

    return needs_an_argument("y")(called)  # type: ignore[return-value]


def needs_an_argument(name: str) -> Callable[[Function], Function]:
    """Have a method that takes one of several arguments refuse to be called without any."""

    def decorate(method: Function) -> Function:
        @functools.wraps(method)
        def called(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not args and not kwargs:
                who = f"{type(self).__name__}.{method.__name__}"
                raise TypeError(f"{who}() is missing a required argument: {name!r}.")
            return method(self, *args, **kwargs)

        return called  # type: ignore[return-value]

    return decorate


def _named(
    args: tuple[Any, ...], kwargs: dict[str, Any], target_column: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments with X and y by name, and the others as they were."""
    first, *others = args
    if not others:
        name = "X" if "y" in kwargs else "y"
        return ((), kwargs | {name: first}) if name not in kwargs else (args, kwargs)
    if {"X", "y"} & set(kwargs):
        return args, kwargs  # which Python refuses
    second, *rest = others
    X, y = (second, first) if _is_series_first(first, second, target_column) else (first, second)
    return (X, y, *rest), kwargs


def _is_series_first(first: Any, second: Any, target_column: Any) -> bool:
    """Say whether the first of two arguments is the series."""
    if first is None or is_pandas(first, "Index"):
        return False
    if second is None or is_pandas(second, "Index"):
        return second is not None or is_pandas(first, "Series") or n_dimensions(first) == 1
    if target_column is not None:  # of long frames, the one with the values
        has = [is_pandas(each, "DataFrame") and target_column in each for each in (first, second)]
        if has[0] != has[1]:
            return has[0]
    lines = [is_pandas(each, "Series") or n_dimensions(each) == 1 for each in (first, second)]
    if lines[0] != lines[1]:
        return lines[0]
    if lines[0] or not any(is_pandas(each, "DataFrame") for each in (first, second)):
        return False  # as scikit-learn passes them
    empty = [each.shape[1] == 0 if hasattr(each, "shape") else False for each in (first, second)]
    if empty[0] != empty[1]:
        return empty[1]
    raise ValueError(
        "fit got two tables by position, either of which may be the series: name them, "
        "fit(y=..., X=...). Where a Pipeline or a search calls fit(X, y), pass a single series as "
        "a Series, and several as an array, y.to_numpy()."
    )


def rows_and_horizon(X: Any, horizon: Any) -> tuple[Any, int | None]:
    """Return covariates and the number of steps, whichever of them `X` and `horizon` are."""
    if _is_number(X):
        X, horizon = horizon, X
    elif not _is_number(horizon) and horizon is not None and X is None:
        X, horizon = horizon, None
    if horizon is None:
        return X, None
    check_scalar(horizon, "horizon", Integral, min_val=1)
    if isinstance(horizon, bool):
        raise TypeError("horizon is a bool, but it is the number of steps to forecast.")
    return X, int(horizon)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | str) or (
        hasattr(value, "dtype") and getattr(value, "shape", None) == ()
    )
