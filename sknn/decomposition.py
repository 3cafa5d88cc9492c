"""Estimators that write samples as a few numbers: nonlinear relatives of principal components."""

from .estimators import Autoencoder

__all__ = ["Autoencoder"]
