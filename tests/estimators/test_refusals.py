"""A call that is refused leaves every estimator as it was: fitted state, parameters, generators."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier

from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor
from sknn.forecasting import DirectForecaster, RecursiveForecaster, WindowTransformer
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from sknn.storage import digest
from sknn.testing import estimators_to_check

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 9))
Y = {True: np.arange(24) % 3, False: rng.normal(size=24)}
VALIDATION = {True: {"X_val": X[:6], "y_val": np.arange(6) % 3}, False: {"X_val": X[:6]}}
VALIDATION[False]["y_val"] = Y[False][:6]

ESTIMATORS = {
    **{type(each).__name__: each for each in estimators_to_check()},
    "ensemble": NeuralClassifier(n_estimators=2, max_iter=2),
    "lbfgs": NeuralRegressor(solver="lbfgs", max_iter=2),
}


QUICK = ("NeuralClassifier", "ConvRegressor", "RecurrentClassifier", "ensemble")
NAMES = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ESTIMATORS
]


def state_of(estimator: Any) -> str:
    """Everything that an estimator holds, parameters and generators included, as a digest."""
    state = dict(getattr(estimator, "_stored_attributes", estimator.__getstate__)())
    for name, value in vars(estimator).items():
        if name == "_members":
            state[name] = [state_of(member) for member in value]
        elif hasattr(value, "__getstate__") and hasattr(value, "get_params"):
            state[name] = state_of(value)
    return digest(state)


def with_value(array: np.ndarray, value: Any) -> np.ndarray:
    array = array.astype(float)
    array[3] = value
    return array


def factory(n_outputs: int) -> Any:
    np.random.default_rng(0)
    raise ValueError("no such network")


# Each changes the arguments or the parameters of a call that would be right.
REFUSED: dict[str, tuple[dict[str, Any], Callable[[Any, Any], dict[str, Any]]]] = {
    "X": ({}, lambda X, y: {"X": with_value(X, np.nan), "y": y}),
    "lengths": ({}, lambda X, y: {"X": X[:, :4], "y": y[1:]}),
    "y": ({}, lambda X, y: {"X": X[:, :4], "y": with_value(y, np.inf)}),
    "no y": ({}, lambda X, y: {"X": X[:, :4], "y": None}),
    "weights": ({}, lambda X, y: {"X": X[:, :4], "y": y, "sample_weight": -np.ones(24)}),
    "zero weights": ({}, lambda X, y: {"X": X[:, :4], "y": y, "sample_weight": np.zeros(24)}),
    "X_val": ({}, lambda X, y: {"X": X[:, :4], "y": y, "X_val": X[:, :5], "y_val": y}),
    "y_val": (
        {},
        lambda X, y: {"X": X, "y": y, "X_val": X, "y_val": with_value(y, 7.5)[:, None] * [1, 2]},
    ),
    "device": ({"device": "cuda:77"}, lambda X, y: {"X": X[:, :4], "y": y}),
    "parameter": ({"alpha": -1.0}, lambda X, y: {"X": X[:, :4], "y": y}),
    "callbacks": ({"callbacks": [len]}, lambda X, y: {"X": X[:, :4], "y": y}),
    "module": ({"module": factory}, lambda X, y: {"X": X[:, :4], "y": y}),
    "solver": ({"solver": print}, lambda X, y: {"X": X[:, :4], "y": y}),
    "split": (
        {"early_stopping": True, "validation_fraction": 0.0, "solver": "adam"},
        lambda X, y: {"X": X[:, :4], "y": y},
    ),
    "checkpoint": ({"checkpoint": Path(__file__)}, lambda X, y: {"X": X[:, :4], "y": y}),
}


def assert_unchanged(estimator: Any, call: Callable[[], Any]) -> None:
    before, names = state_of(estimator), list(vars(estimator))
    values = {name: value for name, value in vars(estimator).items() if not name.endswith("_")}
    with pytest.raises(Exception):  # noqa: B017 - which one is the matter of other tests
        call()
    assert list(vars(estimator)) == names
    assert all(vars(estimator)[name] is value for name, value in values.items())
    assert state_of(estimator) == before


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("name", NAMES)
def test_a_refused_fit_changes_nothing(name: str, refused: str) -> None:
    parameters, change = REFUSED[refused]
    estimator = clone(ESTIMATORS[name]).set_params(max_iter=1)
    y = Y[is_classifier(estimator)]
    arguments = change(X, y)
    for is_fitted in (False, True):
        model = clone(estimator).set_params(random_state=np.random.RandomState(0))
        if is_fitted:
            model.fit(X, y)
        model.set_params(**parameters)
        assert_unchanged(model, lambda: model.fit(**arguments))  # noqa: B023
        if is_fitted:
            model.warm_start = True
            assert_unchanged(model, lambda: model.fit(**arguments))  # noqa: B023


@pytest.mark.parametrize(
    "refused", ["X", "lengths", "y", "weights", "device", "callbacks", "solver"]
)
@pytest.mark.parametrize("name", NAMES[:-1])  # without "lbfgs"
def test_a_refused_partial_fit_changes_nothing(name: str, refused: str) -> None:
    parameters, change = REFUSED[refused]
    estimator = clone(ESTIMATORS[name])
    y = Y[is_classifier(estimator)]
    first = {"classes": [0, 1, 2]} if is_classifier(estimator) else {}
    for is_fitted in (False, True):
        model = clone(estimator).set_params(random_state=np.random.RandomState(0))
        if is_fitted:
            model.partial_fit(X, y, **first)
        model.set_params(**parameters)
        assert_unchanged(model, lambda: model.partial_fit(**change(X, y), **first))  # noqa: B023


def test_a_fit_goes_on_after_a_refused_one_as_without_it() -> None:
    for estimator in (NeuralClassifier((4,), max_iter=2), ESTIMATORS["ensemble"]):
        model = clone(estimator).set_params(warm_start=True, early_stopping=True, random_state=3)
        model.set_params(validation_fraction=0.2)
        model.fit(X, Y[True])
        other = copy.deepcopy(model)
        with pytest.raises(ValueError, match="X_val"):
            model.fit(X, Y[True], X_val=X[:, :4], y_val=Y[True])
        model.fit(X, Y[True])
        other.fit(X, Y[True])
        assert (model.predict_proba(X) == other.predict_proba(X)).all()


TOKENS = [rng.integers(0, 5, size=rng.integers(2, 6)) for _ in range(12)]
SMALL: dict[str, Any] = {"hidden_size": 4, "max_iter": 1}
SERIES = rng.normal(size=(12, 6, 2))
SEQUENCES: dict[str, tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = {
    "steps, labels": (
        StepClassifier(**SMALL),
        (SERIES, np.arange(72).reshape(12, 6) % 2),
        (SERIES[..., :1], np.arange(60).reshape(12, 5) % 2),
    ),
    "steps, values": (
        StepRegressor(**SMALL),
        (SERIES, SERIES.sum(2)),
        (SERIES[..., :1], with_value(SERIES.sum(2), np.nan)),
    ),
    "labels": (
        EncoderDecoderClassifier(embedding_size=4, **SMALL),
        (TOKENS, TOKENS),
        (TOKENS[1:], [np.array([])] * 11),
    ),
    "values": (
        EncoderDecoderRegressor(**SMALL),
        (SERIES, SERIES.sum(2)),
        (SERIES[:, :, :1], with_value(SERIES.sum(2)[:, :3], np.nan)),
    ),
    "generator": (
        SequenceGenerator(embedding_size=4, **SMALL),
        (TOKENS,),
        ([*TOKENS, [9]], None, -np.ones(13)),
    ),
    "forecaster": (
        RecursiveForecaster(NeuralRegressor(hidden_layer_sizes=(4,), max_iter=1), past=3),
        (None, np.arange(20.0)),
        (None, np.arange(3.0)[:, None] + np.zeros(2)),
    ),
    "direct forecaster": (
        DirectForecaster(
            NeuralRegressor(hidden_layer_sizes=(4,), max_iter=1), past=3, horizon=2, interval=0.8
        ),
        (np.arange(60.0)[:, None], np.arange(60.0)),
        (np.ones((60, 3)), np.arange(59.0)),
    ),
    "windows": (WindowTransformer(past=3), (np.arange(9.0),), (np.ones((2, 2)),)),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_refused_fit_changes_no_estimator_of_sequences(name: str) -> None:
    estimator, right, wrong = SEQUENCES[name]
    unfitted, fitted = clone(estimator), clone(estimator)
    if "random_state" in fitted.get_params():
        fitted.random_state = np.random.RandomState(0)
    fitted.fit(*right)
    for model in (unfitted, fitted):
        assert_unchanged(model, lambda: model.fit(*wrong))  # noqa: B023


def test_a_search_leaves_a_refused_estimator_as_it_was() -> None:
    model = ConvClassifier(filters=(2,), max_iter=1).fit(rng.random((24, 6, 6)), Y[True])
    before = state_of(model)
    with pytest.raises(TypeError):
        model.fit(rng.random((24, 8, 8)), Y[True], incremental=True)
    assert state_of(model) == before
