"""Autoencoders: vectors or images as a few numbers, and back."""

from ._autoencoder import Autoencoder
from ._outliers import AutoencoderOutlierDetector
