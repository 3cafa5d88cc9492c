"""What is no array: generators, files, loaders; and torch's tensors, which become arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, unpack_sequence

from sknn.data import array_of

FILE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".npy", ".npz"),
    *(".csv", ".tsv", ".txt", ".parquet", ".h5", ".hdf5", ".wav", ".mp3", ".flac", ".json"),
)


def array_like(value: Any, name: str) -> Any:
    """Return X, y or weights as scikit-learn's validation takes them, tensors as arrays.

    Raises TypeError or ValueError, with what to do, for what is no array.
    """
    if type(value) is np.ndarray and value.dtype.kind not in "OUS":
        return value
    if isinstance(value, torch.Tensor) and not value.is_nested:
        return array_of(value)
    if isinstance(value, torch.Tensor):
        value = list(value.unbind())
    elif isinstance(value, PackedSequence):
        value = unpack_sequence(value)
    if isinstance(value, list | tuple):
        if any(isinstance(each, torch.Tensor) for each in value):
            value = [array_of(each) if isinstance(each, torch.Tensor) else each for each in value]
        _refuse_files(value, name)
        return value
    if isinstance(value, str | bytes | os.PathLike):
        raise TypeError(
            f"{name} is {str(value)[:60]!r}. Estimators take arrays: read the file first, for "
            "instance with numpy.load or pandas.read_csv."
        )
    if isinstance(value, Mapping) and not hasattr(value, "shape"):  # as sparse "dok" has
        raise TypeError(
            f"{name} is a {type(value).__name__}. Estimators take arrays: pass "
            "pandas.DataFrame(...) or numpy.column_stack(list(...values()))."
        )
    if isinstance(value, Iterator):
        raise TypeError(
            f"{name} is a {type(value).__name__}, which can be read only once. Pass what it yields "
            "as one array, numpy.stack(list(...)); for more data than fit into memory, a "
            "numpy.memmap, or one array after the other to partial_fit."
        )
    if isinstance(value, torch.utils.data.DataLoader | torch.utils.data.Dataset):
        raise TypeError(
            f"{name} is a {type(value).__name__}. Estimators take X and y as arrays and make "
            "batches themselves (batch_size); a numpy.memmap stays on the disk."
        )
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "OUS":
        _refuse_files(value, name)
    return value


def _refuse_files(values: Any, name: str) -> None:
    first = values[0] if len(values) else None
    is_file = isinstance(first, os.PathLike) or (
        isinstance(first, str) and first.lower().endswith(FILE_SUFFIXES)
    )
    if name != "y" and is_file:
        raise TypeError(
            f"{name} holds names of files, such as {str(first)!r}. Read them into one array first: "
            "numpy.stack([matplotlib.image.imread(name) for name in names]) for images of one size."
        )


def count_dimensions(X: Any) -> int:
    """Count the dimensions of an array-like; at least 3 for lists of arrays of different shapes."""
    if not hasattr(X, "dtype") and hasattr(X, "shape"):  # a table
        return len(X.shape)
    try:
        array = X if hasattr(X, "shape") else np.asarray(X)
    except ValueError:  # lists of different lengths
        return 3
    if len(array.shape) == 1 and array.dtype == object:
        first: Any = next(iter(array), None)
        return 3 if np.ndim(first) > 1 else 1
    return len(array.shape)
