"""Estimators whose answers are sequences."""

from ._encoder_decoder import EncoderDecoderClassifier, EncoderDecoderRegressor
from ._generator import SequenceGenerator
from ._steps import StepClassifier, StepRegressor
