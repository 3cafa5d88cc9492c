"""Tensors and arrays: what their types are called, and their bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

# The names that safetensors has for types.
TYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.uint16: "U16", torch.uint32: "U32",
    torch.uint64: "U64", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32",
    torch.int64: "I64", torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32",
    torch.float64: "F64", torch.complex64: "C64",
}  # fmt: skip
NAMED_TYPES = {name: dtype for dtype, name in TYPES.items()}

# torch's own names, which nodes have.
TORCH_TYPES = {
    str(value).removeprefix("torch."): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}

NUMPY_TYPE = re.compile(
    r"[<>|=]?(?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[USV]\d{0,6}"
    r"|[Mm]8(?:\[\d{0,4}\w{1,2}\])?)"
)


class TensorInfo(NamedTuple):
    """What is known of a tensor before it is read."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def infos_of(tensors: Mapping[str, Tensor]) -> dict[str, TensorInfo]:
    """Return types and shapes of tensors, by name."""
    return {name: TensorInfo(each.dtype, tuple(each.shape)) for name, each in tensors.items()}


def bytes_of(tensor: Tensor) -> memoryview:
    """Return the memory of a contiguous tensor on the CPU, as bytes."""
    if not tensor.numel():  # strides of empty tensors can be anything
        return memoryview(b"")
    # of one element, the stride can be anything too
    flat = tensor.reshape(-1).as_strided((tensor.numel(),), (1,))
    return memoryview(flat.view(torch.uint8).numpy().data)


def is_boolean(tensor: Tensor) -> bool:
    """Say whether booleans are stored as 0 and 1 only: NumPy counts them by adding up the bytes."""
    return not tensor.numel() or bool(tensor.view(torch.uint8).max() <= 1)


def numpy_itemsize(dtype: str) -> int:
    """Return the bytes of an element whose type matches `NUMPY_TYPE`."""
    bare = dtype.lstrip("<>|=").partition("[")[0]
    size = int(bare[1:] or 0)
    return 4 * size if bare[0] == "U" else size
