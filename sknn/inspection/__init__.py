"""Looking inside: images and mistakes, learning curves, layers, forecasts, words, and what decides.

Every function takes a fitted estimator of this package, or a pipeline that ends in one, but
`plot_forecast` a forecaster and `plot_words` word vectors. The plots need matplotlib
(``pip install 'sknn[plot]'``), saliency maps captum (``pip install 'sknn[images]'``).

A ``plot_*`` function draws on the `axes` that it is given, or on a new figure, and returns an
array of the Axes that it has drawn on; ``axes[0].figure`` is the figure. No function calls
``matplotlib.pyplot.show``.
"""

from ._forecasts import plot_forecast
from ._images import plot_images
from ._kernels import FILTER_KERNELS, filter_image
from ._layers import plot_feature_maps, plot_filters
from ._learning_curve import plot_learning_curve
from ._saliency import plot_saliency, saliency
from ._summary import LayerSummary, NetworkSummary, summary
from ._words import plot_words

__all__ = [
    "FILTER_KERNELS",
    "LayerSummary",
    "NetworkSummary",
    "filter_image",
    "plot_feature_maps",
    "plot_filters",
    "plot_forecast",
    "plot_images",
    "plot_learning_curve",
    "plot_saliency",
    "plot_words",
    "saliency",
    "summary",
]
