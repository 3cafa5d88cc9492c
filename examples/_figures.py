"""The figures of the image examples: learning curve, filters, feature maps, mistakes, saliency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from sknn.inspection import (
    plot_feature_maps,
    plot_filters,
    plot_images,
    plot_learning_curve,
    plot_saliency,
)

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"


def save_figures(
    name: str, model: Any, X: np.ndarray, y: np.ndarray, class_names: Sequence[str] | None = None
) -> None:
    """Write a figure of each kind for a fitted estimator and some test images."""
    OUTPUT.mkdir(exist_ok=True)
    pictures = {
        "learning_curve": plot_learning_curve(model),
        "filters": plot_filters(model),
        "feature_maps": plot_feature_maps(model, X[0]),
        "mistakes": plot_images(X, y, estimator=model, which="worst", class_names=class_names),
        "saliency": plot_saliency(model, X[:8], y[:8], class_names=class_names),
    }
    for kind, axes in pictures.items():
        figure = np.ravel(axes)[0].figure
        figure.savefig(OUTPUT / f"{name}_{kind}.png", dpi=150)
        plt.close(figure)
    print(f"figures: {OUTPUT}/{name}_*.png")
