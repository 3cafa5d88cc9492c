"""Handwritten digits."""

from __future__ import annotations

import gzip
import math
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._fetching import Fetched, Subset, bundle, describe, fetcher
from ._store import RemoteFile, check_labels, corrupt_file, decoding, locate


def _archive(name: str, md5: str) -> RemoteFile:
    # The publisher's own site no longer serves the files. This is the mirror that torchvision
    # keeps, and the hashes are those of the original archives that torchvision.datasets.MNIST
    # checks.
    return RemoteFile(
        path=f"mnist/{name}",
        url=f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}",
        known_hash=f"md5:{md5}",
    )


_IMAGES = {
    "train": _archive("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "test": _archive("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
}
_LABELS = {
    "train": _archive("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    "test": _archive("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
}
_N_IMAGES = {"train": 60_000, "test": 10_000}
_IMAGE_SHAPE = (28, 28)
_N_CLASSES = 10


@fetcher()
def fetch_mnist(
    *,
    subset: Subset = "train",
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Fetched:
    """Load the MNIST database of handwritten digits (classification).

    =================   ==================================
    Classes             10
    Samples total       60000 for training, 10000 for test
    Dimensionality      784 (28 x 28 pixels)
    Features            int, 0 - 255
    =================   ==================================

    Parameters
    ----------
    {subset}
    {data_home}
    {download_if_missing}
    {return_X_y}
    {as_frame}

    Returns
    -------
    {dataset}

        data : ndarray of shape (n_samples, 784) and dtype uint8, or DataFrame
            Grey values of the pixels, row by row. ``data.reshape(-1, 28, 28)`` are the images.
        target : ndarray of shape (n_samples,), or Series
            Digits, 0 to 9.
        feature_names : list of str
            ``"pixel_0_0"`` (row 0, column 0) to ``"pixel_27_27"``.
        target_names : list of str
            ``"0"`` to ``"9"``.
        {frame}
        DESCR : str
            Description, source and citation.

    {data_and_target}

    Raises
    ------
    {missing_file}
    ValueError
        If a file is damaged, or `subset` is not one of those above.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, `Gradient-based learning applied to
       document recognition <https://doi.org/10.1109/5.726791>`_, Proceedings of the IEEE 86(11),
       2278-2324, 1998.

    Examples
    --------
    >>> from sknn.datasets import fetch_mnist
    >>> X, y = fetch_mnist(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (10000, 784)
    """
    subsets = ["train", "test"] if subset == "all" else [subset]
    # All files first, so that a missing one is noticed before any is decompressed.
    images = [locate(_IMAGES[each], data_home, download_if_missing) for each in subsets]
    labels = [locate(_LABELS[each], data_home, download_if_missing) for each in subsets]
    data = _concatenate(
        [
            _read_idx(path, (_N_IMAGES[each], *_IMAGE_SHAPE))
            for path, each in zip(images, subsets, strict=True)
        ]
    )
    target = _concatenate(
        [_read_labels(path, _N_IMAGES[each]) for path, each in zip(labels, subsets, strict=True)]
    )
    height, width = _IMAGE_SHAPE
    return bundle(
        data.reshape(len(data), -1),
        target.astype(np.int64),
        feature_names=[f"pixel_{row}_{column}" for row in range(height) for column in range(width)],
        target_names=[str(digit) for digit in range(_N_CLASSES)],
        description=describe("mnist"),
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def _concatenate(arrays: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Join along the first axis, without a copy if there is only one array."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _read_labels(path: Path, n_labels: int) -> NDArray[np.uint8]:
    labels = _read_idx(path, (n_labels,))
    check_labels(path, labels, _N_CLASSES)
    return labels


def _read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a compressed IDX file of bytes, which must hold an array of the given shape."""
    # The format: two zero bytes, the type of the elements (8: unsigned byte), the number of
    # dimensions; the dimensions as big-endian 32-bit integers; the elements in C order.
    with decoding(path), gzip.open(path) as stream:
        magic = stream.read(4)
        dimensions = stream.read(4 * len(shape))
        # one byte more than expected, to notice that there are too many
        elements = bytearray(stream.read(math.prod(shape) + 1))
    expected = bytes([0, 0, 8, len(shape)])
    if magic != expected:
        raise corrupt_file(path, f"its magic number is {magic.hex()}, expected {expected.hex()}")
    if len(dimensions) < 4 * len(shape):
        raise corrupt_file(path, "it ends within its header")
    found = tuple(np.frombuffer(dimensions, dtype=">u4").tolist())
    if found != shape:
        raise corrupt_file(path, f"it announces the shape {found}, expected {shape}")
    if len(elements) != math.prod(shape):
        relation = "fewer" if len(elements) < math.prod(shape) else "more"
        raise corrupt_file(path, f"it has {relation} bytes than its shape {shape} needs")
    # A bytearray is writable, and so is the array on top of it.
    return np.frombuffer(elements, dtype=np.uint8).reshape(shape)
