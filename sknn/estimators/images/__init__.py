"""Convolutional networks for images."""

from ._convolutional import ConvClassifier, ConvRegressor

__all__ = ["ConvClassifier", "ConvRegressor"]
