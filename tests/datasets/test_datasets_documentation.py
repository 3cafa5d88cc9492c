import doctest
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from sknn import datasets

PUBLIC = [getattr(datasets, name) for name in datasets.__all__]


def parameter_texts(function: Callable[..., Any]) -> dict[str, str]:
    """Return the documentation of each parameter, with its type."""
    section = re.search(
        r"Parameters\n-+\n(.*?)\n\n\w+\n---", inspect.getdoc(function) or "", flags=re.DOTALL
    )
    assert section
    parts = re.split(r"^(\w+) : ", section[1], flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__name__)
def test_every_parameter_is_documented_in_order(function: Callable[..., Any]) -> None:
    assert list(parameter_texts(function)) == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__name__)
def test_documented_defaults_are_the_real_ones(function: Callable[..., Any]) -> None:
    texts = parameter_texts(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            documented = texts[name].splitlines()[0].partition("default=")[2]
            assert documented.strip('"') == str(parameter.default)


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__name__)
def test_examples(function: Callable[..., Any]) -> None:
    (test,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs={})
    assert test.examples
    result = doctest.DocTestRunner(verbose=False).run(test)
    assert result.failed == 0
