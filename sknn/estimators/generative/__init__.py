"""Networks that make rows like those of X."""

from ._adversarial import AdversarialGenerator
from ._format import ScaledFormat
from ._frechet import frechet_distance
