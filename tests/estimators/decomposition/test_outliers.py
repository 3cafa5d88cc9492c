"""Outliers by the errors of an autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import sknn
from sknn.decomposition import AutoencoderOutlierDetector
from sknn.estimators.decomposition._outliers import weighted_quantile

rng = np.random.default_rng(0)
# on a plane, and beside it
NORMAL = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(200, 6))
OUTLIERS = rng.normal(scale=3, size=(40, 6))
LINEAR: dict[str, Any] = {
    "n_components": 2,
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "alpha": 0,
    "max_iter": 3000,
    "tol": 1e-9,
    "early_stopping": False,
    "random_state": 0,
}
SMALL: dict[str, Any] = {
    "n_components": 2,
    "hidden_layer_sizes": (8,),
    "max_iter": 10,
    "random_state": 0,
}


def test_a_linear_one_measures_distances_from_principal_components() -> None:
    detector = AutoencoderOutlierDetector(**LINEAR).fit(NORMAL)
    scaler = StandardScaler().fit(NORMAL)
    pca = PCA(2).fit(scaler.transform(NORMAL))
    scaled = scaler.transform(OUTLIERS)
    residuals = scaled - pca.inverse_transform(pca.transform(scaled))
    expected = -np.sqrt(np.square(residuals).mean(1))
    assert_allclose(detector.score_samples(OUTLIERS), expected, rtol=0.02)
    truth = np.repeat([1, 0], [200, 40])
    scores = detector.score_samples(np.vstack([NORMAL, OUTLIERS]))
    assert roc_auc_score(truth, scores) > 0.99


@pytest.mark.parametrize("contamination", [0.02, 0.1, 0.5])
def test_a_share_of_the_training_samples_are_outliers(contamination: float) -> None:
    detector = AutoencoderOutlierDetector(**SMALL, contamination=contamination)
    labels = detector.fit_predict(NORMAL)
    assert (labels == -1).sum() == contamination * 200
    assert_allclose(
        detector.offset_, np.percentile(detector.score_samples(NORMAL), 100 * contamination)
    )
    assert_allclose(
        detector.decision_function(OUTLIERS), detector.score_samples(OUTLIERS) - detector.offset_
    )


def test_auto_is_a_robust_fence() -> None:
    detector = AutoencoderOutlierDetector(**SMALL, early_stopping=False).fit(NORMAL)
    errors = -detector.score_samples(NORMAL)
    middle = np.median(errors)
    fence = middle + 2.5 * 1.4826 * np.median(np.abs(errors - middle))
    assert_allclose(detector.offset_, -fence)
    assert (detector.predict(OUTLIERS) == -1).mean() > 0.6


def test_weights_count_as_copies_in_the_offset() -> None:
    values = rng.normal(size=50)
    weights = rng.integers(1, 4, 50)
    copies = np.repeat(values, weights)
    for level in (0.0, 0.13, 0.5, 0.9, 1.0):
        expected = np.percentile(copies, 100 * level)
        assert_allclose(weighted_quantile(values, weights.astype(float), level), expected)
        assert_allclose(weighted_quantile(copies, None, level), expected)


def test_none_are_held_out_of_a_fraction_of_zero() -> None:
    detector, other = (
        AutoencoderOutlierDetector(**SMALL, **options).fit(NORMAL)
        for options in ({"validation_fraction": 0.0}, {"early_stopping": False})
    )
    assert detector.offset_ == other.offset_


def test_the_fence_is_that_of_samples_that_were_held_out() -> None:
    train, held_out = NORMAL[:120], NORMAL[120:]
    weights = rng.integers(1, 3, 80)
    detector = AutoencoderOutlierDetector(**SMALL)
    detector.fit(train, X_val=held_out, sample_weight_val=weights)
    errors = np.repeat(-detector.score_samples(held_out), weights)
    middle = np.median(errors)
    fence = middle + 2.5 * 1.4826 * np.median(np.abs(errors - middle))
    assert_allclose(detector.offset_, -fence)


def test_a_sample_like_all_others_is_no_outlier() -> None:
    X = np.ones((20, 3))
    detector = AutoencoderOutlierDetector(**SMALL).fit(X)
    for n in (1, 2, 20):
        assert_array_equal(detector.predict(X[:n]), 1)
    assert_array_equal(detector.predict(2 * X), -1)


def test_samples_that_are_held_out_are_judged_as_new_ones() -> None:
    """A network that learns few samples by heart does not take all others for outliers."""
    X, y = load_digits(return_X_y=True)
    zeros, parameters = X[y == 0], {"random_state": 0, "max_iter": 100}
    learned = AutoencoderOutlierDetector(early_stopping=False, **parameters).fit(zeros[:90])
    assert np.mean(learned.predict(zeros[90:]) == -1) > 0.5
    detector = AutoencoderOutlierDetector(**parameters).fit(zeros[:90])
    assert np.mean(detector.predict(zeros[90:]) == -1) < 0.25


def test_a_share_is_of_all_samples_held_out_or_not() -> None:
    detector = AutoencoderOutlierDetector(**SMALL, contamination=0.1).fit(NORMAL)
    assert detector.validation_scores_ is not None
    assert_allclose(detector.offset_, np.percentile(detector.score_samples(NORMAL), 10))


@pytest.mark.parametrize("form", ["images", "rows"])
def test_digits_that_are_no_zeros_are_found(form: str) -> None:
    X, y = load_digits(return_X_y=True)
    if form == "images":
        X = X.reshape(-1, 8, 8)
    detector = AutoencoderOutlierDetector(
        8,
        hidden_layer_sizes=32,
        filters=(8,),
        architecture="conv" if form == "images" else "auto",
        max_iter=60,
        random_state=0,
    ).fit(X[y == 0][:100])
    held_out = np.vstack([X[y == 0][100:], X[y != 0]])
    truth = np.repeat([1, 0], [(y == 0).sum() - 100, (y != 0).sum()])
    assert roc_auc_score(truth, detector.decision_function(held_out)) > 0.95


def test_files_and_checkpoints_hold_the_offset(tmp_path: Path) -> None:
    detector = AutoencoderOutlierDetector(**SMALL, checkpoint=str(tmp_path / "fit")).fit(NORMAL)
    for loaded in (sknn.load(tmp_path / "fit" / "checkpoint.sknn"), saved(detector, tmp_path)):
        assert loaded.offset_ == detector.offset_
        assert_array_equal(loaded.predict(OUTLIERS), detector.predict(OUTLIERS))


def saved(detector: Any, folder: Path) -> Any:
    sknn.save(detector, folder / "detector.sknn")
    return sknn.load(folder / "detector.sknn")


@pytest.mark.parametrize("contamination", [0, 0.6, "automatic"])
def test_other_shares_are_refused(contamination: Any) -> None:
    with pytest.raises(ValueError, match="contamination"):
        AutoencoderOutlierDetector(contamination=contamination).fit(NORMAL)
