"""scikit-learn's estimator checks, and the meta-estimators around our estimators."""

import copy
import io
import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)
from sknn.testing import estimators_to_check
from sknn.text import Tokenizer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
# Checks that were run when the newest scikit-learn was 1.9. Fewer mean that some were skipped.
N_CHECKS = {
    "NeuralClassifier": 68,
    "NeuralRegressor": 61,
    "ConvClassifier": 67,
    "ConvRegressor": 60,
    "ConvSeriesClassifier": 66,
    "ConvSeriesRegressor": 59,
    "RecurrentClassifier": 67,
    "RecurrentRegressor": 60,
    "AttentionClassifier": 67,
    "AttentionRegressor": 60,
    "TabularClassifier": 66,
    "TabularRegressor": 59,
    "Autoencoder": 55,
    "AutoencoderOutlierDetector": 55,
    "AdversarialGenerator": 48,
}
CHECKED = list(estimators_to_check())
PAIR = [NeuralClassifier, NeuralRegressor]
CONV_PAIR = [ConvClassifier, ConvRegressor]
# One of each family of series, and one of each task.
SERIES_PAIR = [RecurrentClassifier, AttentionRegressor]
SERIES_FAMILIES = [
    RecurrentClassifier,
    RecurrentRegressor,
    AttentionClassifier,
    AttentionRegressor,
]

# Digits 0 to 3, as images and as rows; the second target is the ink in the left half.
digits = load_digits()
IMAGES = digits.images[digits.target < 4][:160] / 16
ROWS = IMAGES.reshape(160, -1)
KINDS = digits.target[digits.target < 4][:160]
INK = StandardScaler().fit_transform(IMAGES[:, :, :4].sum((1, 2))[:, None])[:, 0]

# Series that are high or low: rows, several channels, different lengths; the target is the level.
rng = np.random.default_rng(0)
LEVEL = rng.uniform(-2, 2, 60)
CURVES = rng.normal(scale=0.3, size=(60, 10, 2))
CURVES[..., 0] += LEVEL[:, None]
RAGGED = [each[: 5 + i % 6] for i, each in enumerate(CURVES)]
OBJECTS = np.empty(60, object)
OBJECTS[:] = RAGGED
TOKENS = np.digitize(CURVES[..., 0], np.linspace(-2, 2, 8))
RAGGED_TOKENS = [each[: 5 + i % 6] for i, each in enumerate(TOKENS)]
SERIES: dict[str, Any] = {
    "rows": CURVES[..., 0],
    "channels": CURVES,
    "a list": RAGGED,
    "objects": OBJECTS,
}


def make(estimator: Any, **parameters: Any) -> Any:
    parameters = {
        "hidden_layer_sizes": (10,),
        "learning_rate_init": 0.02,
        "max_iter": 80,
        "random_state": 0,
    } | parameters
    return estimator(**parameters)


def make_conv(estimator: Any = ConvClassifier, **parameters: Any) -> Any:
    parameters = {"filters": (6, 8), "max_iter": 8, "batch_size": 10} | parameters
    return make(estimator, **parameters)


def make_series(estimator: Any = RecurrentClassifier, **parameters: Any) -> Any:
    small = {"hidden_size": 8, "filters": (8,), "dropout": 0.0, "hidden_layer_sizes": ()}
    small |= {"batch_size": 15, "max_iter": 5, "learning_rate_init": 0.03}
    return make(estimator, **(small | parameters))


def target_of(estimator: Any) -> np.ndarray:
    return KINDS if is_classifier(estimator) else INK


def level_of(estimator: Any) -> np.ndarray:
    return (LEVEL > 0).astype(int) if is_classifier(estimator) else LEVEL


def name_of(estimator: Any) -> str:
    return type(estimator).__name__


# ------------------------------------------------------------------------------ estimator checks


# A classifier of each kind of X, and a regressor.
FIRST_CHECKED = (
    "NeuralClassifier",
    "NeuralRegressor",
    "ConvClassifier",
    "ConvSeriesClassifier",
    "RecurrentClassifier",
    "TabularClassifier",
    "Autoencoder",
    "AutoencoderOutlierDetector",
    "AdversarialGenerator",
)


