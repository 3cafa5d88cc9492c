"""Objects to plain JSON and tensors.

None, booleans, numbers, strings and lists are themselves. Everything else is a dict with one key,
which says what it is:

=================  =================================================================
``tensor``         name of a tensor, and the order of its dimensions in memory
``array``          an array: a tensor, and the type where torch lacks it
``object``         number of an object in the list of all objects
``name``           a class or function
``skops``          an estimator of another package: the name of its bytes
``dict``, ...      the containers of Python and NumPy, see :class:`Encoder`
=================  =================================================================

An object is its class and its attributes, a module its class, attributes, parameters, buffers and
modules. What occurs twice is stored once.
"""

from __future__ import annotations

import base64
import enum
import functools
import hashlib
import json
import math
import os
import pathlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from torch import Tensor, nn

from ._files import TYPES, bytes_of
from ._known import find_known, is_part, name_of
from ._third_party import Archive, dump_third_party

Node = Any

# Lists of this many numbers or more become tensors, which take less room and time than JSON.
LONG_LIST = 32

# Attributes of our estimators that name a folder in which a later fit would write.
FOLDERS = ("checkpoint",)

# What a module has beside its own attributes, and what recurrent layers make anew.
MODULE_BOOKKEEPING = {*vars(nn.Module()), "_flat_weights", "_flat_weight_refs"}


