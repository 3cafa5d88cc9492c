"""Values of Python, NumPy, torch and SciPy, each as a node of JSON and tensors, and back.

None, booleans, whole numbers, finite floats, strings and lists are themselves. Everything else is a
dict with one key, its tag. `CODECS` has an entry for each tag but those of objects and archives,
which the encoder and the decoder make themselves. What decodes a node believes it: it was checked.
"""

from __future__ import annotations

import base64
import enum
import functools
import importlib
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import Bunch
from torch import Tensor

from ._known import distributions
from ._tensors import TORCH_TYPES, TYPES

Node = Any

# Lists of this many numbers or more become tensors, which take less room and time than JSON.
LONG_LIST = 32

# skorch's list of epochs; the rooms above import it before anything of a file is made.
HISTORY = ("skorch.history", "History")


class Writer(Protocol):
    """Who encodes what is in a value, and keeps its tensors."""

    def node(self, value: Any) -> Node:
        """Encode a value."""

    def encode(self, name: str, value: Any) -> Node:
        """Encode a part of a value, by its name there."""

    def children(self, values: Iterable[Any]) -> list[Node]:
        """Encode the elements of a value."""

    def keep(self, tensor: Tensor) -> str:
        """Store a contiguous tensor; return its name."""

    def name(self, value: Any) -> str:
        """Return the name by which a class or function can be found again."""

    def refusal(self, what: str, remedy: str = "") -> TypeError:
        """Return the error for a value that cannot be stored."""


class Reader(Protocol):
    """Who decodes what is in a node."""

    tensors: Mapping[str, Tensor]
    generators: dict[str, np.random.RandomState]

    def decode(self, node: Node) -> Any:
        """Make what a node stands for."""

    def find(self, name: str) -> Any:
        """Return the class or function of a name."""


class Codec(NamedTuple):
    """How values of a kind become nodes, and back."""

    tag: str
    takes: type | Callable[[Any], bool]  # exactly a type, or a test
    encode: Callable[[Writer, Any], Node]
    decode: Callable[[Reader, Any], Any]


def an(*types: type) -> Callable[[Any], bool]:
    """Return the test whether a value is an instance."""
    return lambda value: isinstance(value, types)


def never(value: Any) -> bool:
    """Say that no value of ours is such a node: archives of skops's hold them."""
    return False


def nothing(writer: Writer, value: Any) -> Node:
    """Encode what `never` takes."""
    raise AssertionError


# ------------------------------------------------------------------------------------- containers


def encode_sorted(writer: Writer, values: Any) -> Node:
    """Encode a set in an order that does not depend on the process."""
    return writer.children(sorted(values, key=repr))


def encode_items(writer: Writer, mapping: dict[Any, Any]) -> Node:
    """Encode the pairs of a dict."""
    return [
        [writer.encode("keys", key), writer.encode(str(key), value)]
        for key, value in mapping.items()
    ]


def decode_items(reader: Reader, items: list[list[Node]]) -> dict[Any, Any]:
    """Return the dict of pairs."""
    return {reader.decode(key): reader.decode(value) for key, value in items}


def is_floats(value: Any) -> bool:
    """Say whether this is a long list of floats."""
    return type(value) is list and len(value) >= LONG_LIST and {*map(type, value)} == {float}


def is_ints(value: Any) -> bool:
    """Say whether this is a long list of whole numbers that torch can hold."""
    is_long = type(value) is list and len(value) >= LONG_LIST
    return is_long and {*map(type, value)} == {int} and max(map(abs, value)) < 2**63


def encode_numbers(dtype: torch.dtype) -> Callable[[Writer, Any], Node]:
    """Return what makes a tensor of a long list."""
    return lambda writer, values: writer.node(torch.tensor(values, dtype=dtype))


def decode_numbers(reader: Reader, node: Node) -> list[Any]:
    """Return the long list."""
    return reader.decode(node).tolist()


def encode_history(writer: Writer, history: Any) -> Node:
    """Encode the rows of a history as columns, which long lists of numbers are."""
    rows = [dict(row) for row in history]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = []
    for name in names:
        present = [i for i, row in enumerate(rows) if name in row]
        values = [rows[i][name] for i in present]
        where = None if len(present) == len(rows) else writer.encode(name, present)
        columns.append([name, where, writer.encode(name, values)])
    return [len(rows), columns]


def decode_history(reader: Reader, value: list[Any]) -> Any:
    """Return the history of columns."""
    n_rows, columns = value
    rows: list[dict[str, Any]] = [{} for _ in range(n_rows)]
    for name, where, nodes in columns:
        places, values = reader.decode(where), reader.decode(nodes)
        if places is None:
            places = range(n_rows)
        for place, each in zip(places, values, strict=True):
            rows[place][name] = each
    module, name = HISTORY
    history = getattr(importlib.import_module(module), name)()
    history.extend(rows)
    return history