@parametrize_with_checks([each for each in CHECKED if type(each).__name__ in FIRST_CHECKED])
def test_estimator_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    run_check(estimator, check)


# They share nearly all of their code with those before, and take a minute.
@pytest.mark.slow
@parametrize_with_checks([each for each in CHECKED if type(each).__name__ not in FIRST_CHECKED])
def test_estimator_checks_of_scikit_learn_for_the_others(
    estimator: Any, check: Callable[[Any], None]
) -> None:
    run_check(estimator, check)


def run_check(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings on purpose
        try:
            check(estimator)
        except pytest.skip.Exception as error:
            pytest.fail(f"the check skips itself: {error}")


@pytest.mark.parametrize("estimator", CHECKED, ids=name_of)
def test_no_estimator_check_is_skipped(estimator: Any) -> None:
    """With an unlucky tag nearly all checks skip themselves with only a warning."""
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    yielded = list(estimator_checks.estimator_checks_generator(estimator, mark=None))
    assert len(yielded) >= N_CHECKS[name_of(estimator)]
    names = {getattr(check, "func", check).__name__ for _, check in yielded}
    assert {"check_fit2d_predict1d", "check_sample_weight_equivalence_on_dense_data"} <= names


@pytest.mark.parametrize("check", ["param_validation", "dataframe_column_names_consistency"])
@pytest.mark.parametrize("estimator", CHECKED, ids=name_of)
def test_further_checks_of_scikit_learn(estimator: Any, check: str) -> None:
    getattr(estimator_checks, f"check_{check}")(name_of(estimator), estimator)


@pytest.mark.parametrize("estimator", CHECKED, ids=name_of)
def test_what_does_not_transform_has_no_set_output(estimator: Any) -> None:
    assert hasattr(estimator, "set_output") == hasattr(estimator, "transform")


def test_every_public_estimator_that_takes_tables_is_checked() -> None:
    import sknn
    from sknn import decomposition, generative

    public = {
        each
        for room in (sknn, decomposition, generative)
        for name in room.__all__
        if isinstance(each := getattr(room, name), type)
    }
    assert {type(estimator) for estimator in estimators_to_check()} == public


# ------------------------------------------------------------------------------- meta-estimators


@pytest.mark.parametrize("estimator", PAIR)
def test_pipeline(estimator: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), make(estimator))
    assert pipeline.fit(X, y).score(X, y) > 0.6
    folds = KFold(3, shuffle=True, random_state=0)  # not the order of the classes
    assert cross_val_score(pipeline, X, y, cv=folds).min() > (
        0.8 if is_classifier(pipeline) else 0.6
    )


@pytest.mark.parametrize("estimator", PAIR)
@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.2, "early_stopping": True}], ids=str)
def test_a_search_in_two_processes_equals_one_in_one(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(5,), (10, 5)]}
    one, two = (
        GridSearchCV(make(estimator, max_iter=5, **parameters), grid, cv=2, n_jobs=n_jobs).fit(X, y)
        for n_jobs in (1, 2)
    )
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    assert_array_equal(one.predict(X), two.predict(X))


def test_cross_val_predict_and_learning_curve() -> None:
    model = make(NeuralClassifier)
    P = cross_val_predict(model, X, y, cv=3, method="predict_proba")
    assert (P.argmax(1) == y).mean() > 0.85
    sizes, _, scores = learning_curve(
        model, X, y, cv=3, train_sizes=[0.5, 1.0], exploit_incremental_learning=True, shuffle=True
    )
    assert scores.shape == (len(sizes), 3)


def test_calibration_and_its_sample_weights() -> None:
    model = CalibratedClassifierCV(make(NeuralClassifier, loss="hinge"), cv=3)
    model.fit(X, y, sample_weight=np.ones(150))
    assert_allclose(model.predict_proba(X).sum(1), 1)
    assert model.score(X, y) > 0.85


