"""Which classes and functions a file may name without the reader's consent.

They are found in tables that are made from our own rooms, from :mod:`torch.nn` and
:mod:`torch.optim`, and from those modules of scikit-learn whose estimators hold other estimators.
A name that is in none of them is never looked up, much less imported, unless the user trusts it.
The tables name rooms above this one, which are imported when a file or an object names them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from sknn.nn import Loss

# Rooms all of whose estimators, networks and losses can be stored.
ROOMS = ("nn", "estimators", "forecasting", "model_selection", "preprocessing", "text")


# Plain data that are part of fitted estimators: dataclasses and the like, by their names in files,
# which are those of their rooms, whatever folder they are in. A line here is all that a new one
# takes: for those of its attributes that hold more than plain data (numbers, texts, arrays,
# tensors, and containers of them), the sorts of what they hold, see `sorts_of`; "many" in front
# allows containers too. An estimator's attribute that holds one is in `OUR_FITTED` of the schema.
DATA: dict[str, dict[str, str]] = {
    "sknn.estimators.Calibration": {},
    "sknn.estimators.ClassTargets": {},
    "sknn.estimators.Conditions": {},
    "sknn.estimators.CurveTargets": {},
    "sknn.estimators.DenseFormat": {"form": "data"},
    "sknn.estimators.Fold": {},
    "sknn.estimators.Form": {},
    "sknn.estimators.ImageFormat": {"form": "data"},
    "sknn.estimators.InputTargets": {},
    "sknn.estimators.NextTokens": {},
    "sknn.estimators.ReconstructionTargets": {},
    "sknn.estimators.RowMemory": {},
    "sknn.estimators.ScaledFormat": {"form": "data"},
    "sknn.estimators.SeriesFormat": {},
    "sknn.estimators.StepLabels": {"of_steps": "data"},
    "sknn.estimators.StepValues": {"of_steps": "data"},
    "sknn.estimators.TableColumn": {},
    "sknn.estimators.TableFormat": {"columns": "many data"},
    "sknn.estimators.ValueTargets": {},
    "sknn.estimators.WindowFormat": {},
    "sknn.estimators.WrittenLabels": {},
    "sknn.estimators.RocketFormat": {"series": "data", "rocket": "data"},
    "sknn.forecasting.Autoregression": {},
    "sknn.forecasting.ConformalIntervals": {"models": "many data"},
    "sknn.forecasting.Form": {},
    "sknn.forecasting.Panel": {"form": "data", "timeline": "data none", "series": "many data"},
    "sknn.forecasting.Scaling": {},
    "sknn.forecasting.SeasonalModel": {
        "estimator": "estimator",
        "linear": "data",
        "shares": "data",
        "units": "data",
    },
    "sknn.forecasting.Series": {},
    "sknn.forecasting.Shares": {},
    "sknn.forecasting.Timeline": {},
    "sknn.forecasting.Units": {},
    "sknn.forecasting.WindowModel": {"estimator": "estimator", "scaling": "data"},
    "sknn.preprocessing.Rocket": {"kernels": "many data"},
    "sknn.preprocessing.RocketKernels": {},
    "sknn.training.Plateau": {},
    "sknn.training.TrainingState": {
        "history": "history",
        "plateau": "data none",
        "random_state": "generator",
    },
    "sknn.training.Work": {},
}

# Classes of ours that went to another room or got another name after a release: the name in files,
# which stays, also in the tables above, and the present one.
MOVED: dict[str, str] = {}

# Modules of scikit-learn whose public estimators can be stored, and what those consist of.
ESTIMATOR_MODULES = [f"sklearn.{name}" for name in (
    "calibration", "cluster", "compose", "covariance", "cross_decomposition", "decomposition",
    "discriminant_analysis", "dummy", "ensemble", "feature_extraction",
    "feature_extraction.text", "feature_selection", "frozen", "gaussian_process", "impute",
    "isotonic", "kernel_approximation", "kernel_ridge", "linear_model", "manifold", "mixture",
    "model_selection", "multiclass", "multioutput", "naive_bayes", "neighbors",
    "neural_network", "pipeline", "preprocessing", "random_projection", "semi_supervised",
    "svm", "tree",
)]  # fmt: skip
PARTS = {
    "sklearn.multiclass": ("_ConstantPredictor",),
    "sklearn.calibration": ("_CalibratedClassifier", "_SigmoidCalibration", "_TemperatureScaling"),
    "sklearn.model_selection._split": ("_CVIterableWrapper",),
    "sklearn.metrics._scorer": ("_MultimetricScorer", "_PassthroughScorer", "_Scorer"),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
}


def name_of(value: Any) -> str:
    """Return the public name of a class or function of a table, else module and qualified name."""
    module = value.__module__ or ""
    # the longest first, since parts of scikit-learn's private modules are in tables too
    for table in sorted(_TABLES, key=len, reverse=True):
        if f"{module}.".startswith(f"{table}."):
            public = f"{table}.{value.__name__}"
            if find_known(public) is value:
                return next((there for there, now in MOVED.items() if now == public), public)
    return f"{module}.{value.__qualname__}"


def find_known(name: str) -> Any:
    """Return the class or function of a name that needs no trust; None if it is unknown."""
    table, _, attribute = MOVED.get(name, name).rpartition(".")
    return _table(table).get(attribute) if table in _TABLES else None


def known_names() -> list[str]:
    """Return all names that need no trust."""
    return [f"{table}.{name}" for table in _TABLES for name in _table(table)]


def is_part(cls: type) -> bool:
    """Say whether objects of a class of scikit-learn's are stored attribute by attribute.

    Others are so if they hold an estimator of ours.
    """
    return cls.__name__ in PARTS.get(cls.__module__, ()) or (
        cls.__module__ == "sklearn.model_selection._split"
    )


def is_ours(cls: type) -> bool:
    """Say whether a class is one of ours, or made of one."""
    return any(each.__module__.startswith("sknn.") for each in cls.__mro__)


def field_names(cls: type) -> list[str] | None:
    """Return the fields of a dataclass or named tuple that is no estimator; None for others."""
    if issubclass(cls, tuple):
        return list(getattr(cls, "_fields", ())) or None
    if is_dataclass(cls) and not issubclass(cls, BaseEstimator):
        return [field.name for field in fields(cls) if field.init]
    return None


class SortedClass(NamedTuple):
    """A class that a file names."""

    cls: type | None  # None if it is one of the user's that is not at hand
    is_known: bool  # without trust
    sorts: frozenset[str]  # of its objects


@cache
def sorts_of(thing: Any) -> frozenset[str]:
    """Say what a function is, or what objects of a class are, in the schema's words."""
    if not isinstance(thing, type):
        is_activation = any(thing is getattr(nn.functional, name) for name in ACTIVATIONS)
        return frozenset({"activation" if is_activation else "function"})
    bases: dict[str, type] = {
        "module": nn.Module,
        "estimator": BaseEstimator,
        "loss": Loss,
        "solver": torch.optim.Optimizer,
        "type": np.generic,
    }
    modules = {
        "splitter": "sklearn.model_selection._split",
        "scorer": "sklearn.metrics._scorer",
        "request": "sklearn.utils._metadata_requests",
    }
    sorts = {sort for sort, base in bases.items() if issubclass(thing, base)}
    sorts |= {sort for sort, module in modules.items() if thing.__module__ == module}
    if thing in BUILTINS:
        sorts.add("type")
    if thing.__name__ == "_CalibratedClassifier":
        sorts.add("calibrator")
    if thing.__module__.startswith("sknn.") and not sorts:
        sorts.add("state" if thing.__name__ == "TrainingState" else "data")
    return frozenset(sorts or {"nothing"})


