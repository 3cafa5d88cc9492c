"""Plain JSON and tensors back to objects, after all of it was checked.

What decodes a node believes it: :mod:`sknn.storage._checking` has been there before. Still, nothing
that was decoded is called or asked for anything before the object that it belongs to is complete.
"""

from __future__ import annotations

import base64
import enum
import functools
import importlib
import pathlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np
import torch
from sklearn.utils import Bunch
from torch import Tensor, nn

from ._checking import TORCH_TYPES
from ._consistency import check_arrays
from ._encoding import FOLDERS, Node
from ._known import distributions, find_known, name_of
from ._third_party import Archive, load_third_party, untrusted_types

Trusted = Iterable[str | type | FunctionType] | None


class Trust:
    """What of the user's a file may use.

    Parameters
    ----------
    trusted : iterable of str, type or function, or None
        Full names, which are imported, or the things themselves.

    Attributes
    ----------
    names : frozenset of str
        The full names.

    Raises
    ------
    TypeError
        If `trusted` is of another type.
    """

    def __init__(self, trusted: Trusted) -> None:
        self._found = _by_name(trusted)
        self.names = frozenset(self._found)

    def __call__(self, name: str) -> Any:
        """Return what a trusted name stands for; it is imported if need be."""
        return self._found[name]()


