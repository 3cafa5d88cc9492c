"""Hyperparameters that are drawn and chosen within one fit."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.datasets import load_iris

from sknn import TabularClassifier, TabularRegressor
from sknn.estimators.tabular._hyperparameters import draw

X, y = load_iris(return_X_y=True)
QUICK: dict[str, Any] = {"max_iter": 3, "hidden_layer_sizes": (8,), "random_state": 0}


def test_each_drawing_has_a_network_a_fold() -> None:
    model = TabularClassifier(
        n_estimators=24, hyperparameters={"dropout": [0.0, 0.1, 0.2], "alpha": [0.1]}, **QUICK
    ).fit(X, y)
    networks = model.estimators_
    assert len(networks) % 8 == 0
    for start in range(0, len(networks), 8):
        of_drawing = networks[start : start + 8]
        assert len({each.dropout for each in of_drawing}) == 1
        assert sorted(each._fold.number for each in of_drawing) == list(range(8))
    assert {each.alpha for each in networks} == {0.1}
    assert model.oof_predictions_.shape == (150, 3)
    assert model.get_params()["dropout"] == 0.1  # the model's own stay


@pytest.mark.parametrize("given", [{}, {"X_val": X[::5], "y_val": y[::5]}], ids=["drawn", "given"])
def test_a_bad_drawing_is_not_chosen(given: dict[str, Any]) -> None:
    # a learning rate of 1e-9 leaves the network as it was drawn
    model = TabularClassifier(
        n_estimators=6,
        validation="holdout",
        hyperparameters={"learning_rate_init": [1e-9, 0.03]},
        **QUICK | {"max_iter": 20},
    ).fit(X, y, **given)
    assert {each.learning_rate_init for each in model.estimators_} == {0.03}
    assert model.score(X, y) > 0.9
    assert not hasattr(model, "oof_predictions_")


def test_drawings_come_from_the_seed() -> None:
    ranges = {"alpha": loguniform(1e-3, 1), "n_bins": [4, 8, 16]}
    drawings = [draw(ranges, number, 5) for number in range(20)]
    assert drawings == [draw(ranges, number, 5) for number in range(20)]
    assert len({each["alpha"] for each in drawings}) == 20
    assert {each["n_bins"] for each in drawings} == {4, 8, 16}
    assert all(1e-3 <= each["alpha"] <= 1 and type(each["alpha"]) is float for each in drawings)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"hyperparameters": {"random_state": [1]}}, "hyperparameters has 'random_state'"),
        ({"hyperparameters": {"alpha": 0.1}}, r"hyperparameters\['alpha'\] is 0.1"),
        ({"hyperparameters": {"alpha": []}}, r"hyperparameters\['alpha'\]"),
        ({"hyperparameters": {"alpha": [1.0]}, "n_estimators": 12}, "n_estimators=12"),
        ({"hyperparameters": {"alpha": [1.0]}, "n_estimators": 8}, "n_estimators=8"),
        ({"hyperparameters": {"alpha": [1.0]}, "warm_start": True}, "warm_start=False"),
        ({"hyperparameters": {"alpha": [1.0]}, "early_stopping": False}, "early_stopping=True"),
        ({"hyperparameters": {"solver": ["adam", "lbfgs"]}}, "solver='lbfgs' holds out none"),
        ({"hyperparameters": {"alpha": [1.0]}, "solver": "lbfgs"}, "solver='lbfgs'"),
    ],
)
def test_what_cannot_be_chosen_by_is_refused(parameters: dict[str, Any], words: str) -> None:
    model = TabularRegressor(**QUICK | {"n_estimators": 16} | parameters)
    with pytest.raises(ValueError, match=words):
        model.fit(X, np.arange(150.0))
    assert not hasattr(model, "module_")


def test_too_few_rows_that_count_are_refused() -> None:
    model = TabularRegressor(**QUICK, n_estimators=16, hyperparameters={"alpha": [0.1, 1.0]})
    with pytest.raises(ValueError, match="at least 20 rows of weight above 0; X has 15"):
        model.fit(X, np.arange(150.0), np.arange(150) < 15)
    assert not hasattr(model, "module_")


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_all_drawings_hold_out_the_same_share(share: float) -> None:
    ranges = {"alpha": [0.1, 1.0]}
    model = TabularRegressor(
        **QUICK, n_estimators=2, validation="holdout", hyperparameters=ranges
    ).set_params(validation_fraction=share)
    with pytest.raises(ValueError, match="validation_fraction=0 leaves no rows"):
        clone(model).set_params(validation_fraction=0.0).fit(X, np.arange(150.0))
    for network in model.fit(X, np.arange(150.0)).estimators_:
        assert (network._fold.of_rows(150, None) == 0).sum() == share * 150


def test_with_validation_data_each_network_is_a_drawing() -> None:
    rates = {"learning_rate_init": [1e-9, 0.03]}
    model = TabularRegressor(
        **QUICK | {"max_iter": 20}, n_estimators=6, validation_fraction=0.0, hyperparameters=rates
    )
    # of so few rows none could be held out
    model.fit(X[::10], np.arange(15.0), X_val=X, y_val=np.repeat(np.arange(15.0), 10))
    assert {each.learning_rate_init for each in model.estimators_} == {0.03}


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"alpha": [0.1, -1.0]}, "'alpha' parameter of TabularRegressor, which hyperparam.*Got -1"),
        ({"n_bins": np.array([16, 2.5])}, "'n_bins' parameter.*Got 16.0"),
        ({"activation": ["relu", "tangent"]}, "'activation' parameter.*Got 'tangent'"),
        ({"dropout": uniform(1.5, 2.0)}, "'dropout' parameter"),
    ],
)
def test_values_that_a_parameter_does_not_take_are_refused(
    ranges: dict[str, Any], words: str
) -> None:
    model = TabularRegressor(**QUICK, n_estimators=16, hyperparameters=ranges)
    with pytest.raises(ValueError, match=words):
        model.fit(X, np.arange(150.0))
    assert not hasattr(model, "module_")
