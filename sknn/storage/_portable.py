"""Attributes of an estimator as plain data, for formats that know no tensors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from ._decoding import Decoder
from ._documents import DocumentChecker
from ._encoding import Encoder
from ._files import ModelFileError
from ._known import SortedClass, find_known, name_of, sorts_of
from ._objects import check_attributes
from ._tensors import NAMED_TYPES, TYPES, TensorInfo, bytes_of, is_boolean
from ._third_party import Archives
from ._trust import Trust, names_in

PLAIN = (type(None), bool, int, float, str)


class Portable:
    """Attributes of an estimator that are more than numbers and texts.

    A pickle or a copy has them as they are. What asks for `__getstate__`, as skops does, gets
    plain data: a text of JSON and arrays of bytes, as in the files of :func:`sknn.save`.
    """

    def __init__(self, attributes: dict[str, Any]) -> None:
        self._attributes: dict[str, Any] | None = attributes
        self._plain: dict[str, Any] = {}

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Have pickles and copies hold the attributes themselves."""
        if self._attributes is None:
            return super().__reduce_ex__(protocol)
        return Portable, (self._attributes,)

    def __getstate__(self) -> dict[str, Any]:
        """Return plain data."""
        if self._attributes is None:
            return self._plain
        encoder = Encoder()
        nodes = {name: encoder.encode(name, each) for name, each in self._attributes.items()}
        tensors = {name: np.array(bytes_of(each)) for name, each in encoder.tensors.items()}
        infos = {k: [TYPES[each.dtype], list(each.shape)] for k, each in encoder.tensors.items()}
        document = {"attributes": nodes, "objects": encoder.objects, "tensors": infos}
        return {"document": json.dumps(document, allow_nan=False), "tensors": tensors}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Keep plain data, of which nothing is made before it is known for whom."""
        self._attributes, self._plain = None, state

    def attributes_for(self, cls: type) -> dict[str, Any]:
        """Return the attributes for an estimator, by whose class plain data are checked."""
        if self._attributes is not None:
            return self._attributes
        try:
            return _decode(cls, self._plain)
        except (ModelFileError, MemoryError):
            raise
        except (Exception, RecursionError) as error:
            raise ModelFileError(
                f"the stored {cls.__name__} is not what was written ({type(error).__name__}: "
                f"{error})."
            ) from error


def portable_state(attributes: dict[str, Any]) -> dict[str, Any]:
    """Move what is more than numbers and texts into a :class:`Portable` named "_portable"."""
    plain = {name: value for name, value in attributes.items() if _is_plain(value)}
    rest = {name: value for name, value in attributes.items() if name not in plain}
    return plain | {"_portable": Portable(rest)} if rest else plain


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, list):
        return all(_is_plain(each) for each in value)
    return type(value) in PLAIN


def _decode(cls: type, state: dict[str, Any]) -> dict[str, Any]:
    document, arrays = json.loads(state["document"]), state["tensors"]
    nodes, objects = document["attributes"], document["objects"]
    infos = {
        name: TensorInfo(NAMED_TYPES[dtype], tuple(shape))
        for name, (dtype, shape) in document["tensors"].items()
    }
    tensors = {name: _tensor(arrays[name], info) for name, info in infos.items()}
    archives = Archives(infos, lambda name: tensors[name].numpy().tobytes())
    names = sorted(set(names_in(list(nodes.values()), objects, archives)))
    if names:
        raise ModelFileError(
            f"the stored {cls.__name__} needs {', '.join(names)}. Models with code of your own are "
            "kept by sknn.save, and loaded by sknn.load with trusted=."
        )
    known = find_known(name_of(cls)) is cls
    checker = DocumentChecker(objects, infos, lambda name: None, archives)
    check_attributes(checker, SortedClass(cls, known, sorts_of(cls)), nodes, cls.__name__)
    decoder = Decoder(objects, tensors, Trust(None), archives)
    return {name: decoder.decode(node) for name, node in nodes.items()}


def _tensor(content: Any, info: TensorInfo) -> torch.Tensor:
    if type(content) is not np.ndarray or content.dtype != np.uint8:
        raise ValueError("a tensor is no array of bytes")
    if content.ndim != 1 or len(content) != info.n_bytes:
        raise ValueError("a tensor has another number of bytes than its shape")
    tensor = torch.empty(info.shape, dtype=info.dtype)
    if len(content):
        bytes_of(tensor)[:] = content.tobytes()
    if info.dtype == torch.bool and not is_boolean(tensor):
        raise ValueError("booleans that are neither 0 nor 1")
    return tensor
