"""Figures and their axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sknn._optional import require

# height of a line of a title and of a figure's title, in inches
LINE_HEIGHT = 0.18
HEADING_HEIGHT = 0.4


def picture_axes(
    n_pictures: int,
    axes: Any,
    *,
    n_columns: int | None = None,
    width: float = 1.0,
    aspect: float = 1.0,
    n_lines: int = 0,
    has_heading: bool = False,
) -> np.ndarray:
    """Return one Axes a picture, (n_pictures,), without ticks: the user's, or a new figure's."""
    if axes is not None:
        chosen = given_axes(axes, n_pictures)
    else:
        n_columns = min(n_columns or math.ceil(math.sqrt(n_pictures)), n_pictures)
        n_rows = math.ceil(n_pictures / n_columns)
        aspect = min(max(aspect, 0.25), 4.0)  # strips still need a figure of some size
        figure_size = (
            n_columns * width,
            n_rows * (width * aspect + n_lines * LINE_HEIGHT) + has_heading * HEADING_HEIGHT,
        )
        grid = new_axes(n_rows, n_columns, figure_size)
        for unused in grid[n_pictures:]:
            unused.set_axis_off()
        chosen = grid[:n_pictures]
    for ax in chosen:
        ax.set_axis_off()
    return chosen


def new_axes(n_rows: int, n_columns: int, figure_size: tuple[float, float]) -> np.ndarray:
    """Make a figure, sizes in inches; return its Axes row by row, (n_rows * n_columns,)."""
    pyplot = require("matplotlib.pyplot", extra="plot")
    _, grid = pyplot.subplots(
        n_rows, n_columns, figsize=figure_size, squeeze=False, layout="constrained"
    )
    return grid.ravel()


def given_axes(axes: Any, n_needed: int) -> np.ndarray:
    """Check the user's axes; return as many as are needed, (n_needed,)."""
    chosen = np.asarray(axes, dtype=object).ravel()
    strangers = [type(ax).__name__ for ax in chosen if not hasattr(ax, "imshow")]
    if strangers:
        raise TypeError(f"axes must hold Axes of matplotlib; got {strangers[0]}.")
    if len(chosen) < n_needed:
        raise ValueError(f"axes has {len(chosen)} Axes, but {n_needed} are needed.")
    return chosen[:n_needed]


def value_scale(values: np.ndarray) -> dict[str, Any]:
    """Return arguments of ``imshow``: red and blue about a white zero, or light for large."""
    largest = float(np.abs(values).max()) or 1.0
    if values.min() < 0:
        return {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    return {"cmap": "viridis", "vmin": 0.0, "vmax": largest}
