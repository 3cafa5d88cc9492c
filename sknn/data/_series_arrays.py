"""Lists and arrays of series."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from ._dates import check_numbers, refuse_dates
from ._numbers import array_of, torch_type
from ._ragged import Ragged

# Values that are looked at together where all values are.
VALUES_AT_ONCE = 2**22


def as_list_of_series(X: Any) -> list[Any] | None:
    """Return the series of a list or of an object array; None for arrays and tables."""
    if isinstance(X, Ragged):
        return list(X)
    if hasattr(X, "to_numpy") and getattr(X, "ndim", 0) == 1:  # a pandas Series of arrays
        X = X.to_numpy()
    _refuse_nested_table(X)
    if isinstance(X, np.ndarray):
        may_be_list = X.ndim == 1 and X.dtype.kind in "OU"
        is_list = may_be_list and (not len(X) or any(_is_one_series(each) for each in X))
        return list(X) if is_list else None
    if not isinstance(X, list | tuple):
        return None
    if not len(X) or any(isinstance(each, str) or getattr(each, "shape", ()) for each in X):
        return list(X)
    if all(isinstance(each, list | tuple) for each in X):
        has_channels = any(isinstance(step, list | tuple) for each in X for step in each[:1])
        if has_channels or len({len(each) for each in X}) > 1:
            return list(X)
    return None


def _is_one_series(value: Any) -> bool:
    """Say whether an object may be a series; a text is one that is refused by its number."""
    return isinstance(value, str | list | tuple) or getattr(value, "ndim", 0) > 0


def _refuse_nested_table(X: Any) -> None:
    """Refuse a table whose cells are series."""
    if not (hasattr(X, "columns") and hasattr(X, "head") and hasattr(X, "to_numpy")):
        return
    first = X.head(1).to_numpy().ravel()
    cells = [each for each in first if not isinstance(each, str)]  # labels of steps
    if first.dtype == object and any(_is_one_series(each) and len(each) for each in cells):
        raise TypeError(
            f"X is a {type(X).__name__} whose cells hold series (sktime's nested format). Pass one "
            "array of shape (n_steps, n_channels) a row: "
            "[numpy.column_stack(list(row)) for row in X.to_numpy()]."
        )


def known_tokens(series: list[Any] | None, name: str = "X") -> int | None:
    """Return how many tokens the tokenizer of all series has; None if none has made them."""
    numbers: set[Any] = {getattr(each, "n_tokens", None) for each in series or [None]}
    if None in numbers:
        return None
    if len(numbers) > 1:
        raise ValueError(
            f"{name} has tokens of tokenizers of different sizes: {sorted(numbers)}. Make all of "
            "them with one tokenizer."
        )
    return numbers.pop()


def fill_empty(series: list[Any]) -> list[Any]:
    """Give texts without tokens a single unknown one, which is 0."""
    return [np.zeros(1, np.int64) if np.shape(each) == (0,) else each for each in series]


def join_series(series: list[Any], name: str = "X") -> np.ndarray | Ragged:
    """Validate a list of series and make one array of it."""
    if not series:
        raise ValueError(f"{name} is empty; at least one series is needed.")
    arrays = [_as_steps(each, f"{name}[{i}]") for i, each in enumerate(series)]
    if {array.shape[1:] for array in arrays} == {(), (1,)}:  # both are one channel
        arrays = [array.reshape(-1, 1) for array in arrays]
    shape = arrays[0].shape[1:]
    for i, array in enumerate(arrays):
        if array.shape[1:] != shape:
            hint = ""
            if all(each.ndim == 2 and len(each) == len(array) for each in arrays):
                hint = (
                    " Their first dimensions are equal: if it is the channels that come first, "
                    f"transpose each, [each.T for each in {name}]."
                )
            raise ValueError(
                f"{name}[{i}] has shape {array.shape}, but {name}[0] has shape "
                f"{arrays[0].shape}; all series need the same channels, behind the steps.{hint}"
            )
    ragged = Ragged.from_list(arrays)
    if ragged.dtype.kind == "f" and not _all_finite(ragged.values):
        for i, array in enumerate(arrays):
            if not np.isfinite(array).all():
                kind = "NaN" if np.isnan(array).any() else "infinity"
                raise ValueError(f"{name}[{i}] contains {kind}.")
    ragged.values = torch_type(ragged.values)
    if (ragged.lengths == ragged.lengths[0]).all():
        return ragged.values.reshape(len(ragged), ragged.lengths[0], *shape)
    return ragged


def _as_steps(series: Any, name: str) -> np.ndarray:
    """Return one series as an array of numbers."""
    try:
        array = array_of(series) if isinstance(series, torch.Tensor) else np.asarray(series)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        refuse_dates(series, name)
        raise ValueError(f"{name} is not an array of numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        refuse_dates(array, name)
        raise ValueError(f"{name} has type {array.dtype}; a series needs real numbers.")
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise ValueError(
            f"{name} has shape {array.shape}; a series has shape (n_steps, n_channels), or "
            "(n_steps,) for one channel or tokens."
        )
    if not len(array):
        raise ValueError(f"{name} has no steps; a series needs one at least.")
    return array


def _all_finite(values: np.ndarray) -> bool:
    rows = max(VALUES_AT_ONCE // max(values[0].size, 1), 1)
    return all(
        bool(np.isfinite(values[start : start + rows]).all())
        for start in range(0, len(values), rows)
    )


def check_series_array(X: Any) -> np.ndarray:
    """Validate an array of three dimensions, or of two that need not have a certain width."""
    _refuse_padding(X)
    X = check_numbers(X, dtype="numeric", allow_nd=True)
    if X.ndim > 3:
        raise ValueError(
            f"X has {X.ndim} dimensions; series have shape (n_series, n_steps, n_channels), or "
            "(n_series, n_steps) for one channel or tokens. Series of different lengths come as "
            "a list of arrays."
        )
    if 0 in X.shape[1:]:
        raise ValueError(f"X of shape {X.shape} has no steps or no channels.")
    return torch_type(X)


def _refuse_padding(X: Any) -> None:
    """Refuse an array (n_series, n_steps, n_channels) in which NaN is all that follows an end."""
    if not isinstance(X, np.ndarray) or X.ndim != 3 or X.dtype.kind != "f" or not X.size:
        return
    if _all_finite(X) or np.isinf(X).any():
        return
    missing = np.isnan(X)
    padding = np.asarray(missing.all(2))
    is_padding = (missing.any(2) == padding).all() and (padding[:, 1:] >= padding[:, :-1]).all()
    if is_padding and not padding[:, 0].any():
        raise ValueError(
            "X contains NaN behind the ends of its series, where they are padded to one length. "
            "Pass them as a list of arrays: [each[~numpy.isnan(each).any(1)] for each in X]."
        )


# Numbers a step, and for each of the steps, from which on an array may have its channels first.
MANY_CHANNELS, CHANNELS_A_STEP = 20, 10


def warn_of_channels_first(X: np.ndarray | Ragged) -> None:
    """Warn of validated series that have far fewer steps than channels."""
    channels, longest = count_channels(X), longest_series(X)
    if channels >= max(MANY_CHANNELS, CHANNELS_A_STEP * longest):
        warnings.warn(
            f"X has series of {longest} step(s) with {channels} channels. Series have shape "
            "(n_steps, n_channels); if the channels come first, as in sktime and aeon, pass "
            "X.transpose(0, 2, 1).",
            stacklevel=2,
        )


def count_channels(X: np.ndarray | Ragged) -> int:
    """Return the channels of validated series."""
    if isinstance(X, Ragged):
        return X.values.shape[1] if X.values.ndim == 2 else 1
    return X.shape[2] if X.ndim == 3 else 1


def longest_series(X: np.ndarray | Ragged) -> int:
    """Return the steps of the longest of validated series."""
    return int(X.lengths.max()) if isinstance(X, Ragged) else X.shape[1]


def count_steps(X: np.ndarray | Ragged) -> np.ndarray:
    """Return the lengths of validated series."""
    return X.lengths if isinstance(X, Ragged) else np.full(len(X), X.shape[1])


def repeat_for_steps(X: np.ndarray | Ragged, values: np.ndarray) -> np.ndarray:
    """Repeat a value a series for each of its steps."""
    return np.repeat(values, count_steps(X))
