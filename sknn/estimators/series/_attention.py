"""Transformer encoders: X holds series, or sequences of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.utils._param_validation import StrOptions

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._layers import dropout_rates
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.nn import SERIES_POOLINGS, AttentionEncoder

from ._family import SeriesEstimator, hidden_layer_sizes


@declares_parameters
class AttentionEstimator(SeriesEstimator):
    """Transformer encoder, and one vector of its states for each series.

    Parameters
    ----------
    {parameters}
    """

    n_heads: int = parameter(
        default=4,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Heads of each attention layer, of which `hidden_size` is a multiple.""",
    )
    positional_encoding: str | None = parameter(
        default="sinusoidal",
        constraints=[StrOptions({"sinusoidal"}), None],
        doc="""{"sinusoidal"} or None
        What tells the steps apart: sines and cosines of their positions are added (Vaswani et
        al., 2017). With None, the order of the steps behind the stem counts for nothing.""",
    )
    pooling: str = parameter(
        default="mean",
        constraints=[StrOptions(set(SERIES_POOLINGS))],
        doc="""{"last", "mean", "max"}
        What the output is computed from: mean or maximum of all states, or the last one. The
        maximum finds patterns wherever they are.""",
    )
    n_layers: int = inherited(SeriesEstimator, "n_layers", default=2)
    activation: Any = inherited(SeriesEstimator, "activation", default="gelu")

    hidden_layer_sizes: int | Sequence[int] | None = hidden_layer_sizes()

    def _make_encoder(self, channels: int) -> AttentionEncoder:
        if self.hidden_size % self.n_heads or self.hidden_size % 2:
            raise ValueError(
                f"hidden_size={self.hidden_size} has to be even, and a multiple of "
                f"n_heads={self.n_heads}."
            )
        return AttentionEncoder(
            channels,
            self.hidden_size,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            activation=self.activation,
            dropout=dropout_rates(self, 1)[0],
            positional_encoding=self.positional_encoding,
        )


@declares_parameters
class AttentionClassifier(AttentionEstimator, NeuralClassifierBase):
    """Transformer encoder for the classification of series and of sequences of tokens.

    A convolutional stem, self-attention with the normalization before it, and the maximum over
    the steps. X holds series of one channel as rows of shape (n_samples, n_steps), series of
    several channels as an array of shape (n_samples, n_steps, n_channels), or series of different
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
    RecurrentClassifier : Recurrent layers in place of the transformer.
    AttentionRegressor : The same network for regression.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NeurIPS 2017, arXiv:1706.03762.
    .. [2] R. Xiong et al., "On layer normalization in the transformer architecture", ICML 2020,
       arXiv:2002.04745.

    Examples
    --------
    Which of two tokens came first?

    >>> import numpy as np
    >>> from sknn import AttentionClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = np.array([rng.permutation(6) for _ in range(300)])
    >>> y = X.argmin(1) < X.argmax(1)  # whether 0 is before 5
    >>> classifier = AttentionClassifier(
    ...     embedding_size=16, hidden_size=16, max_iter=30, random_state=0
    ... )
    >>> bool(classifier.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.9)
    True
    """

    pooling: str = inherited(AttentionEstimator, "pooling", default="max")


@declares_parameters
class AttentionRegressor(AttentionEstimator, NeuralRegressorBase):
    """Transformer encoder for values that belong to series or sequences of tokens.

    X is as for :class:`AttentionClassifier`. One or several targets.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    RecurrentRegressor : Recurrent layers in place of the transformer.
    AttentionClassifier : The same network for classification.

    Examples
    --------
    The mean of the steps that carry a mark:

    >>> import numpy as np
    >>> from sknn import AttentionRegressor
    >>> rng = np.random.default_rng(0)
    >>> value, mark = rng.normal(size=(400, 10)), rng.integers(0, 2, size=(400, 10))
    >>> y = (value * mark).mean(1)
    >>> X = np.stack([value, mark], axis=2)
    >>> regressor = AttentionRegressor(hidden_size=16, max_iter=40, random_state=0)
    >>> bool(regressor.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9)
    True
    """
