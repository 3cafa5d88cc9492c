"""scikit-learn's searches for parameters, which train their networks together."""

from __future__ import annotations

import functools
import inspect
from typing import Any, TypeVar

import sklearn.model_selection as reference
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

from sknn._documentation import links_to_documentation
from sknn._validation import POSITIVE_INTEGER

from ._backend import stacked_fits
from ._docs import documented, with_memory_limit_appended

C = TypeVar("C", bound=type)

MEMORY_LIMIT = [POSITIVE_INTEGER, str, None]


def with_memory_limit(cls: C) -> C:
    """Append the parameter `memory_limit` to a search of scikit-learn's, and document it."""
    search: Any = cls
    scikit_learns = search.__init__

    @functools.wraps(scikit_learns)
    def init(self: Any, *args: Any, memory_limit: Any = None, **kwargs: Any) -> None:
        scikit_learns(self, *args, **kwargs)
        self.memory_limit = memory_limit

    search.__init__ = init
    # what get_params, clone and help go by
    signature = with_memory_limit_appended(inspect.signature(scikit_learns))
    init.__signature__ = signature  # type: ignore[attr-defined]
    search._parameter_constraints = search._parameter_constraints | {"memory_limit": MEMORY_LIMIT}
    return documented(cls)


@links_to_documentation
class _StackedSearch:
    """Makes a search of scikit-learn's fit networks in its own way."""

    memory_limit: int | str | None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Try all candidates, and fit the best one to all samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Labels or values.
        **params : dict
            What the estimator's `fit`, the scorer and the splitter get besides, such as
            `sample_weight` and `groups`. What has one value a sample is split with them.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter's value is not allowed, or all fits fail.
        """
        with stacked_fits(self.memory_limit):
            return super().fit(X, y, **params)  # type: ignore[misc]


@with_memory_limit
class GridSearchCV(_StackedSearch, reference.GridSearchCV):
    """Try all combinations of parameter values by cross-validation.

    {reference}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    RandomizedSearchCV : Tries candidates that are drawn at random.
    HalvingGridSearchCV : Gives up poor candidates early.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import GridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = NeuralClassifier((20,), learning_rate_init=0.01, tol=0.01, random_state=0)
    >>> search = GridSearchCV(
    ...     make_pipeline(StandardScaler(), network),
    ...     {"neuralclassifier__alpha": [1e-4, 1e-2, 10.0]},
    ... ).fit(X, y)
    >>> search.best_params_["neuralclassifier__alpha"] < 10
    True
    >>> search.predict(X[:2])
    array([0, 0])
    """


@with_memory_limit
class RandomizedSearchCV(_StackedSearch, reference.RandomizedSearchCV):
    """Try parameter values that are drawn at random by cross-validation.

    {reference}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    GridSearchCV : Tries all combinations.
    HalvingRandomSearchCV : Gives up poor candidates early.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import RandomizedSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = RandomizedSearchCV(
    ...     NeuralClassifier((20,), tol=0.01, random_state=0),
    ...     {"learning_rate_init": loguniform(1e-2, 1e-1)},
    ...     n_iter=4,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> len(search.cv_results_["params"])
    4
    """


@with_memory_limit
class HalvingGridSearchCV(_StackedSearch, reference.HalvingGridSearchCV):
    """Try all combinations of parameter values in rounds, each with fewer candidates.

    {reference}
    In scikit-learn it is still experimental.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    {halving_attributes}

    See Also
    --------
    GridSearchCV : Gives each candidate all samples.
    HalvingRandomSearchCV : Draws its candidates at random.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import HalvingGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = HalvingGridSearchCV(
    ...     NeuralClassifier((20,), tol=0.01, random_state=0),
    ...     {"learning_rate_init": [0.01, 0.02, 0.03, 0.05]},
    ...     factor=2,
    ...     cv=3,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.n_candidates_
    [4, 2, 1]
    """


@with_memory_limit
class HalvingRandomSearchCV(_StackedSearch, reference.HalvingRandomSearchCV):
    """Try parameter values that are drawn at random in rounds, each with fewer candidates.

    It is :class:`sklearn.model_selection.HalvingRandomSearchCV`, which documents its parameters
    and attributes in full, but fits neural estimators in threads, or many at a time on a GPU. In
    scikit-learn it is still experimental.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    {halving_attributes}

    See Also
    --------
    RandomizedSearchCV : Gives each candidate all samples.
    HalvingGridSearchCV : Tries all combinations.
    {stands_in_for}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn.model_selection import HalvingRandomSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = HalvingRandomSearchCV(
    ...     NeuralClassifier((20,), tol=0.01, random_state=0),
    ...     {"learning_rate_init": loguniform(1e-2, 1e-1)},
    ...     min_resources=50,
    ...     n_candidates=3,
    ...     cv=3,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.n_resources_
    [50, 150]
    """
