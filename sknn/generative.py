"""Estimators that make new rows, or images, like those that they were fitted to."""

from .estimators import AdversarialGenerator, frechet_distance

__all__ = ["AdversarialGenerator", "frechet_distance"]
