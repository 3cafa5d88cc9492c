"""Labels and values for every step of a series."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_is_fitted

from sknn._hints import available_if, explains_calls
from sknn._parameters import declares_parameters
from sknn.data import Ragged
from sknn.estimators._base import TrainingData
from sknn.estimators._inputs import array_like
from sknn.estimators._tasks import NeuralClassifierBase, NeuralRegressorBase, _has_probabilities
from sknn.estimators._validation import require_y
from sknn.estimators.series._family import SeriesHead
from sknn.estimators.series._format import as_list_of_series, count_steps, repeat_for_steps
from sknn.estimators.series._recurrent import DirectedLayers
from sknn.estimators.targets._sequences import SequenceTargets, check_step_targets
from sknn.nn import Stem

# see `SequenceTargets`
if TYPE_CHECKING:
    _Estimator = SeriesHead
else:
    _Estimator = object


@explains_calls
class StepTask(SequenceTargets, _Estimator):
    """What changes where each step of a series has an answer: targets, stem, predictions.

    Stands before the task among a class's bases.
    """

    def _check_X_y(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        require_y(y, self)
        X = self._check_first_X(X) if reset else self._check_X(X)
        is_regressor = isinstance(self, NeuralRegressorBase)
        targets = check_step_targets(y, count_steps(X), numeric=is_regressor)
        if reset:
            self._answer_shape: tuple[int, ...] = targets.values.shape[1:]  # of one step
        return X, targets

    def _step_weights(self, data: TrainingData) -> np.ndarray | None:
        return data.sample_weight

    # -------------------------------------------------------------------------------- network

    def _pooling(self) -> None:
        return None

    def _make_output_layer(self, data: TrainingData) -> Any:
        return super()._make_output_layer(data._replace(targets=data.targets.values))

    def _automatic_strides(self, X: Any, n_convolutions: int) -> list[int]:
        return [1] * n_convolutions

    def _make_stem(self, X: Any) -> Stem:
        stem = super()._make_stem(X)
        if any(stride != 1 for stride in stem.stride):
            raise ValueError(
                f"stride={self.stride!r} leaves fewer steps than the series have, but every step "
                'needs an answer; use "auto" or 1.'
            )
        return stem

    # ------------------------------------------------------------------------------- predict

    def _by_series(self, X: Any, method: Callable[[Any], np.ndarray]) -> np.ndarray:
        """Call a method that returns one answer after the other, and part them by series."""
        answers = method(X)
        series = as_list_of_series(X)
        if series is None:
            n_series = len(X)
            return answers.reshape(n_series, len(answers) // n_series, *answers.shape[1:])
        lengths = np.array([len(each) for each in series])
        if (lengths == lengths[0]).all() and not isinstance(X, np.ndarray | Ragged):
            return answers.reshape(len(lengths), lengths[0], *answers.shape[1:])
        return Ragged(answers, lengths).to_objects()

    def _predict_steps(self, X: Any) -> np.ndarray:
        """Return the answers of all steps, one series after the other."""
        answers = super().predict(X)
        return answers.reshape(len(answers), *self._answer_shape)

    def predict(self, X: Any) -> np.ndarray:
        """Predict a label or value for each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_steps[, n_outputs]), or object array of arrays
            An object array, of an array of shape (n_steps_i[, n_outputs]) for each series, where
            lengths differ or X is one itself.
        """
        return self._by_series(X, self._predict_steps)

    def _flat(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Return true and predicted answers of all steps, and their weights."""
        check_is_fitted(self)
        series = self._check_given_X(X)
        numeric = isinstance(self, NeuralRegressorBase)
        true = check_step_targets(array_like(y, "y"), count_steps(series), numeric=numeric)
        weights = self._check_weights("sample_weight", sample_weight, series)
        if weights is not None:
            weights = repeat_for_steps(series, weights)
        return true.values, self._predict_steps(X), weights


