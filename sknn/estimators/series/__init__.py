"""Convolutional, recurrent and attention networks for series."""

from ._attention import AttentionClassifier, AttentionRegressor
from ._convolutional import ConvSeriesClassifier, ConvSeriesRegressor
from ._recurrent import RecurrentClassifier, RecurrentRegressor
from ._rocket_format import RocketFormat
