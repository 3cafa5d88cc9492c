"""A network that learns from X alone, as an autoencoder does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sknn import NeuralRegressor
from sknn.estimators.targets import NoTargets


class Reconstruction(NeuralRegressor):
    """A dense network whose outputs are to be its inputs."""

    _targets_kind = NoTargets


X = np.random.default_rng(0).normal(size=(60, 4)) @ np.random.default_rng(1).normal(size=(4, 6))
PARAMETERS = {"hidden_layer_sizes": (3,), "max_iter": 5, "learning_rate": "cosine"}


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_x_is_its_own_target(form: type) -> None:
    reconstruction = Reconstruction(**PARAMETERS, random_state=0).fit(form(X), None)
    told = NeuralRegressor(**PARAMETERS, random_state=0).fit(form(X), X)
    assert reconstruction.n_outputs_ == 6
    assert reconstruction.loss_curve_ == told.loss_curve_
    assert_array_equal(reconstruction.predict(form(X)), told.predict(form(X)))


def test_validation_data_need_no_targets_of_their_own() -> None:
    reconstruction = Reconstruction(**PARAMETERS, random_state=0)
    reconstruction.fit(X[:40], None, X_val=X[40:], y_val=X[40:])
    told = NeuralRegressor(**PARAMETERS, random_state=0)
    told.fit(X[:40], X[:40], X_val=X[40:], y_val=X[40:])
    assert reconstruction.validation_scores_ == told.validation_scores_
