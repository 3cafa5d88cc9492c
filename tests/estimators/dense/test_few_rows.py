"""The short way of a few rows gives the answers, the errors and the warnings of the usual way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.exceptions import NotFittedError
from torch.nn.utils import prune

from sknn import NeuralClassifier, NeuralRegressor
from sknn.estimators.dense import _dense
from sknn.nn import DenseNetwork

N_FEATURES = 3


class Subclass(np.ndarray):
    """An array of another class."""


def data(n_rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, N_FEATURES)), rng.integers(0, 3, n_rows)


def fitted(kind: type = NeuralClassifier, **parameters: Any) -> Any:
    X, y = data()
    if parameters.pop("named", False):
        X = pd.DataFrame(X, columns=list("abc"))
    dtype = parameters.pop("dtype", None)
    X = X if dtype is None else X.astype(dtype)
    y = parameters.pop("y", y)
    model = kind(**{"hidden_layer_sizes": (7,), "random_state": 0, "max_iter": 3} | parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each prediction that comes to the network the short way: whether it goes on there."""
    answers: list[bool] = []
    original = DenseNetwork.few_outputs

    def few_outputs(self: DenseNetwork, X: np.ndarray, dtype: torch.dtype) -> Any:
        outputs = original(self, X, dtype)
        answers.append(outputs is not None)
        return outputs

    monkeypatch.setattr(DenseNetwork, "few_outputs", few_outputs)
    return answers


