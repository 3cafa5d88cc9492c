from typing import Any

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_iris = StandardScaler().fit_transform(load_iris().data)
y_iris = load_iris().target
X_cancer = StandardScaler().fit_transform(load_breast_cancer().data)
y_cancer = load_breast_cancer().target
Y_labels = np.column_stack([X_iris[:, 0] > 0, X_iris[:, 1] > 0.5, X_iris[:, 2] < 0]).astype(int)
Y_values = X_iris[:, :2] @ [[1, 2], [-1, 0.5]]


def fit(estimator: Any, X: Any, y: Any, **parameters: Any) -> Any:
    parameters = {"hidden_layer_sizes": (10,), "max_iter": 5, "random_state": 0} | parameters
    return estimator(**parameters).fit(X, y)


# --------------------------------------------------------------------------------- predictions


@pytest.mark.parametrize(
    ("X", "y", "link"),
    [
        (X_cancer, y_cancer, lambda z: np.column_stack([expit(-z), expit(z)])),
        (X_iris, y_iris, lambda z: softmax(z, 1)),
        (X_iris, Y_labels, expit),
    ],
    ids=["binary", "multiclass", "multilabel"],
)
def test_probabilities_decisions_and_labels_agree(X: Any, y: Any, link: Any) -> None:
    model = fit(NeuralClassifier, X, y)
    logits = model.decision_function(X)
    probabilities = model.predict_proba(X)
    assert_allclose(probabilities, link(logits), rtol=1e-9)
    assert_allclose(model.predict_log_proba(X), np.log(probabilities), rtol=1e-9)
    if y.ndim == 2:
        assert logits.shape == y.shape
        assert_array_equal(model.predict(X), probabilities > 0.5)
    else:
        assert logits.shape == (len(X), 3) if len(model.classes_) == 3 else (len(X),)
        assert_allclose(probabilities.sum(1), 1)
        assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(1)])


def test_regression_predictions_have_the_shape_of_the_targets() -> None:
    assert fit(NeuralRegressor, X_iris, Y_values).predict(X_iris).shape == (150, 2)
    assert fit(NeuralRegressor, X_iris, Y_values[:, 0]).predict(X_iris).shape == (150,)


@pytest.mark.parametrize("weights", [None, np.linspace(0, 1, 150)])
def test_score_is_accuracy_or_r2(weights: np.ndarray | None) -> None:
    for y in (y_iris, Y_labels):
        model = fit(NeuralClassifier, X_iris, y, loss="hinge")
        expected = accuracy_score(y, model.predict(X_iris), sample_weight=weights)
        assert model.score(X_iris, y, sample_weight=weights) == expected
    model = fit(NeuralRegressor, X_iris, Y_values, loss="huber")
    expected = r2_score(Y_values, model.predict(X_iris), sample_weight=weights)
    assert_allclose(model.score(X_iris, Y_values, sample_weight=weights), expected)


# ----------------------------------------------------------------------------- validation data


def test_validation_data_are_scored_whether_or_not_they_stop_the_training() -> None:
    validation = {"X_val": X_iris[1::2], "y_val": y_iris[1::2]}
    watched = NeuralClassifier((10,), max_iter=5, random_state=0)
    watched.fit(X_iris[::2], y_iris[::2], **validation)
    blind = NeuralClassifier((10,), max_iter=5, random_state=0).fit(X_iris[::2], y_iris[::2])
    assert_array_equal(watched.coefs_[0], blind.coefs_[0])
    assert len(watched.validation_scores_) == 5
    assert watched.validation_scores_[-1] == watched.score(X_iris[1::2], y_iris[1::2])


def test_early_stopping_ends_with_the_best_weights_on_the_users_validation_data() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 10)), rng.normal(size=60)
    model = NeuralRegressor(early_stopping=True, learning_rate_init=0.01, random_state=0)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    scores = np.array(model.validation_scores_)
    assert scores.argmax() < len(scores) - 1
    assert_allclose(model.score(X[30:], y[30:]), scores.max(), rtol=1e-9)
    assert model.best_validation_score_ == scores.max()
    assert model.best_loss_ is None
    assert model.n_iter_ <= scores.argmax() + 1 + 11


def test_early_stopping_with_validation_data_trains_on_every_row() -> None:
    model = NeuralClassifier((10,), early_stopping=True, max_iter=5, random_state=0)
    model.fit(X_iris, y_iris, X_val=X_iris, y_val=y_iris)
    assert model.t_ == 5 * 150


def test_validation_weights_weigh_loss_and_score() -> None:
    weights = np.linspace(0, 1, 75)
    model = NeuralRegressor(max_iter=2, random_state=0)
    model.fit(
        X_iris[::2],
        Y_values[::2, 0],
        X_val=X_iris[1::2],
        y_val=Y_values[1::2, 0],
        sample_weight_val=weights,
    )
    predictions = model.predict(X_iris[1::2])
    residuals = predictions - Y_values[1::2, 0]
    expected = np.average(0.5 * residuals**2, weights=weights)
    assert_allclose(model.history_[-1]["valid_loss"], expected, rtol=1e-9)
    expected = r2_score(Y_values[1::2, 0], predictions, sample_weight=weights)
    assert_allclose(model.history_[-1]["valid_score"], expected, rtol=1e-9)


