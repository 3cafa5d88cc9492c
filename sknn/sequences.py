"""Estimators whose answers are sequences.

They have the parameters and habits of the estimators in :mod:`sknn`, but where those pair a
sample with one target, these pair a sequence with a sequence, for which scikit-learn has no
checks.
"""

from .estimators import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)

__all__ = [
    "EncoderDecoderClassifier",
    "EncoderDecoderRegressor",
    "SequenceGenerator",
    "StepClassifier",
    "StepRegressor",
]
