import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sknn import ConvClassifier
from sknn.forecasting import RecursiveForecaster
from sknn.inspection import (
    plot_feature_maps,
    plot_filters,
    plot_forecast,
    plot_images,
    plot_learning_curve,
    plot_saliency,
    saliency,
)

PLOTS: list[Callable[[Any, np.ndarray], Any]] = [
    lambda estimator, X: plot_images(X, estimator=estimator),
    lambda estimator, X: plot_filters(estimator),
    lambda estimator, X: plot_feature_maps(estimator, X[0]),
    lambda estimator, X: plot_learning_curve(estimator),
    plot_saliency,
]


@pytest.mark.parametrize("plot", PLOTS)
def test_matplotlib_is_missing(
    plot: Callable[[Any, np.ndarray], Any],
    grey_classifier: ConvClassifier,
    grey_images: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if plot is plot_saliency:
        pytest.importorskip("captum")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"matplotlib.*pip install 'sknn\[plot\]'"):
        plot(grey_classifier, grey_images[:2])


def test_matplotlib_is_missing_for_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    forecaster = RecursiveForecaster(Ridge(), past=3).fit(np.arange(20.0))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"matplotlib.*pip install 'sknn\[plot\]'"):
        plot_forecast(forecaster, 2)


def test_captum_is_missing(
    grey_classifier: ConvClassifier, grey_images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ImportError, match=r"captum.*pip install 'sknn\[images\]'"):
        saliency(grey_classifier, grey_images)