def test_stacking_and_voting() -> None:
    members = [("network", make(NeuralClassifier)), ("linear", LogisticRegression())]
    assert StackingClassifier(members, cv=3).fit(X, y).score(X, y) > 0.9
    assert VotingClassifier(members, voting="soft").fit(X, y).score(X, y) > 0.9
    members = [("network", make(NeuralRegressor)), ("linear", Ridge())]
    assert StackingRegressor(members, cv=3).fit(X, y).score(X, y) > 0.7


def test_bagging_and_boosting() -> None:
    bagging = BaggingClassifier(make(NeuralClassifier), 3, n_jobs=2, random_state=0)
    assert bagging.fit(X, y).score(X, y) > 0.9
    assert BaggingRegressor(make(NeuralRegressor), 3, random_state=0).fit(X, y).score(X, y) > 0.8
    boosting = AdaBoostClassifier(make(NeuralClassifier), n_estimators=3, random_state=0)
    assert boosting.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("estimator", PAIR)
def test_permutation_importance_finds_the_feature_that_matters(estimator: Any) -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(200, 3))
    target = (data[:, 1] > 0).astype(int)
    model = make(estimator).fit(data, target)
    importance = permutation_importance(model, data, target, n_repeats=3, random_state=0)
    assert importance.importances_mean.argmax() == 1
    assert importance.importances_mean[1] > 0.2


def test_multioutput_and_one_vs_rest() -> None:
    Y = np.column_stack([y, (y + 1) % 3])
    assert MultiOutputClassifier(make(NeuralClassifier)).fit(X, Y).score(X, Y) > 0.8
    assert MultiOutputRegressor(make(NeuralRegressor)).fit(X, Y).predict(X).shape == Y.shape
    assert OneVsRestClassifier(make(NeuralClassifier)).fit(X, y).score(X, y) > 0.9


# ------------------------------------------------------------------ meta-estimators around images


@pytest.mark.parametrize("estimator", CONV_PAIR)
def test_images_as_flat_rows_go_through_a_pipeline(estimator: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), make_conv(estimator))
    y = target_of(pipeline)
    assert cross_val_score(pipeline, ROWS, y, cv=3).min() > 0.6
    assert pipeline.fit(ROWS, y)[-1].image_shape_ == (8, 8, 1)


@pytest.mark.parametrize(
    "images",
    [IMAGES, IMAGES[..., None].repeat(3, 3), (IMAGES * 255).astype(np.uint8)],
    ids=["grey", "colour", "bytes"],
)
@pytest.mark.parametrize(
    "estimator", [ConvClassifier, pytest.param(ConvRegressor, marks=pytest.mark.slow)]
)
def test_images_are_cross_validated(estimator: Any, images: np.ndarray) -> None:
    model = make_conv(estimator)
    y = target_of(model)
    assert cross_val_score(model, images, y, cv=3).min() > 0.5
    assert cross_val_predict(model, images, y, cv=2).shape == (160,)
    scoring = "neg_log_loss" if is_classifier(model) else "r2"
    assert np.isfinite(cross_val_score(model, images, y, cv=2, scoring=scoring)).all()


