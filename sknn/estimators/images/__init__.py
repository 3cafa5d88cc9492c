"""Convolutional networks for images."""

from ._convolutional import ConvClassifier, ConvRegressor
from ._format import check_images, find_format
