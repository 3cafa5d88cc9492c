"""MiniRocket: features of series by fixed convolutions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sknn._documentation import links_to_documentation
from sknn._drafts import draft_of
from sknn._validation import POSITIVE_INTEGER
from sknn.data import (
    Ragged,
    as_list_of_series,
    check_numbers,
    check_series_array,
    count_channels,
    join_series,
    torch_type,
)

from ._rocket_kernels import Rocket


@links_to_documentation
class MiniRocket(TransformerMixin, BaseEstimator):
    """Turn series into features by convolutions with fixed kernels.

    Each feature is the share of the steps at which a convolution of the series is above a bias
    [1]_. The 84 kernels have nine weights, six of -1 and three of 2; they are spread over the steps
    with several dilations, up to the length of the series, and the biases are quantiles of
    convolutions of training series. A linear classifier of these features is about as good as the
    best classifiers of series, in a small part of their time: :class:`~sknn.ConvSeriesClassifier`
    is both in one.

    Parameters
    ----------
    n_features : int, default=10_000
        Number of features, which is rounded down to a multiple of 84, but at least to 84.
    differences : bool, default=False
        Whether as many features again are computed from the changes from step to step, as
        MultiRocket does [2]_.
    random_state : int, RandomState instance or None, default=None
        Draws the series that biases come from, and the channels of each convolution. Pass an int
        for equal results in each call.

    Attributes
    ----------
    n_features_in_ : int
        Number of steps, if X was two-dimensional; else number of channels.
    n_channels_ : int
        Number of channels.

    See Also
    --------
    sknn.ConvSeriesClassifier : The features and a linear layer, as one estimator.
    sknn.ConvSeriesRegressor : The same for regression.

    Notes
    -----
    Series may be of different lengths. Each is seen as it is, with zeros at both ends of it for
    half of the kernels; the mean of the training data is subtracted first. A convolution of several
    channels is the sum over some of them, which are drawn at random.

    References
    ----------
    .. [1] A. Dempster, D. F. Schmidt and G. I. Webb, "MiniRocket: a very fast (almost)
       deterministic transform for time series classification", KDD 2021, arXiv:2012.08791.
    .. [2] C. W. Tan, A. Dempster, C. Bergmeir and G. I. Webb, "MultiRocket: multiple pooling
       operators and transformations for fast and effective time series classification", Data
       Mining and Knowledge Discovery 36, 2022, arXiv:2102.00457.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifierCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknn.preprocessing import MiniRocket
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 30)
    >>> X = np.sin(np.outer(1 + y, np.arange(50) / 3) + rng.uniform(0, 6, size=(60, 1)))
    >>> X += rng.normal(scale=0.3, size=X.shape)
    >>> classifier = make_pipeline(MiniRocket(840, random_state=0), RidgeClassifierCV())
    >>> classifier.fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_features": [POSITIVE_INTEGER],
        "differences": ["boolean"],
        "random_state": ["random_state"],
    }

    n_features_in_: int
    n_channels_: int
    _rocket: Rocket

    def __init__(
        self, n_features: int = 10_000, *, differences: bool = False, random_state: Any = None
    ) -> None:
        self.n_features = n_features
        self.differences = differences
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> MiniRocket:
        """Choose dilations, channels and biases.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps) or (n_samples, n_steps, n_channels), or list
            Series; a list holds arrays of shape (n_steps_i,) or (n_steps_i, n_channels).
        y : None
            Not used.

        Returns
        -------
        self : MiniRocket
            The fitted transformer.

        Raises
        ------
        ValueError
            If X holds no series of finite numbers, or a parameter's value is not allowed.
        """
        with draft_of(self) as draft:
            series = draft._check(X, reset=True)
            draft.n_channels_ = count_channels(series)
            random = check_random_state(draft.random_state)
            draft._rocket = Rocket.learn(
                series, draft.n_features, random, differences=draft.differences
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of series.

        Parameters
        ----------
        X : array-like or list
            Series with the channels of those of `fit`; lengths may differ.

        Returns
        -------
        ndarray of shape (n_samples, n_features), dtype float32
            Shares between 0 and 1.

        Raises
        ------
        ValueError
            As in `fit`, or if the number of channels is not that of `fit`.
        """
        check_is_fitted(self)
        return self._rocket.features(self._check(X, reset=False))

    def _check(self, X: Any, *, reset: bool) -> np.ndarray | Ragged:
        """Return validated series."""
        listed = as_list_of_series(X)
        series: Any
        if listed is not None:
            series = join_series(listed)
        elif len(getattr(X, "shape", None) or np.asarray(X).shape) > 2:
            series = check_series_array(X)
        else:
            series = torch_type(check_numbers(X, self, reset=reset, dtype="numeric"))
            return np.asarray(series)
        channels = count_channels(series)
        if reset:
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = channels
        elif channels != self.n_channels_:
            raise ValueError(
                f"X has {channels} channel(s), but {type(self).__name__} was fitted with "
                f"{self.n_channels_}."
            )
        return series

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name for each feature.

        Parameters
        ----------
        input_features : None
            Not used; steps have no part in the names.

        Returns
        -------
        ndarray of str objects
            "minirocket0", "minirocket1", and so on.
        """
        check_is_fitted(self)
        return np.array([f"minirocket{i}" for i in range(self._rocket.n_features)], object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
