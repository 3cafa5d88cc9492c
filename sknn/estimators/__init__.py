"""scikit-learn estimators that train torch networks."""

from ._base import NeuralEstimator
from ._together import FitTask, bytes_per_fit, fit_together, flops_per_fit, stacking_key
from .dense import NeuralClassifier, NeuralRegressor
from .images import ConvClassifier, ConvRegressor
from .sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from .series import (
    AttentionClassifier,
    AttentionRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)

__all__ = [
    "AttentionClassifier",
    "AttentionRegressor",
    "ConvClassifier",
    "ConvRegressor",
    "EncoderDecoderClassifier",
    "EncoderDecoderRegressor",
    "FitTask",
    "NeuralClassifier",
    "NeuralEstimator",
    "NeuralRegressor",
    "RecurrentClassifier",
    "RecurrentRegressor",
    "SequenceGenerator",
    "StepClassifier",
    "StepRegressor",
    "bytes_per_fit",
    "fit_together",
    "flops_per_fit",
    "stacking_key",
]
