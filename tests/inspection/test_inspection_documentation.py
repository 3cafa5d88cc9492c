import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from sknn import inspection

FUNCTIONS = [
    each for name in inspection.__all__ if inspect.isfunction(each := getattr(inspection, name))
]


def parameter_texts(function: Callable[..., Any]) -> dict[str, str]:
    """Return the documentation of each parameter, with its type."""
    section = re.search(
        r"Parameters\n-+\n(.*?)\n\n\w+\n---", inspect.getdoc(function) or "", flags=re.DOTALL
    )
    assert section
    parts = re.split(r"^(\w+) : ", section[1], flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_parameters_and_defaults(function: Callable[..., Any]) -> None:
    texts = parameter_texts(function)
    parameters = inspect.signature(function).parameters
    assert list(texts) == list(parameters)
    for name, parameter in parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            documented = texts[name].splitlines()[0].partition("default=")[2]
            assert documented.strip('"') == str(parameter.default)


def test_all_is_sorted_and_there() -> None:
    assert all(hasattr(inspection, name) for name in inspection.__all__)
