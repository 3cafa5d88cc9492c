"""Columns of numbers as networks like them: piecewise-linear and periodic encodings, scaling.

This module needs neither torch nor skorch.
"""

from ._quantiles import bin_edges, robust_scale

__all__: list[str] = []
