"""One file of named tensors and a plain document: its header, and a checksum over every byte."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
import zlib
from contextlib import suppress
from io import BufferedReader, FileIO
from typing import Any

import torch
from torch import Tensor

from ._atomic import atomic_write, naming
from ._tensors import NAMED_TYPES, TYPES, TensorInfo, bytes_of, is_boolean

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


# Of a file of so many bytes, more than one in so many is on the disk: it is no hole.
LARGE = 2**26
MOST_HOLES = 64

# Bytes that have a CRC of their own.
PIECE = 2**20


def write_file(
    path: str | os.PathLike[str], document: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Write contiguous tensors on the CPU and a document of JSON, as a whole or not at all."""
    header = make_header(json.dumps(document, allow_nan=False, separators=(",", ":")), tensors)
    n_values = count_values(header)
    if len(header) > MAX_HEADER or n_values > MAX_VALUES:
        raise ValueError(
            f"{os.fspath(path)}: what is to be saved has more texts, lists or tensors than a file "
            f"may have ({len(header)} bytes of {MAX_HEADER}, {n_values} values of {MAX_VALUES}). "
            "Numbers in NumPy arrays or tensors do not count."
        )
    contents = [bytes_of(tensor) for tensor in tensors.values()]
    whole = _begin_checksum(header)
    for content in contents:
        for start in range(0, len(content), PIECE):
            _add(content[start : start + PIECE], whole)
    checksum = f'"checksum":"{whole.hexdigest()}"'.encode()
    with atomic_write(path) as file:
        file.write(header.replace(f'"checksum":"{NO_CHECKSUM}"'.encode(), checksum, 1))
        for content in contents:
            file.write(content)


def _begin_checksum(header: bytes) -> Any:
    return hashlib.blake2b(header, digest_size=32)


def _add(piece: memoryview, whole: Any) -> None:
    """Add the next piece of a file to its checksum."""
    whole.update(zlib.crc32(piece).to_bytes(4, "little"))


class ModelFile:
    """An open file, of which the header was read and nothing else; `document` is not verified yet.

    Tensors are read into memory of their own, and not mapped: a file that another program cuts
    off or writes anew would end this process or change the weights of a model in use.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self._file = _open(os.path.expanduser(path), self.name)
        try:
            self._read_head()
        except BaseException:
            self.close()
            raise

    def _read_head(self) -> None:
        with naming(self.name):
            self._header, metadata, entries = read_header(self._file, self.name)
        self._checksum = metadata["checksum"].encode()
        size = os.fstat(self._file.fileno()).st_size - len(self._header)
        infos = read_entries(entries, size)
        if infos is None or self._header.count(self._checksum) != 1:
            raise altered(self.name)
        if _held(self._file.fileno()) * MOST_HOLES < size:
            raise ModelFileError(
                f"{self.name} holds hardly anything of the {size} bytes that it claims to have."
            )
        self.infos = infos
        document = parse(metadata["document"].encode(), self.name)
        if not isinstance(document, dict):
            raise altered(self.name)
        self.document: dict[str, Any] = document

    def read(self) -> dict[str, Tensor]:
        """Read and verify all tensors."""
        tensors: dict[str, Tensor] = {}
        whole = self._begin()
        for name, info in self.infos.items():
            tensors[name] = _empty(info)
            content = bytes_of(tensors[name])
            for start in range(0, len(content), PIECE):
                self._read_piece(content[start : start + PIECE], whole)
        self._compare(whole)
        if not all(is_boolean(each) for each in tensors.values() if each.dtype == torch.bool):
            raise ModelFileError(f"{self.name}: the file has booleans that are neither 0 nor 1.")
        return tensors

    def verify(self) -> None:
        """Compare the checksum, and keep nothing."""
        whole = self._begin()
        piece = memoryview(bytearray(PIECE))
        for info in self.infos.values():
            left = info.n_bytes
            while left:
                n_bytes = min(left, PIECE)
                self._read_piece(piece[:n_bytes], whole)
                left -= n_bytes
        self._compare(whole)

    def read_bytes(self, name: str) -> bytes:
        """Return the bytes of one tensor, not verified."""
        start = len(self._header)
        for other, info in self.infos.items():
            if other == name:
                break
            start += info.n_bytes
        with naming(self.name):
            self._file.seek(start)
            return self._file.read(self.infos[name].n_bytes)

    @property
    def n_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(info.n_bytes for info in self.infos.values())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()

    def _begin(self) -> Any:
        """Go to the first tensor, and begin a checksum."""
        with naming(self.name):
            self._file.seek(len(self._header))
        return _begin_checksum(self._header.replace(self._checksum, NO_CHECKSUM.encode()))

    def _read_piece(self, piece: memoryview, whole: Any) -> None:
        """Fill a piece with what comes next in the file, and add it to the checksum."""
        with naming(self.name):
            if self._file.readinto(piece) != len(piece):
                raise altered(self.name)
        _add(piece, whole)

    def _compare(self, whole: Any) -> None:
        if whole.hexdigest().encode() != self._checksum:
            raise altered(self.name)


def _open(path: str | os.PathLike[str], name: str) -> BufferedReader:
    """Open a regular file; a pipe or a device would block, or never end."""
    with naming(name):
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "is a folder; name a file in it", name)
            raise ModelFileError(f"{name} is no regular file, and sknn.load reads no others.")
        return BufferedReader(FileIO(descriptor, "rb"))


def _held(descriptor: int) -> int:
    """Return how many bytes of a file are on the disk, holes left out."""
    size = os.fstat(descriptor).st_size
    if size < LARGE or not hasattr(os, "SEEK_DATA"):
        return size
    held, place = 0, 0
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    with suppress(OSError):  # no more data after the last hole
        while place < size:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
            place = os.lseek(descriptor, start, os.SEEK_HOLE)
            held += place - start
    os.lseek(descriptor, before, os.SEEK_SET)  # where the buffered reader believes it to be
    return held


def _empty(info: TensorInfo) -> Tensor:
    try:
        return torch.empty(info.shape, dtype=info.dtype)
    except RuntimeError as error:  # torch's word for it
        raise MemoryError(f"not enough memory for a tensor of {info.n_bytes:,} bytes") from error
