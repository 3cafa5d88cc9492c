"""Validation of the parameters, by scikit-learn's means."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, ParamSpec, TypeVar, cast

from sklearn.utils._param_validation import validate_params

P = ParamSpec("P")
R = TypeVar("R")

# What the fetch_* functions have in common.
FETCH_CONSTRAINTS: dict[str, list[Any]] = {
    "data_home": [str, PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
    "as_frame": ["boolean"],
}


def validated(constraints: dict[str, list[Any]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return scikit-learn's validating decorator, typed so that it keeps a signature."""
    return cast(
        "Callable[[Callable[P, R]], Callable[P, R]]",
        validate_params(constraints, prefer_skip_nested_validation=True),
    )
