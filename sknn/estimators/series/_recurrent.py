"""Recurrent networks: X holds series, or sequences of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.utils._param_validation import StrOptions
from torch import nn

from sknn._parameters import declares_parameters, inherited, parameter
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._layers import dropout_rates
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.nn import CELLS, SERIES_POOLINGS, RecurrentEncoder
from sknn.training import FORWARD_FLOPS

from ._family import SeriesEstimator, hidden_layer_sizes


def count_recurrent_flops(network: nn.Module) -> float:
    """Return the operations of one series at one step of the largest recurrent layer."""
    # The steps come one after the other, and for each the threads have to be started and waited
    # for, so a second thread is worth it for wide layers only.
    layers = [layer for layer in network.modules() if isinstance(layer, nn.RNNBase)]
    return FORWARD_FLOPS * max(sum(p.numel() for p in layer.parameters()) for layer in layers)


@declares_parameters
class RecurrentLayers(SeriesEstimator):
    """Parameters of recurrent layers.

    Parameters
    ----------
    {parameters}
    """

    cell: str = parameter(
        default="gru",
        constraints=[StrOptions(set(CELLS))],
        doc="""{"rnn", "gru", "lstm"}
        The recurrent cell: a plain one with tanh (Elman, 1990), a gated recurrent unit (Cho et
        al., 2014), or long short-term memory (Hochreiter and Schmidhuber, 1997).""",
    )

    def _make_encoder(self, channels: int) -> RecurrentEncoder:
        return RecurrentEncoder(
            channels,
            self.hidden_size,
            n_layers=self.n_layers,
            cell=self.cell,
            bidirectional=getattr(self, "bidirectional", True),
            dropout=dropout_rates(self, 1)[0],
        )

    def _count_flops(self) -> float:
        return count_recurrent_flops(self.module_)


def bidirectional() -> Any:
    """Declare the parameter of the estimators whose directions the user chooses."""
    return parameter(
        default=True,
        constraints=["boolean"],
        doc="""bool
        Whether each layer runs in both directions, and its states are put side by side.""",
    )


@declares_parameters
class RecurrentEstimator(RecurrentLayers):
    """Recurrent layers, and one vector of their states for each series.

    Parameters
    ----------
    {parameters}
    """

    pooling: str = parameter(
        default="last",
        constraints=[StrOptions(set(SERIES_POOLINGS))],
        doc="""{"last", "mean", "max"}
        What the output is computed from: the last state (in each direction), or the mean or
        maximum of all states. The maximum finds patterns wherever they are.""",
    )

    bidirectional: bool = bidirectional()
    hidden_layer_sizes: int | Sequence[int] | None = hidden_layer_sizes()


@declares_parameters
class RecurrentClassifier(RecurrentEstimator, NeuralClassifierBase):
    """Recurrent network for the classification of series and of sequences of tokens.

    X holds series of one channel as rows of shape (n_samples, n_steps), series of several
    channels as an array of shape (n_samples, n_steps, n_channels), or series of different
    lengths as a list (or a one-dimensional object array) of arrays of shape (n_steps_i,
    n_channels) or (n_steps_i,). With `embedding_size` it holds integer tokens, of shape
    (n_samples, n_steps) or as a list of arrays. What a series is predicted does not depend on
    what stands beside it. Binary, multiclass and multilabel problems.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel problems the numbers of the labels.

    See Also
    --------
    AttentionClassifier : A transformer encoder in place of the recurrent layers.
    sknn.sequences.StepClassifier : A label for each step.
    RecurrentRegressor : The same network for regression.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9,
       1997.
    .. [2] K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", EMNLP 2014, arXiv:1406.1078.

    Examples
    --------
    Does a noisy series rise or fall?

    >>> import numpy as np
    >>> from sknn import RecurrentClassifier
    >>> rng = np.random.default_rng(0)
    >>> slope = rng.choice([-1, 1], size=200)
    >>> X = [s * np.linspace(0, 1, rng.integers(5, 15)) for s in slope]
    >>> X = [series + rng.normal(scale=0.3, size=len(series)) for series in X]
    >>> classifier = RecurrentClassifier(hidden_size=8, max_iter=20, random_state=0)
    >>> classifier.fit(X[:150], slope[:150]).predict(X[150:154])
    array([...])
    >>> bool(classifier.score(X[150:], slope[150:]) > 0.9)
    True
    """

    pooling: str = inherited(RecurrentEstimator, "pooling", default="max")


@declares_parameters
class RecurrentRegressor(RecurrentEstimator, NeuralRegressorBase):
    """Recurrent network for values that belong to series or sequences of tokens.

    X is as for :class:`RecurrentClassifier`. One or several targets.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    AttentionRegressor : A transformer encoder in place of the recurrent layers.
    sknn.sequences.StepRegressor : A value for each step.
    sknn.forecasting.DirectForecaster : Forecasts of a series.
    RecurrentClassifier : The same network for classification.

    Examples
    --------
    The frequency of a noisy sine:

    >>> import numpy as np
    >>> from sknn import RecurrentRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0.1, 0.5, size=300)
    >>> X = np.sin(y[:, None] * np.arange(30) + rng.uniform(0, 6, size=(300, 1)))
    >>> regressor = RecurrentRegressor(hidden_size=16, max_iter=20, random_state=0)
    >>> bool(regressor.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.9)
    True
    """