def outcome(call: Callable[[], Any]) -> tuple[Any, Any, list[Any]]:
    """What a call returns, raises, and warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value, error = call(), None
        except Exception as raised:
            value, error = None, (type(raised), str(raised))
    return value, error, sorted((each.category.__name__, str(each.message)) for each in caught)


def by_the_usual_way(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(_dense, "FEW_FLOPS", -1)
        return outcome(call)


def with_value(value: float, dtype: Any = np.float64) -> np.ndarray:
    X = data(4)[0].astype(dtype)
    X[1, 2] = value
    return X


def memmap(path: Any) -> np.ndarray:
    X, _ = data(4)
    np.save(path / "X.npy", X)
    return np.load(path / "X.npy", mmap_mode="r")


def read_only() -> np.ndarray:
    X, _ = data(4)
    X.flags.writeable = False
    return X


INPUTS: dict[str, Callable[[Any], Any]] = {
    "a row": lambda _: data(1)[0],
    "rows": lambda _: data(4)[0],
    "float32": lambda _: data(4)[0].astype(np.float32),
    "float16": lambda _: data(4)[0].astype(np.float16),
    "longdouble": lambda _: data(4)[0].astype(np.longdouble),
    "big-endian": lambda _: data(4)[0].astype(">f8"),
    "int": lambda _: data(4)[0].astype(int),
    "bool": lambda _: data(4)[0] > 0,
    "complex": lambda _: data(4)[0].astype(complex),
    "object": lambda _: data(4)[0].astype(object),
    "dates": lambda _: np.array([["2020-01-01"] * N_FEATURES], "datetime64[D]"),
    "durations": lambda _: np.ones((2, N_FEATURES), "timedelta64[s]"),
    "strings": lambda _: np.array([["a", "b", "c"]]),
    "Fortran order": lambda _: np.asfortranarray(data(4)[0]),
    "every other row": lambda _: data(8)[0][::2],
    "backwards": lambda _: data(4)[0][::-1, ::-1],
    "columns of a wider array": lambda _: np.hstack(data(4)[:1] * 2)[:, 1:4],
    "read-only": lambda _: read_only(),
    "memmap": memmap,
    "subclass": lambda _: data(4)[0].view(Subclass),
    "masked": lambda _: np.ma.masked_array(data(4)[0], mask=False),
    "list": lambda _: data(4)[0].tolist(),
    "DataFrame": lambda _: pd.DataFrame(data(4)[0], columns=list("abc")),
    "other names": lambda _: pd.DataFrame(data(4)[0], columns=list("bca")),
    "sparse": lambda _: sparse.csr_array(data(4)[0]),
    "tensor": lambda _: torch.from_numpy(data(4)[0]),
    "1-D": lambda _: data(1)[0][0],
    "3-D": lambda _: data(4)[0][:, :, np.newaxis],
    "no rows": lambda _: data(4)[0][:0],
    "too wide": lambda _: np.ones((2, N_FEATURES + 1)),
    "too narrow": lambda _: np.ones((2, N_FEATURES - 1)),
    "no columns": lambda _: np.ones((2, 0)),
    "NaN": lambda _: with_value(np.nan),
    "infinity": lambda _: with_value(np.inf),
    "float32 NaN": lambda _: with_value(np.nan, np.float32),
    "beyond the square root": lambda _: with_value(1e200),
    "beyond float32": lambda _: with_value(1e39),
    "near float32's end": lambda _: with_value(3e38),
    "near float64's end": lambda _: with_value(1.7e308),
    "both ends": lambda _: np.full((2, N_FEATURES), 1.7e308) * [[1], [-1]],
    "None": lambda _: None,
    "text": lambda _: "X.csv",
}

MODELS: dict[str, Callable[[], Any]] = {
    "float64": fitted,
    "float32": lambda: fitted(precision="float32", activation="tanh"),
    "fitted on float32": lambda: fitted(dtype=np.float32, activation="logistic"),
    "names": lambda: fitted(named=True),
    "two classes": lambda: fitted(y=data()[1] > 0, activation="identity"),
    "multilabel": lambda: fitted(y=np.stack([data()[1] > 0, data()[1] > 1], 1)),
    "no hidden layer": lambda: fitted(hidden_layer_sizes=()),
    "dropout": lambda: fitted(hidden_layer_sizes=(6, 5), dropout=0.5),
    "bfloat16": lambda: fitted(precision="bfloat16"),
    "gelu": lambda: fitted(activation="gelu"),
    "normalization": lambda: fitted(normalization="batch"),
    "ensemble": lambda: fitted(n_estimators=2),
    "values": lambda: fitted(NeuralRegressor),
    "several values": lambda: fitted(NeuralRegressor, y=data()[0][:, :2]),
    "exponential": lambda: fitted(NeuralRegressor, loss="poisson"),
}
SHORT = {
    *("float64", "float32", "fitted on float32", "two classes", "multilabel", "no hidden layer"),
    *("names", "dropout", "values", "several values", "exponential"),
}


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: make() for name, make in MODELS.items()}


@pytest.mark.parametrize("assume_finite", [False, True])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", INPUTS)
def test_answers_errors_and_warnings_are_those_of_the_usual_way(
    models: dict[str, Any],
    name: str,
    kind: str,
    assume_finite: bool,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, X = models[name], INPUTS[kind](tmp_path)
    methods = ["predict", "predict_proba"] if hasattr(model, "predict_proba") else ["predict"]
    for method in methods:

        def call(method: str = method) -> Any:
            with sklearn.config_context(assume_finite=assume_finite):
                return getattr(model, method)(X)

        value, *said = outcome(call)
        expected, *expected_said = by_the_usual_way(monkeypatch, call)
        assert said == expected_said
        if expected is not None:
            assert value.dtype == expected.dtype
            assert value.shape == expected.shape
            is_float64 = next(model.module_.parameters()).dtype == torch.float64
            assert_allclose(value, expected, rtol=1e-10 if is_float64 else 1e-5, atol=1e-6)


def expected_outputs(model: Any, X: np.ndarray, activation: Callable[[Any], Any]) -> np.ndarray:
    Z = X
    layers = [*zip(model.coefs_, model.intercepts_, strict=True)]
    for i, (weight, bias) in enumerate(layers):
        Z = np.einsum("ij,jk->ik", Z, weight) + bias
        Z = Z if i == len(layers) - 1 else activation(Z)
    return Z


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", lambda z: z * (z > 0)),
        ("tanh", lambda z: 1 - 2 / (np.exp(2 * z) + 1)),
        ("logistic", lambda z: 1 / (1 + np.exp(-z))),
        ("identity", lambda z: z),
    ],
)
@pytest.mark.parametrize("hidden_layer_sizes", [(), (5,), (6, 5, 4)])
def test_outputs_follow_from_the_weights(
    activation: str,
    function: Callable[[Any], Any],
    hidden_layer_sizes: tuple[int, ...],
    taken: list[bool],
) -> None:
    X, _ = data(5)
    model = fitted(hidden_layer_sizes=hidden_layer_sizes, activation=activation)
    taken.clear()
    before = X.copy()
    outputs = expected_outputs(model, X, function)
    assert_allclose(model.decision_function(X), outputs, rtol=1e-12, atol=1e-14)
    assert_allclose(model.predict_proba(X), softmax(outputs, 1), rtol=1e-12)
    assert_array_equal(model.predict(X), outputs.argmax(1))
    assert taken == [True] * 3
    assert_array_equal(X, before)


def test_two_classes_and_values() -> None:
    X, y = data(5)[0], data()[1]
    model = fitted(y=np.where(y > 0, "yes", "no"))
    logits = expected_outputs(model, X, lambda z: z * (z > 0))[:, 0]
    assert_array_equal(model.predict(X), np.where(logits > 0, "yes", "no"))
    assert_allclose(model.predict_proba(X)[:, 1], expit(logits), rtol=1e-12)
    values = fitted(NeuralRegressor, loss="poisson")
    expected = np.exp(expected_outputs(values, X, lambda z: z * (z > 0))[:, 0])
    assert_allclose(values.predict(X), expected, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_plain_networks_take_the_short_way(
    models: dict[str, Any], name: str, taken: list[bool]
) -> None:
    X = pd.DataFrame(data(4)[0], columns=list("abc")) if name == "names" else data(4)[0]
    models[name].predict(X)
    assert taken.count(True) == (name in SHORT)


def test_many_rows_take_the_usual_way_and_agree(models: dict[str, Any], taken: list[bool]) -> None:
    X, _ = data(100_000)
    for name in SHORT - {"names"}:
        method = "decision_function" if hasattr(models[name], "classes_") else "predict"
        predict = getattr(models[name], method)
        many = predict(X)
        assert not taken
        one = np.concatenate([predict(X[i : i + 1]) for i in range(5)])
        assert all(taken)
        taken.clear()
        is_float32 = next(models[name].module_.parameters()).dtype == torch.float32
        assert_allclose(one, many[:5], rtol=0, atol=2e-7 if is_float32 else 1e-12)


def test_what_is_changed_after_the_fit_counts(taken: list[bool]) -> None:
    X, _ = data(4)
    model = fitted()
    model.coefs_[-1][:] = 0
    model.intercepts_[-1][:] = [1, 3, 2]
    assert_array_equal(model.decision_function(X), [[1, 3, 2]] * 4)
    model.module_.layers[-1].weight = torch.nn.Parameter(torch.zeros(3, 7, dtype=torch.float64))
    model.module_.layers[-1].bias.data = torch.tensor([4.0, 5, 6], dtype=torch.float64)
    assert_array_equal(model.decision_function(X), [[4, 5, 6]] * 4)
    assert taken == [True] * 2


@pytest.mark.parametrize("of", ["network", "sequence", "layer", "all modules"])
def test_hooks_are_called(of: str, taken: list[bool]) -> None:
    X, _ = data(2)
    model = fitted()
    before = model.decision_function(X)
    network = model.module_
    modules = {"network": network, "sequence": network.layers, "layer": network.layers[2]}

    def double(module: Any, inputs: Any, outputs: Any) -> Any:
        return 2 * outputs if module is modules.get(of, network) else None

    if of == "all modules":
        handle = torch.nn.modules.module.register_module_forward_hook(double)
    else:
        handle = modules[of].register_forward_hook(double)
    with handle:
        assert_allclose(model.decision_function(X), 2 * before, rtol=1e-12)
    assert taken == [True, *[False] * (len(taken) - 1)]
    assert_allclose(model.decision_function(X), before, rtol=1e-12)
    assert taken[-1]


@pytest.mark.parametrize("kind", ["pruned", "parametrized", "float32 layer", "no bias", "trains"])
def test_networks_that_were_changed_take_the_usual_way(
    kind: str, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, _ = data(2)
    model = fitted(dropout=1e-9 if kind == "trains" else 0.0)
    layers = model.module_.layers
    if kind == "pruned":
        prune.l1_unstructured(layers[0], "weight", amount=0.5)
    elif kind == "parametrized":
        torch.nn.utils.parametrizations.weight_norm(layers[0])
    elif kind == "float32 layer":
        layers[0].weight.data = layers[0].weight.data.float()
        layers[0].bias.data = layers[0].bias.data.float()
    elif kind == "no bias":
        layers[0].bias = None
    else:
        layers.train()
    outputs = outcome(lambda: model.decision_function(X))
    assert taken
    assert not any(taken)
    expected = by_the_usual_way(monkeypatch, lambda: model.decision_function(X))
    assert outputs[1:] == expected[1:]
    if expected[0] is not None:
        assert_allclose(outputs[0], expected[0], rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    model = fitted()
    model.coefs_[-1][0] = value
    with pytest.raises(ValueError, match="outputs for X are not finite"):
        model.predict(np.ones((1, N_FEATURES)))


def test_an_estimator_that_is_not_fitted() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        NeuralClassifier().predict(np.ones((1, N_FEATURES)))


def test_torchs_settings_change_nothing() -> None:
    X, _ = data(3)
    model = fitted()
    before = model.decision_function(X)
    with torch.device("meta"), torch.autocast("cpu"), torch.inference_mode():
        assert_array_equal(model.decision_function(X), before)
    with np.errstate(all="raise"):
        assert_array_equal(model.decision_function(X), before)


@pytest.mark.parametrize("factor", [1e-40, 1e30])
def test_numpys_settings_and_warnings_of_errors_are_not_those_of_a_network(factor: float) -> None:
    model = fitted(precision="float32")
    with torch.no_grad():
        for parameter in model.module_.parameters():
            parameter.mul_(factor)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        if factor < 1:
            assert np.isfinite(model.predict_proba(factor * data(4)[0])).all()
        else:
            with pytest.raises(ValueError, match="not finite"):
                model.predict(data(4)[0])
