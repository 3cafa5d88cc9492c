"""Encoders and decoders: from a series to a sequence of labels or values of another length."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.data import Ragged, repeat_for_steps
from sknn.estimators._checks import CheckedData, check_weights
from sknn.estimators._classifier import NeuralClassifierBase
from sknn.estimators._inputs import array_like
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.estimators.series._recurrent import RecurrentLayers
from sknn.estimators.targets import CurveTargets, WrittenLabels
from sknn.nn import LabelDecoder, ValueDecoder
from sknn.training import rows_at_once, write_labels


@declares_parameters
class EncoderDecoderLayers(RecurrentLayers):
    """Parameters of encoders and decoders.

    Parameters
    ----------
    {parameters}
    """

    n_heads: int = parameter(
        default=2,
        constraints=[POSITIVE_INTEGER],
        doc="""int
        Heads of the decoder's attention, of which `hidden_size` is a multiple.""",
    )

    def _network_options(self, data: CheckedData) -> dict[str, Any]:
        if self.hidden_size % self.n_heads:
            raise ValueError(
                f"hidden_size={self.hidden_size} has to be a multiple of n_heads={self.n_heads}."
            )
        options = {"width": self.hidden_size, "cell": self.cell, "n_heads": self.n_heads}
        return super()._network_options(data) | options


