"""Arrays as tensors, the types that these can have, and the ranges of their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor


class _WritableView:
    """A NumPy array's memory, announced as writable.

    torch warns about read-only arrays (memmaps, broadcasts), which it could be made to
    overwrite. The rows are only ever read.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def as_tensor(array: np.ndarray, dtype: torch.dtype | None = None, name: str = "X") -> Tensor:
    """Return a tensor (...) of an array's own type, which shares its memory where torch can.

    `dtype` is the type in which its numbers will be computed with, for :func:`check_range`.
    """
    array = narrowed(array, name)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    # negative strides, and the fields of packed structured arrays
    if not array.flags.aligned or any(s < 0 or s % array.itemsize for s in array.strides):
        array = array.copy()
    if dtype is not None:
        check_range(array, dtype, name)
    if not array.flags.writeable and array.size:
        array = np.asarray(_WritableView(array))
    return torch.from_numpy(array)


def array_of(tensor: Tensor) -> np.ndarray:
    """Return a tensor's numbers (...), from whatever device, without its gradients."""
    tensor = tensor.detach().cpu()
    # types that NumPy has not
    is_short = tensor.is_floating_point() and tensor.dtype != torch.float16
    return (tensor.float() if is_short and tensor.itemsize < 4 else tensor).numpy()


# Bytes that are looked at together, so that files on the disk are not read at once.
BYTES_AT_ONCE = 2**24


def row_parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Cut an array, which has numbers, into parts that are looked at one after the other."""
    rows = max(BYTES_AT_ONCE // max(array[0].nbytes, 1), 1)
    for start in range(0, len(array), rows):
        yield np.asarray(array[start : start + rows])


def number_range(array: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest number; not finite if one of the numbers is not."""
    # NaN and infinity survive NumPy's minimum and maximum, unlike Python's
    ranges = [(float(part.min()), float(part.max())) for part in row_parts(array)]
    return float(np.min(ranges)), float(np.max(ranges))


def check_range(array: np.ndarray, dtype: torch.dtype, name: str = "X") -> None:
    """Refuse finite numbers that are infinite in the type that computes.

    It costs nothing where the array's type has no larger range.
    """
    most = torch.finfo(dtype).max
    if array.dtype.kind != "f" or float(np.finfo(array.dtype).max) <= most or not array.size:
        return
    low, high = number_range(array)
    largest = low if abs(low) > high else high
    if abs(largest) > most:
        kind = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"{name} has the value {largest:g}, which is beyond {kind}, in which the network "
            f"computes ({most:.1e} at most). Scale {name}, or set precision='float64'."
        )


def check_not_lost(array: np.ndarray, dtype: torch.dtype, name: str) -> None:
    """Refuse numbers the largest of which loses digits, or all, in the type that computes."""
    largest = float(array.max(initial=0))
    least = torch.finfo(dtype).tiny
    if 0 < largest < least:
        kind = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"{name} has nothing above {largest:g}, which is too little for {kind}, in which the "
            f"network computes ({least:.1e} at least). Scale {name}, or set precision='float64'."
        )


def narrowed(array: np.ndarray, name: str = "X") -> np.ndarray:
    """Cast longdouble to float64, the widest that torch has; return other arrays as they are."""
    if array.dtype.kind != "f" or array.dtype.itemsize <= 8:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(np.float64)
    if not np.isfinite(cast).all():
        raise ValueError(
            f"{name} has values beyond float64, in which the network computes at most; scale it."
        )
    return cast


def in_float_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return answers in a float type, or as they are if some are beyond its range."""
    with np.errstate(over="ignore"):
        cast = values.astype(dtype, copy=False)
    return cast if cast is values or np.isfinite(cast).all() else values


def torch_type(X: Any) -> Any:
    """Cast the few types that torch cannot gather rows of.

    Parameters
    ----------
    X : ndarray or CSR matrix
        The input.

    Returns
    -------
    ndarray or CSR matrix
        X itself where its type will do.
    """
    if X.dtype.kind == "u" and X.dtype.itemsize > 1:
        # what int64 cannot hold is rounded, as the network will round it anyway
        wraps = X.dtype.itemsize == 8 and X.size and X.max() > np.iinfo(np.int64).max
        return X.astype(np.float64 if wraps else np.int64)
    if not sparse.issparse(X):
        return narrowed(X)
    data = narrowed(X.data)
    if data is not X.data:
        X = X.copy()
        X.data = data
    return X
