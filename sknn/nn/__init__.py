"""Torch modules and functions; no scikit-learn, no skorch."""

from .activations import ACTIVATIONS, Activation, find_activation, per_layer
from .backprop import DenseBackprop
from .dense import DenseNetwork
from .losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    Loss,
    RegressionLoss,
    make_classification_loss,
    make_regression_loss,
)

__all__ = [
    "ACTIVATIONS",
    "CLASSIFICATION_LOSSES",
    "REGRESSION_LOSSES",
    "Activation",
    "DenseBackprop",
    "DenseNetwork",
    "Loss",
    "RegressionLoss",
    "find_activation",
    "make_classification_loss",
    "make_regression_loss",
    "per_layer",
]
