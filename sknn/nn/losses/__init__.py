"""Losses: what an output costs, and what it means.

A loss is a class and its entry in `CLASSIFICATION_LOSSES` or `REGRESSION_LOSSES`, both in one file.
The first line of its docstring is what users read of it.
"""

from .base import OUTPUT_ACTIVATIONS, PROBABILITY_ACTIVATIONS, Loss, describe_losses
from .callables import CallableLoss, declared_activation
from .classification import CLASSIFICATION_LOSSES, ClassificationLoss, make_classification_loss
from .reconstruction import LIKELIHOODS, ReconstructionLoss
from .regression import (
    REGRESSION_LOSSES,
    GaussianLoss,
    QuantilesLoss,
    RegressionLoss,
    make_regression_loss,
    weighted_mean,
)
