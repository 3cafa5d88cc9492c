"""Digests of data, by which a checkpoint knows those that it was begun with.

They are made to tell data apart that are confused by mistake, and to take little time: checksums
of pieces, and a hash over the checksums.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
from scipy import sparse

from ._devices import count_threads
from ._ragged import Ragged
from ._samples import OwnInputs

# Bytes that are read at a time, so that a memmap is never in memory as a whole.
PIECE = 2**20


def fingerprint(data: Any) -> str | None:
    """Return a digest of type, shape and values of an array, CSR matrix or Ragged, if there is one.

    Rows that are their own targets have one as X.
    """
    if data is None or isinstance(data, OwnInputs):
        return None
    digest = hashlib.blake2b(digest_size=16)
    for name, array in _parts(data):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        for checksum in _checksums(_pieces(array)):
            digest.update(checksum.to_bytes(4, "little"))
    return digest.hexdigest()


def _checksums(pieces: Iterator[Any]) -> Iterator[int]:
    """Go through some pieces at the same time, and never hold many of them."""
    n_threads = count_threads()
    with ThreadPoolExecutor(n_threads) as pool:  # has no thread before the second piece
        while group := list(islice(pieces, 8 * n_threads)):
            yield from pool.map(zlib.crc32, group) if len(group) > 1 else map(zlib.crc32, group)


def _parts(data: Any) -> list[tuple[str, np.ndarray]]:
    """Return the arrays that data consist of."""
    if sparse.issparse(data):
        shape = np.array(data.shape)
        arrays = {"data": data.data, "indices": data.indices, "indptr": data.indptr}
        return [("shape", shape), *arrays.items()]
    if isinstance(data, Ragged):
        return [("values", data.values), ("lengths", data.lengths)]
    return [("array", np.asarray(data))]


def _pieces(array: np.ndarray) -> Iterator[Any]:
    """Cut an array into the bytes of some rows at a time."""
    if array.dtype.hasobject:
        values = array.ravel()
        for start in range(0, len(values), PIECE // 64):
            part = values[start : start + PIECE // 64]
            yield "\n".join(map(_described, part)).encode()
        return
    if array.ndim == 0 or not array.size:
        yield array.tobytes()
        return
    n_rows = max(PIECE // (array.nbytes // len(array)), 1)
    for start in range(0, len(array), n_rows):
        yield np.ascontiguousarray(array[start : start + n_rows])


def _described(value: Any) -> str:
    """Return the type and the content of an object; NumPy abbreviates what arrays look like."""
    if isinstance(value, np.ndarray):
        return f"ndarray {fingerprint(value)}"
    if isinstance(value, list | tuple):
        return f"{type(value).__qualname__} {[_described(each) for each in value]}"
    return f"{type(value).__qualname__} {value!r}"
