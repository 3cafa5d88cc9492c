"""One file of named tensors and a plain document, with a checksum over every byte.

The file is a safetensors file, which other programs can open too. Its metadata have the entries

- ``sknn_format``: number of the format,
- ``checksum``: BLAKE2b of the header, in which these digits themselves are zeros, followed by the
  BLAKE2b of each MiB after it,
- ``document``: JSON.

Nothing is taken from a file before its checksum is right, and no size that a file claims is
believed before it is compared with the file's own.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ._atomic import atomic_write, naming

FORMAT = 1

# A reader refuses more: 16 MiB of header, and as many values in it as take some 100 MB in Python.
MAX_HEADER = 2**24
MAX_VALUES = 1_000_000

NO_CHECKSUM = "0" * 64

# Bytes that are hashed at a time.
PIECE = 2**20


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
    from safetensors.torch import save

    metadata = {
        "sknn_format": str(FORMAT),
        "checksum": NO_CHECKSUM,
        "document": json.dumps(document, allow_nan=False, separators=(",", ":")),
    }
    content = memoryview(save(tensors, metadata=metadata))
    body = 8 + int.from_bytes(content[:8], "little")
    header = bytes(content[:body])
    if body > MAX_HEADER or _count_values(header) > MAX_VALUES:
        raise ValueError(
            f"{os.fspath(path)}: what is to be saved has more texts, lists or tensors than a file "
            f"may have ({body} bytes of {MAX_HEADER}, {_count_values(header)} values of "
            f"{MAX_VALUES}). Numbers in NumPy arrays or tensors do not count."
        )
    checksum = f'"checksum":"{_checksum(header, content[body:])}"'.encode()
    with atomic_write(path) as file:
        file.write(header.replace(f'"checksum":"{NO_CHECKSUM}"'.encode(), checksum, 1))
        file.write(content[body:])


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
        header, metadata = _read_header(file, name)
        file.seek(0)
        content = file.read()
    checksum = metadata["checksum"].encode()
    if content[: len(header)] != header or header.count(checksum) != 1:
        raise _altered(name)
    blank = header.replace(checksum, NO_CHECKSUM.encode())
    if _checksum(blank, memoryview(content)[len(header) :]).encode() != checksum:
        raise _altered(name)
    try:
        return json.loads(metadata["document"]), load(content)
    except (SafetensorError, ValueError, KeyError, RecursionError, MemoryError) as error:
        raise ModelFileError(f"{name}: the file contradicts itself ({error}).") from error


def _checksum(header: bytes, body: memoryview) -> str:
    """Return the checksum of a file, whose pieces threads go through at the same time."""
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
    whole = hashlib.blake2b(header, digest_size=32)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        digests = pool.map(_digest, pieces) if len(pieces) > 1 else map(_digest, pieces)
        for digest in digests:
            whole.update(digest)
    return whole.hexdigest()


def _digest(piece: memoryview) -> bytes:
    return hashlib.blake2b(piece, digest_size=32).digest()


def _read_header(file: BinaryIO, name: str) -> tuple[bytes, dict[str, str]]:
    """Return the first bytes of a file, up to the tensors, and the metadata in them."""
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
    return start + header, metadata


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
        f"{name} was cut off or altered since sknn.save has written it: its checksum is wrong."
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
