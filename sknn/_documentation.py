"""Where the documentation of an estimator is, and how docstrings are composed."""

from __future__ import annotations

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from functools import cache
from importlib import metadata
from typing import Any, TypeVar

C = TypeVar("C", bound=type)

# Modules that list the estimators of private ones in `__all__`.
PUBLIC_MODULES = ("sknn", "sknn.decomposition", "sknn.generative", "sknn.sequences")


def links_to_documentation(cls: C) -> C:
    """Link the HTML representation of an estimator to its page in this package's documentation."""
    kind: Any = cls
    kind._doc_link_module = "sknn"
    kind._doc_link_template = property(_template)
    kind._doc_link_url_param_generator = _page
    return cls


def _template(estimator: Any) -> str:
    """Return the address of all pages: that of SKNN_DOCS, or of the installed package, or ""."""
    address = os.environ.get("SKNN_DOCS") or declared_address()
    return f"{address.rstrip('/')}/generated/{{page}}.html" if address else ""


def _page(estimator: Any) -> dict[str, Any]:
    """Return what the template needs: the page of the class."""
    cls = type(estimator)
    for name in PUBLIC_MODULES:
        if getattr(sys.modules.get(name), cls.__name__, None) is cls:
            return {"page": f"{name}.{cls.__name__}"}
    return {"page": f"{cls.__module__.partition('._')[0]}.{cls.__name__}"}


@cache
def declared_address() -> str:
    """Return the address of the documentation that the installed package declares, or ""."""
    try:
        urls = metadata.metadata("sknn").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # run from a folder
        return ""
    labelled = (url.partition(",") for url in urls)
    return next((url.strip() for label, _, url in labelled if label == "Documentation"), "")


def quoted(names: Iterable[str]) -> str:
    """Return names as users write them, one after the other."""
    return ", ".join(f'"{name}"' for name in names)


def paragraph(text: str) -> str:
    """Return a text in lines that fit into the description of a parameter."""
    return textwrap.fill(" ".join(text.split()), 92)


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
