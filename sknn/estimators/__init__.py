"""scikit-learn estimators that train torch networks."""

from ._attention import AttentionClassifier, AttentionRegressor
from ._convolutional import ConvClassifier, ConvRegressor
from ._dense import NeuralClassifier, NeuralRegressor
from ._encoder_decoder import EncoderDecoderClassifier, EncoderDecoderRegressor
from ._generator import SequenceGenerator
from ._recurrent import RecurrentClassifier, RecurrentRegressor
from ._steps import StepClassifier, StepRegressor

__all__ = [
    "AttentionClassifier",
    "AttentionRegressor",
    "ConvClassifier",
    "ConvRegressor",
    "EncoderDecoderClassifier",
    "EncoderDecoderRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "RecurrentClassifier",
    "RecurrentRegressor",
    "SequenceGenerator",
    "StepClassifier",
    "StepRegressor",
]
