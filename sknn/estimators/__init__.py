"""The scikit-learn contract: validate, encode targets, delegate to training, decode."""

from ._convolutional import ConvClassifier, ConvRegressor
from ._dense import NeuralClassifier, NeuralRegressor

__all__ = ["ConvClassifier", "ConvRegressor", "NeuralClassifier", "NeuralRegressor"]
