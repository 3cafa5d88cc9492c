"""Loss and score of each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknn._optional import require
from sknn._validation import validated
from sknn.estimators import parts_of

from ._axes import given_axes, new_axes
from ._networks import fitted_network

LOSSES = {"train_loss": "training", "valid_loss": "validation"}
SCORES = {"train_score": "training", "valid_score": "validation"}
LOSSES_OF_TWO = {"discriminator_loss": "discriminator", "generator_loss": "generator"}
# up to so many epochs each has a marker; a single one would be invisible without
EPOCHS_WITH_MARKERS = 30


@validated({"log_scale": ["boolean"]})
def plot_learning_curve(estimator: Any, *, log_scale: bool = False, axes: Any = None) -> np.ndarray:
    """Show the loss and the score of each epoch.

    The score is the accuracy or R2. There are curves for the training data and, if there were
    validation data, for those; an ensemble has one of each a network, and an AdversarialGenerator
    the losses of both networks, and the share of the rows that are taken for real. (With
    ``solver="lbfgs"`` no training scores are recorded.) The training curves are computed while an
    epoch goes on, with dropout and augmentation, so validation may look better at first.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted estimator of this package, or a pipeline that ends in one.
    log_scale : bool, default=False
        Whether the losses are shown on a logarithmic scale.
    axes : array-like of Axes, default=None
        Where to draw, one for the losses and one for the scores. None makes a figure.

    Returns
    -------
    ndarray of shape (2,)
        The Axes of losses and scores.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If no epoch has been completed, or `log_scale` meets losses that are not positive.
    TypeError
        If the estimator is not one of this package.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn import NeuralClassifier
    >>> from sknn.inspection import plot_learning_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = NeuralClassifier(max_iter=8, learning_rate="cosine", random_state=0)
    >>> classifier = classifier.fit(X[:1500] / 16, y[:1500], X_val=X[1500:] / 16, y_val=y[1500:])
    >>> loss, score = plot_learning_curve(classifier)
    >>> loss.get_ylabel(), score.get_ylabel()
    ('loss', 'accuracy')
    """
    fitted = fitted_network(estimator).estimator
    networks = getattr(fitted, "estimators_", None) or [fitted]
    histories = [list(network.history_) for network in networks]
    if not any(histories):
        raise ValueError("estimator has no history: no epoch of its training has been completed.")
    pair = new_axes(1, 2, (9.0, 3.4)) if axes is None else given_axes(axes, 2)
    of_two = any(LOSSES_OF_TWO.keys() <= epoch.keys() for epoch in histories[0])
    _draw(pair[0], histories, LOSSES_OF_TWO if of_two else LOSSES)
    _draw(pair[1], histories, SCORES)
    pair[0].set_ylabel("loss")
    pair[1].set_ylabel(parts_of(networks[0]).targets.score_name.replace("R2", "R²"))
    if log_scale:
        if any(line.get_ydata().min() <= 0 for line in pair[0].get_lines()):
            raise ValueError("log_scale=True needs losses that are positive.")
        pair[0].set_yscale("log")
    return pair


def _draw(ax: Any, histories: list[list[dict[str, Any]]], curves: dict[str, str]) -> None:
    """Draw a curve for each key of the histories and each network."""
    ticker = require("matplotlib.ticker", extra="plot")
    longest = max(map(len, histories))
    style = {
        "marker": "o" if longest <= EPOCHS_WITH_MARKERS else None,
        "markersize": 3,
        "linewidth": None if len(histories) == 1 else 0.8,
    }
    for number, (key, label) in enumerate(curves.items()):
        name: str | None = label  # one in the legend stands for all networks
        for history in histories:
            points = [(epoch["epoch"], epoch[key]) for epoch in history if key in epoch]
            if points:
                epochs, values = np.array(points, dtype=np.float64).T
                ax.plot(epochs, values, label=name, color=f"C{number}", **style)
                name = None
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.3)
    if ax.get_lines():
        ax.legend()
    else:
        ax.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=ax.transAxes)
