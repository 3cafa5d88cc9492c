import doctest
import inspect
import re
from typing import Any

import pytest

from sknn import forecasting

PUBLIC = [getattr(forecasting, name) for name in forecasting.__all__]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_every_parameter_is_documented_with_its_default(public: Any) -> None:
    documentation = inspect.getdoc(public) or ""
    for name, parameter in inspect.signature(public).parameters.items():
        # one line may describe several: "lower, upper : array-like"
        pattern = rf"^(?:\w+, )*{name}(?:, \w+)* : (.*)$"
        (text,) = re.findall(pattern, documentation, flags=re.MULTILINE)
        if parameter.default is not inspect.Parameter.empty:
            default = text.partition(", default=")[2]
            assert re.sub(r'"', "", default) == re.sub(r"['\"]", "", str(parameter.default))
        else:
            assert "default=" not in text


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_examples(public: Any) -> None:
    (test,) = doctest.DocTestFinder(recurse=False).find(public, public.__name__, globs={})
    assert test.examples
    # tables of pandas end their lines with spaces
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test).failed == 0
