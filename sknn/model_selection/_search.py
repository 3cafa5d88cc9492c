"""scikit-learn's searches for parameters, which train their networks together."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.model_selection as reference
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.utils._param_validation import Interval

from sknn._documentation import LinksToDocumentation

from ._backend import stacked_fits
from ._docs import documented

MEMORY_LIMIT = {"memory_limit": [Interval(Integral, 1, None, closed="left"), str, None]}


class _StackedSearch(LinksToDocumentation):
    """What makes a search of scikit-learn's train networks together."""

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


@documented
class GridSearchCV(_StackedSearch, reference.GridSearchCV):
    """Try all combinations of parameter values by cross-validation.

    It is :class:`sklearn.model_selection.GridSearchCV`, which documents its parameters and
    attributes in full, but trains neural estimators many at a time.

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
    sklearn.model_selection.GridSearchCV : What this class stands in for.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **reference.GridSearchCV._parameter_constraints,
        **MEMORY_LIMIT,
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str | None = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        memory_limit: int | str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.memory_limit = memory_limit


@documented
class RandomizedSearchCV(_StackedSearch, reference.RandomizedSearchCV):
    """Try parameter values that are drawn at random by cross-validation.

    It is :class:`sklearn.model_selection.RandomizedSearchCV`, which documents its parameters and
    attributes in full, but trains neural estimators many at a time.

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
    sklearn.model_selection.RandomizedSearchCV : What this class stands in for.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **reference.RandomizedSearchCV._parameter_constraints,
        **MEMORY_LIMIT,
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str | None = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        memory_limit: int | str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.memory_limit = memory_limit


@documented
class HalvingGridSearchCV(_StackedSearch, reference.HalvingGridSearchCV):
    """Try all combinations of parameter values in rounds, each with fewer candidates.

    It is :class:`sklearn.model_selection.HalvingGridSearchCV`, which documents its parameters and
    attributes in full, but trains neural estimators many at a time. In scikit-learn it is still
    experimental.

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
    sklearn.model_selection.HalvingGridSearchCV : What this class stands in for.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **reference.HalvingGridSearchCV._parameter_constraints,
        **MEMORY_LIMIT,
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "exhaust",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        memory_limit: int | str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.memory_limit = memory_limit


@documented
class HalvingRandomSearchCV(_StackedSearch, reference.HalvingRandomSearchCV):
    """Try parameter values that are drawn at random in rounds, each with fewer candidates.

    It is :class:`sklearn.model_selection.HalvingRandomSearchCV`, which documents its parameters
    and attributes in full, but trains neural estimators many at a time. In scikit-learn it is
    still experimental.

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
    sklearn.model_selection.HalvingRandomSearchCV : What this class stands in for.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **reference.HalvingRandomSearchCV._parameter_constraints,
        **MEMORY_LIMIT,
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: int | str = "exhaust",
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "smallest",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        memory_limit: int | str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.memory_limit = memory_limit
