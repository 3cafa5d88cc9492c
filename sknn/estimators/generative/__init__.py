"""Networks that make rows like those of X."""

from ._adversarial import AdversarialGenerator
from ._frechet import frechet_distance