@declares_parameters
class EncoderDecoderClassifier(EncoderDecoderLayers):
    """Recurrent encoder and decoder that turn a sequence into a sequence of labels.

    Spelling into sounds, words into words of another language, a sequence into its reverse: many
    to many of different lengths. The encoder, of `n_layers` layers, reads the series in both
    directions; the decoder, of one layer, writes one label after the other, and attends to the
    encoder's states by their contents and by their distances from both ends. X is as for
    :class:`sknn.RecurrentClassifier` (`embedding_size` says that it holds tokens); y is a list
    (or one-dimensional object array) of arrays of labels, which may be empty, or an array of
    shape (n_samples, n_labels).

    Training shows the decoder the true labels so far (teacher forcing), and losses and scores in
    `history_`, those of validation data included, are of single labels after true ones, the end
    of each sequence counted as a label. :meth:`predict` writes the likeliest label at each step,
    and :meth:`score` is the share of sequences that are right as a whole. Labels are integers or
    strings. A `module` of the user's has the methods `forward` and `write` of
    ``sknn.nn.LabelDecoder``, with ``n_classes + 1`` outputs.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The labels.

    See Also
    --------
    EncoderDecoderRegressor : A sequence of values.
    StepClassifier : A label for each step of the series.
    sknn.text.Tokenizer : From texts to tokens.

    References
    ----------
    .. [1] I. Sutskever, O. Vinyals and Q. Le, "Sequence to sequence learning with neural
       networks", NIPS 2014, arXiv:1409.3215.
    .. [2] D. Bahdanau, K. Cho and Y. Bengio, "Neural machine translation by jointly learning to
       align and translate", ICLR 2015, arXiv:1409.0473.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.sequences import EncoderDecoderClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.integers(0, 5, size=rng.integers(1, 7)) for _ in range(600)]
    >>> y = [tokens[::-1] for tokens in X]
    >>> reverser = EncoderDecoderClassifier(
    ...     embedding_size=16, hidden_size=32, max_iter=30, random_state=0
    ... )
    >>> reverser.fit(X, y).predict([[0, 1, 2, 3]])
    array([array([3, 2, 1, 0])], dtype=object)
    """

    label_smoothing: float = inherited(NeuralClassifierBase, "label_smoothing", default=0.0)
    max_length: int | None = parameter(
        default=None,
        constraints=[POSITIVE_INTEGER, None],
        doc="""int or None
        Labels that `predict` writes at most for a series; None is 10 more than twice as many as
        the longest training target has.""",
    )

    # the loss compares probabilities of labels, always
    loss: ClassVar[str] = "log_loss"

    _targets_kind = WrittenLabels
    _targets: ClassVar[WrittenLabels]

    def _step_weights(self, data: CheckedData) -> np.ndarray | None:
        if data.sample_weight is None:
            return None
        # the weights of a target's labels are all that of the series
        return repeat_for_steps(data.X, data.sample_weight[data.targets.starts])

    def _make_network(self, data: CheckedData) -> LabelDecoder:
        return LabelDecoder(
            *self._make_input_layer(data),
            self._make_encoder,
            self.n_outputs_,
            **self._network_options(data),
        )

    # ------------------------------------------------------------------------------- predict

    def predict(self, X: Any) -> np.ndarray:
        """Write a sequence of labels for each series.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        object ndarray of shape (n_samples,)
            An array of labels for each series, of the type of `classes_`.
        """
        fitted = self._as_it_is()
        check_is_fitted(fitted)
        with self._own_defaults():
            X = fitted._format.check(array_like(X, "X"), fitted)
            parameter = next(fitted.module_.parameters())
            rows = fitted._format.rows(X, parameter.device, parameter.dtype, fitted.module_)
            n_steps = self.max_length or 2 * fitted._targets.longest + 10
            chunk_rows = rows_at_once(fitted._layer_size(X), parameter.device)
            if not hasattr(fitted.module_, "write"):
                raise TypeError("module has no method `write`, which predictions need.")
            with fitted._prediction_threads(len(rows), rows.device):
                codes = write_labels(
                    cast(LabelDecoder, fitted.module_),
                    rows,
                    fitted._compute_dtype,
                    n_steps,
                    chunk_rows,
                )
        return Ragged(fitted.classes_[codes.values], codes.lengths).to_objects()

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of series whose predicted sequence is exactly right.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series.
        y : list of array-like of shape (n_labels_i,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the series.

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        true = self._targets_kind.check(y, predicted, type(self).__name__)
        right = [np.array_equal(a, b) for a, b in zip(true, predicted, strict=True)]
        weights = check_weights("sample_weight", sample_weight, predicted)
        return float(np.average(right, weights=weights))


@declares_parameters
class EncoderDecoderRegressor(EncoderDecoderLayers, NeuralRegressorBase):
    """Recurrent encoder and decoder that turn a series into a sequence of values.

    One to many, and many to many of different lengths: a horizon to forecast, a curve from its
    description. X is as for :class:`sknn.RecurrentRegressor`; y has shape (n_samples, horizon)
    or (n_samples, horizon, n_values). Unlike the last dense layer of
    :class:`sknn.RecurrentRegressor`, the decoder has the same weights for each step of the
    horizon, and attends to the encoder's states. It has one layer; `n_layers` are the encoder's,
    which reads in both directions. A `module` of the user's returns outputs of shape (batch,
    horizon * n_values).

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    EncoderDecoderClassifier : A sequence of labels.
    StepRegressor : A value for each step of the series.
    sknn.forecasting.DirectForecaster : Forecasts of one long series.

    References
    ----------
    .. [1] K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", EMNLP 2014, arXiv:1406.1078.

    Examples
    --------
    From three numbers to a curve of twenty points:

    >>> import numpy as np
    >>> from sknn.sequences import EncoderDecoderRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(300, 1, 3))  # one step of three channels
    >>> t = np.linspace(-1, 1, 20)
    >>> y = X[:, 0, :1] + X[:, 0, 1:2] * t + X[:, 0, 2:] * t**2
    >>> regressor = EncoderDecoderRegressor(hidden_size=32, max_iter=30, random_state=0)
    >>> bool(regressor.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.9)
    True
    """

    _targets_kind = CurveTargets
    _targets: ClassVar[CurveTargets]

    def _make_network(self, data: CheckedData) -> ValueDecoder:
        n_values = self._targets.n_values
        return ValueDecoder(
            *self._make_input_layer(data),
            self._make_encoder,
            n_values,
            n_steps=self.n_outputs_ // n_values,
            **self._network_options(data),
        )

    def predict(self, X: Any) -> np.ndarray:  # type: ignore[override]
        """Predict a sequence of values for each series.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, horizon) or (n_samples, horizon, n_values)
            As the targets of `fit`, in the float type of X.
        """
        return super().predict(X)  # type: ignore[return-value]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2, averaged over the horizon and the values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series.
        y : array-like of shape (n_samples, horizon) or (n_samples, horizon, n_values)
            True values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the series.

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        true = np.asarray(y)
        if true.ndim == 3:
            true, predicted = (each.reshape(len(each), -1) for each in (true, predicted))
        return float(r2_score(true, predicted, sample_weight=sample_weight))
