"""Targets that are numbers, in units of their own."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from sknn import NeuralRegressor, export_torch, load, save
from sknn.estimators.targets import CurveTargets, StepValues, ValueTargets
from sknn.nn import REGRESSION_LOSSES, make_regression_loss
from sknn.sequences import StepRegressor


class Scaled(NeuralRegressor):
    """A dense network that sees scaled targets, and predicts within their range."""

    _scales_targets = True
    _clips_predictions = True


rng = np.random.default_rng(0)
X = rng.normal(size=(80, 3))
Y = 5 + 2 * X[:, 0] + rng.normal(size=80)
PARAMETERS = {
    "hidden_layer_sizes": (8,),
    "max_iter": 30,
    "learning_rate": "cosine",
    "learning_rate_init": 0.02,
    "random_state": 0,
}


def adapted(y: np.ndarray, weights: Any = None, loss: str = "squared_error") -> ValueTargets:
    targets = ValueTargets.learn(y)
    made = make_regression_loss(loss)
    return targets.adapted(targets.encode(y), weights, made, scales=True, clips=True)


@pytest.mark.parametrize("weighted", [False, True])
def test_location_and_scale_are_mean_and_standard_deviation(weighted: bool) -> None:
    y = rng.normal(size=(50, 2)) * [3, 1e-8] + [1e5, -2]
    weights = rng.integers(0, 4, size=50).astype(float) if weighted else None
    rows = y if weights is None else np.repeat(y, weights.astype(int), axis=0)
    targets = adapted(y, weights)
    assert targets.location is not None and targets.scale is not None
    assert_allclose(targets.location, rows.mean(0), rtol=1e-14)
    assert_allclose(targets.scale, rows.std(0), rtol=1e-7)
    assert targets.bounds is not None
    assert_array_equal(targets.bounds, [rows.min(0), rows.max(0)])
    encoded = targets.encode(rows)
    assert_allclose(encoded.mean(0), 0, atol=1e-7)
    assert_allclose(encoded.std(0), 1, rtol=1e-7)
    assert_allclose(targets.decode(encoded), rows, rtol=1e-15)


def test_a_row_without_weight_has_no_say() -> None:
    y, weights = np.array([1.0, 2.0, 5.0, 1e300]), np.array([2.0, 1.0, 1.0, 0.0])
    targets = adapted(y, weights)
    assert_allclose([targets.location[0], targets.scale[0]], [2.25, np.std([1, 1, 2, 5])])  # type: ignore[index]
    assert_array_equal(targets.bounds, [[1.0], [5.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 0.1, -3e300, 5e-324])
def test_constant_targets_have_scale_one(value: float) -> None:
    targets = adapted(np.full(7, value))
    assert (targets.location, targets.scale) == (value, 1.0)
    assert_array_equal(targets.encode(np.full(3, value)), np.zeros((3, 1)))


def test_magnitudes_whose_squares_leave_the_range_of_floats() -> None:
    y = np.array([1.0, 2.0, 4.0])
    for factor in (2.0**900, 2.0**-900):
        targets = adapted(factor * y)
        assert_allclose(targets.scale, factor * y.std(), rtol=1e-15)  # type: ignore[arg-type]
        assert_array_equal(targets.encode(factor * y), adapted(y).encode(y))


def test_a_unit_for_each_loss() -> None:
    y = np.array([[1.0, 2.0], [2.0, 8.0], [6.0, 5.0]])
    for name in REGRESSION_LOSSES:
        targets = adapted(y, loss=name)
        if name in ("msle", "cosine"):
            assert targets.scale is targets.location is targets.unit is None
        elif name in ("poisson", "gamma", "mape"):
            assert targets.location is None
            assert_allclose(targets.scale, [3.0, 5.0])  # type: ignore[arg-type]
        else:
            assert_allclose(targets.location, [3.0, 5.0])  # type: ignore[arg-type]
        assert (targets.bounds is None) == (name == "cosine")


@pytest.mark.parametrize("loss", [n for n in REGRESSION_LOSSES if n not in ("msle", "cosine")])
@pytest.mark.parametrize("factor", [1e-6, 1e12, 2.0**40])
def test_fits_do_not_depend_on_the_unit_of_y(loss: str, factor: float) -> None:
    y = np.abs(Y) + 0.5
    first = Scaled(**PARAMETERS, loss=loss).fit(X, y)
    other = Scaled(**PARAMETERS, loss=loss).fit(X, factor * y)
    exact = factor == 2.0**40
    assert_allclose(other.predict(X) / factor, first.predict(X), rtol=0 if exact else 1e-4)
    assert_allclose(other.loss_curve_, first.loss_curve_, rtol=0 if exact else 1e-3, atol=1e-6)


def test_scaling_equals_a_fit_to_scaled_targets() -> None:
    z = (Y - Y.mean()) / Y.std()
    scaled, plain = Scaled(**PARAMETERS).fit(X, Y), NeuralRegressor(**PARAMETERS).fit(X, z)
    assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=1e-6)
    expected = np.clip(Y.mean() + Y.std() * plain.predict(X), Y.min(), Y.max())
    assert_allclose(scaled.predict(X), expected, rtol=1e-6)
    # R2 has no unit
    scores = [epoch["train_score"] for epoch in scaled.history_]
    assert_allclose(scores, [epoch["train_score"] for epoch in plain.history_], rtol=1e-5)


def test_large_targets_are_not_warned_of_and_keep_their_digits() -> None:
    y = 1e9 + Y
    model = Scaled(**PARAMETERS, solver="lbfgs", alpha=0).set_params(max_iter=500).fit(X, y)
    assert r2_score(y, model.predict(X)) > 0.8  # float32 has steps of 64 there
    assert model.predict(X.astype(np.float32)).dtype == np.float32


def test_weights_count_as_rows() -> None:
    parameters = PARAMETERS | {"batch_size": "all", "solver": "sgd"}
    weights = np.arange(80) % 3
    weighted = Scaled(**parameters).fit(X, Y, sample_weight=weights)
    repeated = Scaled(**parameters).fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4)


def test_predictions_stay_within_the_range_of_the_training_targets() -> None:
    model = Scaled(**PARAMETERS).fit(X, Y)
    predictions = model.predict(100 * X)
    assert (predictions.min(), predictions.max()) == (Y.min(), Y.max())


def test_a_warm_start_keeps_the_units() -> None:
    model = Scaled(**PARAMETERS, warm_start=True).fit(X, Y)
    before = model._targets
    model.fit(X, 3 * Y)
    assert model._targets is before
    with pytest.raises(ValueError, match="loss sees y in other units"):
        model.set_params(loss="gamma").fit(X, np.abs(Y))
    assert model._targets is before


def test_validation_data_are_in_the_same_units() -> None:
    model = Scaled(**PARAMETERS).fit(X, Y, X_val=X, y_val=Y)
    # predictions beyond the range count as they are
    assert_allclose(model.validation_scores_[-1], model.score(X, Y), rtol=0.01)


def test_members_of_an_ensemble_share_the_units() -> None:
    model = Scaled(**PARAMETERS, n_estimators=3).fit(X, 1e5 * Y)
    members = [member.predict(X) for member in model.estimators_]
    assert_allclose(model.predict(X), np.mean(members, axis=0), rtol=1e-5)


def test_files_and_pickles(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scaled(**PARAMETERS).fit(X, 1e5 * Y)
    save(model, tmp_path / "model.sknn")
    loaded = load(tmp_path / "model.sknn", trusted=[Scaled])
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_targets_without_units_of_earlier_pickles() -> None:
    targets = object.__new__(ValueTargets)
    targets.__dict__["n_columns"] = 1  # all that there was
    assert_array_equal(targets.encode(np.array([1.0, 2.0])), [[1.0], [2.0]])
    assert_array_equal(targets.decode(np.array([[1.0], [2.0]])), [1.0, 2.0])


def test_a_regressor_without_units_leaves_targets_as_they_are() -> None:
    model = NeuralRegressor(**PARAMETERS).fit(X, Y)
    assert model._targets == ValueTargets(1)


def test_exported_programs_answer_in_the_units_of_y() -> None:
    model = Scaled(**PARAMETERS).fit(X, np.column_stack([1e5 * Y, Y]))
    answers = export_torch(model).module()(torch.tensor(3 * X))
    assert_allclose(answers, model.predict(3 * X), rtol=1e-5)


def test_steps_and_curves_are_scaled_column_by_column() -> None:
    y = rng.normal(size=(6, 4)) * [1, 10, 100, 1000]
    curves = CurveTargets.learn(y)
    loss = make_regression_loss("squared_error")
    curves = curves.adapted(curves.encode(y), None, loss, scales=True, clips=False)  # type: ignore[assignment]
    assert_allclose(curves.scale, y.std(0))  # type: ignore[arg-type]
    assert_allclose(curves.decode(curves.encode(y)), y)

    X_steps = rng.normal(size=(30, 5, 1))
    y_steps = 1e6 + 1e3 * X_steps[:, :, 0].cumsum(1)
    model = StepRegressor(max_iter=20, learning_rate="cosine", random_state=0).fit(X_steps, y_steps)
    assert isinstance(model._targets, StepValues)
    assert_allclose(model._targets.of_steps.scale, y_steps.std())
    assert model.score(X_steps, y_steps) > 0.5
