"""Which classes and functions beyond the known ones a file needs, and the user trusts."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from ._known import find_known, name_of
from ._third_party import Archive, no_archive, untrusted_types
from ._values import Node

Trusted = Iterable[str | type | FunctionType] | None


class Trust:
    """What of the user's a file may use: full names, which are imported, or the things."""

    def __init__(self, trusted: Trusted) -> None:
        self._found = _by_name(trusted)
        self.names = frozenset(self._found)

    def __call__(self, name: str) -> Any:
        """Return what a trusted name stands for; it is imported if need be."""
        found = self._found[name]
        return _import(name) if found is None else found


def _by_name(trusted: Trusted) -> dict[str, Any]:
    """Return what the user trusts by full names, None where only the name was given."""
    if isinstance(trusted, str) or not isinstance(trusted, Iterable | None):
        raise TypeError(
            "trusted must be a list of full names, classes or functions, such as "
            f"['mymodule.my_loss'], not {trusted!r}."
        )
    found: dict[str, Any] = {}
    for each in trusted or ():
        if isinstance(each, str):
            found[each] = None
        elif isinstance(each, type) or hasattr(each, "__qualname__"):
            found[name_of(each)] = each
        else:
            raise TypeError(
                f"trusted has {each!r}; it takes full names (str), classes and functions."
            )
    return found


def _import(name: str) -> Any:
    """Import what a trusted name stands for."""
    parts = name.split(".")
    reason = "there is nothing of this name"
    for n_module in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:n_module]))
        except ModuleNotFoundError as error:
            reason = str(error)
            continue
        try:
            for part in parts[n_module:]:
                found = getattr(found, part)
        except AttributeError:
            break
        return found
    raise ImportError(f"{name}, which the file needs, cannot be imported ({reason})")


def names_in(
    node: Node, objects: list[Node], archive_of: Callable[[str], Archive]
) -> Iterator[str]:
    """Yield the names that a node, not checked yet, needs and that are in no table."""
    seen: set[Any] = set()
    left = [node]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(node)
        elif isinstance(node, dict):
            for tag, value in node.items():
                if tag == "skops":
                    if value not in seen:
                        seen.add(value)
                        yield from _names_in_archive(archive_of(value))
                elif tag == "name" and find_known(_text(value)) is None:
                    yield value
                elif tag == "object" and value not in seen:
                    seen.add(value)
                    thing = objects[value]
                    if find_known(_text(thing["class"])) is None:
                        yield thing["class"]
                    for part in ("state", "fields", "parameters", "buffers", "modules"):
                        left.extend(thing.get(part, {}).values())
                elif tag not in ("tensor", "float", "bytes", "path"):
                    left.append(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("a name is no text")
    return value


def _names_in_archive(archive: Archive) -> Iterable[str]:
    if archive.is_foreign:
        return untrusted_types(archive)
    return names_in(archive.root, archive.objects, no_archive)