@pytest.mark.parametrize("make", [sparse.csr_array, lambda X: X.tolist(), np.asfortranarray])
def test_validation_data_may_have_any_form(make: Any) -> None:
    model = NeuralClassifier((10,), max_iter=2, random_state=0)
    model.fit(X_iris[::2], y_iris[::2], X_val=make(X_iris[1::2]), y_val=y_iris[1::2].tolist())
    assert model.validation_scores_[-1] == model.score(X_iris[1::2], y_iris[1::2])


def test_a_pipeline_transforms_the_validation_data() -> None:
    raw = load_iris().data
    with sklearn.config_context(enable_metadata_routing=True):
        network = NeuralClassifier((10,), max_iter=5, random_state=0)
        network.set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("network", network)], transform_input=["X_val"]
        )
        pipeline.fit(raw[::2], y_iris[::2], X_val=raw[1::2], y_val=y_iris[1::2])
    score = pipeline.score(raw[1::2], y_iris[1::2])
    assert pipeline["network"].validation_scores_[-1] == score


def test_sample_weights_are_routed() -> None:
    weights = np.linspace(0, 1, 150)
    with sklearn.config_context(enable_metadata_routing=True):
        network = NeuralClassifier((10,), max_iter=5, random_state=0)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, network.set_fit_request(sample_weight=True))
        pipeline.fit(load_iris().data, y_iris, sample_weight=weights)
    own = NeuralClassifier((10,), max_iter=5, random_state=0)
    own.fit(X_iris, y_iris, sample_weight=weights)
    assert_allclose(pipeline[-1].coefs_[0], own.coefs_[0], rtol=1e-9)


# -------------------------------------------------------------------------------------- errors


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.astype(float)
    changed.flat[3] = value
    return changed


V = {"X_val": X_iris, "y_val": y_iris}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": with_value(X_iris, np.nan)}, "X contains NaN"),
        ({"X": with_value(X_iris, np.inf)}, "X contains infinity"),
        ({"X": X_iris[:5]}, "inconsistent numbers of samples"),
        ({"X": X_iris[0]}, "Expected 2D array"),
        ({"X": X_iris[None]}, "dim 3"),
        ({"X": X_iris[:0], "y": y_iris[:0]}, "0 sample"),
        ({"X": X_iris + 1j}, "Complex data not supported"),
        ({"y": with_value(y_iris, np.nan)}, "y contains NaN"),
        ({"y": y_iris + 0.5}, "Unknown label type: continuous"),
        ({"y": None}, "y"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
        ({"sample_weight": np.full(150, -1.0)}, "sample_weight"),
        ({"sample_weight": np.full(150, np.nan)}, "sample_weight"),
        ({"sample_weight": np.zeros(150)}, "sample_weight"),
        ({"X_val": X_iris}, "X_val and y_val go together"),
        ({"y_val": y_iris}, "X_val and y_val go together"),
        ({"sample_weight_val": np.ones(150)}, "sample_weight_val was given without X_val"),
        (V | {"X_val": with_value(X_iris, np.nan)}, "X_val"),
        (V | {"X_val": X_iris[:, :2]}, "X_val"),
        (V | {"X_val": X_iris[:9]}, "X_val"),
        (V | {"y_val": y_iris + 7}, "y_val"),
        (V | {"y_val": with_value(y_iris, np.nan)}, "y_val"),
        (V | {"sample_weight_val": np.ones(3)}, "sample_weight_val"),
        (V | {"sample_weight_val": np.full(150, -1.0)}, "sample_weight_val"),
        (V | {"sample_weight_val": np.zeros(150)}, "sample_weight_val"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_bad_data_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    model = NeuralClassifier((4,), max_iter=1)
    with pytest.raises(ValueError, match=message):
        model.fit(**({"X": X_iris, "y": y_iris} | arguments))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_regression_targets_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="y contains"):
        NeuralRegressor().fit(X_iris, with_value(Y_values, value))


@pytest.mark.parametrize(
    ("parameters", "data", "message"),
    [
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, {}, "class_weight"),
        ({"class_weight": {0: 1, 9: 1}}, {}, "class_weight|not in class_weight"),
        ({"early_stopping": True, "validation_fraction": 0.0}, {}, "validation_fraction"),
        ({"early_stopping": True, "validation_fraction": 0.005}, {}, "validation_fraction"),
        ({"loss": "hinge", "label_smoothing": 0.1}, {}, "label_smoothing"),
    ],
    ids=str,
)
def test_parameters_and_data_that_do_not_go_together_are_refused(
    parameters: dict[str, Any], data: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        NeuralClassifier((4,), max_iter=1, **parameters).fit(**({"X": X_iris, "y": y_iris} | data))


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("poisson", -X_iris[:, 0]),
        ("gamma", np.zeros(150)),
        ("mape", np.zeros(150)),
        ("msle", np.full(150, -2.0)),
        ("cosine", X_iris[:, 0]),
    ],
)
def test_targets_outside_of_a_losss_domain_are_refused(loss: str, y: np.ndarray) -> None:
    with pytest.raises(ValueError, match=f"loss='{loss}' needs"):
        NeuralRegressor(loss, max_iter=1).fit(X_iris, y)


