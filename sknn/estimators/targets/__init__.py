"""Kinds of targets: labels, values, sequences of either."""

from ._base import Targets
from ._labels import ClassTargets
from ._none import NoTargets
from ._sequences import CurveTargets, NextTokens, StepLabels, StepValues, WrittenLabels
from ._values import ValueTargets
