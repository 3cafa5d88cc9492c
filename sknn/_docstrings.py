"""Docstrings composed of texts that several of them share."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable)

MARK = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)


def composed(**texts: str) -> Callable[[T], T]:
    """Return a decorator that puts each text into a docstring, in place of the line ``{name}``."""

    def text_for(mark: re.Match[str]) -> str:
        indent, name = mark.groups()
        # the line {parameters} of a class is left to `declares_parameters`
        return textwrap.indent(texts[name], indent) if name in texts else mark[0]

    def decorate(obj: T) -> T:
        if obj.__doc__:  # there is none under python -OO
            obj.__doc__ = MARK.sub(text_for, inspect.cleandoc(obj.__doc__))
        return obj

    return decorate
