"""The input convention of the series estimators: which arrays and lists are series."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_array

from sknn.data import Ragged
from sknn.estimators._validation import torch_type

# Values that are looked at together where all values are.
VALUES_AT_ONCE = 2**22


class SeriesFormat(NamedTuple):
    """What the series of a fitted estimator look like.

    Attributes
    ----------
    channels : int
        Numbers a step; 1 for tokens.
    longest : int
        Steps of the longest training series.
    n_tokens : int or None
        Where steps are tokens: how many there are.
    n_steps : int or None
        Where X had a row a series: the length of the rows.
    """

    channels: int
    longest: int
    n_tokens: int | None = None
    n_steps: int | None = None


def as_list_of_series(X: Any) -> list[Any] | None:
    """Return the series of a list or of an object array; None for arrays and tables.

    Parameters
    ----------
    X : array-like
        The input.

    Returns
    -------
    list or None
        None too for lists of numbers and of lists of equally many numbers, which are arrays.
    """
    if isinstance(X, Ragged):
        return list(X)
    if hasattr(X, "to_numpy") and getattr(X, "ndim", 0) == 1:  # a pandas Series of arrays
        X = X.to_numpy()
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


def join_series(series: list[Any], name: str = "X") -> np.ndarray | Ragged:
    """Validate a list of series and make one array of it.

    Parameters
    ----------
    series : list of array-like of shape (n_steps_i, n_channels) or (n_steps_i,)
        The series.
    name : str, default="X"
        What it is, for the error messages.

    Returns
    -------
    ndarray of shape (n_series, n_steps, n_channels) or (n_series, n_steps), or Ragged
        An array if all series are of equal length.

    Raises
    ------
    ValueError
        If there is no series, or one has no step, no numbers, or another number of channels than
        the first, or holds NaN or infinity.
    """
    if not series:
        raise ValueError(f"{name} is empty; at least one series is needed.")
    arrays = [_as_steps(each, f"{name}[{i}]") for i, each in enumerate(series)]
    shape = arrays[0].shape[1:]
    for i, array in enumerate(arrays):
        if array.shape[1:] != shape:
            raise ValueError(
                f"{name}[{i}] has shape {array.shape}, but {name}[0] has shape "
                f"{arrays[0].shape}; all series need the same channels."
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
        array = np.asarray(series)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is not an array of numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        hint = "" if array.ndim else " sknn.text.Tokenizer makes tokens of texts."
        raise ValueError(f"{name} has type {array.dtype}; a series needs real numbers.{hint}")
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
    """Validate an array of three dimensions, or of two that need not have a certain width.

    Parameters
    ----------
    X : array-like of shape (n_series, n_steps, n_channels) or (n_series, n_steps)
        The series.

    Returns
    -------
    ndarray
    """
    X = check_array(X, dtype="numeric", allow_nd=True, input_name="X")
    if X.ndim > 3:
        raise ValueError(
            f"X has {X.ndim} dimensions; series have shape (n_series, n_steps, n_channels), or "
            "(n_series, n_steps) for one channel or tokens. Series of different lengths come as "
            "a list of arrays."
        )
    if 0 in X.shape[1:]:
        raise ValueError(f"X of shape {X.shape} has no steps or no channels.")
    return torch_type(X)


def count_channels(X: np.ndarray | Ragged) -> int:
    """Return the channels of validated series.

    Parameters
    ----------
    X : ndarray or Ragged
        The series.

    Returns
    -------
    int
    """
    if isinstance(X, Ragged):
        return X.values.shape[1] if X.values.ndim == 2 else 1
    return X.shape[2] if X.ndim == 3 else 1


def longest_series(X: np.ndarray | Ragged) -> int:
    """Return the steps of the longest of validated series.

    Parameters
    ----------
    X : ndarray or Ragged
        The series.

    Returns
    -------
    int
    """
    return int(X.lengths.max()) if isinstance(X, Ragged) else X.shape[1]


def check_tokens(X: np.ndarray | Ragged, n_tokens: int | None) -> int:
    """Validate integer tokens, and return how many there are.

    Parameters
    ----------
    X : ndarray or Ragged
        Validated series.
    n_tokens : int or None
        How many there may be; None takes as many as X asks for.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If X is not of integers from 0 to ``n_tokens - 1``, or has channels.
    """
    values = X.values if isinstance(X, Ragged) else X
    if values.ndim > (1 if isinstance(X, Ragged) else 2):
        raise ValueError(
            f"embedding_size was set, so X has to hold tokens: one integer a step, but it has "
            f"{count_channels(X)} channel(s) in a dimension of their own. Set "
            "embedding_size=None for series of numbers."
        )
    if values.dtype.kind not in "biu":
        raise ValueError(
            f"embedding_size was set, so X has to hold tokens, which are integers, but its type "
            f"is {values.dtype}. Cast it, or set embedding_size=None for series of numbers."
        )
    smallest, largest = int(values.min()), int(values.max())
    if smallest < 0:
        raise ValueError(f"X has the token {smallest}; tokens are integers from 0.")
    if n_tokens is not None and largest >= n_tokens:
        raise ValueError(
            f"X has the token {largest}, but there are {n_tokens}, from 0 to {n_tokens - 1}. Set "
            "n_tokens if there are more than the training data have."
        )
    return largest + 1 if n_tokens is None else n_tokens


def count_steps(X: np.ndarray | Ragged) -> np.ndarray:
    """Return the lengths of validated series.

    Parameters
    ----------
    X : ndarray or Ragged
        The series.

    Returns
    -------
    ndarray of int and shape (n_series,)
    """
    return X.lengths if isinstance(X, Ragged) else np.full(len(X), X.shape[1])


def repeat_for_steps(X: np.ndarray | Ragged, values: np.ndarray) -> np.ndarray:
    """Repeat a value a series for each of its steps.

    Parameters
    ----------
    X : ndarray or Ragged
        The series.
    values : ndarray of shape (n_series,)
        The values.

    Returns
    -------
    ndarray of shape (sum of lengths,)
    """
    return np.repeat(values, count_steps(X))


def channel_statistics(
    X: np.ndarray | Ragged, step_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel over all steps of all series.

    Parameters
    ----------
    X : ndarray of shape (n_series, n_steps[, n_channels]) or Ragged
        The series.
    step_weight : ndarray of shape (sum of lengths,) or None
        How often each step counts.

    Returns
    -------
    mean, scale : ndarray of shape (n_channels,)
        The scale is 1 for channels that are constant.
    """
    steps = (X.values if isinstance(X, Ragged) else X).reshape(-1, count_channels(X))
    return weighted_statistics(steps, step_weight)


def weighted_statistics(
    values: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column.

    Parameters
    ----------
    values : ndarray of shape (n, n_columns)
        The numbers; they are gone through in parts.
    weights : ndarray of shape (n,) or None
        How often each row counts.

    Returns
    -------
    mean, scale : ndarray of shape (n_columns,)
        The scale is 1 for columns that are constant.
    """
    rows = max(VALUES_AT_ONCE // values.shape[1], 1)
    parts = [slice(start, start + rows) for start in range(0, len(values), rows)]
    total = float(len(values)) if weights is None else float(weights.sum())

    def mean_of(function: Any) -> np.ndarray:
        sums = np.zeros(values.shape[1])
        for part in parts:
            numbers = function(values[part].astype(np.float64))
            sums += numbers.sum(0) if weights is None else weights[part] @ numbers
        return sums / total

    mean = mean_of(lambda x: x)
    scale = np.sqrt(mean_of(lambda x: np.square(x - mean)))
    # rounding leaves a little where a column is constant
    return mean, np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)