@pytest.mark.parametrize("n_counted", [1, 6])
def test_too_few_rows_of_any_weight_are_refused_by_name(n_counted: int) -> None:
    weights = np.zeros(150)
    weights[:n_counted] = 1
    model = NeuralClassifier((4,), early_stopping=True, max_iter=3, random_state=0)
    with pytest.raises(ValueError, match="1 rows whose sample_weight is above 0"):
        model.fit(X_iris, y_iris, sample_weight=weights)


# ------------------------------------------------------------------------------------ partial fit


def test_partial_fit_needs_the_classes_once() -> None:
    model = NeuralClassifier((4,))
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X_iris, y_iris)
    model.partial_fit(X_iris[:50], y_iris[:50], classes=[2, 1, 0])
    assert_array_equal(model.classes_, [0, 1, 2])
    model.partial_fit(X_iris, y_iris, classes=[0, 1, 2]).partial_fit(X_iris, y_iris)
    assert len(model.loss_curve_) == 3
    with pytest.raises(ValueError, match="not the same as on the last call"):
        model.partial_fit(X_iris, y_iris, classes=[0, 1])


def test_partial_fit_refuses_labels_and_targets_of_another_kind() -> None:
    model = NeuralClassifier((4,)).partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(X_iris, y_iris + 1)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X_iris[:, :2], y_iris)
    regressor = NeuralRegressor().partial_fit(X_iris, Y_values)
    with pytest.raises(ValueError, match=r"y has 1 target\(s\).*fitted with 2"):
        regressor.partial_fit(X_iris, Y_values[:, 0])


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_partial_fit_with_early_stopping_is_refused(estimator: Any) -> None:
    arguments = {"classes": [0, 1, 2]} if estimator is NeuralClassifier else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        estimator(early_stopping=True).partial_fit(X_iris, y_iris, **arguments)


def test_a_failed_first_partial_fit_leaves_nothing_behind() -> None:
    model = NeuralClassifier((4,))
    with pytest.raises(ValueError):
        model.partial_fit(X_iris, y_iris, classes=[0, 1])
    model.partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    assert model.n_outputs_ == 3


def test_the_solver_may_change_between_partial_fits() -> None:
    model = NeuralClassifier((4,), random_state=0)
    for solver in ("adam", "sgd", "adamw", "rmsprop", "adam"):
        model.set_params(solver=solver).partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    assert np.isfinite(model.loss_curve_).all()
    assert len(model.loss_curve_) == 5


def test_warm_start_refuses_other_classes_and_targets() -> None:
    model = NeuralClassifier((4,), warm_start=True, max_iter=1).fit(X_iris, y_iris)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        model.fit(X_iris, y_iris % 2)
    regressor = NeuralRegressor(warm_start=True, max_iter=1).fit(X_iris, Y_values)
    with pytest.raises(ValueError, match="fitted with 2"):
        regressor.fit(X_iris, Y_values[:, 0])


def test_fit_without_warm_start_forgets_everything() -> None:
    model = NeuralClassifier((4,), max_iter=2, random_state=0).fit(X_cancer, y_cancer)
    model.fit(X_iris, y_iris)
    assert_array_equal(
        model.predict_proba(X_iris),
        NeuralClassifier((4,), max_iter=2, random_state=0)
        .fit(X_iris, y_iris)
        .predict_proba(X_iris),
    )
    assert (model.n_features_in_, model.n_outputs_, len(model.loss_curve_)) == (4, 3, 2)


# -------------------------------------------------------------------------------- availability


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", abs])
def test_losses_without_probabilities_have_no_predict_proba(loss: Any) -> None:
    model = NeuralClassifier(loss=loss)
    for method in ("predict_proba", "predict_log_proba"):
        assert not hasattr(model, method)
        with pytest.raises(AttributeError, match=method):
            getattr(model, method)


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_attributes_of_a_fit_need_a_fit(estimator: Any) -> None:
    for name in ("coefs_", "loss_", "loss_curve_", "history_", "n_parameters_", "t_"):
        with pytest.raises(AttributeError, match="not fitted"):
            getattr(estimator(), name)


def test_n_parameters_counts_weights_and_biases() -> None:
    model = fit(NeuralClassifier, X_iris, y_iris, hidden_layer_sizes=(7, 5))
    assert model.n_parameters_ == 4 * 7 + 7 + 7 * 5 + 5 + 5 * 3 + 3
