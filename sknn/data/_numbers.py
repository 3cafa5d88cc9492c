"""Arrays as tensors, and the ranges of their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
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
    """Return a tensor that shares the array's memory where torch can.

    Parameters
    ----------
    array : ndarray
        Any real type. Byte-swapped arrays, and those whose strides torch does not have, are
        copied.
    dtype : torch.dtype or None, default=None
        The type in which its numbers will be computed with; None does not look.
    name : str, default="X"
        What the array is to the user, for the error message.

    Returns
    -------
    Tensor
        Of the array's own type; longdouble becomes float64.

    Raises
    ------
    ValueError
        If numbers are beyond the range of `dtype`.
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

    Costs nothing where the array's type has no larger range.

    Parameters
    ----------
    array : ndarray
        Validated numbers.
    dtype : torch.dtype
        The type that computes.
    name : str, default="X"
        What the array is to the user.

    Raises
    ------
    ValueError
        If there are such numbers.
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


def narrowed(array: np.ndarray, name: str = "X") -> np.ndarray:
    """Cast longdouble to float64, which is the widest that torch has.

    Parameters
    ----------
    array : ndarray
        Validated numbers; returned as they are unless their type is wider than float64.
    name : str, default="X"
        What the array is to the user.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If numbers are beyond the range of float64.
    """
    if array.dtype.kind != "f" or array.dtype.itemsize <= 8:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(np.float64)
    if not np.isfinite(cast).all():
        raise ValueError(
            f"{name} has values beyond float64, in which the network computes at most; scale it."
        )
    return cast
