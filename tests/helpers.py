"""Comparisons and runs that several test files share."""

import os
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

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