class Decoder:
    """Makes objects from nodes that were checked.

    Parameters
    ----------
    objects : list of node
        Classes and attributes, by number.
    tensors : mapping of str to Tensor
        The tensors.
    trust : Trust
        What of the user's may be used.
    archives : mapping of str to Archive
        What skops has written, by the names of its bytes.
    on_object : callable or None, default=None
        Called with each class of an estimator and the attributes that it is about to get; it may
        change them.
    """

    def __init__(
        self,
        objects: list[Node],
        tensors: Mapping[str, Tensor],
        trust: Trust,
        archives: Mapping[str, Archive],
        on_object: Callable[[type, dict[str, Any]], None] | None = None,
    ) -> None:
        self._objects = objects
        self._tensors = tensors
        self._trust = trust
        self._archives = archives
        self._on_object = on_object
        self._made: dict[int, Any] = {}
        self._parameters: dict[str, nn.Parameter] = {}
        self._generators: dict[str, np.random.RandomState] = {}
        self._foreign: dict[str, Any] = {}

    def decode(self, node: Node) -> Any:
        """Make what a node stands for.

        Parameters
        ----------
        node : node
            What :meth:`Encoder.encode` returned.

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
        return stored.permute(sorted(range(stored.ndim), key=order[0].__getitem__))  # the inverse

    def _array(self, value: list[Any]) -> np.ndarray:
        node, *form = value
        array = self._tensor(node["tensor"]).numpy()
        if not form:
            return array
        dtype, shape = np.dtype(form[0]), tuple(form[1])
        return array.view(dtype).reshape(shape) if array.size else np.zeros(shape, dtype)

    def _objects_array(self, value: list[Any]) -> np.ndarray:
        shape, nodes = value
        array = np.empty(len(nodes), dtype=object)
        for i, node in enumerate(nodes):
            array[i] = self.decode(node)
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
        return self._trust(name) if found is None else found

    def _enum(self, value: list[Any]) -> Any:
        cls = self._name(value[0]["name"])
        if not (isinstance(cls, type) and issubclass(cls, enum.Enum)):
            raise ValueError(f"{value[0]['name']} is no enumeration")
        return cls.__members__[value[1]]

    def _partial(self, value: list[Node]) -> Any:
        function, args, keywords = self.decode(value)
        return functools.partial(function, *args, **keywords)

    def _distribution(self, value: list[Node]) -> Any:
        name, args, keywords = self.decode(value)
        return distributions()[name](*args, **keywords)

    def _sparse(self, value: list[Node]) -> Any:
        from scipy import sparse

        form, shape, *nodes = value
        forms = {cls.__name__: cls for cls in (
            sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array
        )}  # fmt: skip
        matrix = forms[form](tuple(self.decode(nodes)), shape=tuple(shape))
        matrix.check_format(full_check=True)  # compiled code believes the indices
        return matrix

    def _history(self, value: list[Any]) -> Any:
        from sknn.training import History

        n_rows, columns = value
        rows: list[dict[str, Any]] = [{} for _ in range(n_rows)]
        for name, where, nodes in columns:
            places, values = self.decode(where), self.decode(nodes)
            if places is None:
                places = range(n_rows)
            for place, each in zip(places, values, strict=True):
                rows[place][name] = each
        history = History()
        history.extend(rows)
        return history

    def _third_party(self, name: str) -> Any:
        if name not in self._foreign:
            archive = self._archives[name]
            if archive.is_foreign:
                _Rehearsal(archive.objects, archive.tensors, self._trust, {}).decode(archive.root)
                self._foreign[name] = load_third_party(archive, sorted(self._trust.names))
            else:
                inner = Decoder(archive.objects, archive.tensors, self._trust, {})
                self._foreign[name] = inner.decode(archive.root)
        return self._foreign[name]

    # ------------------------------------------------------------------------------------ objects

    def _object(self, number: int) -> Any:
        if number not in self._made:
            node = self._objects[number]
            cls = self._name(node["class"])
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
        kind = next(iter(node), None) if isinstance(node, dict) else None
        if kind in ("foreign", "name"):
            for each in node["foreign"][1] if kind == "foreign" else ():
                self.decode(each)
            return _Placeholder()
        if kind != "object":
            return super().decode(node)
        number = node["object"]
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
        if state.get(name) is not None and hasattr(cls, "_stored_attributes"):
            warnings.warn(
                f"the {cls.__name__} was stored with {name}={str(state[name])!r}, which is not "
                f"taken over: a file does not decide where is written to. Set {name} anew if it "
                "is to write there.",
                UserWarning,
                stacklevel=2,
            )
            state[name] = None


_DECODERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "RandomState": Decoder._random_state,
    "array": Decoder._array,
    "bunch": lambda self, value: Bunch(**self._pairs(value)),
    "bytes": lambda self, value: base64.b64decode(value, validate=True),
    "dict": Decoder._pairs,
    "distribution": Decoder._distribution,
    "element": lambda self, value: self.decode(value)[()],
    "enum": Decoder._enum,
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
    "slice": lambda self, value: slice(*value),
    "sparse": Decoder._sparse,
    "tensor": Decoder._tensor,
    "torch.Size": lambda self, value: torch.Size(value),
    "torch.device": lambda self, value: torch.device(value),
    "torch.dtype": lambda self, value: TORCH_TYPES[value],
    "tuple": lambda self, value: tuple(self.decode(value)),
}


def names_in(
    node: Node, objects: list[Node], archive_of: Callable[[str], Archive]
) -> Iterator[str]:
    """Yield the names of classes and functions that a node needs, and that are in no table.

    Parameters
    ----------
    node : node
        Not checked yet.
    objects : list of node
        Classes and attributes, by number.
    archive_of : callable
        Returns the archive of skops's that a tensor holds.

    Yields
    ------
    str
    """
    seen: set[Any] = set()
    left = [node]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(node)
        elif isinstance(node, dict):
            for kind, value in node.items():
                if kind == "skops":
                    if value not in seen:
                        seen.add(value)
                        yield from _names_in_archive(archive_of(value))
                elif kind == "name" and find_known(_text(value)) is None:
                    yield value
                elif kind == "object" and value not in seen:
                    seen.add(value)
                    thing = objects[value]
                    if find_known(_text(thing["class"])) is None:
                        yield thing["class"]
                    left.extend(_attributes_of(thing))
                elif kind not in ("tensor", "float", "bytes", "path"):
                    left.append(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("a name is no text")
    return value


def _names_in_archive(archive: Archive) -> Iterable[str]:
    if archive.is_foreign:
        return untrusted_types(archive)

    def no_archive(name: str) -> Archive:
        raise ValueError("an archive holds an archive")

    return names_in(archive.root, archive.objects, no_archive)


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
