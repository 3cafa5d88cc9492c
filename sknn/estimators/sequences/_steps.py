"""Labels and values for every step of a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_is_fitted

from sknn._hints import available_if
from sknn._parameters import declares_parameters
from sknn.data import in_float_type, repeat_for_steps
from sknn.estimators._checks import CheckedData, check_weights
from sknn.estimators._classifier import NeuralClassifierBase, has_probabilities
from sknn.estimators._inputs import array_like
from sknn.estimators._regressor import NeuralRegressorBase
from sknn.estimators.series._family import hidden_layer_sizes
from sknn.estimators.series._recurrent import RecurrentLayers, bidirectional
from sknn.estimators.targets import StepLabels, StepValues
from sknn.nn import Stem


@declares_parameters
class StepEstimator(RecurrentLayers):
    """Recurrent layers whose states each have an answer.

    Parameters
    ----------
    {parameters}
    """

    _takes_empty = False  # a text without tokens has no answers

    bidirectional: bool = bidirectional()
    hidden_layer_sizes: int | Sequence[int] | None = hidden_layer_sizes()

    def _step_weights(self, data: CheckedData) -> np.ndarray | None:
        return data.sample_weight

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

    def _steps_to_score(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return true and predicted answers of all steps, and their weights."""
        check_is_fitted(self)
        series = self._format.check(array_like(X, "X"), self)
        true = self._targets_kind.check(array_like(y, "y"), series, type(self).__name__)
        weights = check_weights("sample_weight", sample_weight, series)
        if weights is not None:
            weights = repeat_for_steps(series, weights)
        fitted, outputs, dtype = self._predict_outputs(X)
        decisions = fitted._targets.decide(outputs, fitted._loss).cpu().numpy()
        answers = fitted._targets.decode(decisions)
        if isinstance(fitted._targets, StepValues):
            answers = in_float_type(answers, dtype)
        return true.values, answers, weights


@declares_parameters
class StepClassifier(StepEstimator, NeuralClassifierBase):
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

    _targets_kind = StepLabels

    def predict(self, X: Any) -> np.ndarray:
        """Predict a label for each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.

        Returns
        -------
        ndarray of shape (n_samples, n_steps), or object array of arrays
            An object array, of an array of shape (n_steps_i) for each series, where
            lengths differ or X is one itself.
        """
        return super().predict(X)

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
        return super().decision_function(X)

    @available_if(has_probabilities)
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
        return super().predict_proba(X)

    @available_if(has_probabilities)
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
        return super().predict_log_proba(X)

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
        true, predicted, weights = self._steps_to_score(X, y, sample_weight)
        return float(accuracy_score(true, predicted, sample_weight=weights))


@declares_parameters
class StepRegressor(StepEstimator, NeuralRegressorBase):
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

    _targets_kind = StepValues

    def predict(
        self, X: Any, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict a value, or several, for each step, and how far off they may be.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of arrays
            Series, in a form that the class takes.
        return_std : bool, default=False
            Whether to return the standard deviations of ``loss="gaussian"`` too.

        Returns
        -------
        y_mean : ndarray of shape (n_samples, n_steps[, n_outputs]), or object array of arrays
            An object array, of an array of shape (n_steps_i[, n_outputs]) for each series, where
            lengths differ or X is one itself. With `quantiles` each has one more dimension.
        y_std : ndarray or object array of arrays
            The standard deviations, if `return_std`.
        """
        return super().predict(X, return_std)

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
        true, predicted, weights = self._steps_to_score(X, y, sample_weight)
        return float(r2_score(true, predicted, sample_weight=weights))
