"""What others need to check our estimators with scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import estimators

__all__ = ["estimators_to_check"]


def estimators_to_check() -> Iterator[Any]:
    """Yield one instance of each public estimator, ready for the estimator checks.

    The dense pair has few epochs and is otherwise as it comes. The others take all rows in one
    batch and compute in float64, so that weighted and repeated rows can agree. Those that learn
    without y come last.

    Yields
    ------
    estimator
        For :func:`sklearn.utils.estimator_checks.check_estimator` or
        :func:`sklearn.utils.estimator_checks.parametrize_with_checks`.

    Examples
    --------
    >>> from sknn.testing import estimators_to_check
    >>> [type(estimator).__name__ for estimator in estimators_to_check()][:4]
    ['NeuralClassifier', 'NeuralRegressor', 'ConvClassifier', 'ConvRegressor']
    """
    yield estimators.NeuralClassifier(max_iter=20)
    yield estimators.NeuralRegressor(max_iter=20)
    checking: dict[str, Any] = {
        "batch_size": "all",
        "learning_rate_init": 0.03,
        "max_iter": 60,
        "precision": "float64",
    }
    # a row counts once in the statistics of batch normalization, whatever its weight
    conv: dict[str, Any] = {
        "filters": (4, 8),
        "pooling": None,
        "hidden_layer_sizes": (8,),
        "normalization": None,
        "solver": "adam",
        "alpha": 1e-4,
    }
    yield estimators.ConvClassifier(**conv, **checking)
    yield estimators.ConvRegressor(**conv, **checking)
    series: dict[str, Any] = {
        "hidden_size": 8,
        "filters": (8,),
        "learning_rate": "constant",
        "dropout": 0.0,
        "normalization": None,
    }
    yield estimators.ConvSeriesClassifier(n_features=84)
    yield estimators.ConvSeriesRegressor(n_features=84)
    yield estimators.RecurrentClassifier(**series, **checking)
    yield estimators.RecurrentRegressor(**series, **checking)
    yield estimators.AttentionClassifier(**series, n_heads=2, n_layers=1, **checking)
    yield estimators.AttentionRegressor(**series, n_heads=2, n_layers=1, **checking)
    # statistics of the training rows are equal, but members hold out other rows
    table: dict[str, Any] = {
        "n_estimators": 2,
        "hidden_layer_sizes": (8,),
        "learning_rate": "constant",
        "dropout": 0.0,
        "early_stopping": False,
    }
    yield estimators.TabularClassifier(**table, **checking)
    yield estimators.TabularRegressor(**table, **checking)
    plain: dict[str, Any] = {"hidden_layer_sizes": (8,), "solver": "adam", "alpha": 1e-4}
    yield estimators.Autoencoder(**plain, **checking)
    yield estimators.AutoencoderOutlierDetector(**plain, early_stopping=False, **checking)
    small: dict[str, Any] = {"latent_size": 3, "generator": (4,), "discriminator": (4,)}
    yield estimators.AdversarialGenerator(**small, **checking | {"max_iter": 2})
