"""No targets: a network that learns from X alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._values import ValueTargets


class NoTargets(ValueTargets):
    """X is its own target: its values are what the network returns; y is not looked at."""

    @staticmethod
    def check(y: Any, X: Any, name: str) -> np.ndarray:
        """Return X with its dimensions but the first as one, (n, n_columns)."""
        X = X.toarray() if hasattr(X, "toarray") else X
        return X.reshape(len(X), -1)
