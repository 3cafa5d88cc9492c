"""What "auto" stands for."""

from __future__ import annotations

from typing import NamedTuple

# The course's network, which is Keras-GAN's.
COURSE_GENERATOR, COURSE_DISCRIMINATOR = (256, 512, 1024), (512, 256)
# What "auto" makes of vectors.
GENERATOR, DISCRIMINATOR = (128, 128), (128, 128)


class Recipe(NamedTuple):
    """What "auto" stands for in the training of some networks."""

    n_steps: int
    batch_size: int
    schedule: str
    rate: float
    penalty: float  # of the losses "standard" and "hinge"
    average_decay: float


# `python -m benchmarks generative` measures them.
COURSE = Recipe(5000, 32, "constant", 0.0002, 0.0, 0.0)
IMAGES = Recipe(12_000, 64, "cosine", 0.001, 0.02, 0.999)
VECTORS = Recipe(8000, 64, "cosine", 0.001, 0.3, 0.999)
