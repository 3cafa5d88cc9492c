"""Numbers as points on circles."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sknn._documentation import links_to_documentation
from sknn._drafts import draft_of
from sknn._validation import POSITIVE, POSITIVE_INTEGER

from ._base import NumberTransformer


@links_to_documentation
class PeriodicEncoder(NumberTransformer):
    r"""Encode each number by cosines and sines of random frequencies.

    A number x becomes :math:`\cos(2 \pi c_k x)` and :math:`\sin(2 \pi c_k x)` for several
    frequencies :math:`c_k` of its feature, which are drawn from a normal distribution of mean 0 and
    standard deviation `sigma`. Functions that change quickly with x are close to linear in these
    columns [1]_. In a network, frequencies are weights that are trained [1]_ [2]_; here they stay
    as they are drawn, as in random Fourier features.

    A missing number (NaN) becomes zeros, the center of the circles.

    Parameters
    ----------
    n_frequencies : int, default=16
        Number of frequencies of each feature.
    sigma : float, default=0.1
        Standard deviation of the frequencies, in periods per unit. Features should be scaled first,
        for instance by :class:`SmoothRobustScaler`. Large values make functions that change
        quickly easier, and overfitting too.
    random_state : int, RandomState instance or None, default=None
        Draws the frequencies. Pass an int for equal results in each call.

    Attributes
    ----------
    frequencies_ : ndarray of shape (n_features, n_frequencies)
        Periods per unit of each feature.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string column names.

    See Also
    --------
    PiecewiseLinearEncoder : Parts of bins.
    sklearn.kernel_approximation.RBFSampler : Cosines of random directions of all features.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
       deep learning", Advances in Neural Information Processing Systems 35, 2022
       (`arXiv:2203.05556 <https://arxiv.org/abs/2203.05556>`_).
    .. [2] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
       boosted trees on tabular data", Advances in Neural Information Processing Systems 37, 2024
       (`arXiv:2407.04491 <https://arxiv.org/abs/2407.04491>`_).

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.preprocessing import PeriodicEncoder
    >>> encoder = PeriodicEncoder(n_frequencies=1, random_state=0).fit([[0.0]])
    >>> encoder.frequencies_.round(3)
    array([[0.176]])
    >>> encoder.transform([[0.0], [1.0], [np.nan]]).round(3)
    array([[1.   , 0.   ],
           [0.446, 0.895],
           [0.   , 0.   ]])
    >>> encoder.get_feature_names_out(["age"])
    array(['age_cos0', 'age_sin0'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_frequencies": [POSITIVE_INTEGER],
        "sigma": [POSITIVE],
        "random_state": ["random_state"],
    }

    frequencies_: np.ndarray

    def __init__(
        self, n_frequencies: int = 16, *, sigma: float = 0.1, random_state: Any = None
    ) -> None:
        self.n_frequencies = n_frequencies
        self.sigma = sigma
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> PeriodicEncoder:
        """Draw the frequencies; of X only the number of features counts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, NaN where they are missing.
        y : None
            Ignored.

        Returns
        -------
        self : PeriodicEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If X holds infinity or is no table of numbers.
        """
        with draft_of(self) as draft:
            draft._check(X, reset=True)
            random_state = check_random_state(self.random_state)
            shape = (draft.n_features_in_, int(self.n_frequencies))
            draft.frequencies_ = random_state.normal(scale=self.sigma, size=shape)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Encode numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, NaN where they are missing.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_features * 2 * n_frequencies)
            The cosines of the first feature, its sines, and those of the next; float32 if X is
            float32, else float64.

        Raises
        ------
        ValueError
            If X holds infinity, or its columns are not those of `fit`.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        n_features, n_frequencies = self.frequencies_.shape
        encoded = np.empty((len(X), n_features, 2, n_frequencies), X.dtype)
        for j, frequencies in enumerate(self.frequencies_):
            periods = np.multiply.outer(X[:, j].astype(np.float64), frequencies)
            angles = 2 * np.pi * (periods - np.round(periods))  # whole turns change nothing
            encoded[:, j, 0] = np.cos(angles)
            encoded[:, j, 1] = np.sin(angles)
            encoded[np.isnan(X[:, j]), j] = 0
        return encoded.reshape(len(X), -1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features; those of `fit` if None, else "x0", "x1", ...

        Returns
        -------
        feature_names_out : ndarray of str objects
            "age_cos0", "age_cos1", ..., "age_sin0", ... of a feature "age".
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        numbers = range(self.frequencies_.shape[1])
        return np.array(
            [f"{name}_{kind}{k}" for name in names for kind in ("cos", "sin") for k in numbers],
            object,
        )
