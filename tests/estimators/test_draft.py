"""What a subclass and its functions may rely on while a fit is prepared."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from sknn import ConvRegressor, NeuralClassifier, NeuralRegressor
from sknn.estimators.dense import _dense
from sknn.estimators.dense._format import DenseFormat
from sknn.nn import DenseNetwork

X = np.random.default_rng(0).normal(size=(40, 5))
y = X[:, 0] + 3
PARAMETERS = {"hidden_layer_sizes": (3,), "max_iter": 2, "learning_rate": "cosine"}


class Centred(NeuralRegressor):
    """Sets attributes of its own around the fit of its base."""

    def fit(self, X: Any, y: Any) -> Any:
        self.y_mean_ = y.mean()
        return super().fit(X, y - self.y_mean_)

    def predict(self, X: Any) -> np.ndarray:
        return super().predict(X) + self.y_mean_


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_attributes_of_a_subclass_stay(n_estimators: int) -> None:
    model = Centred(**PARAMETERS, random_state=0, n_estimators=n_estimators)
    model.threshold_ = 0.3
    for _ in range(2):
        model.fit(X, y)
        assert model.threshold_ == 0.3
        plain = NeuralRegressor(**PARAMETERS, random_state=0, n_estimators=n_estimators)
        assert_array_equal(model.predict(X), plain.fit(X, y - y.mean()).predict(X) + y.mean())


def test_what_a_hook_sets_is_kept() -> None:
    class Counted(NeuralRegressor):
        def _build_network(self, *args: Any) -> Any:
            self._n_built = getattr(self, "_n_built", 0) + 1
            self.width_ = 7
            return super()._build_network(*args)

    model = Counted(**PARAMETERS).fit(X, y).fit(X, y)
    assert model._n_built == 2
    assert model.width_ == 7


def test_a_module_may_draw_from_the_generator_of_the_estimator() -> None:
    generator = np.random.RandomState(0)

    def make(n_features_in: int) -> nn.Module:
        layer = nn.Linear(n_features_in, 1)
        layer.weight.data = torch.tensor(generator.normal(size=(1, n_features_in)))
        return layer

    models = [
        NeuralRegressor(module=make, random_state=generator, max_iter=1, learning_rate="cosine")
        for _ in range(2)
    ]
    first, second = (model.fit(X, y).module_.weight.detach() for model in models)
    assert not torch.allclose(first, second, atol=0.1)


def test_a_refused_fit_leaves_the_generator_where_it_stood() -> None:
    generator = np.random.RandomState(0)
    model = NeuralRegressor(random_state=generator, callbacks=[object()], early_stopping=True)
    expected = np.random.RandomState(0).normal(size=3)
    with pytest.raises(TypeError, match="callbacks"):
        model.fit(X, y)
    assert_array_equal(generator.normal(size=3), expected)


@pytest.mark.parametrize("hook", ["has_form", "few_outputs", "_refuse_overflow"])
def test_a_prediction_is_of_one_fit_alone(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may fit the estimator anew between two lines of a prediction."""
    if hook == "_refuse_overflow":  # of the way that many rows go
        monkeypatch.setattr(_dense, "FEW_FLOPS", -1)
    labels: list[Any] = []
    two, three = np.arange(40) % 2, np.arange(40) % 3
    model = NeuralClassifier(**PARAMETERS, random_state=0).fit(X, two)
    expected = model.predict_proba(X)

    owners: dict[str, Any] = {"has_form": DenseFormat, "few_outputs": DenseNetwork}
    owner = owners.get(hook, NeuralClassifier)
    original = getattr(owner, hook)

    def refit(*arguments: Any) -> Any:
        if labels:
            thread = threading.Thread(target=model.fit, args=(X, labels.pop()))
            thread.start()
            thread.join()
        return original(*arguments)

    monkeypatch.setattr(owner, hook, refit)
    labels.append(three)
    assert_array_equal(model.predict_proba(X), expected)
    assert not labels
    assert model.predict_proba(X).shape == (40, 3)


def test_a_refused_warm_start_leaves_the_scale_of_an_interrupted_fit() -> None:
    from skorch.callbacks import Callback

    class Interrupt(Callback):
        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    images, values = np.random.default_rng(0).random((30, 6, 6)), np.arange(30.0)
    model = ConvRegressor(filters=(2,), max_iter=1, warm_start=True, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, values)
    before = {name: each.clone() for name, each in model.module_.state_dict().items()}
    with pytest.raises(TypeError, match="callbacks"):
        model.set_params(callbacks=[object()]).fit(images, 1000 * values)
    for name, each in model.module_.state_dict().items():
        assert_array_equal(each, before[name])