@cache
def distributions() -> dict[str, Any]:
    """Return SciPy's distributions by their names."""
    from scipy import stats

    kinds = (stats.rv_continuous, stats.rv_discrete)
    return {name: value for name, value in vars(stats).items() if isinstance(value, kinds)}


def public_name(module: str, name: str) -> str:
    """Return the name in a table of what a private module defines, else the full name as it is."""
    parts = module.split(".")
    for n_parts in range(len(parts), 0, -1):
        public = f"{'.'.join(parts[:n_parts])}.{name}"
        if find_known(public) is not None:
            return public
    return f"{module}.{name}"


@cache
def _table(name: str) -> dict[str, Any]:
    """Return what a module has that needs no trust, by bare names."""
    return _TABLES[name](name)


def _classes_of_room(room: str) -> dict[str, type]:
    """Return the estimators, networks and losses of a room of ours, and its data."""
    classes: dict[str, type] = {}
    if room.removeprefix("sknn.") in ROOMS:
        classes = {
            name: cls
            for name, cls in _all_of_room(room).items()
            if issubclass(cls, BaseEstimator | nn.Module | Loss)
            and not inspect.isabstract(cls)
            and not name.startswith("_")
        }
    data = [MOVED.get(name, name).rpartition(".") for name in DATA]
    return classes | {name: _all_of_room(room)[name] for there, _, name in data if there == room}


