"""Convolutional networks for images."""

from ._convolutional import ConvClassifier, ConvEstimator, ConvRegressor
from ._format import ImageFormat, check_images, find_format, pixel_kind
