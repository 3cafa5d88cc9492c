"""Which classes and functions a file may name without the reader's consent.

They are found in tables that are made from our own rooms, from :mod:`torch.nn` and
:mod:`torch.optim`, and from those modules of scikit-learn whose estimators hold other estimators.
A name that is in none of them is never looked up, much less imported, unless the user trusts it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from types import FunctionType
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import nn

# Rooms all of whose estimators, networks and losses can be stored.
ROOMS = ("nn", "estimators", "forecasting", "model_selection", "text")

# Plain data that are part of fitted estimators.
DATA = {
    "sknn.estimators": ("ClassTargets", "ImageFormat", "RowMemory", "SeriesFormat"),
    "sknn.forecasting": ("Scaling", "Series", "WindowModel"),
    "sknn.training": ("Plateau", "TrainingState", "Work"),
}

# Of scikit-learn: modules whose public estimators can hold ours, and what those consist of. What
# holds none of ours goes through skops.
COMPOSITE_MODULES = (
    "sklearn.calibration",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.feature_selection",
    "sklearn.model_selection",
    "sklearn.multiclass",
    "sklearn.multioutput",
    "sklearn.pipeline",
    "sklearn.semi_supervised",
)
PARTS = {
    "sklearn.calibration": ("_CalibratedClassifier", "_SigmoidCalibration", "_TemperatureScaling"),
    "sklearn.metrics._scorer": ("_MultimetricScorer", "_PassthroughScorer", "_Scorer"),
    "sklearn.utils": ("Bunch",),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
}


def name_of(value: Any) -> str:
    """Return the full name of a class or function.

    Parameters
    ----------
    value : type or function
        What has a name.

    Returns
    -------
    str
        Its public name if it is in a table, else module and qualified name.
    """
    module = value.__module__ or ""
    # the longest, since parts of scikit-learn's private modules are in tables too
    table = max((each for each in _TABLES if f"{module}.".startswith(f"{each}.")), default=None)
    public = f"{table}.{value.__name__}"
    if table is not None and find_known(public) is value:
        return public
    return f"{module}.{value.__qualname__}"


def find_known(name: str) -> Any:
    """Return the class or function of a name that needs no trust.

    Parameters
    ----------
    name : str
        As :func:`name_of` gives it.

    Returns
    -------
    type, function or None
        None if it is unknown.
    """
    table, _, attribute = name.rpartition(".")
    return _table(table).get(attribute) if table in _TABLES else None


def is_part(cls: type) -> bool:
    """Say whether objects of a class of scikit-learn's are stored attribute by attribute.

    Others are so if they hold an estimator of ours.

    Parameters
    ----------
    cls : type
        The class.

    Returns
    -------
    bool
    """
    return cls.__name__ in PARTS.get(cls.__module__, ()) or (
        cls.__module__ == "sklearn.model_selection._split"
    )


@cache
def _table(name: str) -> dict[str, Any]:
    """Return what a module has that needs no trust, by bare names."""
    return _TABLES[name](name)


def _classes_of_room(room: str) -> dict[str, type]:
    """Return the estimators, networks and losses of a room of ours, and its data."""
    from sknn.nn import Loss

    found = _all_of_room(room)
    classes = {name: found[name] for name in DATA.get(room, ())}
    if room.removeprefix("sknn.") not in ROOMS:
        return classes
    return classes | {
        name: cls
        for name, cls in found.items()
        if issubclass(cls, BaseEstimator | nn.Module | Loss) and not inspect.isabstract(cls)
    }


def _layers(_: str) -> dict[str, type]:
    return _subclasses(vars(nn), nn.Module)


def _solvers(_: str) -> dict[str, type]:
    return _subclasses(vars(torch.optim), torch.optim.Optimizer)


def _composites(module: str) -> dict[str, type]:
    """Return the public estimators of a module of scikit-learn's, and their parts."""
    if module == "sklearn.model_selection":
        importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    public = _public(module)
    parts = {name: cls for name, cls in public.items() if isinstance(cls, type) and is_part(cls)}
    return _subclasses(public, BaseEstimator) | parts | _parts(module)


def _parts(module: str) -> dict[str, type]:
    found = vars(importlib.import_module(module))
    return {name: found[name] for name in PARTS.get(module, ()) if name in found}


def _metrics(module: str) -> dict[str, Any]:
    return {k: v for k, v in _public(module).items() if isinstance(v, FunctionType)}


def _subclasses(things: Mapping[str, Any], base: type) -> dict[str, type]:
    return {k: v for k, v in things.items() if isinstance(v, type) and issubclass(v, base)}


_TABLES: dict[str, Callable[[str], dict[str, Any]]] = {
    **dict.fromkeys((*(f"sknn.{room}" for room in ROOMS), *DATA), _classes_of_room),
    "torch.nn": _layers,
    "torch.optim": _solvers,
    **dict.fromkeys(PARTS, _parts),
    **dict.fromkeys(COMPOSITE_MODULES, _composites),
    "sklearn.metrics": _metrics,
}


def _all_of_room(room: str) -> dict[str, type]:
    """Return the classes that the modules of a room define, by their bare names."""
    package = importlib.import_module(room)
    classes: dict[str, type] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{room}.{info.name}")
        classes |= {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        }
    return classes


def _public(name: str) -> dict[str, Any]:
    """Return what a module of scikit-learn's exports."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
    return {each: getattr(module, each) for each in names if hasattr(module, each)}
