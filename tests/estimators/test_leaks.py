"""What a fit and its predictions made goes with the estimator, without a search for cycles."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sknn import NeuralClassifier

X = np.random.default_rng(0).normal(size=(40, 3))
y = np.arange(40) % 3

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "early stopping": {"early_stopping": True},
    "dropout": {"dropout": 0.1},
    "normalization": {"normalization": "batch"},
    "autograd": {"activation": "gelu"},
    "lbfgs": {"solver": "lbfgs"},
    "torch's solver": {"solver": "nadam"},
    "schedule": {"learning_rate": "cosine"},
}


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def fit(kind: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = NeuralClassifier(hidden_layer_sizes=(3,), max_iter=2, **KINDS[kind]).fit(X, y)
        if kind != "lbfgs" and kind != "early stopping":
            model.partial_fit(X[:5], y[:5])
    model.predict(X)
    model.predict_proba(X[:1])
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_goes_with_its_estimator(kind: str) -> None:
    fit(kind)  # imports what it needs
    model = fit(kind)
    gone = [weakref.ref(model.module_), weakref.ref(model._state)]
    del model
    assert [each() for each in gone] == [None, None]


@pytest.mark.parametrize("kind", KINDS)
def test_fits_leave_nothing_behind(kind: str) -> None:
    for _ in range(3):  # what is imported and remembered once
        fit(kind)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        fit(kind)
    assert gc.collect() == 0
    assert len(gc.get_objects()) - before < 20  # not one a fit
