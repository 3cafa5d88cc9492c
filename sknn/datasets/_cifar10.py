"""Small colour photographs of ten kinds of objects."""

from __future__ import annotations

import shutil
import tarfile
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ._fetching import Fetched, Subset, bundle, describe, fetcher
from ._store import (
    RemoteFile,
    check_labels,
    corrupt_file,
    decoding,
    replacing,
    require_writable,
    resolve_data_home,
    unpack,
)

# The publisher states the hash: https://www.cs.toronto.edu/~kriz/cifar.html
_ARCHIVE = RemoteFile(
    path="cifar10/cifar-10-binary.tar.gz",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    known_hash="md5:c32a1d4ab5d03f1284b67883e8d87530",
)
_FOLDER = "cifar10/cifar-10-batches-bin"
_CLASS_NAMES_FILE = "batches.meta.txt"
_BATCH_FILES = {
    "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
    "test": ["test_batch.bin"],
}
_BATCH_FILES["all"] = _BATCH_FILES["train"] + _BATCH_FILES["test"]
_IMAGES_PER_BATCH = 10_000
_HEIGHT = _WIDTH = 32
_CHANNELS = ("red", "green", "blue")
_N_PIXELS = _HEIGHT * _WIDTH * len(_CHANNELS)
_N_CLASSES = 10


@fetcher()
def fetch_cifar10(
    *,
    subset: Subset = "train",
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Fetched:
    """Load the CIFAR-10 colour images of ten kinds of objects (classification).

    =================   ==================================
    Classes             10
    Samples total       50000 for training, 10000 for test
    Dimensionality      3072 (32 x 32 pixels, 3 channels)
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

        data : ndarray of shape (n_samples, 32, 32, 3) and dtype uint8, or DataFrame
            Images, channels (red, green, blue) last. In a DataFrame each is a flat row of 3072
            values.
        target : ndarray of shape (n_samples,), or Series
            Classes, 0 to 9.
        feature_names : list of str
            ``"pixel_0_0_red"`` (row 0, column 0) to ``"pixel_31_31_blue"``: the names of the
            values in a flat row.
        target_names : list of str
            Names of the classes, ``"airplane"`` to ``"truck"``.
        {frame}
        DESCR : str
            Description, source and citation.

    {data_and_target}

    Raises
    ------
    {missing_file}
    ValueError
        If a file is damaged, or `subset` is not one of those above.

    Notes
    -----
    Estimators that take flat rows only get them by ``data.reshape(len(data), -1)``, which copies
    nothing.

    The archive (170 MB) is unpacked into the folder ``cifar10/cifar-10-batches-bin`` (184 MB) and
    then deleted, unless it was there before.

    References
    ----------
    .. [1] A. Krizhevsky, `Learning multiple layers of features from tiny images
       <https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf>`_, technical report,
       University of Toronto, 2009.

    Examples
    --------
    >>> from sknn.datasets import fetch_cifar10
    >>> X, y = fetch_cifar10(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (10000, 32, 32, 3)
    """
    batches = _BATCH_FILES[subset]
    folder = _locate_folder([_CLASS_NAMES_FILE, *batches], data_home, download_if_missing)
    class_names = _read_class_names(folder / _CLASS_NAMES_FILE)
    images, labels = _read_batches([folder / name for name in batches])
    return bundle(
        images,
        labels,
        feature_names=[
            f"pixel_{row}_{column}_{channel}"
            for row in range(_HEIGHT)
            for column in range(_WIDTH)
            for channel in _CHANNELS
        ],
        target_names=class_names,
        description=describe("cifar10"),
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def _locate_folder(
    names: list[str], data_home: str | PathLike[str] | None, download_if_missing: bool
) -> Path:
    """Return the folder with the named files; unpack or download missing ones."""
    folder = resolve_data_home(data_home) / _FOLDER
    unpack(
        _ARCHIVE,
        data_home,
        download_if_missing,
        into=folder,
        files=[folder / name for name in names],
        extract=lambda archive: _unpack(archive, folder),
    )
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """Write the files of the data set that are in the archive, except those already there."""
    # Only the last part of a member's name is used, and only if it is a name that we know and the
    # member is a plain file: no archive can write elsewhere.
    require_writable(folder)
    files = [_CLASS_NAMES_FILE, *_BATCH_FILES["all"]]
    missing = {name for name in files if not (folder / name).is_file()}
    with decoding(archive), tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            source = tar.extractfile(member) if name in missing and member.isfile() else None
            if source is not None:
                _write(source, folder / name)
                missing.remove(name)
    if missing:
        raise corrupt_file(archive, f"it does not contain {', '.join(sorted(missing))}")


def _write(source: IO[bytes], path: Path) -> None:
    with replacing(path) as part, part.open("wb") as target:
        shutil.copyfileobj(source, target)


def _read_batches(paths: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images, channels last, and the labels of all batches."""
    n_images = _IMAGES_PER_BATCH * len(paths)
    images = np.empty((n_images, _HEIGHT, _WIDTH, len(_CHANNELS)), dtype=np.uint8)
    labels = np.empty(n_images, dtype=np.int64)
    for index, path in enumerate(paths):
        batch = slice(index * _IMAGES_PER_BATCH, (index + 1) * _IMAGES_PER_BATCH)
        records = _read_records(path)
        labels[batch] = records[:, 0]
        planes = records[:, 1:].reshape(-1, len(_CHANNELS), _HEIGHT, _WIDTH)
        images[batch] = planes.transpose(0, 2, 3, 1)
    return images, labels


def _read_records(path: Path) -> NDArray[np.uint8]:
    """Return one row an image: the label, then the red, the green and the blue plane."""
    shape = (_IMAGES_PER_BATCH, 1 + _N_PIXELS)
    size = path.stat().st_size
    if size != shape[0] * shape[1]:
        raise corrupt_file(path, f"it has {size} bytes, expected {shape[0] * shape[1]}")
    records = np.fromfile(path, dtype=np.uint8).reshape(shape)
    check_labels(path, records[:, 0], _N_CLASSES)
    return records


def _read_class_names(path: Path) -> list[str]:
    with decoding(path):
        names = path.read_text(encoding="utf-8").split()
    if len(names) != _N_CLASSES:
        raise corrupt_file(path, f"it has {len(names)} class names, expected {_N_CLASSES}")
    return names