# ------------------------------------------------------------------------------ tensors and arrays


def encode_tensor(writer: Writer, tensor: Tensor) -> Node:
    """Return the name of a tensor, and the order of its dimensions in memory if it is another."""
    if tensor.layout != torch.strided or tensor.dtype not in TYPES:
        raise writer.refusal(f"is a tensor of type {tensor.dtype}, layout {tensor.layout}")
    stored = tensor.detach().cpu()
    plain = order = list(range(stored.ndim))
    if not stored.is_contiguous():
        # channels_last, transposed: results depend on it in the last digits
        by_stride = sorted(order, key=lambda dimension: -stored.stride()[dimension])
        if stored.permute(by_stride).is_contiguous():
            order = by_stride
    name = writer.keep(stored.permute(order).contiguous())
    return [name] if order == plain else [name, order]


def decode_tensor(reader: Reader, value: list[Any]) -> Tensor:
    """Return the tensor of a name, its dimensions in their own order again."""
    name, *order = value
    stored = reader.tensors[name]
    if not order:
        return stored
    return stored.permute(sorted(range(stored.ndim), key=order[0].__getitem__))  # the inverse


def is_array(value: Any) -> bool:
    """Say whether this is exactly an array, of anything but objects."""
    return type(value) is np.ndarray and value.dtype.kind != "O"


def encode_array(writer: Writer, array: np.ndarray) -> Node:
    """Return a tensor, and type and shape where torch lacks the type."""
    if array.dtype.hasobject:
        raise writer.refusal(f"is an array of type {array.dtype}")
    if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8 and array.dtype.isnative:
        is_odd = not array.flags.writeable or any(stride < 0 for stride in array.strides)
        return [writer.node(torch.from_numpy(array.copy() if is_odd else array))]
    if array.dtype.kind == "V" and array.dtype.names is not None:
        raise writer.refusal("is a structured array")
    content = torch.from_numpy(np.frombuffer(bytearray(array.tobytes()), np.uint8))
    return [writer.node(content), array.dtype.str, list(array.shape)]


def decode_array(reader: Reader, value: list[Any]) -> np.ndarray:
    """Return the array of a tensor."""
    node, *form = value
    array = reader.decode(node).numpy()
    if not form:
        return array
    dtype, shape = np.dtype(form[0]), tuple(form[1])
    return array.view(dtype).reshape(shape) if array.size else np.zeros(shape, dtype)


def is_objects(value: Any) -> bool:
    """Say whether this is exactly an array, of objects."""
    return type(value) is np.ndarray and value.dtype.kind == "O"


def encode_objects(writer: Writer, array: np.ndarray) -> Node:
    """Return shape and elements."""
    return [list(array.shape), writer.children(array.ravel().tolist())]


def decode_objects(reader: Reader, value: list[Any]) -> np.ndarray:
    """Return the array of objects."""
    shape, nodes = value
    array = np.empty(len(nodes), dtype=object)
    for i, node in enumerate(nodes):
        array[i] = reader.decode(node)
    return array.reshape(shape)


def encode_masked(writer: Writer, array: np.ma.MaskedArray) -> Node:
    """Return data, mask and fill value."""
    return writer.children((np.asarray(array.data), np.ma.getmaskarray(array), array.fill_value))


def decode_masked(reader: Reader, value: list[Node]) -> Any:
    """Return the masked array."""
    data, mask, fill_value = reader.decode(value)
    return np.ma.MaskedArray(data, mask=mask, fill_value=fill_value)


def is_scalar(value: Any) -> bool:
    """Say whether NumPy's number or text is one of JSON's too."""
    is_plain = isinstance(value, np.generic) and value.dtype.kind in "biufU"
    return is_plain and (value.dtype.itemsize <= 8 or value.dtype.kind == "U")


def decode_sparse(reader: Reader, value: list[Node]) -> Any:
    """Return the sparse matrix of form, shape and three arrays."""
    form, shape, *nodes = value
    forms = {cls.__name__: cls for cls in (
        sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array
    )}  # fmt: skip
    matrix = forms[form](tuple(reader.decode(nodes)), shape=tuple(shape))
    matrix.check_format(full_check=True)  # compiled code believes the indices
    return matrix


# --------------------------------------------------------------------------- classes and functions


def decode_enum(reader: Reader, value: list[Any]) -> Any:
    """Return the member of an enumeration."""
    cls = reader.decode(value[0])
    if not (isinstance(cls, type) and issubclass(cls, enum.Enum)):
        raise ValueError(f"{value[0]['name']} is no enumeration")
    return cls.__members__[value[1]]


