"""Kinds of targets: labels, values, sequences of either, the inputs themselves."""

from ._base import Targets
from ._conditions import Conditions
from ._inputs import InputTargets
from ._labels import ClassTargets
from ._sequences import CurveTargets, NextTokens, StepLabels, StepValues, WrittenLabels
from ._values import ValueTargets
