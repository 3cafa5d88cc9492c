"""Numbers as parts of bins."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sknn._documentation import links_to_documentation
from sknn._drafts import draft_of
from sknn._validation import POSITIVE_INTEGER

from ._base import NumberTransformer, check_weights
from ._quantiles import bin_edges, robust_scale


@links_to_documentation
class PiecewiseLinearEncoder(NumberTransformer):
    r"""Encode each number by how far it has come through each of several bins.

    A feature with the edges :math:`b_0 < \dots < b_T` becomes T columns. Column t is 0 for numbers
    below its bin, 1 for those above, and :math:`(x - b_{t-1}) / (b_t - b_{t-1})` within it. A
    linear function of these columns is a piecewise linear function of the feature, with a slope of
    its own in each bin, so that a network's first layer need not learn where the function bends
    [1]_.

    Where a feature has few distinct values, these are the edges. Else a value that is heavier than
    an average bin, such as the 0 of amounts that are mostly 0, is an edge together with its two
    neighbours, so that its rows are told apart from theirs. The other edges are quantiles of what
    remains, of the mean of two distributions: of its rows, and of its distinct values, so that
    long tails get bins, too.

    A missing number (NaN) is encoded as the median, and told apart by an indicator.

    Parameters
    ----------
    n_bins : int, default=32
        Largest number of bins of a feature.
    clip : bool, default=True
        Whether numbers outside the edges are encoded as the edge is. If False, the first and the
        last column go on linearly, below 0 and above 1, as in [1]_.
    add_indicator : bool, default=True
        Whether features that have missing values in `fit` get a column more, behind those of all
        features, that is 1 where the number is missing, and else 0.

    Attributes
    ----------
    edges_ : list of ndarray of shape (n_bins_[i] + 1,)
        The edges of each feature. A feature that is constant, or missing throughout, has no bin.
    n_bins_ : ndarray of shape (n_features,)
        Number of bins of each feature.
    medians_ : ndarray of shape (n_features,)
        What a missing number is encoded as; 0 where all are missing.
    indicated_ : ndarray of shape (n_indicators,)
        Numbers of the features that have an indicator.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string column names.

    See Also
    --------
    PeriodicEncoder : Sines and cosines of numbers.
    sklearn.preprocessing.KBinsDiscretizer : Which bin a number is in.
    sklearn.preprocessing.SplineTransformer : Smooth functions of bins.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
       deep learning", Advances in Neural Information Processing Systems 35, 2022
       (`arXiv:2203.05556 <https://arxiv.org/abs/2203.05556>`_).

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.preprocessing import PiecewiseLinearEncoder
    >>> X = np.array([[0.0], [1.0], [2.0], [4.0], [np.nan]])
    >>> encoder = PiecewiseLinearEncoder().fit(X)
    >>> encoder.edges_
    [array([0., 1., 2., 4.])]
    >>> encoder.transform([[1.5], [3.0], [np.nan]])
    array([[1. , 0.5, 0. , 0. ],
           [1. , 1. , 0.5, 0. ],
           [1. , 0. , 0. , 1. ]])
    >>> encoder.get_feature_names_out(["age"])
    array(['age_bin0', 'age_bin1', 'age_bin2', 'missingindicator_age'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_bins": [POSITIVE_INTEGER],
        "clip": ["boolean"],
        "add_indicator": ["boolean"],
    }

    edges_: list[np.ndarray]
    n_bins_: np.ndarray
    medians_: np.ndarray
    indicated_: np.ndarray

    def __init__(self, n_bins: int = 32, *, clip: bool = True, add_indicator: bool = True) -> None:
        self.n_bins = n_bins
        self.clip = clip
        self.add_indicator = add_indicator

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> PiecewiseLinearEncoder:
        """Find the edges of the bins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, NaN where they are missing.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples. A weight of 2 is the same as the sample twice, a sample of
            weight 0 has no influence.

        Returns
        -------
        self : PiecewiseLinearEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If X holds infinity or is no table of numbers, or weights are negative or all zero.
        """
        with draft_of(self) as draft:
            draft._learn(X, sample_weight)
        return self

    def _learn(self, X: Any, sample_weight: Any) -> None:
        X = self._check(X, reset=True)
        weights = check_weights(sample_weight, X)
        self.edges_ = [bin_edges(values, int(self.n_bins), weights) for values in X.T]
        self.n_bins_ = np.array([max(len(each) - 1, 0) for each in self.edges_])
        self.medians_ = np.array([robust_scale(values, weights)[0] for values in X.T], X.dtype)
        is_missing = np.isnan(X if weights is None else X[weights > 0]).any(axis=0)
        self.indicated_ = np.flatnonzero(is_missing & self.add_indicator)

    def transform(self, X: Any) -> np.ndarray:
        """Encode numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, NaN where they are missing.

        Returns
        -------
        encoded : ndarray of shape (n_samples, sum of `n_bins_` + number of indicators)
            The columns of the first feature, then those of the next, and the indicators; float32
            if X is float32, else float64.

        Raises
        ------
        ValueError
            If X holds infinity, or its columns are not those of `fit`.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        encoded = np.empty((len(X), self.n_bins_.sum() + len(self.indicated_)), X.dtype)
        stop = 0
        for values, edges, median, n_bins in zip(
            X.T, self.edges_, self.medians_, self.n_bins_, strict=True
        ):
            if not n_bins:
                continue
            start, stop = stop, stop + n_bins
            part = encoded[:, start:stop]
            values = np.where(np.isnan(values), median, values)
            np.subtract(values[:, None], edges[:-1], out=part)
            part /= np.diff(edges)
            lowest, highest = np.zeros(n_bins), np.ones(n_bins)
            if not self.clip:
                lowest[0], highest[-1] = -np.inf, np.inf
            np.clip(part, lowest, highest, out=part)
        encoded[:, stop:] = np.isnan(X[:, self.indicated_])
        return encoded

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features; those of `fit` if None, else "x0", "x1", ...

        Returns
        -------
        feature_names_out : ndarray of str objects
            "age_bin0", "age_bin1", ... of a feature "age", "missingindicator_age" its indicator.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        bins = [
            f"{name}_bin{t}" for name, n in zip(names, self.n_bins_, strict=True) for t in range(n)
        ]
        return np.array([*bins, *(f"missingindicator_{names[i]}" for i in self.indicated_)], object)