def decode_random_state(reader: Reader, value: Node) -> np.random.RandomState:
    """Return a generator: one may be an estimator's parameter and draw its training's numbers."""
    key = str(value)
    if key not in reader.generators:
        reader.generators[key] = np.random.RandomState()
        reader.generators[key].set_state(reader.decode(value))
    return reader.generators[key]


def decode_partial(reader: Reader, value: list[Node]) -> Any:
    """Return the partial call."""
    function, args, keywords = reader.decode(value)
    return functools.partial(function, *args, **keywords)


def is_frozen_distribution(value: Any) -> bool:
    """Say whether this is one of SciPy's distributions with its parameters."""
    return type(value).__module__ == "scipy.stats._distn_infrastructure" and all(
        hasattr(value, name) for name in ("dist", "args", "kwds", "rvs")
    )


def decode_distribution(reader: Reader, value: list[Node]) -> Any:
    """Return the distribution with its parameters."""
    name, args, keywords = reader.decode(value)
    return distributions()[name](*args, **keywords)


# The first that takes a value encodes it.
# fmt: off
CODECS = (
    Codec("tuple", tuple, lambda w, v: w.children(v), lambda r, v: tuple(r.decode(v))),
    Codec("set", set, encode_sorted, lambda r, v: set(r.decode(v))),
    Codec("frozenset", frozenset, encode_sorted, lambda r, v: frozenset(r.decode(v))),
    Codec("dict", dict, encode_items, decode_items),
    Codec("bunch", Bunch, encode_items, lambda r, v: Bunch(**decode_items(r, v))),
    Codec("float", float, lambda w, v: repr(v), lambda r, v: float(v)),
    Codec("floats", is_floats, encode_numbers(torch.float64), decode_numbers),
    Codec("ints", is_ints, encode_numbers(torch.int64), decode_numbers),
    Codec("tensor", an(Tensor), encode_tensor, decode_tensor),
    Codec("masked", an(np.ma.MaskedArray), encode_masked, decode_masked),
    Codec("objects", is_objects, encode_objects, decode_objects),
    Codec("array", is_array, encode_array, decode_array),
    Codec("scalar", is_scalar,
          lambda w, v: [v.dtype.str, w.node(v.item())],
          lambda r, v: np.dtype(v[0]).type(r.decode(v[1]))),
    Codec("element", an(np.generic),
          lambda w, v: w.node(np.asarray(v)), lambda r, v: r.decode(v)[()]),
    Codec("torch.dtype", an(torch.dtype),
          lambda w, v: str(v).removeprefix("torch."), lambda r, v: TORCH_TYPES[v]),
    Codec("torch.Size", an(torch.Size), lambda w, v: list(v), lambda r, v: torch.Size(v)),
    Codec("enum", an(enum.Enum), lambda w, v: [{"name": w.name(type(v))}, v.name], decode_enum),
    Codec("torch.device", an(torch.device), lambda w, v: str(v), lambda r, v: torch.device(v)),
    Codec("numpy.dtype", lambda v: isinstance(v, np.dtype) and not v.hasobject,
          lambda w, v: v.str, lambda r, v: np.dtype(v)),
    Codec("RandomState", an(np.random.RandomState),
          lambda w, v: w.encode("state", v.get_state(legacy=False)), decode_random_state),
    Codec("bytes", an(bytes),
          lambda w, v: base64.b64encode(v).decode(),
          lambda r, v: base64.b64decode(v, validate=True)),
    Codec("path", an(pathlib.PurePath), lambda w, v: os.fspath(v), lambda r, v: pathlib.Path(v)),
    Codec("name", an(type, FunctionType, BuiltinFunctionType, np.ufunc),
          lambda w, v: w.name(v), lambda r, v: r.find(v)),
    Codec("partial", functools.partial,
          lambda w, v: w.children((v.func, v.args, v.keywords)), decode_partial),
    Codec("distribution", is_frozen_distribution,
          lambda w, v: w.children((v.dist.name, tuple(v.args), dict(v.kwds))),
          decode_distribution),
    Codec("history", lambda v: (type(v).__module__, type(v).__name__) == HISTORY,
          encode_history, decode_history),
    Codec("slice", never, nothing, lambda r, v: slice(*v)),
    Codec("sparse", never, nothing, decode_sparse),
)
# fmt: on
OF_TYPE = {codec.takes: codec for codec in CODECS if isinstance(codec.takes, type)}
TESTED = [(codec.takes, codec) for codec in CODECS if not isinstance(codec.takes, type)]
OF_TAG = {codec.tag: codec for codec in CODECS}


def codec_for(value: Any) -> Codec | None:
    """Return what encodes a value; None for lists and objects."""
    exact = OF_TYPE.get(type(value))
    if exact is not None:
        return exact
    return next((codec for takes, codec in TESTED if takes(value)), None)