# Not stored: modules that speak to several devices, that are not yet initialized (they hold hooks),
# and such as have no forward.
NO_LAYERS = ("Container", "DataParallel", "Module")


def _layers(_: str) -> dict[str, type]:
    found = _subclasses(vars(nn), nn.Module)
    return {k: v for k, v in found.items() if k not in NO_LAYERS and not k.startswith("Lazy")}


BUILTINS = (bool, int, float, complex, str, bytes, list, tuple, set)

# What torch.nn's transformers call between their dense layers.
ACTIVATIONS = ("elu", "gelu", "leaky_relu", "mish", "relu", "relu6", "selu", "silu", "tanh")


def _activations(module: str) -> dict[str, Any]:
    functions = {name: getattr(nn.functional, name) for name in ACTIVATIONS}
    return {k: v for k, v in functions.items() if v.__module__ == module}


def _types(module: str) -> dict[str, Any]:
    """Return types of numbers and texts, and NumPy's element-wise functions."""
    if module == "builtins":
        return {each.__name__: each for each in BUILTINS}
    if module == "scipy.special":
        return {k: v for k, v in _public(module).items() if isinstance(v, np.ufunc)}
    found = {k: v for k, v in vars(np).items() if isinstance(v, np.ufunc) and v.__name__ == k}
    scalars = {each.__name__: each for each in np.sctypeDict.values() if each.__module__ == "numpy"}
    return found | {k: v for k, v in scalars.items() if v not in (np.object_, np.void)}


def _solvers(_: str) -> dict[str, type]:
    return _subclasses(vars(torch.optim), torch.optim.Optimizer)


def _composites(module: str) -> dict[str, Any]:
    """Return the public estimators of a module of scikit-learn's, and their parts."""
    if module == "sklearn.model_selection":
        importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    if module == "sklearn.impute":
        importlib.import_module("sklearn.experimental.enable_iterative_imputer")
    public = _public(module)
    parts = {name: cls for name, cls in public.items() if isinstance(cls, type) and is_part(cls)}
    found: dict[str, Any] = _subclasses(public, BaseEstimator) | parts | _parts(module)
    if module == "sklearn.feature_selection":  # what its estimators score with
        found |= {k: v for k, v in public.items() if isinstance(v, FunctionType)}
    return found


def _parts(module: str) -> dict[str, type]:
    found = vars(importlib.import_module(module))
    return {name: found[name] for name in PARTS.get(module, ()) if name in found}


def _metrics(module: str) -> dict[str, Any]:
    functions = {k: v for k, v in _public(module).items() if isinstance(v, FunctionType)}
    return {k: v for k, v in functions.items() if not k.endswith(("_scorer", "_scoring"))}


def _subclasses(things: Mapping[str, Any], base: type) -> dict[str, type]:
    return {k: v for k, v in things.items() if isinstance(v, type) and issubclass(v, base)}


_TABLES: dict[str, Callable[[str], dict[str, Any]]] = {
    **dict.fromkeys((f"sknn.{room}" for room in ROOMS), _classes_of_room),
    **dict.fromkeys((MOVED.get(k, k).rpartition(".")[0] for k in DATA), _classes_of_room),
    "torch.nn": _layers,
    "torch.optim": _solvers,
    **dict.fromkeys(PARTS, _parts),
    **dict.fromkeys(ESTIMATOR_MODULES, _composites),
    "sklearn.metrics": _metrics,
    "torch.nn.functional": _activations,
    "torch._C._nn": _activations,
    "numpy": _types,
    "builtins": _types,
    "scipy.special": _types,
}


@cache
def _all_of_room(room: str) -> dict[str, type]:
    """Return the classes that a room defines, its folders included, by their bare names."""
    package = importlib.import_module(room)
    classes: dict[str, type] = {}
    for info in pkgutil.walk_packages(package.__path__, f"{room}."):
        module = importlib.import_module(info.name)
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
