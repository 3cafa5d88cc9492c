"""Which classes and functions a file may name without the reader's consent.

They are found in tables that are made from our own rooms, from :mod:`torch.nn` and
:mod:`torch.optim`, and from those modules of scikit-learn whose estimators hold other estimators.
A name that is in none of them is never looked up, much less imported, unless the user trusts it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
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
        Its public name if it is in the tables, else module and qualified name.
    """
    module = value.__module__ or ""
    known = None
    if isinstance(value, type):
        known = _names(module.partition(".")[0]).get(value)
    elif module.startswith("sklearn.metrics."):
        public = f"sklearn.metrics.{value.__name__}"
        known = public if find_known(public) is value else None
    return known or f"{module}.{value.__qualname__}"


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
    module, _, attribute = name.rpartition(".")
    if module == "sklearn.metrics":
        found = _public(module).get(attribute)
        return found if isinstance(found, FunctionType) else None
    return _classes(name.partition(".")[0]).get(name)


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
def _classes(package: str) -> dict[str, type]:
    """Return the classes of a package that need no trust, by name."""
    tables = {"sknn": _ours, "sklearn": _composites, "torch": _layers_and_solvers}
    return tables[package]() if package in tables else {}


@cache
def _names(package: str) -> dict[type, str]:
    return {cls: name for name, cls in _classes(package).items()}


def _ours() -> dict[str, type]:
    classes: dict[str, type] = {}
    for room in ROOMS:
        classes |= _classes_of_room(f"sknn.{room}")
    for room, names in DATA.items():
        found = _all_of_room(room)
        classes |= {f"{room}.{name}": found[name] for name in names}
    return classes


def _layers_and_solvers() -> dict[str, type]:
    return {
        f"{module.__name__}.{name}": value
        for module, base in ((nn, nn.Module), (torch.optim, torch.optim.Optimizer))
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base)
    }


def _composites() -> dict[str, type]:
    """Return the classes of scikit-learn's that hold estimators of ours, and their parts."""
    importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    classes = {
        f"{module}.{name}": value
        for module in COMPOSITE_MODULES
        for name, value in _public(module).items()
        if isinstance(value, type) and (issubclass(value, BaseEstimator) or is_part(value))
    }
    for module, names in PARTS.items():
        found = vars(importlib.import_module(module))
        classes |= {f"{module}.{name}": found[name] for name in names if name in found}
    return classes


def _classes_of_room(room: str) -> dict[str, type]:
    from sknn.nn import Loss

    return {
        f"{room}.{name}": cls
        for name, cls in _all_of_room(room).items()
        if issubclass(cls, BaseEstimator | nn.Module | Loss) and not inspect.isabstract(cls)
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


@cache
def _public(name: str) -> dict[str, Any]:
    """Return what a module of scikit-learn's exports."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
    return {each: getattr(module, each) for each in names if hasattr(module, each)}
