"""One file of named tensors and a plain document, with a checksum over every byte.

The file is a safetensors file, which other programs can open too. Its metadata have the entries

- ``sknn_format``: number of the format,
- ``checksum``: BLAKE2b of the header, in which these digits themselves are zeros, followed by the
  CRC-32 of each MiB of each tensor,
- ``document``: JSON.

Nothing is taken from a file before its checksum is right, and no size that a file claims is
believed before it is compared with the file's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ._atomic import atomic_write, naming

FORMAT = 1

# A reader refuses more: 16 MiB of header, and as many values in it as take a second
# and some 50 MB in Python.
MAX_HEADER = 2**24
MAX_VALUES = 500_000

NO_CHECKSUM = "0" * 64

# Bytes that have a CRC of their own.
PIECE = 2**20

# The names that safetensors has for types.
TYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.complex64: "C64",
}


class ModelFileError(ValueError):
    """A file is not what :func:`sknn.save` has written, or not all of it."""


def write_file(
    path: str | os.PathLike[str], document: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Write tensors and a document to one file, as a whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file, which is replaced if it exists.
    document : dict
        What JSON can hold.
    tensors : dict of str to Tensor
        Contiguous tensors on the CPU.

    Raises
    ------
    OSError
        If the file cannot be written; it names the path, and the previous file is intact.
    ValueError
        If the document is larger than readers accept.
    """
    contents = {name: bytes_of(tensor) for name, tensor in tensors.items()}
    metadata = {
        "sknn_format": str(FORMAT),
        "checksum": NO_CHECKSUM,
        "document": json.dumps(document, allow_nan=False, separators=(",", ":")),
    }
    header = _make_header(metadata, tensors, contents)
    n_values = _count_values(header)
    if len(header) > MAX_HEADER or n_values > MAX_VALUES:
        raise ValueError(
            f"{os.fspath(path)}: what is to be saved has more texts, lists or tensors than a file "
            f"may have ({len(header)} bytes of {MAX_HEADER}, {n_values} values of {MAX_VALUES}). "
            "Numbers in NumPy arrays or tensors do not count."
        )
    checksum = f'"checksum":"{_checksum(header, contents.values())}"'.encode()
    with atomic_write(path) as file:
        file.write(header.replace(f'"checksum":"{NO_CHECKSUM}"'.encode(), checksum, 1))
        for content in contents.values():
            file.write(content)


def bytes_of(tensor: Tensor) -> memoryview:
    """Return the memory of a tensor.

    Parameters
    ----------
    tensor : Tensor
        Contiguous, on the CPU.

    Returns
    -------
    memoryview
        Of bytes.
    """
    if not tensor.numel():  # strides of empty tensors can be anything
        return memoryview(b"")
    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy().data)


def _make_header(
    metadata: dict[str, str], tensors: dict[str, Tensor], contents: dict[str, memoryview]
) -> bytes:
    """Return what a safetensors file begins with.

    The package safetensors would first join all tensors in memory, which takes as long as writing
    them; checkpoints are written often.
    """
    entries: dict[str, Any] = {"__metadata__": metadata}
    start = 0
    for name, content in contents.items():
        stop = start + len(content)
        dtype, shape = TYPES[tensors[name].dtype], list(tensors[name].shape)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read and verify what :func:`write_file` has written.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    document : dict
        The document.
    tensors : dict of str to Tensor
        The tensors, on the CPU.

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is another kind of file, of a newer format, cut off or altered.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    name = os.fspath(path)
    with naming(path), open(path, "rb") as file:
        header, entries = _read_header(file, name)
        file.seek(0)
        content = file.read()
    metadata = entries.pop("__metadata__")
    checksum = metadata["checksum"].encode()
    if content[: len(header)] != header or header.count(checksum) != 1:
        raise _altered(name)
    blank = header.replace(checksum, NO_CHECKSUM.encode())
    parts = _part(memoryview(content)[len(header) :], entries)
    if parts is None or _checksum(blank, parts).encode() != checksum:
        raise _altered(name)
    try:
        return json.loads(metadata["document"]), load(content)
    except (SafetensorError, ValueError, KeyError, RecursionError, MemoryError) as error:
        raise ModelFileError(f"{name}: the file contradicts itself ({error}).") from error


def _part(body: memoryview, entries: dict[str, Any]) -> list[memoryview] | None:
    """Return the memory of each tensor; None unless they come one after the other, to the end."""
    stop, parts = 0, []
    for entry in entries.values():
        offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
        if not isinstance(offsets, list) or len(offsets) != 2 or offsets[0] != stop:
            return None
        if not isinstance(offsets[1], int) or not stop <= offsets[1] <= len(body):
            return None
        parts.append(body[stop : offsets[1]])
        stop = offsets[1]
    return parts if stop == len(body) else None


def _checksum(header: bytes, contents: Iterable[memoryview]) -> str:
    """Return the checksum of a file, from its header without one and its tensors."""
    whole = hashlib.blake2b(header, digest_size=32)
    for content in contents:
        for start in range(0, len(content), PIECE):
            whole.update(zlib.crc32(content[start : start + PIECE]).to_bytes(4, "little"))
    return whole.hexdigest()


def _read_header(file: BinaryIO, name: str) -> tuple[bytes, dict[str, Any]]:
    """Return the first bytes of a file, up to the tensors, and what they say."""
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
    parsed = _parse(header, name)
    metadata = parsed.get("__metadata__") if isinstance(parsed, dict) else None
    if not isinstance(metadata, dict) or "sknn_format" not in metadata:
        raise _foreign(name, start)
    wanted = {"sknn_format", "checksum", "document"}
    if set(metadata) != wanted or not all(isinstance(each, str) for each in metadata.values()):
        raise _altered(name)
    if metadata["sknn_format"] != str(FORMAT):
        raise ModelFileError(
            f"{name} has the format {metadata['sknn_format'][:20]!r}; this version of sknn reads "
            f"format {FORMAT}. A newer version of sknn has written it, or it was altered."
        )
    if len(metadata["checksum"]) != len(NO_CHECKSUM):
        raise _altered(name)
    return start + header, parsed


def _parse(text: bytes, name: str) -> Any:
    """Parse JSON of bounded size."""
    if _count_values(text) > MAX_VALUES:
        raise ModelFileError(f"{name}: the header has more than {MAX_VALUES} values.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{name} is not a file that sknn.save has written, or it was cut off or altered: its "
            f"header is not JSON."
        ) from error


def _count_values(text: bytes) -> int:
    """Return how many values JSON can have at most."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _altered(name: str) -> ModelFileError:
    return ModelFileError(
        f"{name} was cut off or altered since sknn.save has written it: its checksum is wrong. "
        "Copy it anew from where it came from; delete a checkpoint, and its fit begins anew."
    )


def _foreign(name: str, start: bytes) -> ModelFileError:
    """Say what a file is that is none of ours."""
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
