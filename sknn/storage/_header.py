"""The header of a file, JSON: what it may claim, and the errors for what it may not."""

from __future__ import annotations

import json
import math
import os
from io import BufferedReader
from typing import Any

from torch import Tensor

from ._tensors import NAMED_TYPES, TYPES, TensorInfo, bytes_of

FORMAT = 1

# A reader refuses more: 16 MiB of header, as many values in it as take a second and some 50 MB in
# Python, and more levels than the stack of every Python allows.
MAX_HEADER = 2**24
MAX_VALUES = 500_000
MAX_DEPTH = 100

# Product of the lengths of an array without elements, zeros left out.
MAX_EMPTY = 2**24

NO_CHECKSUM = "0" * 64


class ModelFileError(ValueError):
    """A file is not what :func:`sknn.save` has written, or not all of it."""


def altered(name: str) -> ModelFileError:
    """Return the error for a file with a wrong checksum."""
    return ModelFileError(
        f"{name} was cut off or altered since sknn.save has written it: its checksum is wrong. "
        "Copy it anew from where it came from; delete a checkpoint, and its fit begins anew."
    )


def _foreign(name: str, start: bytes) -> ModelFileError:
    """Return the error for a file of another kind, which its first bytes tell."""
    if start[:1] == b"\x80":
        kind = "a pickle, which can run any code when it is loaded"
    elif start[:2] == b"PK":
        kind = "a zip archive, such as torch.save and skops write"
    elif start[:1] == b"\x78" or start[:2] == b"\x1f\x8b":
        kind = "compressed, as joblib's files can be"
    else:
        kind = "cut off, or of another kind"
    return ModelFileError(
        f"{name} is not a file that sknn.save has written: it is {kind}. sknn.load reads no other "
        "files."
    )


def make_header(document: str, tensors: dict[str, Tensor]) -> bytes:
    """Return what a safetensors file begins with, zeros in place of the checksum.

    The package safetensors would first join all tensors in memory, which takes as long as writing
    them; checkpoints are written often.
    """
    metadata = {"sknn_format": str(FORMAT), "checksum": NO_CHECKSUM, "document": document}
    entries: dict[str, Any] = {"__metadata__": metadata}
    start = 0
    for name, tensor in tensors.items():
        stop = start + len(bytes_of(tensor))
        dtype, shape = TYPES[tensor.dtype], list(tensor.shape)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_header(file: BufferedReader, name: str) -> tuple[bytes, dict[str, str], dict[str, Any]]:
    """Return the first bytes of a file, up to the tensors, its metadata and its other entries."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= size - 8:
        raise _foreign(name, start)
    if length > MAX_HEADER:
        raise ModelFileError(
            f"{name}: the header claims {length} bytes; sknn.save writes at most {MAX_HEADER}."
        )
    header = file.read(length)
    entries = parse(header, name)
    metadata = entries.pop("__metadata__", None) if isinstance(entries, dict) else None
    if not isinstance(metadata, dict) or "sknn_format" not in metadata:
        raise _foreign(name, start)
    wanted = {"sknn_format", "checksum", "document"}
    if set(metadata) != wanted or not all(isinstance(each, str) for each in metadata.values()):
        raise altered(name)
    if metadata["sknn_format"] != str(FORMAT):
        raise ModelFileError(
            f"{name} has the format {metadata['sknn_format'][:20]!r}; this version of sknn reads "
            f"format {FORMAT}. A newer version of sknn has written it, or it was altered."
        )
    if len(metadata["checksum"]) != len(NO_CHECKSUM) or not all(
        each.isascii() for each in metadata.values()
    ):
        raise altered(name)
    return start + header, metadata, entries


def read_entries(entries: dict[str, Any], size: int) -> dict[str, TensorInfo] | None:
    """Return types and shapes of the tensors; None unless they fill `size` bytes one by one."""
    stop, infos = 0, {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            return None
        shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
        if type(dtype) is not str or dtype not in NAMED_TYPES or not _is_shape(shape):
            return None
        infos[name] = TensorInfo(NAMED_TYPES[dtype], tuple(shape))
        if offsets != [stop, stop + infos[name].n_bytes] or type(offsets[0]) is not int:
            return None
        stop = offsets[1]
    return infos if stop == size else None


def _is_shape(shape: Any) -> bool:
    if type(shape) is not list or len(shape) > 32:
        return False
    if any(type(length) is not int or not 0 <= length < 2**48 for length in shape):
        return False
    return math.prod(n for n in shape if n) <= (MAX_EMPTY if 0 in shape else 2**48)


def parse(text: bytes, name: str) -> Any:
    """Parse JSON of bounded size."""
    if count_values(text) > MAX_VALUES:
        raise ModelFileError(f"{name}: the header has more than {MAX_VALUES} values.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{name} is not a file that sknn.save has written, or it was cut off or altered: its "
            f"header is not JSON."
        ) from error
    if is_deep(value):
        raise ModelFileError(f"{name}: the header is nested more than {MAX_DEPTH} levels deep.")
    return value


def is_deep(value: Any) -> bool:
    """Say whether lists and dicts are nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for each in level
            if isinstance(each, (list, dict))
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def count_values(text: bytes) -> int:
    """Return how many values JSON can have at most."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")
