"""One file of named tensors and a plain document, with a checksum over every byte.

The file is a safetensors file, which other programs can open too. Its metadata have the entries

- ``sknn_format``: number of the format,
- ``checksum``: BLAKE2b of the header, in which these digits themselves are zeros, followed by the
  CRC-32 of each MiB of each tensor,
- ``document``: JSON.

Nothing is made of a file before its checksum is right, and no size that a file claims is believed
before it is compared with the file's own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import zlib
from contextlib import suppress
from io import BufferedReader, FileIO
from typing import Any

import torch
from torch import Tensor

from ._atomic import atomic_write, naming
from ._header import (
    MAX_HEADER,
    MAX_VALUES,
    NO_CHECKSUM,
    ModelFileError,
    altered,
    count_values,
    make_header,
    parse,
    read_entries,
    read_header,
)
from ._tensors import TensorInfo, bytes_of, is_boolean

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
