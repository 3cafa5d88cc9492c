"""A weight of n is n rows: sample weights and class weights together, in every family."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression

from sknn import NeuralClassifier
from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector
from sknn.generative import AdversarialGenerator
from sknn.sequences import StepClassifier
from tests.helpers import supervised

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 9))
y = (X[:, 0] + rng.normal(size=40) > 0.5).astype(int)
y_three = y + (X[:, 1] > 0.5)
Y_labels = np.column_stack([y, X[:, 1] > 0.5, X[:, 2] < 0]).astype(int)
WEIGHTS = rng.integers(0, 4, size=40) * np.where(y == 1, 3, 1)


@pytest.mark.parametrize("options", [{"dtype": torch.bfloat16}, {"requires_grad": True}], ids=str)
def test_weights_may_be_tensors_of_any_kind(options: dict[str, Any]) -> None:
    weights = torch.tensor(WEIGHTS.astype(float), **options)
    model, other = (
        NeuralClassifier(max_iter=2, random_state=0).fit(X, y, each) for each in (WEIGHTS, weights)
    )
    assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-12)


CLASSIFIERS = {
    type(estimator).__name__: estimator for estimator in supervised() if is_classifier(estimator)
}


def exact(estimator: Any, **parameters: Any) -> Any:
    """All rows in one batch, in float64, so that weighted and repeated rows can agree."""
    common = {"batch_size": "all", "precision": "float64", "random_state": 0, "max_iter": 10}
    return clone(estimator).set_params(**common, class_weight="balanced", **parameters)


@pytest.mark.parametrize("targets", [y, y_three, Y_labels], ids=["two", "three", "labels"])
@pytest.mark.parametrize("estimator", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_balanced_classes_count_a_weight_of_n_as_n_rows(estimator: Any, targets: Any) -> None:
    weighted = exact(estimator).fit(X, targets, WEIGHTS.astype(float))
    repeated = exact(estimator).fit(X.repeat(WEIGHTS, 0), targets.repeat(WEIGHTS, 0))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)


SMALL = {"batch_size": 8, "max_iter": 2, "random_state": 0}
EVERY = [
    *(each.set_params(**SMALL, early_stopping=True) for each in supervised()),
    Autoencoder(2, hidden_layer_sizes=6, **SMALL, early_stopping=True),
    AutoencoderOutlierDetector(2, hidden_layer_sizes=6, **SMALL),
    AutoencoderOutlierDetector(2, hidden_layer_sizes=6, **SMALL, contamination=0.2),
    AdversarialGenerator(**SMALL),
    AdversarialGenerator(**SMALL, architecture="dense"),
    AdversarialGenerator(**SMALL, image_shape=(3, 3), n_clusters=3),
]


@pytest.mark.parametrize("estimator", EVERY, ids=lambda each: type(each).__name__)
def test_rows_of_weight_zero_are_as_if_they_were_not_there(estimator: Any) -> None:
    """Neither learned from nor held out, whatever is drawn: the weights are the same."""
    weights = np.where(np.arange(40) % 4 == 1, 0, np.arange(40) % 3 + 1.0)
    counted = weights > 0
    strange = np.where(counted[:, None], X, 5 * X)
    with_zeros = clone(estimator).fit(strange, y, sample_weight=weights)
    without = clone(estimator).fit(X[counted], y[counted], sample_weight=weights[counted])
    assert with_zeros.t_ == without.t_
    if hasattr(without, "loss_curve_"):  # no ensemble
        assert_allclose(with_zeros.loss_curve_, without.loss_curve_, rtol=1e-6)
    for name in ("predict", "transform", "discriminate"):
        if hasattr(estimator, name):
            arguments = (X, y) if name == "discriminate" else (X,)
            expected = getattr(without, name)(*arguments)
            assert_allclose(getattr(with_zeros, name)(*arguments), expected, rtol=1e-5, atol=1e-7)
    assert getattr(with_zeros, "offset_", 0) == pytest.approx(getattr(without, "offset_", 0))


@pytest.mark.parametrize("estimator", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_rows_of_a_class_of_weight_zero_are_rows_of_weight_zero(estimator: Any) -> None:
    counted = y_three != 2
    strange = np.where(counted[:, None], X, 5 * X)
    model = clone(estimator).set_params(**SMALL, class_weight={0: 1, 1: 2, 2: 0})
    by_class = clone(model).fit(strange, y_three)
    by_row = clone(model).fit(strange, y_three, sample_weight=counted.astype(float))
    assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), rtol=1e-6)


def test_the_precision_is_that_of_the_rows_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sknn.data._devices.FLOAT64_SAMPLES", 30)
    model = NeuralClassifier(max_iter=1)
    dtypes = [
        model.fit(X, y, sample_weight=weights).coefs_[0].dtype
        for weights in (None, np.arange(40) < 30)
    ]
    assert dtypes == [np.float32, np.float64]


@pytest.mark.parametrize("estimator", EVERY[-6:], ids=lambda each: type(each).__name__)
def test_units_count_a_weight_of_n_as_n_rows(estimator: Any) -> None:
    model = clone(estimator).set_params(max_iter=1)
    weighted = clone(model).fit(X, y, sample_weight=WEIGHTS)
    repeated = clone(model).fit(X.repeat(WEIGHTS, 0), y.repeat(WEIGHTS))
    for name in ("location", "scale"):
        measured, expected = (getattr(each._format, name) for each in (weighted, repeated))
        assert_allclose(measured, expected, rtol=1e-12, atol=1e-12)
    for name in ("variance", "shares"):
        assert_allclose(
            getattr(weighted._targets, name, 0), getattr(repeated._targets, name, 0), rtol=1e-12
        )


def test_balanced_classes_count_the_weights_of_steps() -> None:
    series = rng.normal(size=(12, 5, 2))
    steps = (series.sum(2) > 0.5).astype(int)
    weights = rng.integers(0, 3, size=12)
    model = StepClassifier(hidden_size=4, filters=None, normalization=None, dropout=0.0)
    weighted = exact(model, standardize=False).fit(series, steps, weights)
    repeated = exact(model, standardize=False).fit(
        series.repeat(weights, 0), steps.repeat(weights, 0)
    )
    assert_allclose(weighted.predict_proba(series), repeated.predict_proba(series), rtol=1e-6)


def test_balanced_classes_with_weights_agree_with_logistic_regression() -> None:
    options = {"class_weight": "balanced", "tol": 1e-8, "max_iter": 5000}
    ours = NeuralClassifier((), solver="lbfgs", alpha=1.0, random_state=0, **options)
    theirs = LogisticRegression(C=1.0, **options)
    p = theirs.fit(X, y, WEIGHTS).predict_proba(X)
    assert_allclose(ours.fit(X, y, WEIGHTS).predict_proba(X), p, atol=1e-3)


def test_a_class_of_weight_zero_counts_for_nothing() -> None:
    weights = np.where(y_three == 2, 0.0, 1.0)
    rest = y_three != 2
    model = NeuralClassifier((), solver="lbfgs", alpha=0.1, max_iter=500, tol=1e-8, random_state=0)
    model.set_params(class_weight="balanced")
    with_zeros = model.fit(X, y_three, weights).predict_proba(X)
    without = clone(model).fit(X[rest], y_three[rest]).predict_proba(X)
    assert_allclose(with_zeros[:, 2], 0, atol=0.01)
    assert_allclose(with_zeros[:, 1] / (1 - with_zeros[:, 2]), without[:, 1], atol=0.05)


@pytest.mark.parametrize(
    ("class_weight", "targets", "message"),
    [
        ({0: -1, 1: 5}, y, r"class_weight\[0\] is -1"),
        ({0: np.nan, 1: 1}, y, r"class_weight\[0\] is nan"),
        ({0: None, 1: 1}, y, r"class_weight\[0\] is None"),
        ({0: 1, 1: np.inf}, y, r"class_weight\[1\] is inf"),
        ({0: 1, 1: "2"}, y, r"class_weight\[1\] is '2'"),
        ({0: 0, 1: 0}, y, "every sample with weight zero"),
        ({0: 1e308, 1: 1e308}, y, "product or sum is infinite"),
        ({0: 1e300, 1: 1e300}, y, "product or sum is infinite"),
        ({0: 1, 7: 1}, y, "not in class_weight"),
        ([{0: 1, 1: 1}], y, "for multilabel problems"),
        ({0: 1, 1: 1}, Y_labels, "a list with a dict for each label"),
        ([{0: 1, 1: 1}], Y_labels, "list of 1 dicts, but y has 3 labels"),
        ([{0: 1, 1: 1}, {0: 1, 1: -2}, "balanced"], Y_labels, r"class_weight\[1\]\[1\] is -2"),
        ([{0: 1, 1: 1}, None, "balanced"], Y_labels, r"class_weight\[1\] is None"),
    ],
    ids=str,
)
@pytest.mark.parametrize("estimator", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_class_weights_are_checked(
    estimator: Any, class_weight: Any, targets: np.ndarray, message: str
) -> None:
    model = clone(estimator).set_params(class_weight=class_weight)
    weights = np.full(len(y), 1e10)
    with pytest.raises(ValueError, match=message):
        model.fit(X, targets, weights)


@pytest.mark.parametrize("estimator", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_weights_that_are_nothing_in_float32_are_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match="sample_weight has nothing above 1e-50, which is too"):
        clone(estimator).set_params(precision="float32").fit(X, y, np.full(len(y), 1e-50))
