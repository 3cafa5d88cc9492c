"""Torch modules and functions; no scikit-learn, no skorch."""

from .activations import ACTIVATIONS, Activation, find_activation
from .airbench import AirbenchNetwork
from .augmentation import AUGMENTATIONS, FlipAverage, make_augmentation
from .backprop import DenseBackprop
from .convolutional import ConvNetwork
from .dense import DenseNetwork
from .images import INITIALIZATIONS, ImageNetwork, output_size
from .layers import per_layer
from .losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    Loss,
    RegressionLoss,
    make_classification_loss,
    make_regression_loss,
)
from .residual import ResidualNetwork
from .tracing import LayerTrace, trace_layers

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "CLASSIFICATION_LOSSES",
    "INITIALIZATIONS",
    "REGRESSION_LOSSES",
    "Activation",
    "AirbenchNetwork",
    "ConvNetwork",
    "DenseBackprop",
    "DenseNetwork",
    "FlipAverage",
    "ImageNetwork",
    "LayerTrace",
    "Loss",
    "RegressionLoss",
    "ResidualNetwork",
    "find_activation",
    "make_augmentation",
    "make_classification_loss",
    "make_regression_loss",
    "output_size",
    "per_layer",
    "trace_layers",
]
