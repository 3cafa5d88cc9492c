"""Columns of numbers as networks like them: piecewise linear and periodic encodings, scaling.

This module needs neither torch nor skorch.
"""

from ._periodic import PeriodicEncoder
from ._piecewise import PiecewiseLinearEncoder
from ._quantiles import bin_edges, robust_scale
from ._scaler import SmoothRobustScaler

__all__ = ["PeriodicEncoder", "PiecewiseLinearEncoder", "SmoothRobustScaler"]
