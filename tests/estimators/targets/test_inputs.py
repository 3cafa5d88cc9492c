"""A network that learns from X alone, as an autoencoder does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sknn import NeuralRegressor
from sknn.data import OwnInputs, Samples, make_answers, make_rows
from sknn.estimators.targets import InputTargets


class Reconstruction(NeuralRegressor):
    """A dense network whose outputs are to be its inputs."""

    _targets_kind = InputTargets

    def predict(self, X: object) -> np.ndarray:
        return self._predict_outputs(X)[1].numpy()


X = np.random.default_rng(0).normal(size=(60, 4)) @ np.random.default_rng(1).normal(size=(4, 6))
PARAMETERS = {"hidden_layer_sizes": (3,), "max_iter": 5, "learning_rate": "cosine"}


@pytest.mark.parametrize("batch_size", [16, 60])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_x_is_its_own_target(form: type, batch_size: int) -> None:
    weights = np.random.default_rng(2).uniform(size=60)
    parameters = PARAMETERS | {"batch_size": batch_size}
    reconstruction = Reconstruction(**parameters, random_state=0).fit(form(X), None, weights)
    told = NeuralRegressor(**parameters, random_state=0).fit(form(X), X, weights)
    assert reconstruction.n_outputs_ == 6
    assert_allclose(reconstruction.loss_curve_, told.loss_curve_)
    assert_allclose(reconstruction.predict(form(X)), told.predict(form(X)))


def test_validation_data_need_no_targets_of_their_own() -> None:
    reconstruction = Reconstruction(**PARAMETERS, random_state=0)
    reconstruction.fit(X[:40], None, X_val=X[40:], y_val=X[40:])
    told = NeuralRegressor(**PARAMETERS, random_state=0)
    told.fit(X[:40], X[:40], X_val=X[40:], y_val=X[40:])
    assert_allclose(
        [epoch["valid_loss"] for epoch in reconstruction.history_],
        [epoch["valid_loss"] for epoch in told.history_],
    )
    # of the last epoch, and in units of the spread, which is 1 here
    errors = np.square(reconstruction.predict(X[40:]) - X[40:]).sum(1)
    assert_allclose(reconstruction.validation_scores_[-1], 1 - errors.mean())


def test_an_interrupted_fit_goes_on(tmp_path: Path) -> None:
    parameters = PARAMETERS | {"checkpoint": str(tmp_path), "random_state": 0}
    whole = Reconstruction(**parameters | {"checkpoint": None}).fit(X, None)
    Reconstruction(**parameters).fit(X, None)
    again = Reconstruction(**parameters).fit(X, None)
    assert_array_equal(again.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="X"):
        Reconstruction(**parameters).fit(X + 1, None)


def test_batches_are_their_targets() -> None:
    """Nothing of X is copied before a batch is cut, and bytes stay bytes until then."""
    pixels = np.arange(24, dtype=np.uint8).reshape(6, 4)
    place = torch.device("cpu"), torch.float32
    rows = make_rows(pixels, *place)
    answers = make_answers(OwnInputs(6, 4), None, *place)
    samples = Samples(rows, pixels, None, answers)
    assert samples.are_own_targets
    assert answers.targets.numel() == 0
    order = np.array([5, 4, 3, 2, 1, 0])
    batches = list(samples.batches(4, order))
    assert [batch.weight_sum for batch in batches] == [4, 2]
    assert_array_equal(batches[0].targets.numpy(), pixels[[5, 4, 3, 2]])
    assert_array_equal(batches[1].targets.numpy(), pixels[[1, 0]])
    assert_array_equal(samples.some(2).targets.numpy(), pixels[[0, 5]])
