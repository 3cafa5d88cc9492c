"""What skorch's callbacks remember between epochs, as plain data."""

from __future__ import annotations

import inspect
from collections import Counter, OrderedDict
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn.storage import stored_attributes
from sknn.training._skorch import LOGGERS, Callback, ParamMapper, unnamed

ARRAYS = (np.ndarray, Tensor)
SCALARS = (bool, int, float, str, bytes, type(None), torch.dtype, np.random.RandomState)


def stateful(callbacks: Iterable[Any]) -> list[Any]:
    """Return the callbacks that a training may depend on, of callbacks or pairs of name and one."""
    return [each for each in unnamed(callbacks) if not isinstance(each, LOGGERS)]


def callback_parameters(callback: Any) -> dict[str, Any]:
    """Return what a callback was made with, by the names of its parameters."""
    names = set(_parameters(callback))
    if hasattr(callback, "kwargs"):  # skorch's LRScheduler hands them on
        names |= set(callback.kwargs)
    names |= {name for name in vars(ParamMapper(())) if isinstance(callback, ParamMapper)}
    values = {name: getattr(callback, name) for name in sorted(names) if hasattr(callback, name)}
    return values | _as_given(callback)


@stored_attributes.register
def _(callback: Callback) -> dict[str, Any]:
    """Return the attributes of a callback that are stored with an estimator."""
    # What it makes when training begins, such as torch's schedulers, is left out: that is what
    # has a name with an underscore at the end and is no plain data.
    parameters, stored = callback_parameters(callback), {}
    for name, value in (callback.__getstate__() or {}).items():
        if name in parameters or not name.endswith("_") or _is_plain(value):
            stored[name] = parameters.get(name, value)
    return stored


def _as_given(callback: Any) -> dict[str, Any]:
    """Undo what skorch puts in place of parameters when training begins."""
    given: dict[str, Any] = {}
    if isinstance(callback, ParamMapper):
        at = callback.at
        if isinstance(at, partial) and getattr(at.func, "__self__", None) is callback:
            given["at"] = at.keywords["epoch"]
        if getattr(callback.schedule, "__self__", None) is callback:
            given["schedule"] = None
    return given


def _is_plain(value: Any) -> bool:
    try:
        _plain(value, "")
    except TypeError:
        return False
    return True


def callback_state(callback: Any) -> dict[str, Any]:
    """Return what a callback remembers, as plain data; TypeError names what is none."""
    # what its own `state_dict` returns; else its attributes, and the `state_dict` of those that
    # have one, such as torch's schedulers. Functions have no state, nor have arrays that were
    # handed to the constructor, and what `__getstate__` leaves out.
    name = type(callback).__name__
    if _has_state_dict(callback):
        return {"state_dict": _plain(callback.state_dict(), f"{name}.state_dict()")}
    parameters, pickled = _parameters(callback), callback.__getstate__() or {}
    attributes: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for key, value in vars(callback).items():
        if key not in pickled:
            continue
        if _has_state_dict(value):
            parts[key] = _plain(value.state_dict(), f"{name}.{key}.state_dict()")
        elif not (callable(value) or (key in parameters and isinstance(value, ARRAYS))):
            attributes[key] = _plain(value, f"{name}.{key}")
    return {"attributes": attributes, "parts": parts}


def restore_callback(callback: Any, state: dict[str, Any]) -> None:
    """Give back what :func:`callback_state` returned to one that was told that training begins."""
    if "state_dict" in state:
        callback.load_state_dict(state["state_dict"])
        return
    for key, value in state["attributes"].items():
        setattr(callback, key, _like(getattr(callback, key, None), value))
    for key, value in state["parts"].items():
        part: Any = getattr(callback, key, None)
        if not _has_state_dict(part):
            raise ValueError(
                f"the callback {type(callback).__name__} had an attribute {key!r} with a "
                "state_dict when the checkpoint was written, and has none when training begins. "
                "Give the callback state_dict and load_state_dict."
            )
        now = part.state_dict()
        part.load_state_dict({name: _like(now.get(name), each) for name, each in value.items()})


def _parameters(callback: Any) -> list[str]:
    """Return the names of the constructor's parameters."""
    parameters = inspect.signature(type(callback).__init__).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in parameters if each.kind in named and each.name != "self"]


def _has_state_dict(value: Any) -> bool:
    methods = hasattr(value, "state_dict") and hasattr(value, "load_state_dict")
    return methods and not isinstance(value, type)


def _like(present: Any, stored: Any) -> Any:
    """Make a stored dict what is there now: torch counts milestones with a Counter."""
    kind = type(present)
    return kind(stored) if kind in (Counter, OrderedDict) and isinstance(stored, dict) else stored


def _plain(value: Any, place: str) -> Any:
    """Return a value as data that a file can hold, or say what is in the way."""
    kind = type(value)
    if isinstance(value, np.generic) or kind in SCALARS:
        return value
    if kind is np.ndarray and not value.dtype.hasobject:
        return value
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        return value.detach()
    if kind in (list, tuple, set):
        return kind(_plain(each, f"{place}[{i}]") for i, each in enumerate(value))
    if kind in (dict, OrderedDict, Counter):
        return {key: _plain(each, f"{place}[{key!r}]") for key, each in value.items()}
    raise TypeError(
        f"a checkpoint cannot store the callback's {place}, which is of type "
        f"{kind.__module__}.{kind.__qualname__}. Give the callback state_dict and "
        "load_state_dict, which return and take numbers, texts, arrays and containers of them, "
        "or fit with checkpoint=None."
    )
