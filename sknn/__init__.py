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
from .storage import file_info, load, save

__all__ = [
    "AttentionClassifier",
    "AttentionRegressor",
    "ConvClassifier",
    "ConvRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "RecurrentClassifier",
    "RecurrentRegressor",
    "file_info",
    "load",
    "save",
]

__version__ = "0.1.0"
