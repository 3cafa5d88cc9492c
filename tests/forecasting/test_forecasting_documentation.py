import doctest
import inspect
import re
from typing import Any

import pytest

from sknn import forecasting

PUBLIC = [getattr(forecasting, name) for name in forecasting.__all__]


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_every_parameter_is_documented_with_its_default(cls: Any) -> None:
    documentation = inspect.getdoc(cls) or ""
    for name, parameter in inspect.signature(cls).parameters.items():
        (text,) = re.findall(rf"^{name} : .*, default=(.*)$", documentation, flags=re.MULTILINE)
        assert text.strip('"') == str(parameter.default)


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_examples(cls: Any) -> None:
    (test,) = doctest.DocTestFinder(recurse=False).find(cls, cls.__name__, globs={})
    assert test.examples
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0