@declares_parameters
class StepClassifier(StepTask, DirectedLayers, SeriesHead, NeuralClassifierBase):
    """Recurrent network that gives every step of a series a label.

    Tags of words, phases of a movement, states of a machine: many to many of equal length. X is
    as for :class:`sknn.RecurrentClassifier`; y is an array of shape (n_samples, n_steps), or a
    list (or one-dimensional object array) of arrays of shape (n_steps_i,). Predictions are an
    array of shape (n_samples, n_steps), or where lengths differ an object array of arrays.
    `sample_weight` has a weight for each series, which all of its steps get. The stem does not
    stride: `stride` is "auto" or 1. A `module` of the user's returns outputs of shape (sum of
    the lengths, n_outputs), one series after the other; it is called with a batch of series,
    and with their lengths as a second argument where these differ.

    scikit-learn's scorers by name (``scoring="accuracy"``) pair a row with one target and do not
    apply; :meth:`score` is the share of all steps that are right.

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
    StepRegressor : A value for every step.
    sknn.RecurrentClassifier : One label for each series.

    References
    ----------
    .. [1] A. Graves and J. Schmidhuber, "Framewise phoneme classification with bidirectional
       LSTM and other neural network architectures", Neural Networks 18, 2005.

    Examples
    --------
    Where has the sum so far been positive?

    >>> import numpy as np
    >>> from sknn.sequences import StepClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=rng.integers(5, 20)) for _ in range(200)]
    >>> y = [np.where(series.cumsum() > 0, "above", "below") for series in X]
    >>> classifier = StepClassifier(hidden_size=16, max_iter=30, random_state=0)
    >>> bool(classifier.fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.9)
    True
    >>> classifier.predict([[1.0, -3.0, 0.5]])
    array([['above', 'below', 'below']], dtype='<U5')
    """

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's outputs (logits) for each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_steps[, n_classes]), or object array of arrays
            For two classes, positive for ``classes_[1]``.
        """
        return self._by_series(X, super().decision_function)

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the labels of each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_steps, n_classes), or object array of arrays
            In the order of ``classes_``.
        """
        return self._by_series(X, super().predict_proba)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithms of the probabilities of the labels of each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_steps, n_classes), or object array of arrays
            As `predict_proba`.
        """
        return self._by_series(X, super().predict_log_proba)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of all steps whose label is right.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series.
        y : array-like of shape (n_samples, n_steps) or list of arrays
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the series.

        Returns
        -------
        float
        """
        true, predicted, weights = self._flat(X, y, sample_weight)
        return float(accuracy_score(true, predicted, sample_weight=weights))


@declares_parameters
class StepRegressor(StepTask, DirectedLayers, SeriesHead, NeuralRegressorBase):
    """Recurrent network that gives every step of a series a value, or several.

    X is as for :class:`sknn.RecurrentRegressor`; y is an array of shape (n_samples, n_steps) or
    (n_samples, n_steps, n_outputs), or a list (or one-dimensional object array) of arrays of
    shape (n_steps_i,) or (n_steps_i, n_outputs). Predictions are an array of the shape of y, or
    where lengths differ an object array of arrays. `sample_weight` has a weight for each series,
    which all of its steps get. `stride` and `module` are as for :class:`StepClassifier`.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    StepClassifier : A label for every step.
    sknn.RecurrentRegressor : One value for each series.

    Examples
    --------
    The sum so far:

    >>> import numpy as np
    >>> from sknn.sequences import StepRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 15))
    >>> y = X.cumsum(1)
    >>> regressor = StepRegressor(hidden_size=16, max_iter=30, random_state=0)
    >>> bool(regressor.fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.9)
    True
    """

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2 over all steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series.
        y : array-like of shape (n_samples, n_steps[, n_outputs]) or list of arrays
            True values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the series.

        Returns
        -------
        float
        """
        true, predicted, weights = self._flat(X, y, sample_weight)
        return float(r2_score(true, predicted, sample_weight=weights))
