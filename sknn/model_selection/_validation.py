"""scikit-learn's functions for cross-validation, which fit networks in threads or stacks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import sklearn.model_selection as reference

from ._backend import stacked_fits
from ._docs import documented, with_memory_limit_appended

F = TypeVar("F", bound=Callable)


def with_memory_limit(function: F) -> F:
    """Give a function the signature of scikit-learn's, and `memory_limit`; document it."""
    original = inspect.signature(getattr(reference, function.__name__))
    function.__signature__ = with_memory_limit_appended(original)  # type: ignore[attr-defined]
    return documented(function)


@with_memory_limit
def cross_validate(
    *args: Any, memory_limit: int | str | None = None, **kwargs: Any
) -> dict[str, Any]:
    """Score an estimator on each fold, by one or several scorers.

    {reference}

    Parameters
    ----------
    {parameters}

    Returns
    -------
    scores : dict
        `test_score` (with several scorers `test_<name>`), `fit_time` and `score_time`, each an
        ndarray of shape (n_splits,); if asked for, `train_score`, `estimator` and `indices`.

    Raises
    ------
    ValueError
        If a parameter's value is not allowed, or all fits fail.

    See Also
    --------
    cross_val_score : The scores of one scorer.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import cross_validate
    >>> X, y = load_iris(return_X_y=True)
    >>> network = NeuralClassifier((20,), learning_rate_init=0.01, tol=0.01, random_state=0)
    >>> scores = cross_validate(network, X, y, scoring=["accuracy", "neg_log_loss"])
    >>> scores["test_accuracy"].mean() > 0.9
    np.True_
    """
    with stacked_fits(memory_limit):
        return reference.cross_validate(*args, **kwargs)


@with_memory_limit
def cross_val_score(*args: Any, memory_limit: int | str | None = None, **kwargs: Any) -> np.ndarray:
    """Score an estimator on each fold.

    {reference}

    Parameters
    ----------
    {parameters}

    Returns
    -------
    scores : ndarray of shape (n_splits,)
        The score on each fold.

    Raises
    ------
    ValueError
        If a parameter's value is not allowed, or all fits fail.

    See Also
    --------
    cross_validate : Several scorers, times and fitted estimators.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import cross_val_score
    >>> X, y = load_iris(return_X_y=True)
    >>> network = NeuralClassifier((20,), learning_rate_init=0.01, tol=0.01, random_state=0)
    >>> cross_val_score(network, X, y).mean() > 0.9
    np.True_
    """
    with stacked_fits(memory_limit):
        return reference.cross_val_score(*args, **kwargs)


@with_memory_limit
def cross_val_predict(*args: Any, memory_limit: int | str | None = None, **kwargs: Any) -> Any:
    """Predict each sample by the estimator that was fitted without its fold.

    {reference}

    Parameters
    ----------
    {parameters}

    Returns
    -------
    predictions : ndarray of shape (n_samples,) or (n_samples, n_classes), or list of ndarray
        What `method` returns, in the order of the samples.

    Raises
    ------
    ValueError
        If a parameter's value is not allowed, or the test folds are no partition.

    See Also
    --------
    cross_val_score : Scores instead of predictions.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import cross_val_predict
    >>> X, y = load_iris(return_X_y=True)
    >>> network = NeuralClassifier((20,), learning_rate_init=0.01, tol=0.01, random_state=0)
    >>> cross_val_predict(network, X, y, method="predict_proba").shape
    (150, 3)
    """
    with stacked_fits(memory_limit):
        return reference.cross_val_predict(*args, **kwargs)
