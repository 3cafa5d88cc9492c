"""The two ways through a fit, compiled and by torch alone, and which of them was taken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sknn import compiled
from sknn.compiled import _loading

SKORCH_KEYS = {"dur", "batches"}


@contextmanager
def torch_alone() -> Iterator[None]:
    """Fit as where numba is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_loading, "_is_available", False)
        yield


@contextmanager
def counted() -> Iterator[list[int]]:
    """Yield a list that grows by one with each call of a compiled function."""
    kernels = compiled.kernels()
    calls: list[int] = []

    def perform(task: int, *arguments: Any) -> Any:
        calls.append(task)
        return original(task, *arguments)

    original: Callable[..., Any] = kernels.perform
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "perform", perform)
        yield calls


def through_core(fit: Callable[[], Any]) -> Any:
    """Return what a fit returns that compiled functions have to do, unless it is refused."""
    with counted() as calls:
        result = fit()
    is_refused = isinstance(result, tuple) and isinstance(result[0], type)
    assert calls or is_refused, "torch has trained this"
    return result


def through_torch(fit: Callable[[], Any]) -> Any:
    """Return what a fit returns that torch does alone."""
    with counted() as calls, torch_alone():
        result = fit()
    assert not calls
    return result
