"""Objects to plain JSON and tensors.

An object is its class and its attributes, a module its class, attributes, parameters, buffers and
modules. What occurs twice is stored once. For other values see :mod:`sknn.storage._values`.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from ._known import field_names, find_known, is_ours, is_part, name_of
from ._tensors import bytes_of
from ._values import Node, codec_for

# Attributes of our estimators that name a folder in which a later fit would write.
FOLDERS = ("checkpoint",)

# What a module has beside its own attributes, and what recurrent layers make anew.
MODULE_BOOKKEEPING = {*vars(nn.Module()), "_flat_weights", "_flat_weight_refs"}

# Values that are stored as often as they occur.
NOT_SHARED = (float, list, tuple, set, frozenset, dict)


@singledispatch
def stored_attributes(value: object) -> dict[str, Any] | None:
    """Return the attributes of an object that are stored; None if it is no plain data.

    Rooms above register functions for classes that they know better.
    """
    cls: Any = type(value)
    # objects that say how they are pickled mostly hold what is no data
    if cls.__reduce__ is not object.__reduce__ or cls.__reduce_ex__ is not object.__reduce_ex__:
        return None
    state = value.__getstate__()
    if state is None and hasattr(value, "__dict__"):
        state = {}
    return state if isinstance(state, dict) else None


class Encoder:
    """Collects the tensors and the objects of what it encodes.

    A lenient one, for digests, has the name of its class for what cannot be stored.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.tensors: dict[str, Tensor] = {}  # contiguous, by the place where each was met first
        self.objects: list[Node] = []
        self.classes: dict[str, type] = {}  # of the objects, by name
        self._seen: dict[int, Node] = {}
        self._alive: list[Any] = []  # as long as their ids stand for them
        self._path: list[str] = []

    def encode(self, name: str, value: Any) -> Node:
        """Encode a value, which has this name in error messages and in the names of tensors."""
        with self._at(name):
            return self.node(value)

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()

    def children(self, values: Iterable[Any]) -> list[Node]:
        """Encode the elements of a value."""
        return [self.encode(str(i), value) for i, value in enumerate(values)]

    def node(self, value: Any) -> Node:
        """Encode a value, or refer to where it occurred before."""
        kind = type(value)
        if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
            return value
        if kind in NOT_SHARED:
            return self._new(value)
        if id(value) not in self._seen:
            self._alive.append(value)
            self._seen[id(value)] = self._new(value)
        return self._seen[id(value)]

    def _new(self, value: Any) -> Node:
        codec = codec_for(value)
        if codec is not None:
            return {codec.tag: codec.encode(self, value)}
        if type(value) is list:
            return self.children(value)
        if is_for_skops(value) and not self.lenient:
            return self._archive(value)
        number = len(self.objects)
        self.objects.append(None)
        self._seen[id(value)] = {"object": number}  # it may refer to itself
        self.objects[number] = self._object(value)
        return {"object": number}

    def keep(self, tensor: Tensor) -> str:
        """Store a contiguous tensor by its place; return its name."""
        place = name = ".".join(self._path)
        number = 1
        while name in self.tensors:
            number += 1
            name = f"{place}#{number}"
        self.tensors[name] = tensor
        return name

    def name(self, value: Any) -> str:
        """Return the name of a class or function by which it can be found again."""
        name = name_of(value) if not isinstance(value, np.ufunc) else f"numpy.{value.__name__}"
        if find_known(name) is value or self.lenient:
            return name
        found: Any = sys.modules.get(getattr(value, "__module__", None) or "numpy")
        for part in getattr(value, "__qualname__", value.__name__).split("."):
            found = getattr(found, part, None)
        if found is not value:
            raise self.refusal(
                f"is {value!r}, which cannot be found again by its name",
                "Define it with def or class at the top level of a module.",
            )
        return name

    def refusal(self, what: str, remedy: str = "") -> TypeError:
        """Return the error for a value that cannot be stored, with its place."""
        place = ".".join(self._path)
        return TypeError(f"{place} {what}, and cannot be saved. {remedy}".rstrip())

    # ------------------------------------------------------------------------------------ objects

    def _object(self, value: Any) -> Node:
        cls = type(value)
        node = {"class": self.name(cls)}
        self.classes[node["class"]] = cls
        if isinstance(value, nn.Module):
            return node | self._module(value)
        names = field_names(cls)
        if names is not None:
            return node | {"fields": self._attributes({n: getattr(value, n) for n in names})}
        state = stored_attributes(value)
        if state is None and not self.lenient:
            raise self.refusal(f"is of type {name_of(cls)}, whose objects are no plain data")
        state = state or {}
        if is_ours(cls):
            state = state | {name: None for name in FOLDERS if name in state}
        return node | {"state": self._attributes(state)}

    def _attributes(self, attributes: dict[str, Any]) -> dict[str, Node]:
        return {name: self.encode(name, value) for name, value in attributes.items()}

    def _module(self, module: nn.Module) -> dict[str, Node]:
        if any(each for name, each in vars(module).items() if name.endswith("_hooks")):
            raise self.refusal(
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

    def _archive(self, value: Any) -> Node:
        """Have skops write an estimator that holds none of ours."""
        import skops.io

        try:
            content = skops.io.dumps(value)
        except Exception as error:
            raise self.refusal(
                f"is a {name_of(type(value))}, which skops cannot save: {error}"
            ) from error
        return {"skops": self.keep(torch.frombuffer(bytearray(content), dtype=torch.uint8))}


def digest(value: Any) -> str:
    """Return a number that equal values have in common, in hexadecimal digits."""
    encoder = Encoder(lenient=True)
    node = encoder.encode("value", value)
    document = json.dumps([node, encoder.objects], sort_keys=True)
    result = hashlib.blake2b(document.encode(), digest_size=16)
    for name, tensor in encoder.tensors.items():
        result.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        result.update(bytes_of(tensor))
    return result.hexdigest()


def is_for_skops(value: Any) -> bool:
    """Say whether an object of another package has none of ours in it."""
    cls = type(value)
    if is_part(cls) or isinstance(value, nn.Module):
        return False
    is_of_scikit_learn = cls.__module__.partition(".")[0] == "sklearn"
    if not isinstance(value, BaseEstimator) and not is_of_scikit_learn:
        return False
    return not _holds_ours(value, set())


def _holds_ours(value: Any, seen: set[int]) -> bool:
    if id(value) in seen or isinstance(value, str | bytes | int | float | Tensor | type):
        return False
    seen.add(id(value))
    if is_ours(type(value)):
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
