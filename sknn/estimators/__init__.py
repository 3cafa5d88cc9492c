"""scikit-learn estimators that train torch networks."""

from ._attention import AttentionClassifier, AttentionRegressor
from ._convolutional import ConvClassifier, ConvRegressor
from ._dense import NeuralClassifier, NeuralRegressor
from ._recurrent import RecurrentClassifier, RecurrentRegressor

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
