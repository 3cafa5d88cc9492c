"""The scikit-learn contract: validate, encode targets, delegate to training, decode."""

from ._dense import NeuralClassifier, NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]