class Encoder:
    """Collects the tensors and the objects of what it encodes.

    Parameters
    ----------
    lenient : bool, default=False
        Whether what cannot be stored is stood for by the name of its class, for digests.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Contiguous tensors on the CPU, by the place where each was met first.
    objects : list of dict
        Classes and attributes.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.tensors: dict[str, Tensor] = {}
        self.objects: list[Node] = []
        self._seen: dict[int, Node] = {}
        self._alive: list[Any] = []  # as long as their ids stand for them
        self._path: list[str] = []
        self._classes: dict[str, type] = {}
        self._archives: dict[str, Any] = {}

    def encode(self, name: str, value: Any) -> Node:
        """Encode a value.

        Parameters
        ----------
        name : str
            What stands for it in error messages and in the names of tensors.
        value : object
            The value.

        Returns
        -------
        node
            What JSON can hold.

        Raises
        ------
        TypeError
            If something in it cannot be stored; the message says what and where.
        """
        with self._at(name):
            return self._encode(value)

    @contextmanager
    def _at(self, name: object) -> Iterator[None]:
        self._path.append(str(name))
        try:
            yield
        finally:
            self._path.pop()

    def _child(self, name: object, value: Any) -> Node:
        with self._at(name):
            return self._encode(value)

    def _children(self, values: Any) -> list[Node]:
        return [self._child(i, value) for i, value in enumerate(values)]

    def _encode(self, value: Any) -> Node:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return self._list(value)
        if kind in (tuple, set, frozenset):
            values = value if kind is tuple else sorted(value, key=repr)
            return {kind.__name__: self._children(values)}
        if kind is dict:
            return {"dict": self._items(value)}
        return self._encode_once(value)

    def _encode_once(self, value: Any) -> Node:
        """Encode what can be shared, or refer to where it occurred before."""
        if id(value) not in self._seen:
            self._alive.append(value)
            node = self._simple(value)
            if node is None:
                node = self._structured(value)
            self._seen[id(value)] = node
        return self._seen[id(value)]

    def _list(self, values: list[Any]) -> Node:
        if len(values) >= LONG_LIST:
            kinds = {type(value) for value in values}
            if kinds == {float}:
                return {"floats": self._tensor(torch.tensor(values, dtype=torch.float64))}
            if kinds == {int} and max(map(abs, values)) < 2**63:
                return {"ints": self._tensor(torch.tensor(values, dtype=torch.int64))}
        return self._children(values)

    def _items(self, mapping: dict[Any, Any]) -> list[list[Node]]:
        return [
            [self._child("keys", key), self._child(key, value)] for key, value in mapping.items()
        ]

    # ------------------------------------------------------------------------ values of libraries

    def _simple(self, value: Any) -> Node | None:
        """Encode values of NumPy, torch and the standard library; None for other objects."""
        if isinstance(value, Tensor):
            return self._tensor(value)
        parts: tuple[Any, ...]
        if isinstance(value, np.ma.MaskedArray):
            parts = (np.asarray(value.data), np.ma.getmaskarray(value), value.fill_value)
            return {"masked": self._children(parts)}
        if type(value) is np.ndarray:
            return self._array(value)
        if isinstance(value, np.generic):
            return self._scalar(value)
        if isinstance(value, torch.dtype):
            return {"torch.dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.Size):
            return {"torch.Size": list(value)}
        if isinstance(value, enum.Enum):
            return {"enum": [{"name": self._name(type(value))}, value.name]}
        if isinstance(value, torch.device):
            return {"torch.device": str(value)}
        if isinstance(value, np.dtype) and not value.hasobject:
            return {"numpy.dtype": value.str}
        if isinstance(value, np.random.RandomState):
            return {"RandomState": self._child("state", value.get_state(legacy=False))}
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode()}
        if isinstance(value, pathlib.PurePath):
            return {"path": os.fspath(value)}
        if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
            return {"name": self._name(value)}
        if type(value) is functools.partial:
            parts = (value.func, value.args, value.keywords)
            return {"partial": self._children(parts)}
        if is_frozen_distribution(value):
            parts = (value.dist.name, tuple(value.args), dict(value.kwds))
            return {"distribution": self._children(parts)}
        return None

    def _tensor(self, tensor: Tensor) -> Node:
        if tensor.layout != torch.strided or tensor.dtype not in TYPES:
            raise self._refusal(f"is a tensor of type {tensor.dtype}, layout {tensor.layout}")
        stored = tensor.detach().cpu()
        order = list(range(stored.ndim))
        if not stored.is_contiguous():
            # channels_last, transposed: results depend on it in the last digits
            strides = stored.stride()
            by_stride = sorted(order, key=lambda dimension: -strides[dimension])
            if stored.permute(by_stride).is_contiguous():
                order = by_stride
        name = self._tensor_name()
        stored = stored.permute(order).contiguous()
        self.tensors[name] = stored
        return {"tensor": [name] if order == sorted(order) else [name, order]}

    def _tensor_name(self) -> str:
        name = ".".join(self._path)
        number = 1
        while name in self.tensors:
            number += 1
            name = f"{'.'.join(self._path)}#{number}"
        return name

    def _array(self, array: np.ndarray) -> Node:
        if array.dtype.hasobject and array.dtype.kind == "O":
            return {"objects": [list(array.shape), self._children(array.ravel().tolist())]}
        if array.dtype.hasobject:
            raise self._refusal(f"is an array of type {array.dtype}")
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8 and array.dtype.isnative:
            writeable = array if array.flags.writeable else array.copy()
            if any(stride < 0 for stride in array.strides):
                writeable = array.copy()
            return {"array": [self._tensor(torch.from_numpy(writeable))]}
        if array.dtype.kind == "V" and array.dtype.names is not None:
            raise self._refusal("is a structured array")
        content = torch.from_numpy(np.frombuffer(bytearray(array.tobytes()), np.uint8))
        return {"array": [self._tensor(content), array.dtype.str, list(array.shape)]}

    def _scalar(self, value: np.generic) -> Node:
        is_plain = value.dtype.kind in "biuf" and value.dtype.itemsize <= 8
        if is_plain or value.dtype.kind == "U":
            return {"scalar": [value.dtype.str, self._encode(value.item())]}
        return {"element": self._array(np.asarray(value))}

    def _name(self, value: Any) -> str:
        """Return the name of a class or function by which it can be found again."""
        name = name_of(value) if not isinstance(value, np.ufunc) else f"numpy.{value.__name__}"
        if find_known(name) is value or self.lenient:
            return name
        found: Any = sys.modules.get(getattr(value, "__module__", None) or "numpy")
        for part in getattr(value, "__qualname__", value.__name__).split("."):
            found = getattr(found, part, None)
        if found is not value:
            raise self._refusal(
                f"is {value!r}, which cannot be found again by its name",
                "Define it with def or class at the top level of a module.",
            )
        return name

    # ------------------------------------------------------------------------------------ objects

    def _structured(self, value: Any) -> Node:
        """Encode an object attribute by attribute, or leave it to skops."""
        cls = type(value)
        if is_history(value):
            return {"history": [len(value), self._columns(value)]}
        if cls is Bunch:
            return {"bunch": self._items(dict(value))}
        if is_for_skops(value) and not self.lenient:
            return self._third_party(value)
        number = len(self.objects)
        self.objects.append(None)
        self._seen[id(value)] = {"object": number}  # it may refer to itself
        self.objects[number] = self._object(value)
        return {"object": number}

    def _object(self, value: Any) -> Node:
        node = {"class": self._name(type(value))}
        self._classes[node["class"]] = type(value)
        if isinstance(value, nn.Module):
            return node | self._module(value)
        names = field_names(type(value))
        if names is not None:
            return node | {"fields": self._attributes({n: getattr(value, n) for n in names})}
        return node | {"state": self._attributes(self._state(value))}

    def _state(self, value: Any) -> dict[str, Any]:
        """Return the attributes of an object that are stored."""
        if hasattr(value, "_stored_attributes"):
            return value._stored_attributes() | dict.fromkeys(FOLDERS)
        if type(value).__module__ != "builtins":
            from sknn.training import stored_callback

            of_callback = stored_callback(value)
            if of_callback is not None:
                return of_callback
        cls: Any = type(value)
        plain: Any = object
        # objects that say how they are pickled mostly hold what is no data
        hooks = ("__reduce__", "__reduce_ex__")
        reduces = any(getattr(cls, hook) is not getattr(plain, hook) for hook in hooks)
        state = None if reduces else value.__getstate__()
        if state is None and not reduces and hasattr(value, "__dict__"):
            state = {}
        if not isinstance(state, dict):
            if self.lenient:
                return {}
            raise self._refusal(f"is of type {name_of(cls)}, whose objects are no plain data")
        return state

    def _attributes(self, attributes: dict[str, Any]) -> dict[str, Node]:
        return {name: self._child(name, value) for name, value in attributes.items()}

    def _module(self, module: nn.Module) -> dict[str, Node]:
        if any(each for name, each in vars(module).items() if name.endswith("_hooks")):
            raise self._refusal(
                "is a module with hooks, which are functions without a name",
                "Remove them before saving, and register them again after loading.",
            )
        own = {k: v for k, v in vars(module).items() if k not in MODULE_BOOKKEEPING}
        trainable = [k for k, v in module._parameters.items() if v is not None and v.requires_grad]
        # modules first: their place in the network gives its tensors their names
        return {
            "modules": self._attributes(dict(module._modules)),
            "parameters": self._attributes(dict(module._parameters)),
            "buffers": self._attributes(dict(module._buffers)),
            "state": self._attributes(own),
            "trainable": trainable,
            "transient": sorted(module._non_persistent_buffers_set),
            "training": module.training,
        }

    def _columns(self, history: Any) -> Node:
        """Encode the rows of a history as columns, which long lists of numbers are."""
        rows = [dict(row) for row in history]
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = []
        for name in names:
            present = [i for i, row in enumerate(rows) if name in row]
            values = [rows[i][name] for i in present]
            where = None if len(present) == len(rows) else self._child(name, present)
            columns.append([name, where, self._child(name, values)])
        return columns

    def _third_party(self, value: Any) -> Node:
        try:
            content = dump_third_party(value)
        except Exception as error:
            raise self._refusal(
                f"is a {name_of(type(value))}, which skops cannot save: {error}"
            ) from error
        name = self._tensor_name()
        self.tensors[name] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        return {"skops": name}

    def class_of(self, name: str) -> type | None:
        """Return the class of an object that was encoded, by its name."""
        return self._classes.get(name)

    def archive(self, name: str) -> Any:
        """Return what skops has made of an estimator, by the name of its bytes."""
        if name not in self._archives:
            self._archives[name] = Archive(self.tensors[name].numpy().tobytes())
        return self._archives[name]

    def _refusal(self, what: str, remedy: str = "") -> TypeError:
        place = ".".join(self._path)
        return TypeError(f"{place} {what}, and cannot be saved. {remedy}".rstrip())


def digest(value: Any) -> str:
    """Return a number that equal values have in common, in hexadecimal digits.

    Parameters
    ----------
    value : object
        A value. What cannot be stored counts with the name of its class or its own name.

    Returns
    -------
    str

    Examples
    --------
    >>> from sknn.storage import digest
    >>> digest({"alpha": 0.1}) == digest({"alpha": 0.1})
    True
    >>> digest({"alpha": 0.1}) == digest({"alpha": 0.2})
    False
    """
    encoder = Encoder(lenient=True)
    node = encoder.encode("value", value)
    document = json.dumps([node, encoder.objects], sort_keys=True)
    result = hashlib.blake2b(document.encode(), digest_size=16)
    for name, tensor in encoder.tensors.items():
        result.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        result.update(bytes_of(tensor))
    return result.hexdigest()


def field_names(cls: type) -> list[str] | None:
    """Return the fields of a class of plain data.

    Parameters
    ----------
    cls : type
        A dataclass or named tuple; estimators, which are dataclasses too, have attributes instead.

    Returns
    -------
    list of str or None
        None for a class of another kind.
    """
    if issubclass(cls, tuple):
        return list(getattr(cls, "_fields", ())) or None
    if is_dataclass(cls) and not issubclass(cls, BaseEstimator):
        return [field.name for field in fields(cls) if field.init]
    return None


def is_history(value: Any) -> bool:
    """Say whether this is skorch's list of epochs.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
    """
    cls = type(value)
    return cls.__name__ == "History" and cls.__module__ == "skorch.history"


def is_frozen_distribution(value: Any) -> bool:
    """Say whether this is one of SciPy's distributions with its parameters.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
    """
    return all(hasattr(value, name) for name in ("dist", "args", "kwds", "rvs")) and (
        type(value).__module__ == "scipy.stats._distn_infrastructure"
    )


def is_of_scikit_learn(cls: type) -> bool:
    """Say whether scikit-learn defines a class.

    Parameters
    ----------
    cls : type
        The class.

    Returns
    -------
    bool
    """
    return cls.__module__.partition(".")[0] == "sklearn"


def is_for_skops(value: Any) -> bool:
    """Say whether an object of another package has none of ours in it.

    Parameters
    ----------
    value : object
        The object.

    Returns
    -------
    bool
    """
    cls = type(value)
    if is_part(cls) or isinstance(value, nn.Module):
        return False
    if not isinstance(value, BaseEstimator) and not is_of_scikit_learn(cls):
        return False
    return not _holds_ours(value, set())


def _holds_ours(value: Any, seen: set[int]) -> bool:
    if id(value) in seen or isinstance(value, str | bytes | int | float | Tensor | type):
        return False
    seen.add(id(value))
    if any(cls.__module__.startswith("sknn.") for cls in type(value).__mro__):
        return True
    if isinstance(value, np.ndarray):
        parts: Any = value.ravel() if value.dtype == object else ()
    elif isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    else:
        parts = getattr(value, "__dict__", {}).values()
    return any(_holds_ours(part, seen) for part in parts)