@pytest.mark.parametrize("estimator", CONV_PAIR)
@pytest.mark.parametrize(
    "parameters", [{}, {"dropout": 0.2, "augment": ["flip", "shift"]}], ids=str
)
def test_a_search_over_images_in_two_processes_equals_one_in_one(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    if parameters:
        pytest.importorskip("kornia")
    model = make_conv(estimator, max_iter=2, **parameters)
    grid = {"filters": [(3,), (4, 4)], "learning_rate_init": [0.001, 0.03]}
    one, two = (
        GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(IMAGES, target_of(model))
        for n_jobs in (1, 2)
    )
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    assert_array_equal(one.predict(IMAGES), two.predict(IMAGES))
    assert len(set(one.cv_results_["mean_test_score"])) > 2


@pytest.mark.parametrize("data", [ROWS, IMAGES], ids=["rows", "images"])
def test_image_classifiers_are_calibrated(data: np.ndarray) -> None:
    model = CalibratedClassifierCV(make_conv(loss="hinge"), cv=2)
    model.fit(data, KINDS, sample_weight=np.ones(160))
    assert_allclose(model.predict_proba(data).sum(1), 1)
    assert model.score(data, KINDS) > 0.9


@pytest.mark.slow
def test_image_estimators_are_stacked_bagged_and_permuted() -> None:
    members = [("network", make_conv()), ("linear", LogisticRegression())]
    assert StackingClassifier(members, cv=2).fit(ROWS, KINDS).score(ROWS, KINDS) > 0.9
    members = [("network", make_conv(ConvRegressor)), ("linear", Ridge())]
    assert StackingRegressor(members, cv=2).fit(ROWS, INK).score(ROWS, INK) > 0.8
    bagging = BaggingClassifier(make_conv(), 2, n_jobs=2, random_state=0)
    assert bagging.fit(ROWS, KINDS).score(ROWS, KINDS) > 0.9
    bagging = BaggingRegressor(make_conv(ConvRegressor), 2, random_state=0)
    assert bagging.fit(ROWS, INK).score(ROWS, INK) > 0.6
    model = make_conv(ConvRegressor, max_iter=60).fit(ROWS, INK)
    importance = permutation_importance(model, ROWS, INK, n_repeats=1, random_state=0)
    by_column = importance.importances_mean.reshape(8, 8).sum(0)
    assert by_column[:4].sum() > 3 * by_column[4:].sum()  # where the ink is counted


@pytest.mark.slow
@pytest.mark.parametrize("estimator", CONV_PAIR)
def test_sample_weights_are_routed_to_images(estimator: Any) -> None:
    """Rows without a weight count for nothing, neither in training nor in the score."""
    images = np.concatenate([IMAGES, IMAGES[:40]])
    y = np.concatenate([target_of(estimator()), target_of(estimator())[:40][::-1]])
    weights = np.repeat([1.0, 0.0], [160, 40])
    with config_context(enable_metadata_routing=True):
        model = make_conv(estimator)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = [
            cross_val_score(model, images, y, cv=2, params={"sample_weight": w})
            for w in (weights, np.ones(200))
        ]
        search = GridSearchCV(model, {"learning_rate_init": [1e-4, 0.02]}, cv=2)
        search.fit(images, y, sample_weight=weights)
    assert scores[0].min() > scores[1].min()
    assert search.best_params_ == {"learning_rate_init": 0.02}
    direct = clone(search.best_estimator_).fit(images, y, sample_weight=weights)
    assert_array_equal(search.predict(IMAGES), direct.predict(IMAGES))


@pytest.mark.parametrize("estimator", CONV_PAIR)
def test_column_names_of_images_are_kept_and_checked(estimator: Any) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(ROWS).add_prefix("pixel")
    model = make_conv(estimator, max_iter=1, early_stopping=True)
    model.fit(frame, pd.Series(target_of(model)))
    assert_array_equal(model.feature_names_in_, frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(ROWS)
    assert_allclose(model.predict(IMAGES), model.predict(frame), rtol=1e-6)


# ------------------------------------------------------------------ meta-estimators around series


@pytest.mark.parametrize("estimator", SERIES_FAMILIES)
def test_series_as_flat_rows_go_through_a_pipeline(estimator: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), make_series(estimator))
    target = level_of(pipeline)
    assert cross_val_score(pipeline, SERIES["rows"], target, cv=2).min() > 0.4
    assert pipeline.fit(SERIES["rows"], target)[-1].n_features_in_ == 10


@pytest.mark.parametrize("form", ["channels", "a list", "objects"])
@pytest.mark.parametrize("estimator", SERIES_PAIR)
def test_series_are_cross_validated(estimator: Any, form: str) -> None:
    model, series = make_series(estimator), SERIES[form]
    target = level_of(model)
    scores = cross_val_score(model, series, target, cv=2)
    assert scores.min() > 0.4
    predicted = cross_val_predict(model, series, target, cv=2)
    assert predicted.shape == (60,)
    if is_classifier(model):  # the folds of both are the same
        assert_allclose((predicted == target).mean(), scores.mean())


def test_all_forms_of_ragged_series_have_the_same_scores() -> None:
    pd = pytest.importorskip("pandas")
    model = make_series(max_iter=2)
    expected = cross_val_score(model, RAGGED, LEVEL > 0, cv=3)
    for form in (OBJECTS, pd.Series(RAGGED, index=np.arange(60) + 7)):
        assert_array_equal(cross_val_score(model, form, LEVEL > 0, cv=3), expected)


@pytest.mark.parametrize("form", SERIES)
def test_series_are_split(form: str) -> None:
    parts = train_test_split(SERIES[form], LEVEL, test_size=20, random_state=0)
    numbers = train_test_split(np.arange(60), test_size=20, random_state=0)
    for part, index in zip(parts[:2], numbers, strict=True):
        for each, i in zip(part, index, strict=True):
            assert_array_equal(each, SERIES[form][i])
    train, test, y_train, y_test = parts
    assert make_series(RecurrentRegressor).fit(train, y_train).score(test, y_test) > 0.5


@pytest.mark.parametrize(
    ("estimator", "form"),
    [
        (RecurrentClassifier, "rows"),
        (AttentionRegressor, "channels"),
        (RecurrentClassifier, "objects"),
        (AttentionRegressor, "objects"),
    ],
)
def test_a_search_over_series_in_two_processes_equals_one_in_one(estimator: Any, form: str) -> None:
    model = make_series(estimator, max_iter=1, dropout=0.1)
    grid = {"filters": [None, (4, 4)], "learning_rate_init": [1e-4, 0.01]}
    scoring = "neg_log_loss" if is_classifier(model) else "r2"
    one, two = (
        GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, scoring=scoring).fit(
            SERIES[form], level_of(model)
        )
        for n_jobs in (1, 2)
    )
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    assert_array_equal(one.predict(SERIES[form]), two.predict(SERIES[form]))
    assert len(set(one.cv_results_["mean_test_score"])) > 2


