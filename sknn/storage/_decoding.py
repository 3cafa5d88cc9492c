"""Plain JSON and tensors back to objects.

A file is not believed: classes and functions come from :mod:`sknn.storage._known` and from what
the user trusts, and are looked for before the first object is made.
"""

from __future__ import annotations

import base64
import functools
import importlib
import math
import pathlib
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

import numpy as np
import torch
from sklearn.utils import Bunch
from torch import Tensor, nn

from ._encoding import Node, field_names
from ._known import find_known, name_of
from ._third_party import load_third_party, untrusted_types

Trusted = Iterable[str | type | FunctionType] | None


class Decoder:
    """Makes objects from nodes.

    Parameters
    ----------
    objects : list of node
        Classes and attributes, by number.
    tensors : dict of str to Tensor
        The tensors.
    trusted : iterable of str, type or function, or None
        What of the user's may be used: full names, which are imported, or the things themselves.
    on_object : callable or None, default=None
        Called with each class of an estimator and the attributes that it is about to get; it may
        change them.

    Raises
    ------
    TypeError
        If `trusted` is of another type.
    """

    def __init__(
        self,
        objects: list[Node],
        tensors: dict[str, Tensor],
        trusted: Trusted,
        on_object: Callable[[type, dict[str, Any]], None] | None = None,
    ) -> None:
        self._objects = objects
        self._tensors = tensors
        self._trusted = _by_name(trusted)
        self._on_object = on_object
        self._made: dict[int, Any] = {}
        self._parameters: dict[str, nn.Parameter] = {}
        self._generators: dict[str, np.random.RandomState] = {}
        self._foreign: dict[str, Any] = {}

    def untrusted(self, node: Node) -> list[str]:
        """Return the names in a node for which the user's trust is needed and missing.

        Parameters
        ----------
        node : node
            What is to be decoded.

        Returns
        -------
        list of str
            In sorted order.
        """
        names: set[str] = set()
        for kind, value in _named_things(node, self._objects):
            if kind == "skops":
                names |= set(untrusted_types(self._bytes(value)))
            elif find_known(value) is None:
                names.add(value)
        return sorted(names - set(self._trusted))

    def decode(self, node: Node) -> Any:
        """Make what a node stands for.

        Parameters
        ----------
        node : node
            What :meth:`Encoder.encode` returned; :meth:`untrusted` has been asked before.

        Returns
        -------
        object
        """
        if isinstance(node, list):
            return [self.decode(each) for each in node]
        if not isinstance(node, dict):
            return node
        ((kind, value),) = node.items()
        return _DECODERS[kind](self, value)

    # ------------------------------------------------------------------------------------- values

    def _pairs(self, items: list[list[Node]]) -> dict[Any, Any]:
        return {self.decode(key): self.decode(value) for key, value in items}

    def _tensor(self, value: list[Any]) -> Tensor:
        name, *order = value
        stored = self._tensors[name]
        if not order:
            return stored
        dimensions = range(stored.ndim)
        if sorted(order[0]) != list(dimensions):
            raise ValueError(f"the order of the dimensions of {name} is none")
        return stored.permute(sorted(dimensions, key=order[0].__getitem__))  # the inverse

    def _array(self, value: list[Any]) -> np.ndarray:
        node, *form = value
        array = self._tensor(node["tensor"]).numpy()
        if not form:
            return array
        dtype, shape = np.dtype(form[0]), tuple(form[1])
        if dtype.hasobject:
            raise ValueError("an array of objects where bytes are")
        return array.view(dtype).reshape(shape) if array.size else np.empty(shape, dtype)

    def _objects_array(self, value: list[Any]) -> np.ndarray:
        shape, nodes = value
        if math.prod(shape) != len(nodes):
            raise ValueError("an array has another number of elements than its shape")
        array = np.empty(len(nodes), dtype=object)
        array[:] = self.decode(nodes)
        return array.reshape(shape)

    def _masked(self, value: list[Any]) -> Any:
        data, mask, fill_value = self.decode(value)
        return np.ma.MaskedArray(data, mask=mask, fill_value=fill_value)

    def _random_state(self, value: Node) -> np.random.RandomState:
        # one generator may be an estimator's parameter and draw its training's numbers
        key = str(value)
        if key not in self._generators:
            self._generators[key] = np.random.RandomState()
            self._generators[key].set_state(self.decode(value))
        return self._generators[key]

    def _name(self, name: str) -> Any:
        found = find_known(name)
        return self._trusted[name]() if found is None else found

    def _partial(self, value: list[Node]) -> Any:
        function, args, keywords = self.decode(value)
        return functools.partial(function, *args, **keywords)

    def _distribution(self, value: list[Node]) -> Any:
        from scipy import stats

        name, args, keywords = self.decode(value)
        distribution = getattr(stats, name)
        if not isinstance(distribution, stats.rv_continuous | stats.rv_discrete):
            raise ValueError(f"{name} is no distribution")
        return distribution(*args, **keywords)

    def _history(self, value: list[Any]) -> Any:
        from sknn.training import History

        n_rows, columns = value
        decoded = [(name, self.decode(where), self.decode(each)) for name, where, each in columns]
        if n_rows > sum(len(values) for _, _, values in decoded):
            raise ValueError("a history has more rows than entries")
        rows: list[dict[str, Any]] = [{} for _ in range(n_rows)]
        for name, places, values in decoded:
            for place, each in zip(places or range(n_rows), values, strict=True):
                rows[place][name] = each
        history = History()
        history.extend(rows)
        return history

    def _bytes(self, name: str) -> bytes:
        return self._tensors[name].numpy().tobytes()

    def _third_party(self, name: str) -> Any:
        if name not in self._foreign:
            self._foreign[name] = load_third_party(self._bytes(name), list(self._trusted))
        return self._foreign[name]

    # ------------------------------------------------------------------------------------ objects

    def _object(self, number: int) -> Any:
        if number not in self._made:
            node = self._objects[number]
            cls = self._name(node["class"])
            if "fields" in node:
                fields = self._attributes(node["fields"])
                if field_names(cls) is None:
                    raise ValueError(f"{node['class']} has no fields")
                self._made[number] = cls(**fields)
            elif issubclass(cls, nn.Module):
                self._module(number, cls, node)
            else:
                self._instance(number, cls, node)
        return self._made[number]

    def _instance(self, number: int, cls: Any, node: Node) -> None:
        instance = self._made[number] = cls.__new__(cls)
        state = self._attributes(node["state"])
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
        module.training = bool(node["training"])
        if isinstance(module, nn.RNNBase):
            module._init_flat_weights()

    def _parameter(self, node: Node, *, requires_grad: bool) -> nn.Parameter:
        key = str(node)
        if key not in self._parameters:
            self._parameters[key] = nn.Parameter(self.decode(node), requires_grad)
        return self._parameters[key]

    def _attributes(self, nodes: dict[str, Node]) -> dict[str, Any]:
        return {name: self.decode(node) for name, node in nodes.items()}


_DECODERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "RandomState": Decoder._random_state,
    "array": Decoder._array,
    "bunch": lambda self, value: Bunch(**self._pairs(value)),
    "bytes": lambda self, value: base64.b64decode(value, validate=True),
    "dict": Decoder._pairs,
    "distribution": Decoder._distribution,
    "element": lambda self, value: self.decode(value)[()],
    "enum": lambda self, value: self.decode(value[0])[value[1]],
    "float": lambda self, value: float(value),
    "floats": lambda self, value: self._tensor(value["tensor"]).tolist(),
    "frozenset": lambda self, value: frozenset(self.decode(value)),
    "history": Decoder._history,
    "ints": lambda self, value: self._tensor(value["tensor"]).tolist(),
    "masked": Decoder._masked,
    "name": Decoder._name,
    "numpy.dtype": lambda self, value: np.dtype(value),
    "object": Decoder._object,
    "objects": Decoder._objects_array,
    "partial": Decoder._partial,
    "path": lambda self, value: pathlib.Path(value),
    "scalar": lambda self, value: np.dtype(value[0]).type(self.decode(value[1])),
    "set": lambda self, value: set(self.decode(value)),
    "skops": Decoder._third_party,
    "tensor": Decoder._tensor,
    "torch.Size": lambda self, value: torch.Size(value),
    "torch.device": lambda self, value: torch.device(value),
    "torch.dtype": lambda self, value: _torch_dtype(value),
    "tuple": lambda self, value: tuple(self.decode(value)),
}


def _torch_dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{name} is no type of tensors")
    return dtype


def _named_things(node: Node, objects: list[Node]) -> Iterable[tuple[str, str]]:
    """Yield every class, function and foreign estimator that decoding a node would use."""
    seen: set[int] = set()
    left = [node]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(node)
        elif isinstance(node, dict) and len(node) == 1:
            ((kind, value),) = node.items()
            if kind in ("name", "skops"):
                yield kind, value
            elif kind == "object":
                if value not in seen:
                    seen.add(value)
                    yield "class", objects[value]["class"]
                    left.extend(_attributes_of(objects[value]))
            elif kind not in ("tensor", "float", "bytes", "path"):
                left.append(value)


def _attributes_of(thing: Node) -> Iterable[Node]:
    for part in ("state", "fields", "parameters", "buffers", "modules"):
        yield from thing.get(part, {}).values()


def _by_name(trusted: Trusted) -> dict[str, Callable[[], Any]]:
    """Return how to get what the user trusts, by full names."""
    if isinstance(trusted, str) or not isinstance(trusted, Iterable | None):
        raise TypeError(
            "trusted must be a list of full names, classes or functions, such as "
            f"['mymodule.my_loss'], not {trusted!r}."
        )
    found: dict[str, Callable[[], Any]] = {}
    for each in trusted or ():
        if isinstance(each, str):
            found[each] = functools.partial(_import, each)
        elif isinstance(each, type) or hasattr(each, "__qualname__"):
            found[name_of(each)] = functools.partial(_identity, each)
        else:
            raise TypeError(
                f"trusted has {each!r}; it takes full names (str), classes and functions."
            )
    return found


def _identity(value: Any) -> Any:
    return value


def _import(name: str) -> Any:
    """Import what a trusted name stands for."""
    parts = name.split(".")
    reason = "there is nothing of this name"
    for n_module in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:n_module]))
        except ModuleNotFoundError as error:
            reason = str(error)
            continue
        try:
            for part in parts[n_module:]:
                found = getattr(found, part)
        except AttributeError:
            break
        return found
    raise ImportError(f"{name}, which the file needs, cannot be imported ({reason})")
