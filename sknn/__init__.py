"""Neural networks on torch that behave like every other scikit-learn estimator."""

from .estimators import NeuralClassifier, NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]

__version__ = "0.1.0"
