"""What tells one fit from another: how a checkpoint knows the fit that it was begun by."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from sknn.data import fingerprint
from sknn.storage import digest, name_of
from sknn.training import callback_parameters, stateful

# Parameters that do not change what a fit comes to.
NOT_COMPARED = ("checkpoint", "checkpoint_minutes", "device", "verbose")

# Longest text of a value in an error message.
LONGEST_TEXT = 60


def describe_fit(
    estimator: Any, data: Any, weight_dtype: torch.dtype, *, goes_on: bool
) -> dict[str, Any]:
    """Describe a fit as :class:`sknn.training.Checkpoint` takes it.

    Parameters
    ----------
    estimator : NeuralEstimator
        The estimator, before anything has been changed.
    data : CheckedData
        What it is to be fitted to.
    weight_dtype : torch.dtype
        Type of the weights.
    goes_on : bool
        Whether it goes on with the weights that it has.

    Returns
    -------
    dict
    """
    parameters = estimator.get_params(deep=False)
    return {
        "estimator": name_of(type(estimator)),
        "parameters": {
            name: _describe(name, value)
            for name, value in parameters.items()
            if name not in NOT_COMPARED
        },
        "data": data.fingerprints | {"classes": fingerprint(getattr(estimator, "classes_", None))},
        "start": _digest_of_start(estimator) if goes_on else None,
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


def _digest_of_start(estimator: Any) -> str:
    """Return a digest of what a warm start goes on from."""
    module, state = estimator.module_, estimator._state
    weights = [*module.parameters(), *module.buffers()]
    numbers = {
        name: value
        for name, value in vars(state).items()
        if name not in ("history", "optimizer", "learning_rate")  # of the last call, not of this
    }
    return digest({"weights": weights, "state": numbers, "rows": estimator._row_memory})
