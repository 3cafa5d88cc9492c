"""scikit-learn estimators that train torch networks."""

from sknn.training import Interrupted

from ._attention import AttentionClassifier, AttentionRegressor
from ._base import NeuralEstimator
from ._convolutional import ConvClassifier, ConvRegressor
from ._dense import NeuralClassifier, NeuralRegressor
from ._encoder_decoder import EncoderDecoderClassifier, EncoderDecoderRegressor
from ._generator import SequenceGenerator
from ._recurrent import RecurrentClassifier, RecurrentRegressor
from ._steps import StepClassifier, StepRegressor
from ._together import FitTask, bytes_per_fit, fit_together, flops_per_fit, stack_key

__all__ = [
    "AttentionClassifier",
    "AttentionRegressor",
    "ConvClassifier",
    "ConvRegressor",
    "EncoderDecoderClassifier",
    "EncoderDecoderRegressor",
    "FitTask",
    "Interrupted",
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
    "stack_key",
]
