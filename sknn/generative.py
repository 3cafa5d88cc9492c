"""Estimators that make new rows, or images, like those that they were fitted to."""

from .estimators import AdversarialGenerator

__all__ = ["AdversarialGenerator"]
