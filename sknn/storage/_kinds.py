"""Kinds of nodes: what a place takes.

A kind is called with a checker, a node and its place, and raises `RefusedError` if the node is of
another kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ._checking import CONTAINERS, Checker
from ._values import Node

Kind = Callable[[Checker, Node, str], None]

# Of what patterns are compared with.
LONGEST_TEXT = 1000


class Values:
    """Values of some sorts (see `Checker.leaf`), and lists, tuples, sets, dicts and arrays of them.

    With `largest`, whole numbers are at most so large, and there are none in arrays.
    """

    def __init__(self, *sorts: str, largest: int | None = None) -> None:
        self.sorts = frozenset(sorts) | {"any"}
        self.largest = largest

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is of another kind."""
        tag, value = checker.tag(node, place)
        if tag in CONTAINERS and tag != "bunch":
            for where, each in checker.members(tag, value, place):
                self(checker, each, where)
            return
        sorts = frozenset({"bunch"}) if tag == "bunch" else checker.leaf(tag, value, place)
        if not sorts & self.sorts:
            raise checker.refuse(place, f"is of kind {min(sorts)!r}, which is not allowed there")
        if self.largest is not None:
            self._compare(checker, tag, value, place, self.largest)

    def _compare(self, checker: Checker, tag: str, value: Any, place: str, largest: int) -> None:
        """Refuse large numbers, and those that are not known before they are read."""
        if tag in ("ints", "element"):
            raise checker.refuse(place, f"is of kind {tag!r}, which is not allowed there")
        number = value[1] if tag == "scalar" else value
        if tag in ("number", "scalar") and type(number) is int and abs(number) > largest:
            raise checker.refuse(place, f"is larger than {largest}")
        if tag == "torch.Size" and any(length > largest for length in value):
            raise checker.refuse(place, f"is larger than {largest}")


class One(Values):
    """One value of some sorts."""

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is of another kind."""
        tag, _ = checker.tag(node, place)
        if tag in CONTAINERS:
            raise checker.refuse(place, f"is of kind {tag!r}, which is not allowed there")
        super().__call__(checker, node, place)


class Choice:
    """One of some values, or a list or tuple of them."""

    def __init__(self, *options: Any) -> None:
        self.options = options

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none of them."""
        tag, value = checker.tag(node, place)
        if tag in ("list", "tuple"):
            for each in checker.exactly(value, None, place):
                self(checker, each, place)
        elif not any(type(value) is type(option) and value == option for option in self.options):
            raise checker.refuse(place, f"is {str(value)[:40]!r}, which is not allowed there")


class Text:
    """A text that matches a pattern as a whole, or a value of other sorts."""

    def __init__(self, pattern: re.Pattern[str], *sorts: str) -> None:
        self.pattern = pattern
        self.other = One(*sorts)

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        if type(node) is not str:
            self.other(checker, node, place)
        elif len(node) > LONGEST_TEXT or not self.pattern.fullmatch(node):
            raise checker.refuse(place, f"is {node[:40]!r}, which is not allowed there")


class Whole:
    """A whole number within limits."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        if type(node) is not int or not self.least <= node <= self.most:
            raise checker.refuse(place, f"is no number from {self.least} to {self.most}")


class Table:
    """A dict or Bunch with texts as keys and values of a kind, or a value of other sorts."""

    def __init__(self, kind: Kind, *others: str) -> None:
        self.kind = kind
        self.other = One(*others)

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        tag, value = checker.tag(node, place)
        if tag not in ("dict", "bunch"):
            self.other(checker, node, place)
            return
        for key, each in checker.text_keys({"dict": value}, place).items():
            if key.startswith("__"):
                raise checker.refuse(place, f"has a key {key[:60]!r}")
            self.kind(checker, each, f"{place}.{key[:40]}")


class Record:
    """A dict with certain keys."""

    def __init__(self, **kinds: Kind) -> None:
        self.kinds = kinds

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        values = checker.text_keys(node, place)
        if set(values) != set(self.kinds):
            raise checker.refuse(place, f"has other keys than {', '.join(self.kinds)}")
        for name, each in values.items():
            self.kinds[name](checker, each, f"{place}.{name}")


def text_and_digest(checker: Checker, node: Node, place: str) -> None:
    """Raise RefusedError if a node is no tuple of two texts."""
    tag, value = checker.tag(node, place)
    if tag != "tuple" or any(type(each) is not str for each in checker.exactly(value, 2, place)):
        raise checker.refuse(place, "is no text and digest")


PLAIN = Values(
    "none", "number", "text", "bytes", "array", "tensor", "type", "torch type", "device", "size",
    "slice",
)  # fmt: skip
