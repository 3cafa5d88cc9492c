"""Columns of numbers, and series, as networks like them: encodings, scaling, convolutions."""

from ._periodic import PeriodicEncoder
from ._piecewise import PiecewiseLinearEncoder
from ._quantiles import bin_edges, robust_scale
from ._rocket import MiniRocket
from ._rocket_kernels import Rocket, RocketKernels
from ._scaler import SmoothRobustScaler

__all__ = ["MiniRocket", "PeriodicEncoder", "PiecewiseLinearEncoder", "SmoothRobustScaler"]
