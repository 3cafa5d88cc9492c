"""scikit-learn's estimator checks of the autoencoders."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# all rows in one batch, so that weighted and repeated rows can agree
CHECKING: dict[str, Any] = {
    "hidden_layer_sizes": (8,),
    "batch_size": "all",
    "solver": "adam",
    "alpha": 1e-4,
    "learning_rate_init": 0.03,
    "max_iter": 60,
    "precision": "float64",
}


@parametrize_with_checks(
    [Autoencoder(**CHECKING), AutoencoderOutlierDetector(**CHECKING, early_stopping=False)]
)
def test_estimators_pass_the_checks(estimator: Any, check: Any) -> None:
    check(estimator)
