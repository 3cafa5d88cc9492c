"""Encoders and decoders: from a series to a sequence of labels or values of another length."""

from __future__ import annotations

from numbers import Integral
from typing import Any, cast

import numpy as np
import torch
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sknn._parameters import declares_parameters, inherited, parameter
from sknn.data import PairedRows, Ragged
from sknn.estimators._base import TrainingData
from sknn.estimators._tasks import NeuralClassifierBase, NeuralRegressorBase
from sknn.estimators.series._format import as_list_of_series, join_series
from sknn.estimators.series._recurrent import RecurrentLayers
from sknn.estimators.targets._labels import ClassTargets
from sknn.estimators.targets._sequences import LabelSequences, join_targets
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
        constraints=[Interval(Integral, 1, None, closed="left")],
        doc="""int
        Heads of the decoder's attention, of which `hidden_size` is a multiple.""",
    )

    def _decoder_options(self, data: TrainingData) -> dict[str, Any]:
        if self.hidden_size % self.n_heads:
            raise ValueError(
                f"hidden_size={self.hidden_size} has to be a multiple of n_heads={self.n_heads}."
            )
        return {
            **self._network_options(data),
            "width": self.hidden_size,
            "cell": self.cell,
            "n_heads": self.n_heads,
        }


@declares_parameters
class EncoderDecoderClassifier(LabelSequences, EncoderDecoderLayers):
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
        constraints=[Interval(Integral, 1, None, closed="left"), None],
        doc="""int or None
        Labels that `predict` writes at most for a series; None is 10 more than twice as many as
        the longest training target has.""",
    )

    # ------------------------------------------------------------------------------- targets

    def _check_X_y(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X = self._check_first_X(X) if reset else self._check_X(X)
        return X, join_targets(y, len(X), numeric=False)

    def _encode_targets(self, y: Ragged, *, continued: bool) -> Ragged:
        """Return class indices, and behind each sequence the one that ends it."""
        if not continued:
            self.classes_ = self._find_classes(y.values)
            self._longest_target = int(y.lengths.max())
        codes = ClassTargets(self.classes_, "multiclass").encode(y.values)
        ends = np.cumsum(y.lengths)
        return Ragged(np.insert(codes, ends, len(self.classes_)), y.lengths + 1)

    def _find_classes(self, labels: np.ndarray) -> np.ndarray:
        if not len(labels):
            raise ValueError("y has no labels: all of its sequences are empty.")
        if labels.dtype.kind == "f":
            check_classification_targets(labels)
        try:
            return np.unique(labels)
        except TypeError as error:
            raise ValueError(f"y has labels that cannot be sorted: {error}") from error

    def _count_outputs(self, targets: Ragged) -> int:
        return len(self.classes_) + 1

    def _check_warm_start(self, y: Ragged) -> None:
        """Leave labels to :meth:`_encode_targets`, which refuses new ones."""
        self._longest_target = max(self._longest_target, int(y.lengths.max()))

    def _class_weighted(self, sample_weight: np.ndarray | None, y: Ragged) -> np.ndarray | None:
        return None if sample_weight is None else np.repeat(sample_weight, y.lengths + 1)

    def _step_weights(self, data: TrainingData) -> np.ndarray | None:
        if data.sample_weight is None:
            return None
        weights = data.sample_weight[data.targets.starts]  # the same for all steps of a target
        return super()._step_weights(data._replace(sample_weight=weights))

    # -------------------------------------------------------------------------------- network

    def _make_training_rows(
        self, X: Any, targets: Ragged, device: torch.device, dtype: torch.dtype
    ) -> PairedRows:
        written = np.roll(targets.values, 1)
        written[targets.starts] = len(self.classes_) + 1  # nothing yet
        return PairedRows(self._make_rows(X, device, dtype), Ragged(written, targets.lengths))

    def _build_network(
        self,
        data: TrainingData,
        n_outputs: int,
        random_state: np.random.RandomState,
        dtype: torch.dtype,
    ) -> LabelDecoder:
        network = LabelDecoder(
            *self._make_input_layer(data),
            self._make_encoder,
            n_outputs,
            **self._decoder_options(data),
        )
        network.initialize(random_state)
        return network

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
        check_is_fitted(self)
        with self._own_defaults():
            X = self._check_given_X(X)
            parameter = next(self.module_.parameters())
            rows = self._make_rows(X, parameter.device, parameter.dtype)
            n_steps = self.max_length
            if n_steps is None:
                n_steps = 2 * self._longest_target + 10
            chunk_rows = rows_at_once(self._work.layer_size, parameter.device)
            if not hasattr(self.module_, "write"):
                raise TypeError("module has no method `write`, which predictions need.")
            with self._prediction_threads(len(rows), rows.device):
                codes = write_labels(
                    cast(LabelDecoder, self.module_), rows, self._compute_dtype, n_steps, chunk_rows
                )
        return Ragged(self.classes_[codes.values], codes.lengths).to_objects()

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
        true = join_targets(y, len(predicted), numeric=False)
        right = [np.array_equal(a, b) for a, b in zip(true, predicted, strict=True)]
        weights = self._check_weights("sample_weight", sample_weight, predicted)
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

    def _check_X_y(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        y, shape = _flat_targets(y)
        X, y = super()._check_X_y(X, y, reset=reset)
        shape = y.shape if shape is None else shape
        if reset:
            self._target_shape: tuple[int, ...] = shape[1:]
        elif shape[1:] != self._target_shape:
            fitted = ", ".join(map(str, ("n_samples", *self._target_shape)))
            raise ValueError(
                f"y has shape {shape}, but the estimator was fitted with targets of shape "
                f"({fitted})."
            )
        return X, y

    def _build_network(
        self,
        data: TrainingData,
        n_outputs: int,
        random_state: np.random.RandomState,
        dtype: torch.dtype,
    ) -> ValueDecoder:
        n_values = self._target_shape[1] if len(self._target_shape) > 1 else 1
        network = ValueDecoder(
            *self._make_input_layer(data),
            self._make_encoder,
            n_values,
            n_steps=n_outputs // n_values,
            output_layer=self._make_output_layer(data),
            **self._decoder_options(data),
        )
        network.initialize(random_state)
        return network

    def predict(self, X: Any) -> np.ndarray:
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
        values = super().predict(X)
        return values.reshape(len(values), *self._target_shape)

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


def _flat_targets(y: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return targets of three dimensions as rows, and their shape; others as they are, and None."""
    sequences = as_list_of_series(y)
    if sequences is not None:
        y = join_series(sequences, "y")
    if isinstance(y, Ragged):
        raise ValueError(
            "y has sequences of different lengths, but the decoder writes as many steps for each "
            "series; sknn.sequences.StepRegressor has a value for each step of X."
        )
    array = np.asarray(y)
    if array.ndim != 3:
        return y, None
    flat = array.reshape(len(array), -1)
    return flat[:, 0] if flat.shape[1] == 1 else flat, array.shape
