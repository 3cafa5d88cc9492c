"""Links to the documentation, and the order in which it lists parameters."""

import importlib
import inspect
import re
from typing import Any

import pytest
from sklearn.base import BaseEstimator

import sknn
from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor, _documentation
from sknn._documentation import composed
from sknn.estimators._training_parameters import TrainingParameters

MODULES = (
    "sknn",
    "sknn.decomposition",
    "sknn.forecasting",
    "sknn.model_selection",
    "sknn.preprocessing",
    "sknn.sequences",
    "sknn.text",
)
PAGES = {
    f"{module}.{name}": getattr(importlib.import_module(module), name)
    for module in MODULES
    for name in importlib.import_module(module).__all__
    if hasattr(getattr(importlib.import_module(module), name), "get_params")
}
SHARED = list(inspect.signature(TrainingParameters).parameters)
FAMILIES = {page: cls for page, cls in PAGES.items() if issubclass(cls, TrainingParameters)}
TEXTS = {
    f"{module}.{name}": inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    for module in (*MODULES, "sknn.datasets", "sknn.inspection")
    for name in importlib.import_module(module).__all__
}


def make(cls: Any) -> Any:
    """Return an instance with arguments that are never looked at."""
    required = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is parameter.empty
    ]
    return cls(**dict.fromkeys(required, NeuralRegressor()))


@pytest.mark.parametrize("page", PAGES)
def test_the_html_of_every_estimator_links_to_its_page(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKNN_DOCS", "https://docs.example.org/stable/")
    estimator = make(PAGES[page])
    assert isinstance(estimator, BaseEstimator)
    address = f"https://docs.example.org/stable/generated/{page}.html"
    assert f'href="{address}"' in estimator._repr_html_()


def test_there_is_no_link_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKNN_DOCS", raising=False)
    monkeypatch.setattr(_documentation, "declared_address", lambda: "")
    assert NeuralClassifier()._get_doc_link() == ""
    assert "href" not in NeuralClassifier()._repr_html_()


def test_the_packages_own_address_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from email.message import Message

    declared = Message()
    declared["Project-URL"] = "Source, https://example.org/source"
    declared["Project-URL"] = "Documentation, https://example.org/docs"
    monkeypatch.setattr(_documentation.metadata, "metadata", lambda name: declared)
    monkeypatch.delenv("SKNN_DOCS", raising=False)
    _documentation.declared_address.cache_clear()
    try:
        link = ConvClassifier()._get_doc_link()
    finally:
        _documentation.declared_address.cache_clear()
    assert link == "https://example.org/docs/generated/sknn.ConvClassifier.html"


def test_subclasses_elsewhere_have_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(NeuralClassifier):
        __module__ = "mine"

    monkeypatch.setenv("SKNN_DOCS", "https://docs.example.org")
    assert Mine()._get_doc_link() == ""


@pytest.mark.parametrize("page", FAMILIES)
def test_own_parameters_come_before_shared_ones(page: str) -> None:
    cls = FAMILIES[page]
    names = list(inspect.signature(cls).parameters)
    # networks of two parts take no single module
    shared = [name for name in SHARED if name in names or name != "module"]
    n_own = len(names) - len(shared)
    assert set(names[n_own:]) == set(shared)
    section = cls.__doc__.partition("Parameters\n---")[2].partition("Attributes\n---")[0]
    assert re.findall(r"^(\w+) : ", section, re.MULTILINE) == names
    assert list(cls().get_params()) == sorted(names)


def test_the_first_parameters_are_the_familys() -> None:
    assert list(inspect.signature(ConvClassifier).parameters)[:3] == [
        "filters",
        "kernel_size",
        "stride",
    ]
    assert next(iter(inspect.signature(sknn.AttentionClassifier).parameters)) == "n_heads"
    # what may be given by position stays where it was
    assert NeuralClassifier((3,), "tanh").activation == "tanh"
    assert NeuralRegressor("huber", (3,), "tanh").hidden_layer_sizes == (3,)


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_is_missing_where_docstrings_are_composed(name: str) -> None:
    assert re.findall(r"^ *\{\w+\}$", TEXTS[name], re.MULTILINE) == []


def test_a_text_takes_the_place_and_the_indentation_of_its_mark() -> None:
    @composed(one="first : int\n    The first.", two="second : int")
    def function() -> None:
        """Do this.

        Attributes
        ----------
            {one}
        {two}
        {three}
        """

    assert function.__doc__ is not None
    assert function.__doc__.splitlines()[4:] == [
        "    first : int",
        "        The first.",
        "second : int",
        "{three}",
    ]
