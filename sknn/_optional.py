"""Packages that not everybody has installed."""

from __future__ import annotations

import importlib
from typing import Any


def require(module: str, *, extra: str) -> Any:
    """Import a module of an optional package, or say which `extra` of ours installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"this function needs {package}, which cannot be imported ({error}). Install it with "
            f"pip install 'sknn[{extra}]'."
        ) from error
