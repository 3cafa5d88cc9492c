"""Estimators that write samples as a few numbers: nonlinear relatives of principal components."""

from .estimators import Autoencoder, AutoencoderOutlierDetector

__all__ = ["Autoencoder", "AutoencoderOutlierDetector"]
