"""Docstrings: complete, and without marks that nobody has replaced."""

import inspect
import re

import pytest

import sknn.model_selection as ours
from sknn.model_selection._docs import documented, parameters_described


@pytest.mark.parametrize("name", ours.__all__)
def test_docstrings_name_all_parameters(name):
    thing = getattr(ours, name)
    doc = inspect.getdoc(thing)
    assert not re.search(r"\{\w+\}", doc.replace('{"predict"', ""))
    described = re.findall(r"^(\w+) : ", doc.split("Parameters\n")[1].split("\n\n")[0], re.M)
    assert described == list(inspect.signature(thing).parameters)
    assert ">>> " in doc
    assert max(map(len, doc.splitlines())) <= 100


def test_no_text_is_left_over():
    used = {name for thing in ours.__all__ for name in parameters_of(getattr(ours, thing))}
    assert used == set(parameters_described())


def parameters_of(thing):
    return inspect.signature(thing).parameters


def test_defaults_are_those_of_the_signature():
    @documented
    def function(X, *, cv=7, resource="n_samples"):
        """{parameters}"""

    assert function.__doc__.startswith("X : array-like or sparse matrix of shape")
    assert "cv : int, splitter or iterable, default=7\n    The folds" in function.__doc__
    assert 'default="n_samples"' in function.__doc__


def test_parameters_of_a_later_scikit_learn_are_listed():
    @documented
    def function(X, *, later=1):
        """{parameters}"""

    assert "later : object, default=1\n    As in scikit-learn." in function.__doc__
