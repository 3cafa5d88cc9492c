"""Validation of parameters, by scikit-learn's means."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar, cast

from sklearn.utils._param_validation import Interval, validate_params

# Numbers that many parameters take.
POSITIVE_INTEGER = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
BELOW_ONE = Interval(Real, 0, 1, closed="left")

P = ParamSpec("P")
R = TypeVar("R")


def validated(constraints: dict[str, list[Any]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return scikit-learn's validating decorator, typed so that it keeps a signature."""
    return cast(
        "Callable[[Callable[P, R]], Callable[P, R]]",
        validate_params(constraints, prefer_skip_nested_validation=True),
    )
