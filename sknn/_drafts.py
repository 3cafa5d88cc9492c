"""Calls that are refused leave an estimator as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def draft_of(estimator: Any) -> Iterator[Any]:
    """Yield a copy to fit; the estimator takes over all that it has learned, unless it raises."""
    draft = copy.copy(estimator)  # with the same parameters, not copies of them
    yield draft
    estimator.__dict__ = vars(draft)
