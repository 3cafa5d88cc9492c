"""Files in the .ts format of the time series archives.

The format is described at https://www.aeon-toolkit.org/en/stable/api_reference/data_format.html:
lines with a comment, lines ``@key value`` with a description of the data, ``@data``, and then one
line a series, ``channel:channel:...:target``, where a channel is ``value,value,...``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# "#" is the format's; a few files have "%" instead.
_COMMENT_MARKS = ("#", "%")


class Series(NamedTuple):
    """Series that belong together, say those for training."""

    values: NDArray[np.float32]  # (sum of the lengths, n_channels), one after the other, or NaN
    lengths: NDArray[np.int64]  # (n_series,), time steps of each
    target: NDArray[np.str_] | NDArray[np.float64]  # (n_series,), labels or numbers to predict


@dataclass
class _Header:
    """Announcements in the lines before the data; all others describe and are not needed."""

    univariate: bool = False
    equal_length: bool = False
    is_regression: bool = False
    classes: set[str] = field(default_factory=set)


def read_ts(lines: Iterable[str]) -> Series:
    """Read a .ts file; ValueError for another format, time stamps, or a header that is wrong."""
    numbered = (
        (number, line)
        for number, line in enumerate(map(str.strip, lines), start=1)
        if line and not line.startswith(_COMMENT_MARKS)
    )
    header = _read_header(numbered)
    channels: list[NDArray[np.float32]] = []
    target: list[str | float] = []
    for number, line in numbered:
        try:
            *texts, target_text = line.split(":")
            channels.append(_read_channels(texts))
            target.append(_read_target(target_text.strip(), header))
            _check_shape(channels[-1], channels[0], header)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if not channels:
        raise ValueError("it has no series")
    return Series(
        np.concatenate(channels),
        np.array([len(each) for each in channels], dtype=np.int64),
        np.array(target, np.float64) if header.is_regression else np.array(target, np.str_),
    )


def _read_header(numbered: Iterable[tuple[int, str]]) -> _Header:
    """Read as far as the line @data."""
    header = _Header()
    for number, line in numbered:
        # keys are written in lower case or not
        key, *values = line.split()
        if key.lower() == "@data":
            if not (header.classes or header.is_regression):
                raise ValueError("its header announces neither class labels nor a target")
            return header
        try:
            _read_declaration(key.lower(), values, header)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    raise ValueError("it has no line @data")


def _read_declaration(key: str, values: list[str], header: _Header) -> None:
    if not key.startswith("@"):
        raise ValueError(f"{key[:40]!r} before the line @data")
    match key:
        case "@timestamps":
            if _is_true(key, values):
                raise ValueError("series with time stamps are not supported")
        case "@univariate":
            header.univariate = _is_true(key, values)
        case "@equallength":
            header.equal_length = _is_true(key, values)
        case "@targetlabel":
            header.is_regression = _is_true(key, values)
        case "@classlabel":
            if _is_true(key, values[:1]):
                header.classes = {label.lower() for label in values[1:]}


def _is_true(key: str, values: list[str]) -> bool:
    match [value.lower() for value in values]:
        case ["true"]:
            return True
        case ["false"]:
            return False
    raise ValueError(f"{key} is {' '.join(values)!r}, expected true or false")


def _read_channels(texts: list[str]) -> NDArray[np.float32]:
    """Return an array of shape (n_timesteps, n_channels)."""
    channels = [[_read_value(text) for text in channel.split(",")] for channel in texts]
    lengths = {len(channel) for channel in channels}
    if not lengths:
        raise ValueError("there is no ':' between the values and the target")
    if len(lengths) > 1:
        raise ValueError(f"its channels have from {min(lengths)} to {max(lengths)} values")
    with np.errstate(over="ignore"):
        array = np.array(channels, dtype=np.float64).T.astype(np.float32)
    if np.isinf(array).any():
        raise ValueError("a value is infinite, or too large for single precision")
    return array


def _read_value(text: str) -> float:
    return np.nan if text.strip() == "?" else float(text)


def _read_target(text: str, header: _Header) -> str | float:
    if not header.is_regression:
        # Upper and lower case may differ from the header.
        if text.lower() not in header.classes:
            raise ValueError(f"the class label is {text[:40]!r}, which the header does not name")
        return text
    target = float(text)
    if not np.isfinite(target):
        raise ValueError(f"the target is {text!r}, expected a finite number")
    return target


def _check_shape(series: NDArray[np.float32], first: NDArray[np.float32], header: _Header) -> None:
    """Compare the shape with that of the first series and with what the header announces."""
    n_timesteps, n_channels = series.shape
    if n_channels != first.shape[1]:
        raise ValueError(f"it has {n_channels} channels, and the first series {first.shape[1]}")
    if header.univariate and n_channels > 1:
        raise ValueError(f"it has {n_channels} channels, and the header announces one")
    if header.equal_length and n_timesteps != len(first):
        raise ValueError(
            f"it has {n_timesteps} values a channel, the first series {len(first)}, and the "
            "header announces equal lengths"
        )
