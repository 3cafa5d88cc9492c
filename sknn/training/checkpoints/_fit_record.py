"""What tells one fit from another: how a checkpoint knows the fit that it was begun by."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from sknn.data import fingerprint
from sknn.storage import digest, name_of
from sknn.training._state import TrainingState

from ._callback_state import callback_parameters, stateful

# Parameters that do not change what a fit comes to.
NOT_COMPARED = ("checkpoint", "checkpoint_minutes", "device", "verbose")

# Longest text of a value in an error message.
LONGEST_TEXT = 60


def describe_fit(
    estimator: Any,
    digests: dict[str, str | None],  # of what it is to be fitted to, by the names of the arguments
    weight_dtype: torch.dtype,
    start: tuple[nn.Module, TrainingState, Any] | None,  # network, state and rows of a warm start
) -> dict[str, Any]:
    """Return what tells a fit from others, of an estimator that knows its classes."""
    return {
        "estimator": name_of(type(estimator)),
        "parameters": {
            name: _describe(name, value)
            for name, value in estimator.get_params(deep=False).items()
            if name not in NOT_COMPARED
        },
        "data": digests | {"classes": fingerprint(getattr(estimator, "classes_", None))},
        "start": None if start is None else _digest_of_start(*start),
        "weights": str(weight_dtype).removeprefix("torch."),
        "random_state": None,
    }


def _describe(name: str, value: Any) -> tuple[str, str]:
    """Return a parameter's value as a text, and its digest."""
    if name == "callbacks":
        parts = [(type(each).__name__, callback_parameters(each)) for each in stateful(value or ())]
        return str([kind for kind, _ in parts]), digest(_without_types(parts))
    value = _without_types(value)
    return _text(value), digest(value)


def _without_types(value: Any) -> Any:
    """Turn NumPy's numbers and texts into Python's, also in containers."""
    kind = type(value)
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        return value.item()
    if kind in (list, tuple):
        return kind(_without_types(each) for each in value)
    if kind is dict:
        return {_without_types(key): _without_types(each) for key, each in value.items()}
    return value


def _text(value: Any) -> str:
    if isinstance(value, nn.Module | np.random.RandomState):
        return type(value).__name__
    text = getattr(value, "__qualname__", None) or " ".join(repr(value).split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _digest_of_start(module: nn.Module, state: TrainingState, rows: Any) -> str:
    """Return a digest of what a warm start goes on from."""
    weights = [*module.parameters(), *module.buffers()]
    numbers = {
        name: value
        for name, value in vars(state).items()
        if name not in ("history", "optimizer", "learning_rate")  # of the last call, not of this
    }
    return digest({"weights": weights, "state": numbers, "rows": rows})


def compare_fits(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Say in what the fit in a file differs from the present one; empty if they are the same."""
    if there["estimator"] != here["estimator"]:
        return [f"of a {there['estimator']}, not of a {here['estimator']}"]
    absent = ("absent", "")
    differences = [
        _say_values(name, there["parameters"].get(name, absent), value)
        for name, value in here["parameters"].items()
        if not _is_same(there["parameters"].get(name, absent), value)
    ]
    other = [name for name in here["data"] if there["data"].get(name) != here["data"][name]]
    if other:
        differences.append(f"other data ({', '.join(other)})")
    if there["weights"] != here["weights"]:
        differences.append(
            f"weights of type {there['weights']}, here {here['weights']} (precision and device "
            "decide)"
        )
    if there["start"] != here["start"]:
        differences.append(
            f"it began with {_say_start(there['start'])}, this one with "
            f"{_say_start(here['start'])} (warm_start; `sklearn.base.clone` makes an estimator "
            "that begins anew)"
        )
    return differences


def _is_same(there: tuple[str, str], here: tuple[str, str]) -> bool:
    """Say whether a parameter has the same value, numbers being compared by value."""
    if there[1] == here[1]:
        return True
    try:
        return float(there[0]) == float(here[0])
    except ValueError:
        return False


def _say_values(name: str, there: tuple[str, str], here: tuple[str, str]) -> str:
    if there[0] != here[0]:
        return f"{name}={there[0]} there and {here[0]} here"
    return f"{name}={there[0]} has another content there ({there[1][:8]}) than here ({here[1][:8]})"


def _say_start(start: str | None) -> str:
    return "new weights" if start is None else f"the weights of an earlier fit ({start[:8]})"
