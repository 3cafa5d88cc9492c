"""Dense networks: a row a sample, a column a feature."""

from ._dense import NeuralClassifier, NeuralRegressor
from ._format import DenseFormat
