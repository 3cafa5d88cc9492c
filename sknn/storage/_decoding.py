"""Plain JSON and tensors back to objects, after all of it was checked.

What decodes a node believes it: :mod:`sknn.storage._checking` has been there before. Still, nothing
that was decoded is called or asked for anything before the object that it belongs to is complete.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from ._consistency import check_arrays
from ._encoding import FOLDERS
from ._known import find_known, is_ours
from ._third_party import Archive, load_third_party, no_archive
from ._trust import Trust
from ._values import OF_TAG, Node

# Called with each class and the attributes that an object of it is about to get; it may change
# them.
OnObject = Callable[[type, dict[str, Any]], None]


class Decoder:
    """Makes objects from nodes that were checked, each once."""

    def __init__(
        self,
        objects: list[Node],
        tensors: Mapping[str, Tensor],
        trust: Trust,
        archive: Callable[[str], Archive] = no_archive,
        on_object: OnObject | None = None,
    ) -> None:
        self.tensors = tensors
        self.generators: dict[str, np.random.RandomState] = {}
        self._objects = objects
        self._trust = trust
        self._archive_of = archive
        self._on_object = on_object
        self._made: dict[int, Any] = {}
        self._parameters: dict[str, nn.Parameter] = {}
        self._foreign: dict[str, Any] = {}

    def decode(self, node: Node) -> Any:
        """Make what a node stands for."""
        if isinstance(node, list):
            return [self.decode(each) for each in node]
        if not isinstance(node, dict):
            return node
        ((tag, value),) = node.items()
        if tag == "object":
            return self._object(value)
        if tag == "skops":
            return self._archive(value)
        return OF_TAG[tag].decode(self, value)

    def find(self, name: str) -> Any:
        """Return the class or function of a name."""
        found = find_known(name)
        return self._trust(name) if found is None else found

    def _archive(self, name: str) -> Any:
        if name not in self._foreign:
            archive = self._archive_of(name)
            kind = _Rehearsal if archive.is_foreign else Decoder
            made = kind(archive.objects, archive.tensors, self._trust).decode(archive.root)
            if archive.is_foreign:
                made = load_third_party(archive, sorted(self._trust.names))
            self._foreign[name] = made
        return self._foreign[name]

    def _object(self, number: int) -> Any:
        if number not in self._made:
            node = self._objects[number]
            cls = self.find(node["class"])
            if "fields" in node:
                self._made[number] = cls(**self._attributes(node["fields"]))
            elif "parameters" in node:
                self._module(number, cls, node)
            else:
                self._instance(number, cls, node)
        return self._made[number]

    def _instance(self, number: int, cls: Any, node: Node) -> None:
        instance = self._made[number] = cls.__new__(cls)
        state = self._attributes(node["state"])
        _leave_folders(cls, state)
        if cls.__module__.startswith("sklearn."):
            state = {name: _of_its_own(value) for name, value in state.items()}
            check_arrays(cls, state)
        if self._on_object is not None:
            self._on_object(cls, state)
        if hasattr(cls, "__setstate__"):
            instance.__setstate__(state)
        else:
            instance.__dict__.update(state)

    def _module(self, number: int, cls: type[nn.Module], node: Node) -> None:
        """Make a module with the bookkeeping of the installed torch."""
        module = self._made[number] = cls.__new__(cls)
        nn.Module.__init__(module)
        module.__dict__.update(self._attributes(node["state"]))
        for name, value in node["parameters"].items():
            parameter = None
            if value is not None:
                parameter = self._parameter(value, requires_grad=name in node["trainable"])
            module.register_parameter(name, parameter)
        for name, value in node["buffers"].items():
            transient = name in node["transient"]
            module.register_buffer(name, self.decode(value), persistent=not transient)
        for name, value in node["modules"].items():
            module.add_module(name, self.decode(value))
        module.training = node["training"]
        if isinstance(module, nn.RNNBase):
            module._init_flat_weights()

    def _parameter(self, node: Node, *, requires_grad: bool) -> nn.Parameter:
        key = str(node)
        if key not in self._parameters:
            self._parameters[key] = nn.Parameter(self.decode(node), requires_grad)
        return self._parameters[key]

    def _attributes(self, nodes: dict[str, Node]) -> dict[str, Any]:
        return {name: self.decode(node) for name, node in nodes.items()}


class _Placeholder:
    """What is in an archive, and made by skops."""


class _Rehearsal(Decoder):
    """Goes through what skops is going to make, and compares arrays; it makes no estimator."""

    def decode(self, node: Node) -> Any:
        """Decode plain data; return a placeholder for an object, after its arrays were compared."""
        tag = next(iter(node), None) if isinstance(node, dict) else None
        if tag in ("foreign", "name"):
            for each in node["foreign"][1] if tag == "foreign" else ():
                self.decode(each)
            return _Placeholder()
        return super().decode(node)

    def _object(self, number: int) -> Any:
        if number not in self._made:
            self._made[number] = _Placeholder()
            thing = self._objects[number]
            check_arrays(find_known(thing["class"]), self._attributes(thing["state"]))
        return self._made[number]


def _of_its_own(value: Any) -> Any:
    """Copy indices, which a buffer of a network could share and change when it is trained."""
    is_index = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    return value.copy() if is_index else value


def _leave_folders(cls: type, state: dict[str, Any]) -> None:
    """Leave out folders that a later fit would write to: a file does not decide where."""
    for name in FOLDERS:
        if state.get(name) is not None and is_ours(cls):
            warnings.warn(
                f"the {cls.__name__} was stored with {name}={str(state[name])!r}, which is not "
                f"taken over: a file does not decide where is written to. Set {name} anew if it "
                "is to write there.",
                stacklevel=2,
            )
            state[name] = None
