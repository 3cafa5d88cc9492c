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
import math
import os
import stat
import zlib
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedReader, FileIO
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._atomic import atomic_write, naming

FORMAT = 1

# A reader refuses more: 16 MiB of header, as many values in it as take a second and some 50 MB in
# Python, and more levels than the stack of every Python allows.
MAX_HEADER = 2**24
MAX_VALUES = 500_000
MAX_DEPTH = 100

# Product of the lengths of an array without elements, zeros left out.
MAX_EMPTY = 2**24

# Of a file of so many bytes, more than one in so many is on the disk: it is no hole.
LARGE = 2**26
MOST_HOLES = 64

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


NAMED_TYPES = {name: dtype for dtype, name in TYPES.items()}


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
    n_values = count_values(header)
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
    # of one element, the stride can be anything too
    flat = tensor.reshape(-1).as_strided((tensor.numel(),), (1,))
    return memoryview(flat.view(torch.uint8).numpy().data)


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


class TensorInfo(NamedTuple):
    """What is known of a tensor before it is read.

    Attributes
    ----------
    dtype : torch.dtype
        Its type.
    shape : tuple of int
        Its shape.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        return math.prod(self.shape) * self.dtype.itemsize


class ModelFile:
    """An open file, of which the header was read and nothing else.

    Tensors are read into memory of their own, and not mapped: a file that another program cuts
    off or writes anew would end this process or change the weights of a model in use.

    Parameters
    ----------
    path : str or os.PathLike
        The file, which stays open.

    Attributes
    ----------
    name : str
        The path.
    document : dict
        The document; not verified yet.
    infos : dict of str to TensorInfo
        What the header says of the tensors, which agrees with the length of the file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is another kind of file, of a newer format, cut off or altered.
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
            self._header, entries = _read_header(self._file, self.name)
        metadata = entries.pop("__metadata__")
        self._checksum = metadata["checksum"].encode()
        size = os.fstat(self._file.fileno()).st_size - len(self._header)
        infos = read_entries(entries, size)
        if infos is None or self._header.count(self._checksum) != 1:
            raise _altered(self.name)
        if _held(self._file.fileno()) * MOST_HOLES < size:
            raise ModelFileError(
                f"{self.name} holds hardly anything of the {size} bytes that it claims to have."
            )
        self.infos = infos
        document = _parse(metadata["document"].encode(), self.name)
        if not isinstance(document, dict):
            raise _altered(self.name)
        self.document = document

    def read(self) -> dict[str, Tensor]:
        """Read and verify all tensors.

        Returns
        -------
        dict of str to Tensor
            On the CPU.

        Raises
        ------
        OSError
            If the file cannot be read.
        MemoryError
            If there is not enough memory.
        ModelFileError
            If the checksum is wrong.
        """
        tensors: dict[str, Tensor] = {}
        whole = self._begin_checksum()
        with naming(self.name):
            self._file.seek(len(self._header))
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
        """Compare the checksum, and keep nothing.

        Raises
        ------
        OSError
            If the file cannot be read.
        ModelFileError
            If the checksum is wrong.
        """
        whole = self._begin_checksum()
        piece = memoryview(bytearray(PIECE))
        with naming(self.name):
            self._file.seek(len(self._header))
            for info in self.infos.values():
                left = info.n_bytes
                while left:
                    n_bytes = min(left, PIECE)
                    self._read_piece(piece[:n_bytes], whole)
                    left -= n_bytes
        self._compare(whole)

    def read_bytes(self, name: str) -> bytes:
        """Read one tensor of bytes, not verified.

        Parameters
        ----------
        name : str
            The tensor.

        Returns
        -------
        bytes
        """
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

    def _begin_checksum(self) -> Any:
        blank = self._header.replace(self._checksum, NO_CHECKSUM.encode())
        return hashlib.blake2b(blank, digest_size=32)

    def _read_piece(self, piece: memoryview, whole: Any) -> None:
        """Fill a piece with what comes next in the file, and add it to the checksum."""
        if self._file.readinto(piece) != len(piece):
            raise _altered(self.name)
        whole.update(zlib.crc32(piece).to_bytes(4, "little"))

    def _compare(self, whole: Any) -> None:
        if whole.hexdigest().encode() != self._checksum:
            raise _altered(self.name)


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


def is_boolean(tensor: Tensor) -> bool:
    """Say whether a tensor of booleans has no bytes but 0 and 1: NumPy counts by adding them up.

    Parameters
    ----------
    tensor : Tensor
        Of booleans, or of bytes that become some.

    Returns
    -------
    bool
    """
    return not tensor.numel() or bool(tensor.view(torch.uint8).max() <= 1)


def _empty(info: TensorInfo) -> Tensor:
    try:
        return torch.empty(info.shape, dtype=info.dtype)
    except RuntimeError as error:  # torch's word for it
        raise MemoryError(f"not enough memory for a tensor of {info.n_bytes:,} bytes") from error


def read_entries(entries: dict[str, Any], size: int) -> dict[str, TensorInfo] | None:
    """Return what a header says of its tensors.

    Parameters
    ----------
    entries : dict
        Types, shapes and places by name, without the metadata.
    size : int
        Bytes behind the header.

    Returns
    -------
    dict of str to TensorInfo, or None
        None unless the tensors come one after the other, to the end.
    """
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


def _checksum(header: bytes, contents: Iterable[memoryview]) -> str:
    """Return the checksum of a file, from its header without one and its tensors."""
    whole = hashlib.blake2b(header, digest_size=32)
    for content in contents:
        for start in range(0, len(content), PIECE):
            whole.update(zlib.crc32(content[start : start + PIECE]).to_bytes(4, "little"))
    return whole.hexdigest()


def _read_header(file: BufferedReader, name: str) -> tuple[bytes, dict[str, Any]]:
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
    if len(metadata["checksum"]) != len(NO_CHECKSUM) or not all(
        each.isascii() for each in metadata.values()
    ):
        raise _altered(name)
    return start + header, parsed


def _parse(text: bytes, name: str) -> Any:
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
    """Say whether lists and dicts are nested deeper than MAX_DEPTH.

    Parameters
    ----------
    value : object
        What JSON can hold.

    Returns
    -------
    bool
    """
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
    """Return how many values JSON can have at most.

    Parameters
    ----------
    text : bytes
        JSON.

    Returns
    -------
    int
    """
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
