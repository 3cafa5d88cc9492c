"""Validation of the parameters of functions, by scikit-learn's means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from sklearn.utils._param_validation import validate_params

P = ParamSpec("P")
R = TypeVar("R")


def validated(constraints: dict[str, list[Any]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return scikit-learn's validating decorator, typed so that it keeps a signature."""
    return cast(
        "Callable[[Callable[P, R]], Callable[P, R]]",
        validate_params(constraints, prefer_skip_nested_validation=True),
    )
