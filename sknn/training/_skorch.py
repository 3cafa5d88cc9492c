"""Imports skorch, under ``python -OO`` too, where it looks for docstrings that are not there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


class _KeepsDocstrings(SourceFileLoader):
    """Compiles a module as ``python -O`` does."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True, optimize=1)


class _SkorchFinder(MetaPathFinder):
    """Finds skorch's modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "skorch":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _KeepsDocstrings(spec.loader.name, spec.loader.path)
        return spec


def import_skorch() -> None:
    """Import skorch before anything else does."""
    finder = _SkorchFinder()
    if sys.flags.optimize > 1:
        sys.meta_path.insert(0, finder)
    try:
        import skorch.callbacks  # noqa: F401
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


import_skorch()