@pytest.mark.parametrize("form", SERIES)
def test_series_classifiers_are_calibrated(form: str) -> None:
    model = CalibratedClassifierCV(make_series(loss="hinge"), cv=2)
    model.fit(SERIES[form], LEVEL > 0, sample_weight=np.ones(60))
    assert_allclose(model.predict_proba(SERIES[form]).sum(1), 1)
    assert model.score(SERIES[form], LEVEL > 0) > 0.9


@pytest.mark.slow
def test_series_estimators_are_stacked_bagged_and_permuted() -> None:
    rows, is_high = SERIES["rows"], LEVEL > 0
    members = [("network", make_series()), ("linear", LogisticRegression())]
    assert StackingClassifier(members, cv=2).fit(rows, is_high).score(rows, is_high) > 0.9
    members = [("network", make_series(RecurrentRegressor)), ("linear", Ridge())]
    assert StackingRegressor(members, cv=2).fit(rows, LEVEL).score(rows, LEVEL) > 0.8
    networks = [("recurrent", make_series()), ("attention", make_series(AttentionClassifier))]
    voting = VotingClassifier(networks, voting="soft").fit(OBJECTS, is_high)
    assert voting.score(OBJECTS, is_high) > 0.8
    bagging = BaggingClassifier(make_series(), 2, random_state=0)
    assert bagging.fit(rows, is_high).score(rows, is_high) > 0.9
    bagging = BaggingRegressor(make_series(AttentionRegressor), 2, random_state=0)
    assert bagging.fit(rows, LEVEL).score(rows, LEVEL) > 0.6


@pytest.mark.parametrize("estimator", SERIES_PAIR)
def test_permutation_importance_finds_the_step_that_matters(estimator: Any) -> None:
    data = np.random.default_rng(0).normal(size=(100, 4))
    target = data[:, 2] > 0 if estimator is RecurrentClassifier else data[:, 2]
    model = make_series(estimator, filters=None, max_iter=15).fit(data, target)
    importance = permutation_importance(model, data, target, n_repeats=2, random_state=0)
    assert importance.importances_mean.argmax() == 2
    assert importance.importances_mean[2] > 0.2


