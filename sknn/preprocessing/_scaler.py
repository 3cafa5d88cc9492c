"""Numbers on one scale, with no outliers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from sknn._documentation import links_to_documentation
from sknn._drafts import draft_of
from sknn._validation import POSITIVE
from sknn.data import check_numbers

from ._base import FLOATS, NumberTransformer, check_weights
from ._quantiles import robust_scale


@links_to_documentation
class SmoothRobustScaler(OneToOneFeatureMixin, NumberTransformer):
    r"""Center by the median, scale by the interquartile range, and draw outliers in smoothly.

    .. math:: z = (x - \mathrm{median}) / \mathrm{IQR}, \qquad z / \sqrt{1 + (z / l)^2}

    Most numbers remain as :class:`~sklearn.preprocessing.RobustScaler` makes them, and none is
    beyond the limit l, which is approached, but reached by none: the order of the numbers is kept,
    unlike where they are cut off. It is what RealMLP does with its inputs [1]_.

    Missing numbers (NaN) are ignored in `fit` and remain missing.

    Parameters
    ----------
    limit : float or None, default=3
        What numbers approach, in interquartile ranges. If None, outliers stay where they are.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,)
        The median of each feature; 0 where all are missing.
    scale_ : ndarray of shape (n_features,)
        The interquartile range of each feature. Where it is 0, half of the whole range, and where
        that is 0 too, 1.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string column names.

    See Also
    --------
    sklearn.preprocessing.RobustScaler : The same without a limit.

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
       boosted trees on tabular data", Advances in Neural Information Processing Systems 37, 2024
       (`arXiv:2407.04491 <https://arxiv.org/abs/2407.04491>`_).

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.preprocessing import SmoothRobustScaler
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [1000.0]])
    >>> scaler = SmoothRobustScaler().fit(X)
    >>> scaler.center_, scaler.scale_
    (array([3.]), array([2.]))
    >>> scaler.transform(X).round(2).T
    array([[-0.95, -0.49,  0.  ,  0.49,  3.  ]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"limit": [POSITIVE, None]}

    center_: np.ndarray
    scale_: np.ndarray

    def __init__(self, limit: float | None = 3.0) -> None:
        self.limit = limit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> SmoothRobustScaler:
        """Find the median and the interquartile range of each feature.

        Quantiles are numbers of X (NumPy's method "inverted_cdf").

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
        self : SmoothRobustScaler
            The fitted scaler.

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
        found = np.array([robust_scale(values, weights) for values in X.T])
        self.center_ = found[:, 0]
        with np.errstate(over="ignore"):
            scale = 1 / np.where(found[:, 1], found[:, 1], 1)
        self.scale_ = np.minimum(scale, np.finfo(np.float64).max)

    def transform(self, X: Any) -> np.ndarray:
        """Center, scale and draw in.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, NaN where they are missing.

        Returns
        -------
        scaled : ndarray of shape (n_samples, n_features)
            Numbers between -limit and limit; float32 if X is float32, else float64.

        Raises
        ------
        ValueError
            If X holds infinity, or its columns are not those of `fit`.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        scaled = np.empty(X.shape, X.dtype)
        for j, (center, scale) in enumerate(zip(self.center_, self.scale_, strict=True)):
            z = X[:, j] / scale - center / scale  # in float64, where a difference might overflow
            if self.limit is not None:
                z /= np.hypot(1, z / self.limit)
            scaled[:, j] = z
        return scaled

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers between -limit and limit. Those at or beyond a limit, where rounding may have
            brought very distant ones, become the largest that can be told from it.

        Returns
        -------
        numbers : ndarray of shape (n_samples, n_features)
            Numbers on the scale of the training data; float32 if X is float32, else float64.

        Raises
        ------
        ValueError
            If X holds infinity, or has another number of columns.
        """
        check_is_fitted(self)
        X = check_numbers(X, dtype=list(FLOATS), ensure_all_finite="allow-nan")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        z = X
        if self.limit is not None:
            most = 1 - np.finfo(X.dtype).epsneg
            share = np.clip(X.astype(np.float64) / self.limit, -most, most)
            z = self.limit * share / np.sqrt((1 - share) * (1 + share))
        return (z * self.scale_ + self.center_).astype(X.dtype)
