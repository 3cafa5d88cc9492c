"""A call that is refused leaves an estimator as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

# What scikit-learn's callbacks leave in an estimator while it is fitted.
CALLBACK_CONTEXTS = (
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
)


@contextmanager
def unchanged_if_refused(estimator: Any) -> Iterator[None]:
    """Put an estimator back to where it stands if the block raises, interrupts included.

    Weights are not copied: the block may replace or move a network, but not train it.
    """
    put_back = remember(estimator)
    try:
        yield
    except BaseException:
        put_back()
        raise


def remember(estimator: Any) -> Callable[[], None]:
    """Return a function that puts an estimator back to where it stands now."""
    attributes = dict(vars(estimator))
    state = attributes.get("_state")
    changeable = [part for part in (state, attributes.get("_row_memory")) if part is not None]
    values = [dict(vars(part)) for part in changeable]
    plateau = copy.copy(getattr(state, "plateau", None))
    generators = _generators(attributes.get("random_state"), getattr(state, "random_state", None))
    positions = [generator.get_state(legacy=False) for generator in generators]
    module: nn.Module | None = attributes.get("module_")
    device = _device_of(module)
    members = [remember(member) for member in attributes.get("_members") or ()]

    def put_back() -> None:
        # scikit-learn takes away itself what its callbacks have left
        kept = {
            name: vars(estimator)[name] for name in CALLBACK_CONTEXTS if name in vars(estimator)
        }
        vars(estimator).clear()
        vars(estimator).update(attributes | kept)
        for part, fields in zip(changeable, values, strict=True):
            vars(part).update(fields)
        if state is not None:
            state.plateau = plateau
        for generator, position in zip(generators, positions, strict=True):
            generator.set_state(position)
        if module is not None and _device_of(module) != device:
            module.to(device)
        for put_member_back in members:
            put_member_back()

    return put_back


def _generators(*candidates: Any) -> list[np.random.RandomState]:
    """Return those that are generators."""
    return [each for each in candidates if isinstance(each, np.random.RandomState)]


def _device_of(module: nn.Module | None) -> Any:
    """Return where a network is."""
    first = None if module is None else next(module.parameters(), None)
    return None if first is None else first.device