@pytest.mark.parametrize(
    ("estimator", "form"), [(RecurrentClassifier, "objects"), (AttentionRegressor, "channels")]
)
def test_sample_weights_are_routed_to_series(estimator: Any, form: str) -> None:
    """Series without a weight count for nothing, neither in training nor in the score."""
    series = np.concatenate([SERIES[form], SERIES[form][:20]])
    good = level_of(estimator())
    target = np.concatenate([good, good[:20][::-1]])
    weights = np.repeat([1.0, 0.0], [60, 20])
    with config_context(enable_metadata_routing=True):
        model = make_series(estimator, max_iter=4, learning_rate_init=0.03)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = [
            cross_val_score(model, series, target, cv=2, params={"sample_weight": w}).mean()
            for w in (weights, np.ones(80))
        ]
        search = GridSearchCV(model, {"learning_rate_init": [1e-5, 0.03]}, cv=2)
        search.fit(series, target, sample_weight=weights)
    assert scores[0] > scores[1]
    assert search.best_params_ == {"learning_rate_init": 0.03}
    direct = clone(search.best_estimator_).fit(series, target, sample_weight=weights)
    assert_array_equal(search.predict(series), direct.predict(series))


@pytest.mark.parametrize("estimator", SERIES_PAIR)
def test_column_names_of_series_are_kept_and_checked(estimator: Any) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(SERIES["rows"]).add_prefix("step")
    model = make_series(estimator, max_iter=1, early_stopping=True)
    model.fit(frame, pd.Series(level_of(model)))
    assert_array_equal(model.feature_names_in_, frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(SERIES["rows"])
    expected = model.predict(frame)
    assert_allclose(model.predict(list(SERIES["rows"])), expected, rtol=1e-5)
    assert_allclose(model.predict(CURVES[..., :1]), expected, rtol=1e-5)


WORDS = ["good", "fine", "great", "bad", "poor", "awful"]
TEXTS = [
    f"{filler} it was {WORDS[3 * (i % 2) + i % 3]} {filler}"
    for i, filler in enumerate(["", "well", "really really"] * 20)
]


@pytest.mark.parametrize("estimator", [RecurrentClassifier, AttentionClassifier])
def test_texts_are_classified_behind_a_tokenizer(estimator: Any) -> None:
    opinions = np.array(["yes", "no"])[np.arange(60) % 2]
    network = make_series(estimator, embedding_size=6, filters=None, max_iter=40)
    pipeline = make_pipeline(Tokenizer(), network)
    assert pipeline.fit(TEXTS[:40], opinions[:40]).score(TEXTS[40:], opinions[40:]) > 0.9
    n_tokens = len(pipeline[0].get_feature_names_out())
    assert pipeline[1].n_tokens_ <= n_tokens
    # an unknown word is token 0, which the network has whether or not it met it
    assert pipeline.predict(["it was incredibly good", "abysmal"]).shape == (2,)
    search = GridSearchCV(pipeline, {"tokenizer__max_length": [2, None]}, cv=2)
    assert search.fit(TEXTS, opinions).best_score_ > 0.9
    assert search.best_params_ == {"tokenizer__max_length": None}


# ----------------------------------------------------------------------------- copies and storage


def joblib_round_trip(model: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


ROUND_TRIPS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "pickle protocol 2": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
    "joblib": joblib_round_trip,
    "deepcopy": copy.deepcopy,
}


def check_round_trips(model: Any, data: Any, target: Any, *attributes: str) -> None:
    """Compare a fitted model with itself after each round trip, now and after one more epoch."""
    others = {name: round_trip(model) for name, round_trip in ROUND_TRIPS.items()}

    def check() -> None:
        expected = model.predict(data)
        for name, other in others.items():
            assert_array_equal(other.predict(data), expected, err_msg=name)
            for attribute in ("loss_curve_", "n_iter_", *attributes):
                assert getattr(other, attribute) == getattr(model, attribute), (name, attribute)
            assert not other.module_.training, name
            assert not any(hasattr(clone(other), attribute) for attribute in attributes), name

    check()
    for name, other in others.items():
        assert other.get_params() == model.get_params(), name
    for each in (model, *others.values()):
        each.set_params(early_stopping=False).partial_fit(data, target)
    check()


@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.2}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("estimator", PAIR)
def test_a_stored_model_predicts_and_goes_on_the_same(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    check_round_trips(make(estimator, max_iter=4, **parameters).fit(X, y), X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"dropout": 0.2, "normalization": "batch"},
        {"early_stopping": True, "test_time_augment": "flip_shift"},
        {"augment": {"flip": 0.5, "shift": 2, "rotate": 5, "erase": 0.2}},
        {"architecture": "resnet", "activation": "gelu"},
        {"architecture": "airbench", "activation": "silu"},
    ],
    ids=str,
)
@pytest.mark.parametrize("estimator", CONV_PAIR)
def test_a_stored_image_model_predicts_and_goes_on_the_same(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    if "augment" in parameters:
        pytest.importorskip("kornia")
    images = IMAGES[:40, :, :, None].repeat(3, 3)
    model = make_conv(estimator, filters=(3, 4), max_iter=1, **parameters)
    y = target_of(model)[:40]
    model.fit(images, y)
    assert model.image_shape_ == (8, 8, 3)
    check_round_trips(model, images, y, "image_shape_")


@pytest.mark.parametrize(
    ("form", "parameters"),
    [
        ("rows", {"normalization": "layer"}),
        ("channels", {"dropout": 0.2, "solver": "sgd"}),
        ("objects", {"dropout": 0.2, "n_layers": 2}),
        ("objects", {"early_stopping": True}),
        ("tokens", {"embedding_size": 4}),
        ("ragged tokens", {"embedding_size": 4, "filters": None, "dropout": 0.2}),
    ],
    ids=str,
)
@pytest.mark.parametrize("estimator", SERIES_PAIR)
def test_a_stored_series_model_predicts_and_goes_on_the_same(
    estimator: Any, form: str, parameters: dict[str, Any]
) -> None:
    series = (SERIES | {"tokens": TOKENS, "ragged tokens": RAGGED_TOKENS})[form]
    model = make_series(estimator, max_iter=1, batch_size=30, **parameters)
    target = level_of(model)
    model.fit(series, target)
    check_round_trips(model, series, target, "n_channels_", "n_tokens_")


@pytest.mark.parametrize("round_trip", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_a_copy_shares_no_weights(round_trip: Any) -> None:
    model = make(NeuralClassifier, max_iter=2).fit(X, y)
    before = model.predict_proba(X)
    copied = round_trip(model)
    copied.partial_fit(X, y)
    copied.coefs_[0][:] = 7
    assert_array_equal(model.predict_proba(X), before)
    expected = round_trip(model).partial_fit(X, y).coefs_[0]
    assert_array_equal(model.partial_fit(X, y).coefs_[0], expected)


def test_a_stored_model_is_about_as_large_as_its_weights_and_optimizer_state() -> None:
    model = make(NeuralClassifier, hidden_layer_sizes=(500, 500), max_iter=1).fit(X, y)
    weights = 8 * model.n_parameters_
    assert len(pickle.dumps(model)) < 3.2 * weights  # weights and Adam's two moments
    model = make_conv(filters=(64, 64), max_iter=1).fit(IMAGES, KINDS)
    assert len(pickle.dumps(model)) < 3.2 * 4 * model.n_parameters_
    for estimator in (RecurrentClassifier, AttentionClassifier):
        series = estimator(max_iter=1).fit(RAGGED, LEVEL > 0)
        assert len(pickle.dumps(series)) < 3.2 * 4 * series.n_parameters_
    assert len(pickle.dumps(clone(model))) < 10_000


def test_clone_of_a_fitted_model_is_unfitted() -> None:
    cloned = clone(make(NeuralClassifier, max_iter=1).fit(X, y))
    assert not hasattr(cloned, "module_")
    assert not hasattr(cloned, "classes_")


@pytest.mark.parametrize("estimator", PAIR)
def test_column_names_are_kept_and_checked(estimator: Any) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = make(estimator, max_iter=2, early_stopping=True).fit(frame, pd.Series(y, name="kind"))
    assert_array_equal(model.feature_names_in_, list("abcd"))
    model.predict(frame)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_html_representation_mentions_the_estimator() -> None:
    assert "NeuralClassifier" in make(NeuralClassifier, max_iter=1).fit(X, y)._repr_html_()
