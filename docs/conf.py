"""Configuration of the documentation, which `make docs` builds without a network."""

from __future__ import annotations

from typing import Any

import sknn

project = "sknn"
author = "The sknn developers"
project_copyright = f"2026, {author}"
version = release = sknn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
]
plot_formats = [("png", 150)]
plot_html_show_formats = False
plot_html_show_source_link = False
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"
smartquotes = False

html_theme = "furo"
html_title = f"sknn {version}"
html_show_sourcelink = False

# One page a public class or function, made from its docstring. The signature carries no types:
# the list of parameters does.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
# Attributes that searches inherit have scikit-learn's texts, which link to scikit-learn's glossary.
suppress_warnings = ["ref.term"]


def skip_members_from_elsewhere(
    app: Any, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what scikit-learn and numpy document: `get_params`, `ndarray.strides`."""
    function = getattr(member, "fget", member)  # of a property
    owner = getattr(member, "__objclass__", function)  # the class of a C descriptor
    module = getattr(owner, "__module__", None) or "sknn"
    return None if module.partition(".")[0] == "sknn" else True


def setup(app: Any) -> None:
    app.connect("autodoc-skip-member", skip_members_from_elsewhere)
