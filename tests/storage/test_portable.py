"""Estimators in the files of others: skops, and what mlflow logs by default."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_array_equal
from sklearn.base import is_classifier
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn.storage import ModelFileError, Portable
from tests.helpers import supervised

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}


def through_skops(model: Any) -> Any:
    content = skops.io.dumps(model)
    return skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))


WAYS: dict[str, Callable[[Any], Any]] = {
    "skops": through_skops,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.deepcopy,
}


def models() -> dict[str, Any]:
    return {
        **{type(each).__name__: each.set_params(max_iter=2) for each in supervised()},
        "pipeline": make_pipeline(StandardScaler(), sknn.NeuralClassifier(**SMALL)),
        "ensemble": sknn.NeuralClassifier(**SMALL, n_estimators=2, dropout=0.1),
        "a generator": sknn.NeuralClassifier(
            **SMALL | {"random_state": np.random.RandomState(0)}, early_stopping=True
        ),
    }


@pytest.mark.parametrize("name", models())
def test_estimators_go_on_after_any_way(name: str) -> None:
    model = models()[name]
    model.fit(X, y if is_classifier(model) else y + 0.5)
    for way in WAYS.values():
        loaded = way(model)
        assert_array_equal(loaded.predict(X), model.predict(X))
        if name == "ensemble":
            assert_array_equal(
                loaded.partial_fit(X, y).predict(X), way(model).partial_fit(X, y).predict(X)
            )


def test_only_types_of_ours_need_trust() -> None:
    model = sknn.NeuralClassifier(**SMALL).fit(X, y)
    assert skops.io.get_untrusted_types(data=skops.io.dumps(model)) == [
        "sknn.estimators.dense._dense.NeuralClassifier",
        "sknn.storage._portable.Portable",
    ]


def change_attributes(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], None]:
    def changed(state: Any) -> None:
        document = json.loads(state["document"])
        change(document)
        state["document"] = json.dumps(document)

    return changed


LIES: dict[str, Callable[[Any], None]] = {
    "a method": change_attributes(lambda d: d["attributes"].update(fit=1)),
    "a dunder": change_attributes(lambda d: d["attributes"].update(__array_interface__=1)),
    "another module": change_attributes(lambda d: d["attributes"].update(module_=1)),
    "code": change_attributes(lambda d: d["attributes"].update(loss={"name": "os.system"})),
    "no objects": change_attributes(lambda d: d["objects"].clear()),
    "larger tensors": change_attributes(
        lambda d: d["tensors"].update({name: ["F64", [10**9]] for name in d["tensors"]})
    ),
    "no tensors": lambda state: state["tensors"].clear(),
    "texts as tensors": lambda state: state.update(tensors=dict.fromkeys(state["tensors"], "x")),
    "no JSON": lambda state: state.update(document="{"),
}


@pytest.mark.parametrize("name", LIES)
def test_data_that_lie_are_refused(name: str) -> None:
    model = sknn.NeuralClassifier(**SMALL).fit(X, y)
    state = model.__getstate__()
    plain = state["_portable"].__getstate__()
    LIES[name](plain)
    portable = state["_portable"] = Portable.__new__(Portable)
    portable.__setstate__(plain)
    with pytest.raises(ModelFileError, match="NeuralClassifier"):
        sknn.NeuralClassifier.__new__(sknn.NeuralClassifier).__setstate__(state)


def own_loss(outputs: Any, targets: Any) -> Any:
    return (outputs - targets).square().sum(1)


def test_code_of_the_user_is_kept_by_save() -> None:
    model = sknn.NeuralRegressor(**SMALL, loss=own_loss).fit(X, y)
    with pytest.raises(ModelFileError, match=r"own_loss.*kept by sknn.save"):
        through_skops(model)
    assert_array_equal(WAYS["pickle"](model).predict(X), model.predict(X))
