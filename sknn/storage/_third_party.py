"""Estimators that skops has written, read as nodes of our own and checked like these.

skops makes of an estimator an archive: a tree of nodes in JSON, and arrays in NumPy's format. Its
list of allowed types says nothing of what the attributes of an estimator may be, so the tree is
translated into nodes, which the checker goes through. What it consists of is then made from the
nodes. Only what they cannot express, trees of a forest for instance, is made by skops, with the
types that the user trusts.
"""

from __future__ import annotations

import io
import json
import math
import sys
import warnings
import zipfile
from collections.abc import Callable, Container
from typing import Any

import numpy as np

from ._encoding import Encoder
from ._files import count_values
from ._known import find_known, public_name
from ._tensors import NUMPY_TYPE, infos_of
from ._values import Node

# skops writes more than this many bytes for a value in JSON.
BYTES_A_VALUE = 6
BYTES_A_NODE = 20

PROTOCOL = 2

# Bytes of files that are compared; a generator's state has 2.6 kB.
SMALL_FILE = 4000

# Nodes that are calls: what they do depends on texts in the file.
CALLS = ("MethodNode", "OperatorFuncNode", "PartialNode")

FORBIDDEN = "an object of the archive has an attribute that it cannot have"


class Archive:
    """What skops has written, as nodes; bytes of no such estimator are a ValueError."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.objects: list[Node] = []
        self.allowed: list[str] = []  # names that skops may not know and that need no trust
        self.is_foreign = False  # whether it takes skops to make the estimator
        self._encoder = Encoder()
        self._memo: dict[Any, tuple[Node, int] | None] = {}
        self._first: dict[Any, Any] = {}
        self._files: set[str] = set()
        self._types: dict[str, str] = {}
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_sizes(archive, len(content))
            self._archive = archive
            tree = _read_tree(archive)
            self._left = archive.getinfo("schema.json").file_size // BYTES_A_NODE + 1000
            protocol = tree.get("protocol")
            if type(protocol) is not int or protocol < PROTOCOL:  # of nodes that mean other things
                raise ValueError("the archive is of an older kind than sknn writes")
            self.is_foreign = protocol > PROTOCOL
            self.root, _ = self._node(tree)
        del self._archive
        self.tensors = self._encoder.tensors
        self.infos = infos_of(self.tensors)

    def _node(self, tree: Any) -> tuple[Node, int]:
        """Translate a node; return it and the number of nodes in it."""
        if type(tree) is not dict or not all(
            type(tree.get(name)) is str for name in ("__class__", "__module__", "__loader__")
        ):
            raise ValueError("the archive holds no tree of nodes")
        number = tree.get("__id__")
        if number in self._memo:  # skops takes the first node of a number for all others
            found = self._memo[number]
            if found is None:
                raise ValueError("a node of the archive holds itself")
            if not (tree["__loader__"] == "CachedNode" or self._same(tree, self._first[number])):
                raise ValueError("two nodes of the archive have one number")
            self._count(found[1])
            return found
        if number:
            self._memo[number] = None
            self._first[number] = tree
        before = self._left
        self._count(1)
        translate = _LOADERS.get(tree["__loader__"], Archive._other)
        node = translate(self, tree)
        result = node, before - self._left
        if number:
            self._memo[number] = result
        return result

    def _count(self, n_nodes: int) -> None:
        self._left -= n_nodes
        if self._left < 0:
            raise ValueError("the archive has more nodes than its size can hold")

    def _child(self, tree: Any) -> Node:
        return self._node(tree)[0]

    def _children(self, trees: Any) -> list[Node]:
        if type(trees) is not list:
            raise ValueError("the archive has no list where one should be")
        return [self._child(each) for each in trees]

    def _same(self, tree: Any, first: Any, name: str = "") -> bool:
        """Say whether two nodes are equal, their numbers and those in them aside."""
        if type(tree) is not type(first):
            return False
        if type(tree) is dict:
            names, others = tree.keys() - {"__id__"}, first.keys() - {"__id__"}
            return names == others and all(self._same(tree[n], first[n], n) for n in names)
        if type(tree) is list:
            return len(tree) == len(first) and all(map(self._same, tree, first))
        return bool(tree == first) or (name == "file" and self._same_file(tree, first))

    def _same_file(self, *names: Any) -> bool:
        """Say whether files are equal; skops writes types of arrays anew each time."""
        if any(type(name) is not str for name in names):
            return False
        entries = [self._archive.getinfo(name) for name in names]
        if any(entry.file_size > SMALL_FILE for entry in entries):
            return False
        return len({self._archive.read(entry) for entry in entries}) == 1

    def _file(self, tree: Any) -> str:
        """Return the name of a file in the archive; each is read for one node."""
        name = tree["file"]
        if type(name) is not str or name in self._files:
            raise ValueError("a node of the archive has no file of its own")
        self._files.add(name)
        return name

    def _is(self, tree: Any, *names: str) -> bool:
        return f"{tree['__module__']}.{tree['__class__']}" in names

    def _dict(self, tree: Any) -> Node:
        kinds = self._children(tree["key_types"]["content"])
        content = tree["content"]
        if type(content) is not dict or len(kinds) != len(content):
            raise ValueError("a dict of the archive has keys without types")
        if not self._is(tree, "builtins.dict"):
            return self._other(tree)
        pairs = []
        for kind, (key, each) in zip(kinds, content.items(), strict=True):
            pairs.append([_key(kind, key), self._child(each)])
        return {"dict": pairs}

    def _sequence(self, tree: Any) -> Node:
        for name in ("list", "tuple", "set", "frozenset"):
            if self._is(tree, f"builtins.{name}"):
                nodes = self._children(tree["content"])
                return nodes if name == "list" else {name: nodes}
        return self._other(tree)

    def _json(self, tree: Any) -> Node:
        value = json.loads(tree["content"])
        if type(value) not in (type(None), bool, int, float, str):
            raise ValueError("a value of the archive is none")
        return self._encoder.encode("value", value)

    def _array(self, tree: Any) -> Node:
        if tree.get("type") == "json":
            shape = self._plain_shape(tree["shape"])
            return {"objects": [shape, self._flat(self._children(tree["content"]), shape)]}
        array = _read_array(self._archive, self._file(tree))
        self._types[tree["file"]] = array.dtype.str
        if array.dtype.names is not None:  # the nodes of a tree
            self.is_foreign = True
            return {"foreign": ["numpy.ndarray", []]}
        if self._is(tree, "numpy.ndarray"):
            return self._encoder.encode(str(tree["file"]), array)
        if array.shape != () or not self._is(tree, f"numpy.{array.dtype.type.__name__}"):
            raise ValueError("an array of the archive is of another class than it says")
        return self._encoder.encode(str(tree["file"]), array[()])

    def _plain_shape(self, tree: Any) -> list[int]:
        node = self._child(tree)
        shape = node["tuple"] if type(node) is dict and list(node) == ["tuple"] else None
        if type(shape) is not list or any(type(n) is not int for n in shape):
            raise ValueError("an array of the archive has no shape")
        return shape

    def _flat(self, nodes: list[Node], shape: list[int]) -> list[Node]:
        """Undo `tolist` for the nodes of an array of several dimensions."""
        for _ in shape[1:]:
            if any(type(node) is not list for node in nodes):
                raise ValueError("an array of the archive has another shape than it says")
            nodes = [each for node in nodes for each in node]
        return nodes

    def _sparse(self, tree: Any) -> Node:
        """Translate a sparse matrix, whose arrays are in an archive within the archive."""
        content = self._archive.read(self._file(tree))
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            _check_sizes(inner, len(content), compressed=True)
            names = {"format", "shape", "data", "indices", "indptr"}
            found = {entry.filename.removesuffix(".npy") for entry in inner.infolist()}
            if not names <= found:
                return self._other(tree)
            parts = {name: _read_array(inner, f"{name}.npy") for name in names}
        form = parts["format"].item()
        form = form.decode() if isinstance(form, bytes) else form
        ending = "array" if "_is_array" in found else "matrix"
        arrays = [
            self._encoder.encode(f"{tree['file']}.{name}", parts[name])
            for name in ("data", "indices", "indptr")
        ]
        return {"sparse": [f"{form}_{ending}", parts["shape"].tolist(), *arrays]}

    def _generator(self, tree: Any) -> Node:
        if not self._is(tree, "numpy.random.mtrand.RandomState", "numpy.random.RandomState"):
            return self._other(tree)
        return {"RandomState": self._child(tree["content"])}

    def _slice(self, tree: Any) -> Node:
        content = tree["content"]
        return {"slice": [content["start"], content["stop"], content["step"]]}

    def _bytes(self, tree: Any) -> Node:
        return self._encoder.encode("bytes", self._archive.read(self._file(tree)))

    def _dtype(self, tree: Any) -> Node:
        content = tree["content"]
        self._child(content)
        if content["__loader__"] != "NdArrayNode" or content.get("file") not in self._types:
            raise ValueError("a type of the archive is none")
        return {"numpy.dtype": self._types[content["file"]]}

    def _named(self, tree: Any) -> Node:
        """Translate a class or a function, which skops stores by name."""
        module, name = tree["__module__"], tree["__class__"]
        known = public_name(module, name)
        if known.partition(".")[0] in ("numpy", "scipy"):
            package = "numpy" if known.startswith("numpy") else "scipy.special"
            if find_known(f"{package}.{name}") is not None:
                known = f"{package}.{name}"
        found = find_known(known)
        if found is not None:
            if vars(sys.modules.get(module, math)).get(name) is not found:
                raise ValueError(f"{name!r} of the archive is not where it says")
            self.allowed.append(f"{module}.{name}")
        return {"name": known}

    def _object(self, tree: Any) -> Node:
        """Translate an object with attributes."""
        known = public_name(tree["__module__"], tree["__class__"])
        content = tree.get("content")
        state = {"dict": []} if content is None else self._child(content)
        pairs = state.get("dict") if type(state) is dict else None
        if find_known(known) is None or pairs is None:
            return self._other(tree)
        if any(type(key) is not str for key, _ in pairs):
            raise ValueError("an object of the archive has attributes without names")
        self.allowed.append(f"{tree['__module__']}.{tree['__class__']}")
        self.objects.append({"class": known, "state": dict(pairs)})
        return {"object": len(self.objects) - 1}

    def _other(self, tree: Any) -> Node:
        """Leave a node to skops, and check what is in it."""
        package = tree["__module__"].partition(".")[0]
        if tree["__loader__"] in CALLS or package in ("functools", "operator", "pathlib"):
            name = f"{package}.{tree['__class__']}"
            raise ValueError(f"the archive holds a {name}, whoever trusts it")
        self.is_foreign = True
        parts = []
        left = [value for key, value in tree.items() if key != "__id__"]
        while left:
            value = left.pop()
            if type(value) is dict and "__loader__" in value:
                parts.append(self._child(value))
            elif type(value) is dict:
                if any(key.startswith("__") and key != "__reduce__" for key in value):
                    raise ValueError(FORBIDDEN)
                left.extend(value.values())
            elif type(value) is list:
                left.extend(value)
        return {"foreign": [f"{tree['__module__']}.{tree['__class__']}", parts]}


_LOADERS = {
    "BytesNode": Archive._bytes, "DTypeNode": Archive._dtype, "DictNode": Archive._dict,
    "FunctionNode": Archive._named, "JsonNode": Archive._json, "ListNode": Archive._sequence,
    "NdArrayNode": Archive._array, "ObjectNode": Archive._object,
    "RandomStateNode": Archive._generator, "SetNode": Archive._sequence,
    "SliceNode": Archive._slice, "SparseMatrixNode": Archive._sparse,
    "TupleNode": Archive._sequence, "TypeNode": Archive._named,
}  # fmt: skip


def _key(kind: Node, text: str) -> Node:
    """Return the key of a dict, of which JSON holds the text."""
    name = kind.get("name") if type(kind) is dict else None
    if name in ("builtins.str", "numpy.str_"):
        if text.startswith("__"):
            raise ValueError(FORBIDDEN)
        return text
    bare = str(name).rpartition(".")[2]
    if name == "builtins.int" or bare.startswith(("int", "uint")):
        return int(text)
    if name == "builtins.float" or bare.startswith("float"):
        value = float(text)
        return value if math.isfinite(value) else {"float": repr(value)}
    if name == "builtins.bool":
        return text == "true"
    raise ValueError("a dict of the archive has keys of a type that it cannot have")


def _read_tree(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Parse the tree of nodes."""
    text = archive.read("schema.json")
    if count_values(text) > len(text) // BYTES_A_VALUE + 1000:
        raise ValueError("the archive has more values than skops writes")
    tree = json.loads(text)
    if type(tree) is not dict:
        raise ValueError("the archive holds no tree of nodes")
    return tree


