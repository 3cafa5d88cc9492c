"""Recurrent and attention networks for series."""

from ._attention import AttentionClassifier, AttentionRegressor
from ._recurrent import RecurrentClassifier, RecurrentRegressor
