"""What stands in a file, checked before anything is made of it.

A document is plain JSON, and tensors are known by their types and shapes. The checker goes through
all of it: each node must be well formed, and must be of the kind that its place takes
(:mod:`sknn.storage._schema`). It makes no object, and asks none for an attribute; classes come
from :mod:`sknn.storage._known` and from what the user trusts. What is here are values; objects and
what else holds kinds of its own are in :mod:`sknn.storage._documents`.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from ._files import MAX_EMPTY
from ._known import SortedClass, find_known, sorts_of
from ._tensors import NUMPY_TYPE, TORCH_TYPES, TensorInfo, numpy_itemsize
from ._values import Node

Sorts = frozenset[str]
Leaf = Callable[[Any, Any, str], Sorts]

# Keys of dicts and members of sets that are tuples or large numbers: these can be chosen so that
# their hashes are equal.
MAX_ODD_KEYS = 5_000

SCALAR_TYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|U\d{0,6})")
DEVICE = re.compile(r"auto|(?:cpu|cuda|hpu|mps|mtia|xpu)(?::\d{1,3})?")
NAME = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)


class RefusedError(ValueError):
    """A node is not what its place takes."""


NUMBER, ARRAY, TENSOR, BYTES = (
    frozenset({each}) for each in ("number", "array", "tensor", "bytes")
)

SIMPLE = {"none": frozenset({"none"}), "number": NUMBER, "text": frozenset({"text"})}

CONTAINERS = ("list", "tuple", "set", "frozenset", "dict", "objects", "masked", "bunch")


def text_leaf(sort: str, refusal: str, test: Callable[[str], object] = lambda value: True) -> Leaf:
    """Return the check of a text that stands for a value of some sort."""

    def check(checker: Checker, value: Any, place: str) -> Sorts:
        if type(value) is not str or not test(value):
            raise checker.refuse(place, refusal)
        return frozenset({sort})

    return check


def numbers_leaf(dtype: torch.dtype) -> Leaf:
    """Return the check of a list of numbers that is stored as a tensor of a type."""

    def check(checker: Checker, value: Any, place: str) -> Sorts:
        checker.numbers(value, place, dtype)
        return NUMBER

    return check


class Checker:
    """Goes through a document and refuses what does not belong where it stands.

    `resolve` returns the trusted class or function of a name; None if it is not at hand.
    """

    def __init__(
        self,
        objects: list[Node],
        tensors: Mapping[str, TensorInfo],
        resolve: Callable[[str], Any],
        *,
        in_archive: bool = False,
    ) -> None:
        self.objects = objects
        self.tensors = tensors
        self.resolve = resolve
        self.in_archive = in_archive
        self._listed: set[str] = set()
        self._n_odd_keys = 0
        self._generators: dict[str, Node] = {}

    def refuse(self, place: str, what: str) -> RefusedError:
        """Return the error for a node."""
        return RefusedError(f"{place} {what}")

    def tag(self, node: Node, place: str) -> tuple[str, Any]:
        """Return what a node is, and its content."""
        if node is None:
            return "none", None
        kind = type(node)
        if kind in (bool, int, float):
            return "number", node
        if kind is str:
            return "text", node
        if kind is list:
            return "list", node
        if kind is dict and len(node) == 1:
            ((tag, value),) = node.items()
            if tag in CONTAINERS or tag in self.leaves:
                return tag, value
        raise self.refuse(place, "is no value")

    # ---------------------------------------------------------------------------------- containers

    def members(self, tag: str, value: Any, place: str) -> list[tuple[str, Node]]:
        """Return the values in a container, with their places; keys are checked."""
        if tag == "dict" or tag == "bunch":
            return [
                (f"{place}.{self.key(key, place)}", each) for key, each in self.pairs(value, place)
            ]
        nodes = value
        if tag == "objects":
            shape, nodes = self.exactly(value, 2, place)
            if self.shape(shape, place) != len(self.exactly(nodes, None, place)):
                raise self.refuse(place, "has another number of elements than its shape")
        elif tag in ("set", "frozenset"):
            for node in self.exactly(nodes, None, place):
                self.key(node, place)
        elif tag == "masked":
            data, mask, fill = self.exactly(value, 3, place)
            shapes = [self.shape_of(each, place) for each in (data, mask)]
            if shapes[0] is None or shapes[0] != shapes[1]:
                raise self.refuse(place, "has a mask of another shape")
            self._check_mask(mask, place)
            return [(place, data), (place, fill)]
        return [(f"{place}.{i}", each) for i, each in enumerate(self.exactly(nodes, None, place))]

    def _check_mask(self, mask: Node, place: str) -> None:
        """Check that a mask holds booleans; each of another type would be converted anew."""
        info = self._plain_array(mask, place)
        if info is None or info.dtype != torch.bool:
            raise self.refuse(place, "has a mask that is no array of booleans")

    def _plain_array(self, node: Node, place: str) -> TensorInfo | None:
        """Return what is known of the tensor of an array whose type torch has; None for others."""
        tag, value = self.tag(node, place)
        if tag != "array" or len(self.exactly(value, None, place)) != 1:
            return None
        return self.info(value[0], place)

    def pairs(self, value: Any, place: str) -> list[tuple[Node, Node]]:
        """Return keys and values of a dict."""
        items = [self.exactly(each, 2, place) for each in self.exactly(value, None, place)]
        return [(key, each) for key, each in items]

    def exactly(self, value: Any, length: int | None, place: str) -> list[Any]:
        """Return a list of so many elements."""
        if type(value) is not list or (length is not None and len(value) != length):
            raise self.refuse(place, "is no list of the right length")
        return value

    def key(self, node: Node, place: str) -> str:
        """Check what is hashed; return its name in places."""
        tag, value = self.tag(node, place)
        if tag == "text":
            return value[:40]
        if tag in ("tuple", "frozenset"):
            for each in self.exactly(value, None, place):
                self.key(each, place)
            self._count_odd_key(place)
        elif tag not in ("none", "number", "float", "scalar", "bytes"):
            raise self.refuse(place, f"has a key of kind {tag!r}")
        else:
            self.leaf(tag, value, place)
            if type(value) is not int or abs(value) > 2**53:
                self._count_odd_key(place)
        return "key"

    def _count_odd_key(self, place: str) -> None:
        self._n_odd_keys += 1
        if self._n_odd_keys > MAX_ODD_KEYS:
            raise self.refuse(place, f"has more than {MAX_ODD_KEYS} keys that are no text")

    # -------------------------------------------------------------------------------------- leaves

    def leaf(self, tag: str, value: Any, place: str) -> Sorts:
        """Check a value that is no container; return its sorts."""
        if tag in SIMPLE:
            return SIMPLE[tag]
        return self.leaves[tag](self, value, place)

    def shape(self, value: Any, place: str) -> int:
        """Check a shape; return the number of elements."""
        lengths = self.exactly(value, None, place)
        if len(lengths) > 32 or any(type(n) is not int or n < 0 for n in lengths):
            raise self.refuse(place, "has no shape")
        if math.prod(n for n in lengths if n) > (MAX_EMPTY if 0 in lengths else 2**62):
            raise self.refuse(place, "has a shape larger than a file can hold")
        return math.prod(lengths)

    def info(self, node: Any, place: str) -> TensorInfo:
        """Check a node ``{"tensor": [name, order]}``; return what is known of the tensor."""
        if type(node) is not dict or list(node) != ["tensor"]:
            raise self.refuse(place, "is no tensor")
        name, *order = self.exactly(node["tensor"], None, place) or [None]
        if type(name) is not str or name not in self.tensors or len(order) > 1:
            raise self.refuse(place, "is a tensor that the file does not hold")
        info = self.tensors[name]
        if order:
            places = self.exactly(order[0], len(info.shape), place)
            if any(type(i) is not int for i in places) or sorted(places) != list(
                range(len(places))
            ):
                raise self.refuse(place, "has an order of its dimensions that is none")
            return TensorInfo(info.dtype, tuple(info.shape[i] for i in places))
        return info

    def shape_of(self, node: Node, place: str) -> tuple[int, ...] | None:
        """Return the shape of a node that stands for an array."""
        tag, value = self.tag(node, place)
        if tag == "objects":
            return tuple(self.exactly(self.exactly(value, 2, place)[0], None, place))
        if tag != "array":
            return None
        self.leaf(tag, value, place)
        return tuple(value[2]) if len(value) == 3 else self.info(value[0], place).shape

    def _tensor(self, value: Any, place: str) -> Sorts:
        self.info({"tensor": value}, place)
        return TENSOR

    def _array(self, value: Any, place: str) -> Sorts:
        node, *form = self.exactly(value, None, place) or [None]
        info = self.info(node, place)
        if info.dtype == torch.bfloat16:
            raise self.refuse(place, "is an array of a type that NumPy lacks")
        if form:
            dtype, shape = self.exactly(form, 2, place)
            if type(dtype) is not str or not NUMPY_TYPE.fullmatch(dtype):
                raise self.refuse(place, "is an array of no type")
            n_elements = self.shape(shape, place)
            itemsize = numpy_itemsize(dtype)
            if dtype.lstrip("<>|=") == "b1":
                raise self.refuse(place, "has bytes as booleans, which may be neither 0 nor 1")
            if n_elements and not itemsize:
                raise self.refuse(place, "is an array of elements without a size")
            if info.dtype != torch.uint8 or n_elements * itemsize != info.n_bytes:
                raise self.refuse(place, "is an array of another size than its bytes")
        return ARRAY

    def _scalar(self, value: Any, place: str) -> Sorts:
        dtype, content = self.exactly(value, 2, place)
        if type(dtype) is not str or not SCALAR_TYPE.fullmatch(dtype):
            raise self.refuse(place, "is a scalar of no type")
        tag, content = self.tag(content, place)
        kind = dtype.lstrip("<>|=")[0]
        if tag != ("text" if kind == "U" else "number") and not (kind == "f" and tag == "float"):
            raise self.refuse(place, "is a scalar of another type than it says")
        self.leaf(tag, content, place)
        if kind in "biu" and (type(content) is float or abs(content) > 2**64):
            raise self.refuse(place, "is a scalar of another type than it says")
        return SIMPLE["text"] if kind == "U" else NUMBER

    def _element(self, value: Any, place: str) -> Sorts:
        if self.shape_of(value, place) != ():
            raise self.refuse(place, "is no single element")
        return NUMBER

    def numbers(self, value: Any, place: str, dtype: torch.dtype) -> int:
        """Check a list of numbers that is stored as a tensor; return its length."""
        info = self.info(value, place)
        name = value["tensor"][0]
        if info.dtype != dtype or len(info.shape) != 1 or name in self._listed:
            raise self.refuse(place, "is no list of numbers")
        self._listed.add(name)  # each takes memory of its own
        return info.shape[0]

    def _bytes(self, value: Any, place: str) -> Sorts:
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise self.refuse(place, "is no text of bytes") from error
        return BYTES

    def _torch_size(self, value: Any, place: str) -> Sorts:
        self.shape(value, place)
        return frozenset({"size"})

    def _slice(self, value: Any, place: str) -> Sorts:
        parts = self.exactly(value, 3, place)
        if any(type(each) not in (int, str, type(None)) for each in parts):
            raise self.refuse(place, "is no slice")
        return frozenset({"slice"})

    def _random_state(self, value: Any, place: str) -> Sorts:
        """Check the state of a Mersenne twister; NumPy does not check where it stands."""
        state = self.text_keys(value, place)
        expected = {"bit_generator", "state", "has_gauss", "gauss"}
        if set(state) != expected or state["bit_generator"] != "MT19937":
            raise self.refuse(place, "is no state of a generator")
        inner = self.text_keys(state["state"], place)
        if set(inner) != {"key", "pos"}:
            raise self.refuse(place, "is no state of a generator")
        position, has_gauss = inner["pos"], state["has_gauss"]
        self.leaf(*self.tag(state["gauss"], place), place)
        if (
            self._plain_array(inner["key"], place) != (torch.uint32, (624,))
            or type(position) is not int
            or not 0 <= position <= 624
            or has_gauss not in (0, 1)
            or self.tag(state["gauss"], place)[0] not in ("number", "float")
        ):
            raise self.refuse(place, "is no state of a generator")
        array = inner["key"]["array"]
        if self._generators.setdefault(array[0]["tensor"][0], value) != value:
            raise self.refuse(place, "is a generator with the state of another")
        return frozenset({"generator"})

    def text_keys(self, node: Node, place: str) -> dict[str, Node]:
        """Return the nodes of a dict whose keys are texts."""
        tag, value = self.tag(node, place)
        pairs = self.pairs(value, place) if tag == "dict" else []
        if tag != "dict" or any(type(key) is not str for key, _ in pairs):
            raise self.refuse(place, "is no dict with texts as keys")
        if len({key for key, _ in pairs}) != len(pairs):
            raise self.refuse(place, "has a key twice")
        return dict(pairs)

    def is_open(self, number: Any) -> bool:
        """Say whether an object is one that is being checked."""
        return False

    def expect_tuple(self, node: Node, place: str) -> None:
        """Check that a node is a tuple."""
        if self.tag(node, place)[0] != "tuple":
            raise self.refuse(place, "is no tuple")

    def attribute_name(self, name: Any, place: str) -> None:
        """Check that a name may be one of an attribute or an argument."""
        if type(name) is not str or not NAME.fullmatch(name) or name.startswith("__"):
            raise self.refuse(place, f"has an attribute {str(name)[:60]!r}")

    def _name(self, value: Any, place: str) -> Sorts:
        if type(value) is not str:
            raise self.refuse(place, "is a name that is none")
        found = find_known(value)
        if found is None:
            return frozenset({"trusted"})
        sorts = sorts_of(found)
        if isinstance(found, type) and sorts != {"type"}:
            return frozenset(f"{sort} class" for sort in sorts)
        return sorts

    def _enum(self, value: Any, place: str) -> Sorts:
        name, member = self.exactly(value, 2, place)
        if self.tag(name, place)[0] != "name" or self._name(name["name"], place) != {"trusted"}:
            raise self.refuse(place, "is a member of no enumeration")
        if type(member) is not str:
            raise self.refuse(place, "is a member of no enumeration")
        return frozenset({"enum"})

    def _sparse(self, value: Any, place: str) -> Sorts:
        """Check a sparse matrix: its arrays' types and lengths."""
        form, shape, *arrays = self.exactly(value, 5, place)
        if not self.in_archive:  # where nothing that is trained shares its memory
            raise self.refuse(place, "is no value")
        if form not in ("csr_matrix", "csc_matrix", "csr_array", "csc_array"):
            raise self.refuse(place, "is no sparse matrix")
        self.shape(self.exactly(shape, 2, place), place)
        for each in arrays:
            if self.tag(each, place)[0] != "array" or len(self.shape_of(each, place) or ()) != 1:
                raise self.refuse(place, "is no sparse matrix")
        return frozenset({"array"})

    def class_of(self, name: Any, place: str) -> SortedClass:
        """Return the class of a name, whether the file may name it unasked, and its sorts."""
        if type(name) is not str:
            raise self.refuse(place, "is of no class")
        cls = find_known(name)
        is_known = cls is not None
        if not is_known:
            cls = self.resolve(name)
        if cls is None:  # nobody has to look it up to say what a file needs
            return SortedClass(None, False, frozenset({"any"}))
        if not isinstance(cls, type):
            raise self.refuse(place, f"is of {name[:80]}, which is no class")
        return SortedClass(cls, is_known, sorts_of(cls) | ({"trusted"} if not is_known else set()))

    # What checks the content of a node that is no container, by its tag.
    leaves: ClassVar[Mapping[str, Leaf]] = {
        "RandomState": _random_state,
        "array": _array,
        "bytes": _bytes,
        "element": _element,
        "enum": _enum,
        "float": text_leaf("number", "is no float", ("nan", "inf", "-inf").__contains__),
        "floats": numbers_leaf(torch.float64),
        "ints": numbers_leaf(torch.int64),
        "name": _name,
        "numpy.dtype": text_leaf("type", "is no type of arrays", NUMPY_TYPE.fullmatch),
        "path": text_leaf("path", "is no path"),
        "scalar": _scalar,
        "slice": _slice,
        "sparse": _sparse,
        "tensor": _tensor,
        "torch.Size": _torch_size,
        "torch.device": text_leaf("device", "is no device", DEVICE.fullmatch),
        "torch.dtype": text_leaf("torch type", "is no type of tensors", TORCH_TYPES.__contains__),
    }