def _read_array(archive: zipfile.ZipFile, name: Any) -> np.ndarray:
    """Read an array of plain numbers or texts, whose size is that of its bytes."""
    if type(name) is not str:
        raise ValueError("an array of the archive has no file")
    content = archive.read(name)
    buffer = io.BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("an array of the archive has a format that NumPy does not write")
    read = np.lib.format.read_array_header_1_0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shape, _, dtype = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(
            buffer
        )
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or not NUMPY_TYPE.fullmatch(dtype.str):
        raise ValueError("an array of the archive is of a type that it cannot have")
    if size != len(content) - buffer.tell():
        raise ValueError("an array of the archive has another size than it says")
    buffer.seek(0)
    array = np.load(buffer, allow_pickle=False)
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise ValueError("an array of the archive has booleans that are neither 0 nor 1")
    return array


class Archives:
    """The archives of a document, by the names of their bytes; each is parsed once."""

    def __init__(self, names: Container[str], read: Callable[[str], bytes]) -> None:
        self._names = names
        self._read = read
        self._parsed: dict[str, Archive] = {}

    def __call__(self, name: Any) -> Archive:
        """Return the archive that a tensor holds."""
        if type(name) is not str or name not in self._names:
            raise ValueError("an archive is missing")
        if name not in self._parsed:
            self._parsed[name] = Archive(self._read(name))
        return self._parsed[name]


def no_archive(name: Any) -> Archive:
    """Refuse an archive within an archive."""
    raise ValueError("an archive holds an archive")


def untrusted_types(archive: Archive) -> list[str]:
    """Return the types in an archive that neither skops nor we allow unasked."""
    import skops.io

    types = skops.io.get_untrusted_types(data=archive.content)
    return sorted(set(types) - set(archive.allowed))


def load_third_party(archive: Archive, trusted: list[str]) -> Any:
    """Have skops make an estimator that was checked."""
    import skops.io

    return skops.io.loads(archive.content, trusted=[*trusted, *archive.allowed])


def _check_sizes(archive: zipfile.ZipFile, size: int, *, compressed: bool = False) -> None:
    """Refuse archives that become larger when they are read: skops stores, it does not compress."""
    entries = archive.infolist()
    # of sparse matrices, zlib makes less than a thirtieth
    most = 30 * size + 10_000 if compressed else size
    ways = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if compressed else (zipfile.ZIP_STORED,)
    is_odd = any(entry.compress_type not in ways for entry in entries)
    if is_odd or sum(entry.file_size for entry in entries) > most:
        raise ValueError("an archive in it claims to be larger than it is")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("an archive in it holds a file twice")
