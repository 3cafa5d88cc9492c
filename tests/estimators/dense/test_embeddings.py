"""`numerical_embedding` of the dense estimators."""

import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from torch import nn

import sknn
import sknn.model_selection
from sknn import NeuralClassifier, NeuralRegressor
from sknn.estimators._together import stacking_key
from sknn.preprocessing import bin_edges
from tests.helpers import assert_equal_up_to_rounding

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 3))
X[:, 2] = X[:, 2] > 0  # two values have no bins
y = np.sin(4 * X[:, 0]) + X[:, 1]
labels = (y > 0).astype(int)
BOTH = ("piecewise_linear", "periodic")
SMALL: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}


def shares_of_bins(X: np.ndarray, n_bins: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the share of each bin below each number, columns with two values or fewer left out."""
    columns = []
    for x in X.T:
        edges = bin_edges(x, n_bins, weights)
        if len(edges) > 2:
            columns += [
                np.clip((x - left) / (right - left), 0, 1) for left, right in pairwise(edges)
            ]
    return np.column_stack(columns)


@pytest.mark.parametrize("n_bins", [4, "auto"])
@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_bins_are_as_if_they_were_further_features(estimator: Any, n_bins: Any) -> None:
    """The same initial weights, and the same training, up to the order of sums."""
    target = labels if estimator is NeuralClassifier else y
    automatic = 16 if estimator is NeuralClassifier else 32
    wide = np.hstack([X, shares_of_bins(X, automatic if n_bins == "auto" else n_bins)])
    embedding = {"numerical_embedding": "piecewise_linear", "n_bins": n_bins}
    ours = estimator(**SMALL, **embedding).fit(X, target)
    plain = estimator(**SMALL).fit(wide, target)
    for actual, expected in zip(ours.coefs_, plain.coefs_, strict=True):
        assert_equal_up_to_rounding(actual, expected)
    assert_equal_up_to_rounding(np.array(ours.loss_curve_), np.array(plain.loss_curve_))
    assert (ours.n_layers_, ours.n_features_in_) == (3, 3)
    answers = "predict_proba" if estimator is NeuralClassifier else "predict"
    assert_equal_up_to_rounding(getattr(ours, answers)(X), getattr(plain, answers)(wide))


def test_bins_of_classes_follow_the_rows() -> None:
    many = rng.normal(size=(9000, 1))
    model = NeuralClassifier((), numerical_embedding="piecewise_linear", max_iter=1, random_state=0)
    model.fit(many, many[:, 0] > 0)
    assert model.coefs_[0].shape == (1 + 9000 // 200, 1)


def test_periodic_embeddings_are_linear_functions_of_cosines() -> None:
    model = NeuralRegressor(**SMALL, numerical_embedding=["periodic"]).fit(X, y)
    encoder = model.module_.input_encoder
    assert encoder is not None
    f, phases, W, b = (
        parameter.detach().numpy()
        for parameter in (encoder.frequencies, encoder.phases, encoder.projections, encoder.shifts)
    )
    waves = np.cos(2 * np.pi * X[:, :, None] * f + phases.reshape(3, 16))
    learned = np.einsum("njh,jhd->njd", waves, W).reshape(len(X), 9) + b
    hidden = np.hstack([learned, X]) @ model.coefs_[0] + model.intercepts_[0]
    expected = np.maximum(hidden, 0) @ model.coefs_[1] + model.intercepts_[1]
    assert_allclose(model.predict(X), expected[:, 0], rtol=1e-10)
    assert model.n_parameters_ == 3 * 16 * 2 + 3 * 16 * 3 + 9 + 12 * 6 + 6 + 6 + 1


@pytest.mark.parametrize("embedding", [None, (), []])
def test_without_embeddings_nothing_changes(embedding: Any) -> None:
    plain = NeuralRegressor(**SMALL).fit(X, y)
    assert_array_equal(
        NeuralRegressor(**SMALL, numerical_embedding=embedding).fit(X, y).predict(X),
        plain.predict(X),
    )
    assert plain.module_.input_encoder is None


@pytest.mark.parametrize("embedding", ["piecewise_linear", BOTH])
def test_a_weight_of_n_is_n_rows(embedding: Any) -> None:
    weights = rng.integers(0, 3, len(X))
    model = NeuralRegressor(**SMALL, batch_size="all", numerical_embedding=embedding, n_bins=5)
    weighted = clone(model).fit(X, y, weights.astype(float))
    repeated = clone(model).fit(X.repeat(weights, 0), y.repeat(weights))
    assert_equal_up_to_rounding(weighted.predict(X), repeated.predict(X))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "rmsprop"])
def test_every_solver_trains_what_is_learned(solver: str) -> None:
    model = NeuralRegressor(**(SMALL | {"max_iter": 60}), solver=solver, numerical_embedding=BOTH)
    losses = model.fit(X, y).loss_curve_
    assert losses[-1] < losses[0] / 1.5
    before = clone(model).set_params(max_iter=1).fit(X, y).module_.input_encoder.frequencies
    after = model.module_.input_encoder.frequencies
    assert not torch.equal(before, after)


def test_partial_fit_needs_all_rows_for_bins_alone() -> None:
    model = NeuralRegressor(**SMALL, numerical_embedding="periodic")
    assert model.partial_fit(X[:40], y[:40]).partial_fit(X[40:], y[40:]).t_ == 80
    for embedding in ("piecewise_linear", BOTH):
        refusing = NeuralRegressor(**SMALL, numerical_embedding=embedding)
        assert not hasattr(refusing, "partial_fit")
        with pytest.raises(AttributeError, match="bins of numerical_embedding"):
            _ = refusing.partial_fit
    assert hasattr(NeuralRegressor(numerical_embedding=BOTH, module=nn.Linear(3, 1)), "partial_fit")


def test_sparse_X_is_refused_and_the_tags_say_so() -> None:
    model = NeuralRegressor(**SMALL, numerical_embedding=BOTH).fit(X, y)
    before = model.predict(X)
    for call in (model.fit, lambda X, y: model.predict(X)):
        with pytest.raises(TypeError, match="numerical_embedding needs dense X"):
            call(sparse.csr_matrix(X), y)
    assert_array_equal(model.predict(X), before)
    assert not get_tags(model).input_tags.sparse
    assert get_tags(NeuralRegressor()).input_tags.sparse
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(np.where(X > 1, np.nan, X))


def test_unknown_embeddings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="numerical_embedding has 'cosine'; it takes None"):
        NeuralRegressor(numerical_embedding=["periodic", "cosine"]).fit(X, y)


def test_files_and_pickles_keep_them(tmp_path: Path) -> None:
    model = NeuralClassifier(**SMALL, numerical_embedding=BOTH, n_estimators=2).fit(X, labels)
    sknn.save(model, tmp_path / "model.sknn")
    for copied in (sknn.load(tmp_path / "model.sknn"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(copied.predict_proba(X), model.predict_proba(X))


def test_warm_starts_keep_the_bins() -> None:
    model = NeuralRegressor(**SMALL, numerical_embedding="piecewise_linear", warm_start=True)
    encoder = model.fit(X, y).module_.input_encoder
    assert encoder is not None
    offsets = encoder.bin_offsets.clone()
    model.fit(10 * X, y)
    assert_array_equal(model.module_.input_encoder.bin_offsets, offsets)


GRID = {"numerical_embedding": [None, "periodic", BOTH], "n_bins": [3, 6]}


@pytest.mark.parametrize("where", ["on a CPU", "in stacks"])
def test_searches_have_scikit_learns_results(where: str, request: Any) -> None:
    template = NeuralClassifier(**SMALL)
    theirs = GridSearchCV(template, GRID, cv=2).fit(X, labels)
    if where == "in stacks":
        request.getfixturevalue("stacks_on_a_cpu")
    ours = sknn.model_selection.GridSearchCV(template, GRID, cv=2).fit(X, labels)
    assert_array_equal(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    assert_equal_up_to_rounding(ours.predict_proba(X), theirs.predict_proba(X))


def test_keys_of_stacks() -> None:
    def key(**parameters: Any) -> Any:
        return stacking_key(NeuralRegressor(**parameters))

    assert key(numerical_embedding="periodic") == key(numerical_embedding=["periodic"])
    assert key(numerical_embedding="periodic") != key()
    assert key(numerical_embedding=BOTH, n_bins=3) != key(numerical_embedding=BOTH, n_bins=4)
    assert key(numerical_embedding=["cosine"]) is None
