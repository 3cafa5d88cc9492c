"""Validation of parameters, by scikit-learn's means."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

from sklearn.utils._param_validation import Interval, InvalidParameterError, validate_params

# Numbers that many parameters take.
POSITIVE_INTEGER = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
BELOW_ONE = Interval(Real, 0, 1, closed="left")

P = ParamSpec("P")
R = TypeVar("R")


def validated(constraints: dict[str, list[Any]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return scikit-learn's validating decorator, whose errors name the class of the object."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        checked = validate_params(constraints, prefer_skip_nested_validation=True)(function)
        if not {"self", "cls"} & {*signature(function).parameters}:
            return checked

        @wraps(function)
        def method(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return checked(*args, **kwargs)
            except InvalidParameterError as error:
                kind = args[0] if isinstance(args[0], type) else type(args[0])
                name, real = function.__qualname__, f"{kind.__name__}.{function.__name__}"
                message = str(error).replace(f" parameter of {name} ", f" parameter of {real} ")
                raise InvalidParameterError(message) from None

        return method

    return decorate
