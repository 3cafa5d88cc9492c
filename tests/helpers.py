"""Comparisons and runs that several test files share."""

import os
import random
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import is_classifier, is_regressor

from sknn.testing import estimators_to_check

# Sums of products that are added in another order differ by a few times the type's precision; a
# short training multiplies that. In float64 this factor allows 1e-12, in float32 5e-4.
ROUNDINGS = 4500


def assert_equal_up_to_rounding(
    actual: Any, expected: Any, *, dtype: Any = None, roundings: float = ROUNDINGS
) -> None:
    """Compare what the same arithmetic gives with another order of its sums.

    A library of matrix products picks its routines by the processor, and by the shape and the
    address of the operands. The tolerance is relative to the largest expected value, since what
    cancels out has the errors of what it was made of.

    Parameters
    ----------
    actual, expected : array-like
        The numbers.
    dtype : dtype, default=None
        The type that they were computed in; that of `expected` by default.
    roundings : float, default=ROUNDINGS
        Errors that are allowed, in units of the type's precision.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype
    precision = np.finfo(expected.dtype if dtype is None else dtype).eps
    largest = float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=roundings * precision * largest)


def case_name(value: Any) -> str:
    """Return the name of a test's case, the same in every process: without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value), flags=re.IGNORECASE)


def representatives(cases: Iterable[Any], *kept: Any) -> list[Any]:
    """Return the cases of a test, those that are not kept marked as slow; tuples are arguments."""
    cases = list(cases)
    assert all(each in cases for each in kept)
    return [
        pytest.param(
            *(each if isinstance(each, tuple) else (each,)),
            marks=[] if each in kept else [pytest.mark.slow],
        )
        for each in cases
    ]


def supervised() -> list[Any]:
    """Return the estimators to check that learn labels or values."""
    return [each for each in estimators_to_check() if is_classifier(each) or is_regressor(each)]


def class_doc(estimator: type) -> Any:
    """Return the sections of a docstring, as numpydoc reads it."""
    return pytest.importorskip("numpydoc.docscrape").ClassDoc(estimator)


def objects(sequences: Iterable[Any]) -> np.ndarray:
    """Return sequences as an array of objects, as `train_test_split` makes it of a list."""
    sequences = list(sequences)
    array = np.empty(len(sequences), object)
    for i, each in enumerate(sequences):
        array[i] = each
    return array


def weights_of(model: Any) -> list[np.ndarray]:
    """Return copies of a network's parameters and buffers."""
    tensors = [*model.module_.parameters(), *model.module_.buffers()]
    return [tensor.detach().cpu().numpy().copy() for tensor in tensors]


def assert_same_weights(one: Any, other: Any, atol: float = 0.0) -> None:
    """Compare the networks of two estimators, by default to the last bit."""
    for first, second in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=atol)


def global_generators() -> list[Any]:
    """Return the states of Python's, NumPy's and torch's global generators."""
    _, key, *position = np.random.get_state()  # noqa: NPY002 - the global generator is meant
    return [random.getstate(), key.tobytes(), position, torch.get_rng_state().numpy().tobytes()]


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a copy that cannot be written."""
    array = array.copy()
    array.flags.writeable = False
    return array


def outcome(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what a function returns, or the type and the text of its exception.

    The text is without the tracebacks that scikit-learn's list of failures has.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args, **options)
        except Exception as error:
            lines = str(error).splitlines()
            kept = [line for line in lines if not line.startswith((" ", "Traceback"))]
            return type(error), "\n".join(kept)


def run_python(
    code: str,
    *arguments: str,
    flags: Sequence[str] = ("-W", "ignore"),
    timeout: float = 120,
    **environment: str,
) -> str:
    """Run a script in a new interpreter, which has to succeed, and return what it prints."""
    run = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(code), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


PLAIN = {str, bytes, bool, int, float, complex, type(None), torch.dtype, torch.device}
COLLECTIONS = list, tuple, set, dict


class Snapshot:
    """What an object holds at one moment, down to the bits of its arrays.

    Two snapshots of an estimator are equal if nothing has happened in between: it holds the same
    networks, arrays and generators, and all values are what they were. Collections and records
    may have been put together anew.
    """

    def __init__(self, value: Any) -> None:
        self._names: dict[int, str] = {}
        self._alive: list[Any] = []  # so that no other object has their id
        self._leaves: dict[str, Any] = {}
        self._visit("", value)

    def changes(self, other: "Snapshot") -> list[str]:
        """Return the names of what differs."""
        mine, others = self._leaves, other._leaves
        return [name for name in {**mine, **others} if mine.get(name) != others.get(name)]

    def _visit(self, name: str, value: Any) -> None:
        if type(value) in PLAIN or isinstance(value, np.generic):
            self._leaves[name] = type(value), repr(value)
            return
        if id(value) in self._names:
            self._leaves[name] = self._names[id(value)]
            return
        self._names[id(value)] = name
        self._alive.append(value)
        is_collection = isinstance(value, COLLECTIONS)
        content = None if is_collection else content_of(value)
        parts = parts_of(value)
        is_one = content is not None or not (parts or is_collection)
        self._leaves[name] = type(value), id(value) if is_one else None, len(parts), content
        for key, each in parts.items():
            self._visit(name + key, each)


def content_of(value: Any) -> Any:
    """Return the values of arrays, tensors and generators, and None for everything else."""
    if isinstance(value, np.ndarray):
        values = repr(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return value.dtype.str, value.shape, values
    if isinstance(value, torch.Tensor):
        values = value.detach().cpu().numpy().tobytes()
        return value.dtype, value.shape, value.device, value.requires_grad, values
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, np.random.RandomState):
        _, key, *rest = value.get_state()
        return key.tobytes(), rest
    return "a network" if isinstance(value, torch.nn.Module) else None


def parts_of(value: Any) -> dict[str, Any]:
    """Return what an object is put together of, by name."""
    if isinstance(value, type | FunctionType):
        return {}
    parts = {f".{name}": each for name, each in getattr(value, "__dict__", {}).items()}
    if isinstance(value, dict):
        parts.update({f"[{key!r}]": each for key, each in value.items()})
    elif isinstance(value, COLLECTIONS):
        parts.update({f"[{i}]": each for i, each in enumerate(value)})
    return parts
