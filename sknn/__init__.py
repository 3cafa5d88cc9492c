"""Neural networks on torch that behave like every other scikit-learn estimator."""

from .estimators import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)

__all__ = [
    "AttentionClassifier",
    "AttentionRegressor",
    "ConvClassifier",
    "ConvRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "RecurrentClassifier",
    "RecurrentRegressor",
]

__version__ = "0.1.0"
