"""Outliers by the errors of an autoencoder."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknn._parameters import declares_parameters, inherited, parameter
from sknn._validation import POSITIVE_INTEGER
from sknn.data import Inputs, dense_rows, in_float_type
from sknn.training import Training, forward

from ._family import AutoencoderEstimator
from ._samples import measured, samples_of_fit

# What "auto" takes for outliers: errors that are so many robust standard deviations above the
# median, as one of 160 normally distributed numbers is.
FENCE = 2.5
# Samples that are held out at least, for early stopping and the fence.
FEWEST_HELD_OUT = 5
# The standard deviation of normally distributed numbers, by the median of their distances from
# their median.
DEVIATION_OF_MEDIAN = 1.4826
# Share of an error by which batches of other sizes may change it.
ROUNDING = 1e-4


@declares_parameters
class AutoencoderOutlierDetector(OutlierMixin, AutoencoderEstimator):
    """Outlier detector: samples that an autoencoder, trained on the others, reads back badly.

    Most of the training samples are taken to be normal. The network learns to write them as a few
    numbers and to read them back; samples of another kind have larger errors [1]_. X holds vectors,
    whose columns are standardized within, or images.

    A fifth of the samples are held out: training ends with the weights that read these back best,
    and how large errors of normal samples are is seen by them (``contamination="auto"``), since
    errors of samples that it has learned from are smaller.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    offset_ : float
        Score below which a sample is an outlier.
    {attributes}

    See Also
    --------
    Autoencoder : The codes of samples, and samples of codes.
    sklearn.ensemble.IsolationForest : Outliers by the cuts that set them apart.

    References
    ----------
    .. [1] C. Aggarwal, "Outlier Analysis", 2nd edition, Springer 2017, section 3.6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sknn.decomposition import AutoencoderOutlierDetector
    >>> X, y = load_digits(return_X_y=True)
    >>> detector = AutoencoderOutlierDetector(hidden_layer_sizes=64, random_state=0)
    >>> detector = detector.fit(X[y == 0][:100])
    >>> bool(np.mean(detector.predict(X[y == 0][100:]) == 1) > 0.7)
    True
    >>> bool(np.mean(detector.predict(X[y != 0]) == -1) > 0.95)
    True
    """

    n_components: int | None = parameter(
        default=None,
        constraints=[POSITIVE_INTEGER, None],
        kw_only=False,
        doc="""int or None
        Numbers of a code. The fewer, the more of what is normal has large errors, too; the more,
        the better other samples are read back. None is 16, or half the columns of X where these
        are fewer than 32.""",
    )
    architecture: str = parameter(
        default="auto",
        constraints=[StrOptions({"auto", "dense", "conv"})],
        doc="""{"auto", "dense", "conv"}
        The network: dense layers, or convolutions before and transposed convolutions behind dense
        layers. "auto" is "dense", for images too: convolutions also read back images of another
        kind.""",
    )
    contamination: float | str = parameter(
        default="auto",
        constraints=[StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        doc="""float or "auto"
        Share of the training samples that are outliers, in (0, 0.5], which sets `offset_`. "auto"
        takes for outliers whose error is more than 2.5 robust standard deviations (1.4826 times
        the median distance from the median) above the median of the errors of samples that were
        held out of training, or of the training samples where none were.""",
    )
    early_stopping: bool = inherited(AutoencoderEstimator, "early_stopping", default=True)
    validation_fraction: float = inherited(AutoencoderEstimator, "validation_fraction", default=0.2)
    __metadata_request__score_samples: ClassVar[Any] = {}

    _most_components: ClassVar[int] = 16
    # convolutions read back strokes and edges of any image, unusual ones too
    _architecture_of_images: ClassVar[str] = "dense"

    def _holds_out(self, n_rows: int) -> bool:
        return self.early_stopping and n_rows * self.validation_fraction >= FEWEST_HELD_OUT

    def fit_predict(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Fit to samples, and say which of them are outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.
        y : None
            Not used.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 for outliers, 1 for others.
        """
        return self.fit(X, **fit_params).predict(X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the distance of each sample from its reconstruction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            The lower, the more abnormal. Distances are Euclidean ones in the units of
            `standardize`, divided by the square root of the number of columns.
        """
        check_is_fitted(self)
        errors, dtype = self._measure(X, self._errors)
        return -in_float_type(errors, dtype)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return `score_samples` less `offset_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Say which samples are outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 for outliers, 1 for others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _errors(self, outputs: Tensor, samples: Tensor) -> Tensor:
        """Return distances (n,) of samples from their reconstructions."""
        return self._residuals(outputs, samples).square().mean(1).sqrt()

    def _conclude(self, training: Training) -> None:
        """Find the offset, also where training was interrupted."""
        super()._conclude(training)

        def measure(batch: Inputs) -> Tensor:
            outputs = forward(training.module, batch, self._compute_dtype)
            return self._errors(outputs, dense_rows(batch).flatten(1))

        # a share is one of all samples; what is usual is seen by those that it has not learned from
        parts = samples_of_fit(training)
        if self.contamination == "auto" and training.validation is not None:
            parts = [training.validation]
        self.offset_ = -self._limit(*measured(self, training, parts, measure))

    def _limit(self, errors: np.ndarray, weights: np.ndarray | None) -> float:
        """Return the error above which a sample is an outlier, of training errors (n,)."""
        if not np.isfinite(errors).all():  # of a training that has diverged, which says so
            return np.inf
        if self.contamination != "auto":
            return weighted_quantile(errors, weights, 1 - float(self.contamination))
        middle = weighted_quantile(errors, weights, 0.5)
        spread = weighted_quantile(np.abs(errors - middle), weights, 0.5)
        # errors of equal samples differ by rounding, which is not unusual
        return middle + FENCE * max(DEVIATION_OF_MEDIAN * spread, ROUNDING * middle)


def weighted_quantile(values: np.ndarray, weights: np.ndarray | None, level: float) -> float:
    """Return a quantile of values (n,), on the line between the two that are nearest.

    Weights are above 0.
    """
    if weights is None:
        return float(np.percentile(values, 100 * level))
    order = np.argsort(values)
    # as if a row of weight w were there w times: from its first copy to its last
    ends = np.cumsum(weights[order])
    place = level * (ends[-1] - 1)
    places = np.stack([ends - weights[order], ends - 1], 1).ravel()
    return float(np.interp(place, places, np.repeat(values[order], 2)))
