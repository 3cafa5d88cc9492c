"""Neural networks on torch that behave like every other scikit-learn estimator."""

from .estimators import ConvClassifier, ConvRegressor, NeuralClassifier, NeuralRegressor

__all__ = ["ConvClassifier", "ConvRegressor", "NeuralClassifier", "NeuralRegressor"]

__version__ = "0.1.0"
